//! The shared ledger as threads use it: guards that are dropped, panics under the lock, many at once.
#![cfg(not(loom))]

use std::panic::{AssertUnwindSafe, catch_unwind};

use limits::{Ask, Cover, HoldGuard, Kind, LimitKey, Settlement, SharedLedger, Status};

const MINUTE: u64 = 60_000_000;

const TOKENS: LimitKey = LimitKey { pool: 1, kind: Kind::Tokens, window_us: MINUTE };
const CONCURRENT: LimitKey = LimitKey { pool: 1, kind: Kind::Concurrent, window_us: 0 };

fn asks(log: u64, hold: u64) -> [Ask; 2] {
    [Ask { key: TOKENS, n: 100, log, hold }, Ask { key: CONCURRENT, n: 3, log: 0, hold: 1 }]
}

fn status(ledger: &SharedLedger, now: u64) -> Status {
    ledger.with(|ledger| ledger.status(TOKENS, 100, now))
}

#[test]
fn a_guard_that_is_settled_settles_once() {
    let ledger = SharedLedger::new();
    let ends: [fn(HoldGuard); 5] = [
        |guard| assert_eq!(guard.settle(Settlement { input: Some(5), output: 7 }, 2), 0),
        |guard| guard.release(2),
        |guard| guard.lapse(2),
        |guard| guard.refund_tokens(2),
        |guard| guard.refund_all(2),
    ];
    let mut used = 0;
    for (request, (end, charged)) in ends.into_iter().zip([12, 10, 15, 0, 0]).enumerate() {
        end(ledger.reserve(request as u128, &asks(10, 5), 1).unwrap());
        used += charged;
        let seen = status(&ledger, 2);
        assert_eq!((seen.used, seen.held, ledger.with(|ledger| ledger.holds())), (used, 0, 0));
    }
}

#[test]
fn a_guard_that_is_dropped_lapses_at_the_time_of_the_next_call() {
    let ledger = SharedLedger::new();
    let mut guard = ledger.reserve(1, &asks(10, 50), 1).unwrap();
    guard.charge(20, 2);
    assert_eq!(guard.left(), 30);
    drop(guard);
    // What was relayed may be as new as the next call's time.
    let seen = status(&ledger, MINUTE);
    assert_eq!((seen.used, seen.held, seen.resets_at), (60, 0, Some(2 * MINUTE)));
    assert_eq!(ledger.with(|ledger| ledger.status(CONCURRENT, 3, MINUTE)).held, 0);
    assert!(ledger.with(|ledger| ledger.is_empty(2 * MINUTE)));
}

#[test]
fn a_waiter_that_is_dropped_leaves_the_queue() {
    let ledger = SharedLedger::new();
    let mut first = ledger.reserve(1, &asks(50, 0), 1).unwrap();
    let mut second = ledger.reserve(2, &asks(50, 0), 1).unwrap();
    assert_eq!(first.cover(40, 40, 2), Cover::Waiting);
    assert_eq!(second.cover(30, 60, 2), Cover::Waiting);
    drop(first);
    assert_eq!(status(&ledger, 3).waiting, 30);
    assert_eq!(second.cover(30, 60, MINUTE + 1), Cover::Covered(60));
    second.release(MINUTE + 1);
}

#[test]
fn a_panic_of_the_owner_settles_its_hold() {
    let ledger = SharedLedger::new();
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        let _guard = ledger.reserve(1, &asks(10, 50), 1).unwrap();
        panic!("in the midst of a stream");
    }));
    assert!(panicked.is_err());
    assert_eq!(status(&ledger, 2).used, 60);
    assert_eq!(ledger.with(|ledger| ledger.holds()), 0);
}

#[test]
fn a_panic_under_the_lock_leaves_the_organisation_working() {
    let ledger = SharedLedger::new();
    let held = ledger.reserve(1, &asks(10, 20), 1).unwrap();
    let mut waiting = ledger.reserve(2, &asks(70, 0), 1).unwrap();
    assert_eq!(waiting.cover(50, 50, 1), Cover::Waiting);
    let guard = ledger.reserve(3, &[asks(0, 0)[1]], 1).unwrap();
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        ledger.with(|_| {
            // A guard that dies under its own lock must not wait for it.
            let _guard = guard;
            panic!("under the lock")
        })
    }));
    assert!(panicked.is_err());
    let seen = status(&ledger, 2);
    assert_eq!((seen.used, seen.held), (80, 20));
    assert_eq!(ledger.with(|ledger| ledger.status(CONCURRENT, 3, 2)).held, 2);
    // Those who waited ask again.
    assert_eq!(waiting.cover(20, 50, 3), Cover::Waiting);
    held.release(4);
    assert_eq!(waiting.cover(20, 50, 4), Cover::Covered(20));
    waiting.release(4);
    assert!(ledger.with(|ledger| ledger.is_empty(2 * MINUTE)));
}

#[test]
fn many_threads_never_admit_more_than_fits() {
    let ledger = SharedLedger::new();
    let key = LimitKey { pool: 2, kind: Kind::Requests, window_us: MINUTE };
    let ask = [Ask { key, n: 50, log: 1, hold: 0 }];
    let run = &|thread: u128| {
        let admitted = (0..25).filter_map(|round| ledger.reserve(thread << 32 | round, &ask, 1).ok());
        admitted.map(|guard| guard.release(2)).count()
    };
    let admitted: usize = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8).map(|thread| scope.spawn(move || run(thread))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    assert_eq!(admitted, 50);
}

#[test]
fn who_is_refused_elsewhere_takes_nothing_here_and_who_is_refused_here_asks_nowhere_else() {
    let (here, elsewhere) = (SharedLedger::new(), SharedLedger::new());
    let take = |request, log, elsewhere_log| {
        here.reserve_and(request, &asks(log, 0), 1, || elsewhere.reserve(request, &asks(elsewhere_log, 0), 1))
    };
    let both = take(1, 10, 90).unwrap();
    take(2, 10, 20).expect_err("no room elsewhere");
    assert_eq!((status(&here, 1).used, here.with(|ledger| ledger.holds())), (10, 1));
    take(3, 91, 5).expect_err("no room here");
    assert_eq!((status(&elsewhere, 1).used, elsewhere.with(|ledger| ledger.holds())), (90, 1));
    both.0.refund_all(2);
    both.1.refund_all(2);
    assert_eq!((status(&here, 2).used, status(&elsewhere, 2).used), (0, 0));
}

#[test]
fn who_stands_back_holds_nothing_keeps_nobody_waiting_and_may_ask_again() {
    let ledger = SharedLedger::new();
    let mut first = ledger.reserve(1, &asks(10, 60), 1).unwrap();
    first.stand_back(25, 2);
    let seen = status(&ledger, 2);
    assert_eq!((seen.used, seen.held, seen.waiting, first.left()), (35, 0, 0, 0));
    // Where it waits, it waits no more, and whoever came after it is served.
    let mut other = ledger.reserve(2, &asks(30, 30), 3).unwrap();
    assert_eq!(first.cover_beyond(25, 10, 10, 4), Cover::Waiting);
    assert_eq!(other.cover(35, 35, 4), Cover::Waiting, "behind the first");
    first.stand_back(25, 5);
    assert_eq!((other.left(), status(&ledger, 5).waiting), (35, 0));
    other.release(6);
    assert_eq!(first.cover_beyond(25, 10, 10, 7), Cover::Covered(10));
    assert_eq!(first.settle(Settlement { input: None, output: 25 }, 8), 0);
    let seen = status(&ledger, 9);
    assert_eq!((seen.used, seen.held), (65, 0), "what was processed was charged once");
}
