//! The lock and the drop guard, model-checked: every order of what threads do, within a small model.
//! `RUSTFLAGS="--cfg loom" cargo test -p limits --test loom --release`
#![cfg(loom)]

use limits::{Ask, HoldGuard, Kind, LimitKey, Settlement, SharedLedger};
use loom::thread;

const MINUTE: u64 = 60_000_000;
const TOKENS: LimitKey = LimitKey { pool: 1, kind: Kind::Tokens, window_us: MINUTE };
const CONCURRENT: LimitKey = LimitKey { pool: 1, kind: Kind::Concurrent, window_us: 0 };

fn asks(log: u64, hold: u64) -> [Ask; 2] {
    [Ask { key: TOKENS, n: 100, log, hold }, Ask { key: CONCURRENT, n: 2, log: 0, hold: 1 }]
}

/// Used, held, and how many requests are under way.
fn seen(ledger: &SharedLedger, now: u64) -> (u64, u64, u64) {
    ledger.with(|ledger| {
        let tokens = ledger.status(TOKENS, 100, now);
        (tokens.used, tokens.held, ledger.status(CONCURRENT, 2, now).held)
    })
}

fn reserve(ledger: &SharedLedger, request: u128) -> HoldGuard {
    ledger.reserve(request, &asks(10, 20), 1).expect("there is room")
}

/// A client leaves (its guard is dropped) while another's request settles and a third looks on.
#[test]
fn a_dropped_guard_is_settled_exactly_once_whoever_comes_next() {
    loom::model(|| {
        let ledger = SharedLedger::new();
        let (gone, stays) = (reserve(&ledger, 1), reserve(&ledger, 2));
        let one = thread::spawn(move || drop(gone));
        let two = thread::spawn(move || stays.settle(Settlement { input: None, output: 5 }, 2));
        // Never a moment at which a token is neither used nor held.
        let (used, held, _) = seen(&ledger, 2);
        assert!(used + held == 60 || used + held == 45);
        one.join().expect("no panic");
        assert_eq!(two.join().expect("no panic"), 0);
        assert_eq!(seen(&ledger, 3), (45, 0, 0));
        assert_eq!(ledger.with(|ledger| ledger.holds()), 0);
    });
}

/// Two guards of one request, as after a retry: one is dropped, the other settles.
#[test]
fn two_guards_of_one_hold_settle_it_once() {
    loom::model(|| {
        let ledger = SharedLedger::new();
        let (one, two) = (reserve(&ledger, 1), reserve(&ledger, 1));
        assert_eq!(one.id(), two.id());
        let dropped = thread::spawn(move || drop(one));
        let settled = thread::spawn(move || two.release(2));
        dropped.join().expect("no panic");
        settled.join().expect("no panic");
        let (used, held, under_way) = seen(&ledger, 3);
        // Whichever came first: all charged, or nothing.
        assert!(used == 30 || used == 10);
        assert_eq!((held, under_way), (0, 0));
    });
}

/// Both guards are dropped at once, while somebody else is admitted in their place as soon as that may be.
#[test]
fn drops_at_once_are_both_heard() {
    loom::model(|| {
        let ledger = SharedLedger::new();
        let (one, two) = (reserve(&ledger, 1), reserve(&ledger, 2));
        let first = thread::spawn(move || drop(one));
        let second = thread::spawn(move || drop(two));
        let third = ledger.reserve(3, &[asks(0, 0)[1]], 2);
        first.join().expect("no panic");
        second.join().expect("no panic");
        let under_way = u64::from(third.is_ok());
        assert_eq!(seen(&ledger, 3), (60, 0, under_way));
        drop(third);
        assert_eq!(seen(&ledger, 4), (60, 0, 0));
    });
}

/// Two ask for the last place at once.
#[test]
fn the_last_place_is_given_once() {
    loom::model(|| {
        let ledger = SharedLedger::new();
        let other = ledger.clone();
        let first = reserve(&ledger, 1);
        let thread = thread::spawn(move || other.reserve(2, &[asks(0, 0)[1]], 1).map(|guard| guard.release(1)).is_ok());
        let mine = ledger.reserve(3, &[asks(0, 0)[1]], 1);
        let theirs = thread.join().expect("no panic");
        assert!(mine.is_ok() || theirs);
        drop(mine);
        first.release(2);
        assert_eq!(seen(&ledger, 2).2, 0);
    });
}

/// Two organisations that share a ledger ask for its last room at once, each under its own lock: one gets it, nobody waits for the other for
/// ever, and who is refused holds nothing.
#[test]
fn what_two_ledgers_share_is_given_once() {
    loom::model(|| {
        let shared = SharedLedger::new();
        let ask = |request: u128, shared: &SharedLedger| {
            let own = SharedLedger::new();
            let taken = own.reserve_and(request, &asks(10, 20), 1, || shared.reserve(request, &asks(60, 0), 1));
            let is_in = taken.is_ok();
            assert_eq!(seen(&own, 1), if is_in { (10, 20, 1) } else { (0, 0, 0) });
            drop(taken);
            is_in
        };
        let other = shared.clone();
        let thread = thread::spawn(move || ask(1, &other));
        let (mine, theirs) = (ask(2, &shared), thread.join().expect("no panic"));
        assert!(mine != theirs);
        assert_eq!(seen(&shared, 2), (60, 0, 0));
    });
}
