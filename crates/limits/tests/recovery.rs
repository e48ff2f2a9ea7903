//! Crashes small enough to reckon by hand: what is found again, at what time, and what isn't counted twice.
#![cfg(not(loom))]

use limits::{Ask, Ending, HoldState, Kind, Ledger, LimitKey, LimitState, Recovery, Settlement, SharedLedger, State};

const SECOND: u64 = 1_000_000;
const MINUTE: u64 = 60 * SECOND;

const TOKENS: LimitKey = LimitKey { pool: 1, kind: Kind::Tokens, window_us: MINUTE };
const DAY: LimitKey = LimitKey { pool: 1, kind: Kind::Tokens, window_us: 24 * 60 * MINUTE };
const REQUESTS: LimitKey = LimitKey { pool: 1, kind: Kind::Requests, window_us: MINUTE };
const CONCURRENT: LimitKey = LimitKey { pool: 1, kind: Kind::Concurrent, window_us: 0 };

fn asks(log: u64, hold: u64) -> [Ask; 3] {
    [Ask { key: REQUESTS, n: 10, log: 1, hold: 0 }, Ask { key: TOKENS, n: 100, log, hold }, Ask { key: CONCURRENT, n: 5, log: 0, hold: 1 }]
}

/// Requests used, tokens used and held, and requests under way.
fn seen(ledger: &mut Ledger, now: u64) -> (u64, u64, u64, u64) {
    let tokens = ledger.status(TOKENS, 100, now);
    (ledger.status(REQUESTS, 10, now).used, tokens.used, tokens.held, ledger.status(CONCURRENT, 5, now).held)
}

#[test]
fn a_state_is_all_there_is() {
    let mut ledger = Ledger::new();
    ledger.reserve(1, &asks(10, 20), 5).unwrap();
    let hold = ledger.reserve(2, &asks(30, 5), 7).unwrap();
    ledger.charge(hold, 3, 8);
    let state = ledger.dump(9);
    let limit = |key, n, entries: &[(u64, u64)]| LimitState { key, n, entries: entries.to_vec(), owed: 0 };
    let hold = |request, at, input, output, left| HoldState {
        request,
        at,
        limits: vec![0, 1, 2],
        requests: 1,
        concurrent: 1,
        input,
        input_later: 0,
        output,
        left,
        own: vec![],
    };
    let limits = vec![limit(REQUESTS, 10, &[(5, 1), (7, 1)]), limit(TOKENS, 100, &[(5, 10), (7, 30), (8, 3)]), limit(CONCURRENT, 5, &[])];
    assert_eq!(state, State { at: 9, limits, holds: vec![hold(1, 5, 10, 0, 20), hold(2, 7, 30, 3, 2)] });
    // What comes later is later.
    ledger.reserve(3, &asks(0, 0), 9).unwrap();
    assert_eq!(ledger.now(), 10);
}

#[test]
fn a_restart_charges_what_was_open_and_frees_its_places() {
    let mut ledger = Ledger::new();
    let ended = ledger.reserve(1, &asks(10, 20), 1).unwrap();
    ledger.reserve(2, &asks(5, 30), 2).unwrap();
    ledger.settle(ended, Settlement { input: Some(8), output: 12 }, 3);
    let state = ledger.dump(4);
    let mut recovery = Recovery::new(Some(state), 0, 10);
    // All that was before the state is told again.
    recovery.grant(1, &asks(10, 20), 1);
    recovery.grant(2, &asks(5, 30), 2);
    recovery.end(1, Ending::Settled(Settlement { input: Some(8), output: 12 }), 3);
    // And what came after it, some of it twice; the ending of the third was never written.
    for _ in 0..2 {
        recovery.grant(3, &asks(1, 2), 5);
        recovery.charge(3, 1, 6);
        recovery.grant(4, &asks(7, 9), 7);
        recovery.end(4, Ending::AllBack, 8);
    }
    let mut ledger = recovery.finish();
    assert_eq!(seen(&mut ledger, 10), (3, 20 + 35 + 3, 0, 0));
    assert_eq!(ledger.holds(), 0);
    assert_eq!(seen(&mut ledger, MINUTE + 9), (0, 31, 0, 0));
    assert!(ledger.is_empty(MINUTE + 10));
}

#[test]
fn what_began_and_ended_in_the_microsecond_of_the_state_counts_once() {
    let mut ledger = Ledger::new();
    let hold = ledger.reserve(1, &asks(10, 20), 4).unwrap();
    ledger.release(hold, 4);
    let mut recovery = Recovery::new(Some(ledger.dump(4)), 0, 10);
    recovery.grant(1, &asks(10, 20), 4);
    recovery.end(1, Ending::Settled(Settlement::default()), 4);
    assert_eq!(seen(&mut recovery.finish(), 10), (1, 10, 0, 0));
}

#[test]
fn what_a_cover_added_or_took_is_known() {
    let mut recovery = Recovery::new(None, 0, 100);
    let long = Ask { key: DAY, n: 50, log: 0, hold: 10 };
    recovery.grant(1, &[asks(0, 10)[1], long], 1);
    recovery.cover(1, 80, 2);
    recovery.charge(1, 20, 3);
    // It had to wait, and was served with less.
    recovery.cover(1, 20, 4);
    recovery.cover(1, 65, 5);
    recovery.cover(1, 60, 5);
    recovery.cover(2, 1_000, 6);
    let mut ledger = recovery.finish();
    // The day has room for 50 only; what it lacks is owed there, and paid tomorrow.
    let day = ledger.status(DAY, 50, 100);
    assert_eq!((day.used, day.held, day.debt), (50, 0, 10));
    assert_eq!(ledger.status(TOKENS, 100, 100).used, 60);
}

#[test]
fn debt_outlives_a_crash_and_is_never_forgiven() {
    let mut ledger = Ledger::new();
    let hold = ledger.reserve(1, &asks(90, 10), 1).unwrap();
    assert_eq!(ledger.charge(hold, 260, 2), 250);
    let mut recovery = Recovery::new(Some(ledger.dump(3)), 0, 4);
    recovery.charge(1, 260, 3);
    recovery.charge(1, 300, 3);
    let mut ledger = recovery.finish();
    for (minute, used, debt) in [(0, 100, 290), (1, 100, 200), (2, 100, 90), (3, 90, 0), (4, 0, 0)] {
        let status = ledger.status(TOKENS, 100, 1 + minute * MINUTE + if minute > 1 { SECOND } else { 0 });
        assert_eq!((status.used, status.debt), (used, debt), "after {minute} minutes");
    }
}

#[test]
fn a_clock_that_begins_anew_is_bridged() {
    let mut ledger = Ledger::new();
    let boot = 5_000 * MINUTE;
    ledger.reserve(1, &asks(10, 3), boot).unwrap();
    ledger.reserve(2, &asks(20, 4), boot + 30 * SECOND).unwrap();
    let state = ledger.dump(boot + 31 * SECOND);
    // 50 s later by the wall, the new clock reads two hours: the first request counts for 10 s more.
    let now = 120 * MINUTE;
    let shift = now.cast_signed() - (boot + 50 * SECOND).cast_signed();
    let mut recovery = Recovery::new(Some(state.clone()), shift, now);
    recovery.end(1, Ending::Settled(Settlement { input: Some(9), output: 1 }), boot + 32 * SECOND);
    let mut ledger = recovery.finish();
    assert_eq!(seen(&mut ledger, now), (2, 9 + 1 + 24, 0, 0));
    assert_eq!(seen(&mut ledger, now + 10 * SECOND - 1), (2, 34, 0, 0));
    assert_eq!(seen(&mut ledger, now + 10 * SECOND), (1, 25, 0, 0));
    assert_eq!(seen(&mut ledger, now + 40 * SECOND), (0, 5, 0, 0));
    // Were the wall wrong and the entries in the future, they count from now.
    let mut ledger = Recovery::new(Some(state.clone()), shift + (3 * MINUTE).cast_signed(), now).finish();
    assert_eq!(seen(&mut ledger, now + MINUTE - 1), (2, 37, 0, 0));
    assert_eq!(seen(&mut ledger, now + MINUTE), (0, 0, 0, 0));
    // Before the clock's beginning there is no time.
    let mut ledger = Recovery::new(Some(state), i64::MIN, SECOND).finish();
    assert_eq!(seen(&mut ledger, MINUTE - 1), (2, 37, 0, 0));
    assert_eq!(seen(&mut ledger, MINUTE), (0, 7, 0, 0));
}

#[test]
fn what_may_be_missing_fills_its_window() {
    let mut recovery = Recovery::new(None, 0, MINUTE);
    recovery.grant(1, &asks(10, 0), 1);
    recovery.fill(TOKENS, 100, 100, 30 * SECOND);
    recovery.fill(CONCURRENT, 5, 5, 30 * SECOND);
    let ledger = SharedLedger::from(recovery.finish());
    assert_eq!(ledger.with(|ledger| seen(ledger, MINUTE)), (1, 110, 0, 0));
    assert!(ledger.reserve(2, &asks(1, 0), 90 * SECOND - 1).is_err());
    let guard = ledger.reserve(2, &asks(1, 0), 90 * SECOND).unwrap();
    assert_eq!(guard.admitted_at(), 90 * SECOND);
    guard.release(90 * SECOND);
}

#[test]
fn a_state_that_makes_no_sense_harms_nobody() {
    let limit = |entries: Vec<(u64, u64)>, owed| LimitState { key: TOKENS, n: u64::MAX, entries, owed };
    let hold = |request| HoldState {
        request,
        at: u64::MAX,
        limits: vec![0, 0, 7],
        requests: u64::MAX,
        concurrent: u64::MAX,
        input: u64::MAX,
        input_later: u64::MAX,
        output: u64::MAX,
        left: u64::MAX,
        own: vec![u64::MAX; 3],
    };
    let limits = vec![limit(vec![(9, u64::MAX), (3, u64::MAX), (u64::MAX, 1)], u64::MAX)];
    let mut recovery = Recovery::new(Some(State { at: 10, limits, holds: (0..9).map(hold).collect() }), 0, 20);
    recovery.charge(1, u64::MAX, 11);
    let mut ledger = recovery.finish();
    assert_eq!(ledger.holds(), 0);
    assert_eq!(ledger.status(TOKENS, 100, 20).held, 0);
}
