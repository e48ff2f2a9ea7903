//! Cases small enough to reckon by hand, and the bounds.
#![cfg(not(loom))]

use limits::{ASKS, Ask, Caps, Cover, Kind, Ledger, LimitKey, Refusal, Retry, Settlement, Status};

const SECOND: u64 = 1_000_000;
const MINUTE: u64 = 60 * SECOND;
const HOUR: u64 = 60 * MINUTE;

fn requests(pool: u64, n: u64) -> Ask {
    Ask { key: LimitKey { pool, kind: Kind::Requests, window_us: MINUTE }, n, log: 1, hold: 0 }
}

fn tokens_of(window_us: u64, n: u64, log: u64, hold: u64) -> Ask {
    Ask { key: LimitKey { pool: 1, kind: Kind::Tokens, window_us }, n, log, hold }
}

fn tokens(n: u64, log: u64, hold: u64) -> Ask {
    tokens_of(MINUTE, n, log, hold)
}

fn concurrent(n: u64) -> Ask {
    Ask { key: LimitKey { pool: 1, kind: Kind::Concurrent, window_us: 0 }, n, log: 0, hold: 1 }
}

fn status(ledger: &mut Ledger, ask: &Ask, now: u64) -> Status {
    ledger.status(ask.key, ask.n, now)
}

fn exactly(at: u64) -> Retry {
    Retry::At { at, estimate: false }
}

#[test]
fn an_event_counts_until_just_before_a_window_later() {
    let mut ledger = Ledger::new();
    let ask = [requests(1, 1)];
    ledger.reserve(1, &ask, 5).unwrap();
    assert_eq!(status(&mut ledger, &ask[0], 5), Status { used: 1, resets_at: Some(MINUTE + 5), ..Status::default() });
    let Refusal { blocked, retry } = ledger.reserve(2, &ask, MINUTE + 4).unwrap_err();
    assert_eq!(retry, exactly(MINUTE + 5));
    assert_eq!((blocked[0].ask, blocked[0].used, blocked[0].held, blocked[0].n, blocked[0].requested), (0, 1, 0, 1, 1));
    ledger.reserve(2, &ask, MINUTE + 5).unwrap();
}

#[test]
fn the_time_is_that_of_the_entry_that_makes_enough_room() {
    let mut ledger = Ledger::new();
    for (request, (at, amount)) in [(10, 30), (20, 30), (30, 40)].into_iter().enumerate() {
        ledger.reserve(request as u128, &[tokens(100, amount, 0)], at).unwrap();
    }
    for (ask, at) in [(1, 10), (30, 10), (31, 20), (60, 20), (61, 30), (100, 30)] {
        assert_eq!(ledger.reserve(9, &[tokens(100, ask, 0)], 40).unwrap_err().retry, exactly(at + MINUTE), "for {ask}");
    }
    assert_eq!(ledger.reserve(9, &[tokens(100, 101, 0)], 40).unwrap_err().retry, Retry::Never);
    assert_eq!(ledger.reserve(9, &[tokens(100, 60, 41)], 40).unwrap_err().retry, Retry::Never);
}

#[test]
fn the_limit_that_opens_last_binds() {
    let mut ledger = Ledger::new();
    let all = [requests(1, 1), tokens(10, 10, 0), tokens_of(HOUR, 10, 10, 0)];
    ledger.reserve(1, &all, 7).unwrap();
    let refusal = ledger.reserve(2, &all, 8).unwrap_err();
    assert_eq!(refusal.retry, exactly(HOUR + 7));
    assert_eq!(refusal.blocked.iter().map(|blocked| blocked.ask).collect::<Vec<_>>(), [2, 0, 1]);
}

#[test]
fn a_limit_of_nothing_never_admits() {
    let mut ledger = Ledger::new();
    assert_eq!(ledger.reserve(1, &[requests(1, 0)], 1).unwrap_err().retry, Retry::Never);
    assert_eq!(ledger.reserve(1, &[concurrent(0)], 1).unwrap_err().retry, Retry::Never);
    ledger.reserve(1, &[tokens(0, 0, 0)], 1).unwrap();
}

#[test]
fn an_ask_of_nothing_needs_no_room_but_waits_its_turn() {
    let mut ledger = Ledger::new();
    let hold = ledger.reserve(1, &[tokens(10, 0, 10)], 1).unwrap();
    ledger.set_n(tokens(5, 0, 0).key, 5);
    ledger.reserve(2, &[tokens(5, 0, 0)], 1).unwrap();
    assert_eq!(ledger.charge(hold, 11, 1), 1);
    assert_eq!(ledger.reserve(3, &[tokens(5, 0, 0)], 1).unwrap_err().blocked[0].waiting, 1);
}

#[test]
fn concurrency_is_held_until_the_end_and_its_time_is_a_guess() {
    let mut ledger = Ledger::new();
    let holds: Vec<_> = (0..2).map(|request| ledger.reserve(request, &[concurrent(2)], SECOND).unwrap()).collect();
    let seen = status(&mut ledger, &concurrent(2), SECOND);
    assert_eq!(seen, Status { held: 2, ..Status::default() });
    let retry = |ledger: &mut Ledger, now| ledger.reserve(9, &[concurrent(2)], now).unwrap_err().retry;
    let guess = |at| Retry::At { at, estimate: true };
    // Nothing is known yet: ten seconds of life are assumed, of which one has passed; then never less than a second.
    assert_eq!(retry(&mut ledger, 2 * SECOND), guess(11 * SECOND));
    assert_eq!(retry(&mut ledger, 20 * SECOND), guess(21 * SECOND));
    ledger.release(holds[0], 31 * SECOND);
    ledger.reserve(8, &[concurrent(2)], 31 * SECOND).unwrap();
    // One lived 30 s: of the two, one is new and one is over its time; the median is the upper.
    assert_eq!(retry(&mut ledger, 32 * SECOND), guess(61 * SECOND));
    ledger.lapse(holds[1], 32 * SECOND);
    ledger.reserve(9, &[concurrent(2)], 32 * SECOND).unwrap();
}

#[test]
fn a_guess_is_a_window_away_at_most() {
    let mut ledger = Ledger::new();
    let short = tokens_of(SECOND / 2, 10, 0, 10);
    ledger.reserve(1, &[short], 1).unwrap();
    assert_eq!(ledger.reserve(2, &[short], 1).unwrap_err().retry, Retry::At { at: 1 + SECOND / 2, estimate: true });
    let mut ledger = Ledger::new();
    let hold = ledger.reserve(1, &[concurrent(1)], 1).unwrap();
    ledger.release(hold, HOUR);
    ledger.reserve(2, &[concurrent(1)], HOUR).unwrap();
    assert_eq!(ledger.reserve(3, &[concurrent(1)], HOUR).unwrap_err().retry, Retry::At { at: HOUR + MINUTE, estimate: true });
}

#[test]
fn the_median_is_of_the_last_few_lives() {
    let mut ledger = Ledger::new();
    let mut now = 1;
    for (request, life) in [50, 50, 50, 50, 50, 50, 50, 4, 4, 4, 4, 20, 20, 20].into_iter().enumerate() {
        let hold = ledger.reserve(request as u128, &[concurrent(1)], now).unwrap();
        now += life * SECOND;
        ledger.release(hold, now);
    }
    ledger.reserve(99, &[concurrent(1)], now).unwrap();
    let guess = |after| Retry::At { at: now + after * SECOND, estimate: true };
    assert_eq!(ledger.reserve(100, &[concurrent(1)], now).unwrap_err().retry, guess(4));
}

#[test]
fn what_exceeds_the_hold_takes_what_is_free_and_owes_the_rest() {
    let mut ledger = Ledger::new();
    let hold = ledger.reserve(1, &[tokens(100, 20, 30)], 1).unwrap();
    assert_eq!(ledger.hold_left(hold), Some(30));
    assert_eq!(ledger.charge(hold, 10, 2), 0);
    assert_eq!(ledger.charge(hold, 10, 3), 0);
    assert_eq!(ledger.charge(hold, 9, 3), 0);
    assert_eq!(ledger.hold_left(hold), Some(20));
    assert_eq!(ledger.charge(hold, 95, 4), 15);
    let owing = Status { used: 100, waiting: 15, debt: 15, resets_at: Some(MINUTE + 4), ..Status::default() };
    assert_eq!(status(&mut ledger, &tokens(100, 0, 0), 4), owing);
    // 20 free at once when the input expires: the debt is charged then, though nobody looks until 10 more have expired.
    let paid = Status { used: 85, free: 15, resets_at: Some(2 * MINUTE + 1), ..Status::default() };
    assert_eq!(status(&mut ledger, &tokens(100, 0, 0), MINUTE + 2), paid);
    assert_eq!(ledger.advance(MINUTE + 2), None);
}

#[test]
fn input_is_set_and_not_added() {
    let mut ledger = Ledger::new();
    let hold = ledger.reserve(1, &[tokens(100, 40, 20), tokens_of(HOUR, 500, 40, 20)], 1).unwrap();
    for (exact, used, left, owed) in [(25, 25, 20, 0), (25, 25, 20, 0), (30, 30, 15, 0), (30, 30, 15, 0), (110, 100, 0, 10)] {
        assert_eq!(ledger.input(hold, exact, 2), owed);
        let minute = status(&mut ledger, &tokens(100, 0, 0), 2);
        assert_eq!((minute.used, minute.held, minute.debt), (used, left, owed), "input {exact}");
        assert_eq!(ledger.hold_left(hold), Some(left));
    }
    let hour = status(&mut ledger, &tokens_of(HOUR, 500, 0, 0), 2);
    assert_eq!((hour.used, hour.held, hour.debt), (110, 0, 0));
}

#[test]
fn a_refund_reaches_only_what_still_counts() {
    let mut ledger = Ledger::new();
    let (minute, hour) = (tokens(100, 40, 0), tokens_of(HOUR, 100, 40, 0));
    let hold = ledger.reserve(1, &[minute, hour], 1).unwrap();
    ledger.reserve(2, &[minute, hour], MINUTE).unwrap();
    ledger.input(hold, 10, MINUTE + 1);
    assert_eq!(status(&mut ledger, &minute, MINUTE + 1).used, 40);
    assert_eq!(status(&mut ledger, &hour, MINUTE + 1).used, 50);
}

#[test]
fn each_end_gives_back_what_it_should() {
    type End = fn(&mut Ledger, limits::HoldId, u64);
    let release: End = Ledger::release;
    let ends: [(End, u64, u64); 4] = [(release, 1, 45), (Ledger::lapse, 1, 60), (Ledger::refund_tokens, 1, 5), (Ledger::refund_all, 0, 5)];
    for (end, request, used) in ends {
        let mut ledger = Ledger::new();
        let asks = [requests(1, 3), tokens(100, 40, 20), concurrent(1)];
        let hold = ledger.reserve(1, &asks, 1).unwrap();
        ledger.charge(hold, 5, 2);
        end(&mut ledger, hold, 3);
        assert_eq!(status(&mut ledger, &asks[0], 3).used, request);
        let seen = status(&mut ledger, &asks[1], 3);
        assert_eq!((seen.used, seen.held), (used, 0));
        assert_eq!(status(&mut ledger, &asks[2], 3).held, 0);
        assert_eq!((ledger.hold_left(hold), ledger.holds()), (None, 0));
    }
}

#[test]
fn a_settlement_is_input_charge_and_release_in_one() {
    let asks = [requests(1, 3), tokens(100, 40, 30)];
    for settlement in [(Some(30), 20), (None, 50), (Some(60), 70), (Some(5), 100)].map(|(input, output)| Settlement { input, output }) {
        let mut one = Ledger::new();
        let mut three = Ledger::new();
        let hold = one.reserve(1, &asks, 1).unwrap();
        assert_eq!(three.reserve(1, &asks, 1).unwrap(), hold);
        let debt = one.settle(hold, settlement, 2);
        let input = settlement.input.map_or(0, |exact| three.input(hold, exact, 2));
        assert_eq!(debt, input + three.charge(hold, settlement.output, 2));
        three.release(hold, 2);
        for ask in asks {
            assert_eq!(status(&mut one, &ask, 2), status(&mut three, &ask, 2));
        }
        assert_eq!(one.settle(hold, settlement, 2), 0);
    }
}

#[test]
fn a_waiter_gets_room_first_come_first_served() {
    let mut ledger = Ledger::new();
    let first = ledger.reserve(1, &[tokens(100, 50, 0)], 1).unwrap();
    let second = ledger.reserve(2, &[tokens(100, 50, 0)], 2).unwrap();
    assert_eq!(ledger.cover(first, 30, 50, 3), Cover::Waiting);
    assert_eq!(ledger.cover(second, 40, 50, 3), Cover::Waiting);
    assert_eq!(ledger.cover(first, 1, 50, 4), Cover::Waiting);
    // Nothing new passes, be it ever so small, and it is told the exact time: 50 for both waiters' 70 don't suffice.
    assert_eq!(ledger.reserve(3, &[tokens(100, 1, 0)], 5).unwrap_err().retry, exactly(MINUTE + 2));
    assert_eq!((ledger.next_chance(first, 5), ledger.next_chance(second, 5)), (Some(MINUTE + 1), Some(MINUTE + 1)));
    // At MINUTE + 1, 50 free: the first is served, and the second isn't served in part.
    assert_eq!(ledger.advance(MINUTE + 1), Some(MINUTE + 2));
    assert_eq!((ledger.hold_left(first), ledger.hold_left(second)), (Some(30), Some(0)));
    assert_eq!(ledger.next_chance(first, MINUTE + 1), None);
    assert_eq!(ledger.cover(second, 40, 50, MINUTE + 1), Cover::Waiting);
    // While another waits, nothing is had ahead.
    assert_eq!(ledger.cover(first, 30, 50, MINUTE + 1), Cover::Covered(30));
    assert_eq!(status(&mut ledger, &tokens(100, 0, 0), MINUTE + 1).waiting, 40);
    assert_eq!(ledger.cover(second, 40, 50, MINUTE + 2), Cover::Covered(50));
    assert_eq!(status(&mut ledger, &tokens(100, 0, 0), MINUTE + 2).waiting, 0);
}

#[test]
fn a_piece_is_covered_whole_or_waits_holding_nothing() {
    let mut ledger = Ledger::new();
    let hold = ledger.reserve(1, &[tokens(100, 80, 5)], 1).unwrap();
    assert_eq!(ledger.cover(hold, 5, 5, 1), Cover::Covered(5));
    assert_eq!(ledger.cover(hold, 8, 12, 1), Cover::Covered(12));
    assert_eq!(ledger.cover(hold, 0, 0, 1), Cover::Covered(12));
    assert_eq!(ledger.cover(hold, 16, 99, 1), Cover::Covered(20));
    assert_eq!(ledger.cover(hold, 21, 99, 2), Cover::Waiting);
    assert_eq!(ledger.hold_left(hold), Some(0));
    let seen = status(&mut ledger, &tokens(100, 0, 0), 2);
    assert_eq!((seen.used, seen.held, seen.waiting), (80, 0, 21));
    // It gives up waiting: what it held is gone, and nobody stands in the way.
    ledger.cancel_wait(hold, 2);
    assert_eq!(status(&mut ledger, &tokens(100, 0, 0), 2).free, 20);
    assert_eq!(ledger.cover(hold, 20, 0, 2), Cover::Covered(20));
    ledger.cancel_wait(hold, 2);
    assert_eq!(ledger.hold_left(hold), Some(20));
}

#[test]
fn what_was_processed_and_not_yet_charged_stays_held_and_is_charged_when_its_hold_must_wait() {
    let mut ledger = Ledger::new();
    let hold = ledger.reserve(1, &[tokens(100, 20, 30)], 1).unwrap();
    assert_eq!(ledger.cover_beyond(hold, 25, 10, 10, 2), Cover::Covered(10), "30 held, 25 processed, 5 more taken");
    let seen = status(&mut ledger, &tokens(100, 0, 0), 2);
    assert_eq!((seen.used, seen.held), (20, 35));
    // 100 are processed or logged in all, so a limit's whole room is held and nothing is left to cover.
    assert_eq!(ledger.cover_beyond(hold, 35, 45, 45, 3), Cover::Covered(45));
    assert_eq!(ledger.cover_beyond(hold, 80, 200, 200, 4), Cover::Waiting);
    let seen = status(&mut ledger, &tokens(100, 0, 0), 4);
    assert_eq!((seen.used, seen.held, seen.waiting, seen.debt), (100, 0, 200, 0), "what was processed is charged, not given back");
    assert_eq!(ledger.charge(hold, 80, 5), 0);
    ledger.advance(MINUTE + 4);
    assert_eq!(ledger.cover_beyond(hold, 80, 200, 200, MINUTE + 4), Cover::Covered(100));
}

#[test]
fn what_a_hold_gives_back_may_serve_those_before_it_and_then_itself() {
    let mut ledger = Ledger::new();
    let first = ledger.reserve(1, &[tokens(100, 50, 0)], 1).unwrap();
    let second = ledger.reserve(2, &[tokens(100, 0, 50)], 1).unwrap();
    assert_eq!(ledger.cover(first, 20, 99, 1), Cover::Waiting);
    assert_eq!(ledger.next_chance(first, 1), Some(MINUTE + 1));
    // It can't have one more while the first waits; but once it has given back its 50, there is room for both, though for no more ahead.
    assert_eq!(ledger.charge(second, 25, 1), 0);
    assert_eq!(ledger.cover(second, 26, 99, 1), Cover::Waiting);
    assert_eq!((ledger.hold_left(first), ledger.hold_left(second)), (Some(20), Some(0)));
    assert_eq!(ledger.cover(first, 20, 20, 1), Cover::Covered(20));
    ledger.release(first, 1);
    assert_eq!(ledger.charge(second, 30, 1), 5);
}

#[test]
fn more_than_a_limit_ever_lets_through_comes_in_slices() {
    let mut ledger = Ledger::new();
    let hold = ledger.reserve(1, &[tokens(7, 0, 0), tokens_of(SECOND, 50, 0, 0)], 1).unwrap();
    let mut now = 1;
    for (total, left) in [(7, 7), (14, 7), (20, 6)] {
        if total > 7 {
            assert_eq!(ledger.cover(hold, 20 - total + left, 0, now), Cover::Waiting);
            now = ledger.next_chance(hold, now).unwrap();
        }
        assert_eq!(ledger.cover(hold, 20 - total + left, 0, now), Cover::Covered(left));
        assert_eq!(ledger.charge(hold, total, now), 0);
    }
    assert_eq!(now, 2 * MINUTE + 1);
    // Of a limit of nothing there is nothing, until it is raised.
    ledger.set_n(tokens(0, 0, 0).key, 0);
    assert_eq!(ledger.cover(hold, 1, 9, HOUR), Cover::Waiting);
    assert_eq!(ledger.next_chance(hold, HOUR), None);
    ledger.set_n(tokens(0, 0, 0).key, 2);
    assert_eq!(ledger.cover(hold, 1, 9, HOUR), Cover::Covered(2));
}

#[test]
fn a_long_window_makes_nobody_wait() {
    let mut ledger = Ledger::new();
    let (minute, day) = (tokens(100, 10, 0), tokens_of(24 * HOUR, 30, 10, 0));
    let hold = ledger.reserve(1, &[minute, day], 1).unwrap();
    assert_eq!(ledger.cover(hold, 50, 0, 1), Cover::Covered(50));
    assert_eq!((status(&mut ledger, &minute, 1).held, status(&mut ledger, &day, 1).held), (50, 20));
    assert_eq!(ledger.charge(hold, 35, 2), 15);
    let seen = status(&mut ledger, &day, 2);
    assert_eq!((seen.used, seen.held, seen.debt), (30, 0, 15));
    let seen = status(&mut ledger, &minute, 2);
    assert_eq!((seen.used, seen.held, seen.debt), (45, 15, 0));
    ledger.release(hold, 3);
    assert_eq!((status(&mut ledger, &minute, 3).held, status(&mut ledger, &day, 3).held), (0, 0));
    // Two minutes still pause; a microsecond more doesn't.
    for (window_us, answer) in [(2 * MINUTE, Cover::Waiting), (2 * MINUTE + 1, Cover::Covered(10))] {
        let mut ledger = Ledger::new();
        let hold = ledger.reserve(1, &[tokens_of(window_us, 10, 10, 0)], 1).unwrap();
        assert_eq!(ledger.cover(hold, 10, 0, 1), answer);
    }
}

#[test]
fn a_hold_without_token_limits_has_all_it_wants() {
    let mut ledger = Ledger::new();
    let hold = ledger.reserve(1, &[requests(1, 5)], 1).unwrap();
    assert_eq!(ledger.cover(hold, 1_000, 0, 1), Cover::Covered(1_000));
    assert_eq!(ledger.charge(hold, 5_000, 1), 0);
    ledger.lapse(hold, 1);
    assert_eq!(ledger.reserve(2, &[], 1).map(|hold| ledger.hold_left(hold)), Ok(Some(0)));
}

#[test]
fn the_greatest_log_and_the_least_token_hold_stand_for_all() {
    let mut ledger = Ledger::new();
    let asks = [tokens(100, 10, 50), tokens_of(HOUR, 100, 20, 30), tokens_of(SECOND, 100, 0, 40)];
    let hold = ledger.reserve(1, &asks, 1).unwrap();
    assert_eq!(ledger.hold_left(hold), Some(30));
    for ask in asks {
        let seen = status(&mut ledger, &ask, 1);
        assert_eq!((seen.used, seen.held), (20, 30));
    }
}

#[test]
fn more_than_six_limits_are_decided_as_one_as_well() {
    let mut ledger = Ledger::new();
    let asks: Vec<Ask> = (0..20).map(|pool| requests(pool, if pool == 19 { 1 } else { 2 })).collect();
    let hold = ledger.reserve(1, &asks, 1).unwrap();
    assert_eq!(ledger.reserve(2, &asks, 1).unwrap_err().blocked.iter().map(|blocked| blocked.ask).collect::<Vec<_>>(), [19]);
    assert!(asks.iter().all(|ask| status(&mut ledger, ask, 1).used == 1));
    ledger.refund_all(hold, 2);
    assert!(asks.iter().all(|ask| status(&mut ledger, ask, 2).used == 0));
    assert!(ledger.is_empty(2));
}

#[test]
fn a_name_that_outlived_its_hold_is_harmless() {
    let mut ledger = Ledger::new();
    let old = ledger.reserve(1, &[tokens(100, 10, 10)], 1).unwrap();
    ledger.release(old, 1);
    assert!(!ledger.is_empty(2));
    let new = ledger.reserve(1, &[tokens(100, 10, 10)], 2).unwrap();
    assert_ne!(old, new);
    ledger.charge(old, 10, 2);
    ledger.input(old, 0, 2);
    ledger.lapse(old, 2);
    ledger.refund_all(old, 2);
    assert_eq!(ledger.cover(old, 5, 5, 2), Cover::Covered(0));
    assert_eq!(ledger.hold_left(old), None);
    let seen = status(&mut ledger, &tokens(100, 0, 0), 2);
    assert_eq!((seen.used, seen.held), (20, 10));
    // Not even after the memory was given back.
    ledger.release(new, 3);
    assert!(ledger.is_empty(HOUR));
    assert_ne!(ledger.reserve(1, &[tokens(100, 10, 10)], HOUR).unwrap(), new);
    assert_eq!(ledger.hold_left(new), None);
}

#[test]
fn many_holds_are_found_by_request_and_slots_are_used_again() {
    let mut ledger = Ledger::new();
    let ask = [concurrent(10_000)];
    let name = |request: u128| (request << 64) | (request % 7);
    let ids: Vec<_> = (0..500u128).map(|request| ledger.reserve(name(request), &ask, 1).unwrap()).collect();
    for (request, id) in (0..500u128).zip(&ids) {
        assert_eq!(ledger.reserve(name(request), &ask, 1), Ok(*id));
        if request % 3 == 0 {
            ledger.release(*id, 2);
        }
    }
    assert_eq!(ledger.holds(), 333);
    for (request, id) in (0..500u128).zip(&ids) {
        assert_eq!(ledger.reserve(name(request), &ask, 3) == Ok(*id), request % 3 != 0);
    }
    assert_eq!((ledger.holds(), status(&mut ledger, &ask[0], 3).held), (500, 500));
}

const SMALL: Caps = Caps { limits: 3, holds: 2, ..Caps::DEFAULT };

#[test]
fn a_full_ledger_refuses_and_says_so() {
    let mut ledger = Ledger::with_caps(&SMALL);
    let soon = Refusal { blocked: vec![], retry: Retry::At { at: 1 + SECOND, estimate: true } };
    let hold = ledger.reserve(1, &[requests(1, 9), requests(2, 9)], 1).unwrap();
    ledger.reserve(2, &[requests(1, 9)], 1).unwrap();
    assert_eq!(ledger.reserve(3, &[requests(1, 9)], 1), Err(soon.clone()));
    ledger.refund_all(hold, 1);
    assert_eq!(ledger.reserve(3, &[requests(1, 9), requests(3, 9), requests(4, 9), requests(5, 9)], 1), Err(soon));
    // What is idle makes place, and what this very request found isn't idle.
    ledger.reserve(3, &[requests(6, 9), requests(7, 9), requests(1, 9)], 1).unwrap();
    assert_eq!(status(&mut ledger, &requests(1, 9), 1).used, 2);
    let many: Vec<Ask> = (0..=ASKS as u64).map(|pool| requests(pool, 9)).collect();
    let mut ledger = Ledger::new();
    assert_eq!(ledger.reserve(1, &many, 1), Err(Refusal { blocked: vec![], retry: Retry::Never }));
    ledger.reserve(1, &many[1..], 1).unwrap();
}

#[test]
fn a_thousand_limits_and_their_places_come_and_go() {
    let mut ledger = Ledger::new();
    for request in 0..5_000u64 {
        let now = request * SECOND;
        let hold = ledger.reserve(u128::from(request), &[requests(request * 7 % 3_001, 5)], now).unwrap();
        ledger.release(hold, now);
    }
    let now = 5_000 * SECOND;
    for request in 0..5_000u64 {
        let pool = request * 7 % 3_001;
        let counts = (4_941..5_000).filter(|other| other * 7 % 3_001 == pool).count() as u64;
        assert_eq!(status(&mut ledger, &requests(pool, 5), now).used, counts, "{request}");
    }
    assert!(!ledger.is_empty(now));
    assert!(ledger.is_empty(now + MINUTE));
}

#[test]
fn numbers_without_bound_do_not_overflow() {
    let mut ledger = Ledger::new();
    let hold = ledger.reserve(1, &[tokens(u64::MAX, u64::MAX / 8, u64::MAX / 16)], 1).unwrap();
    assert!(ledger.reserve(2, &[tokens(u64::MAX, u64::MAX, u64::MAX)], 1).is_err());
    assert_eq!(ledger.reserve(2, &[tokens(u64::MAX, u64::MAX, u64::MAX)], 1).unwrap_err().retry, Retry::Never);
    let debt = ledger.charge(hold, u64::MAX, 2);
    assert_eq!(debt, u64::MAX - (1 << 62) + u64::MAX / 8);
    assert_eq!(ledger.input(hold, u64::MAX, 3), u64::MAX - u64::MAX / 8);
    assert_eq!(status(&mut ledger, &tokens(u64::MAX, 0, 0), 3).debt, u64::MAX);
    ledger.release(hold, u64::MAX);
    assert!(ledger.advance(u64::MAX).is_none_or(|next| next == u64::MAX));
}

#[test]
fn a_long_absence_with_a_great_debt_takes_few_steps() {
    static FEW: Caps = Caps { steps: 8, ..Caps::DEFAULT };
    let mut ledger = Ledger::with_caps(&FEW);
    let second = tokens_of(SECOND, 1, 0, 0);
    let hold = ledger.reserve(1, &[second], 1).unwrap();
    assert_eq!(ledger.charge(hold, 1_001, 1), 1_000);
    // Eight windows are lived through, and what is left goes on from now.
    assert_eq!(status(&mut ledger, &second, HOUR).debt, 1_000 - 8 - 1);
    assert_eq!(ledger.advance(HOUR), Some(HOUR + SECOND));
}

#[test]
fn gaps_and_amounts_that_no_chunk_can_write_are_no_matter() {
    let mut ledger = Ledger::new();
    let year = 365 * 24 * HOUR;
    let ask = |log| tokens_of(year, 1 << 60, log, 0);
    let mut holds = Vec::new();
    for step in 0..60u64 {
        let log = if step % 3 == 0 { 1 << 40 } else { step };
        holds.push((step * 3 * HOUR, log, ledger.reserve(u128::from(step), &[ask(log)], 1 + step * 3 * HOUR).unwrap()));
    }
    let total: u64 = holds.iter().map(|(_, log, _)| log).sum();
    assert_eq!(status(&mut ledger, &ask(0), 200 * HOUR).used, total);
    let mut back = 0;
    for (_, log, hold) in holds.iter().step_by(2) {
        ledger.input(*hold, log / 4, 200 * HOUR);
        back += log - log / 4;
        assert_eq!(status(&mut ledger, &ask(0), 200 * HOUR).used, total - back);
    }
    let mut left = total - back;
    for (number, (at, log, _)) in holds.iter().enumerate() {
        let counted = if number % 2 == 0 { log / 4 } else { *log };
        assert_eq!(status(&mut ledger, &ask(0), at + year).used, left);
        left -= counted;
        assert_eq!(status(&mut ledger, &ask(0), 1 + at + year).used, left);
    }
}

#[test]
fn great_amounts_close_together_are_no_matter() {
    let mut ledger = Ledger::new();
    let ask = |log| tokens(1 << 60, log, 0);
    let amounts = [1, 1 << 31, 1 << 31, 5, u64::from(u32::MAX), 1 << 40, 7, 9];
    let holds: Vec<_> = (0..8).map(|at| ledger.reserve(u128::from(at), &[ask(amounts[at as usize])], at).unwrap()).collect();
    ledger.input(holds[4], 1, 8);
    ledger.input(holds[5], 2, 8);
    let mut left: u64 = [1, 1 << 31, 1 << 31, 5, 1, 2, 7, 9].iter().sum();
    for (at, counted) in [1, 1 << 31, 1 << 31, 5, 1, 2, 7, 9].into_iter().enumerate() {
        left -= counted;
        assert_eq!(status(&mut ledger, &ask(0), MINUTE + at as u64).used, left);
    }
}

#[test]
fn an_entry_that_gathers_for_hours_keeps_its_later_time() {
    static FEW: Caps = Caps { log_long: 4, ..Caps::DEFAULT };
    let day = 24 * HOUR;
    let ask = |log| tokens_of(day, 1_000, log, 0);
    let mut ledger = Ledger::with_caps(&FEW);
    // The fifth merges into the fourth, two hours from the first: further than a chunk can write. So does the sixth.
    let times = [0, MINUTE, 2 * MINUTE, 3 * MINUTE, 2 * HOUR, 4 * HOUR];
    for (request, at) in times.into_iter().enumerate() {
        ledger.reserve(request as u128, &[ask(10)], at).unwrap();
    }
    for (at, used) in [(0, 60), (day, 50), (day + 2 * MINUTE, 30), (day + 2 * HOUR, 30), (day + 4 * HOUR - 1, 30), (day + 4 * HOUR, 0)] {
        assert_eq!(ledger.clone().status(ask(0).key, 1_000, at).used, used, "at {at}");
    }
    // A log that isn't full any more stops merging.
    let mut ledger = Ledger::with_caps(&FEW);
    for (request, at) in [0, MINUTE, 2 * MINUTE, 20 * HOUR, 23 * HOUR, 24 * HOUR].into_iter().enumerate() {
        ledger.reserve(request as u128, &[ask(10)], at).unwrap();
    }
    for (at, used) in [(day, 50), (day + MINUTE, 40), (day + 2 * MINUTE, 30), (2 * day - HOUR - 1, 30), (2 * day - HOUR, 10)] {
        assert_eq!(ledger.clone().status(ask(0).key, 1_000, at).used, used, "at {at}");
    }
}

#[test]
fn debt_that_no_limit_lets_be_paid_is_never_forgotten() {
    let mut ledger = Ledger::new();
    let hold = ledger.reserve(1, &[tokens(10, 10, 0)], 1).unwrap();
    assert_eq!(ledger.charge(hold, 4, 1), 4);
    ledger.release(hold, 1);
    ledger.set_n(tokens(0, 0, 0).key, 0);
    assert_eq!(ledger.advance(2), None);
    assert!(!ledger.is_empty(HOUR));
    assert_eq!(status(&mut ledger, &tokens(0, 0, 0), HOUR).debt, 4);
    // Raised again, it is charged at once.
    let seen = status(&mut ledger, &tokens(3, 0, 0), HOUR);
    assert_eq!((seen.used, seen.debt), (3, 1));
    assert_eq!(status(&mut ledger, &tokens(3, 0, 0), HOUR + MINUTE).used, 1);
    assert!(ledger.is_empty(HOUR + 2 * MINUTE));
}

#[test]
fn a_waiter_may_take_the_room_of_a_long_window_and_then_no_time_is_exact() {
    let mut ledger = Ledger::new();
    let asks = |log| [tokens(100, log, 0), tokens_of(24 * HOUR, 120, log, 0)];
    let first = ledger.reserve(1, &asks(50), 1).unwrap();
    ledger.reserve(2, &asks(50), 2).unwrap();
    assert_eq!(ledger.cover(first, 40, 40, 3), Cover::Waiting);
    // The day has room for 15 now, but not once the first is served.
    assert_eq!(ledger.reserve(3, &asks(15), 4).unwrap_err().retry, Retry::At { at: MINUTE + 2, estimate: true });
    assert!(ledger.reserve(3, &asks(15), MINUTE + 2).is_err());
}

#[test]
fn a_burst_is_bounded_in_memory_and_exact_below() {
    let mut ledger = Ledger::new();
    let ask = [requests(1, 1_000_000)];
    let mut run = |from: u64, to: u64| {
        for request in from..to {
            let hold = ledger.reserve(u128::from(request), &ask, request * 1_000).unwrap();
            ledger.release(hold, request * 1_000);
        }
        let later = [0, 1_500, 4_000].map(|ms| ledger.clone().status(ask[0].key, 1_000_000, MINUTE + ms * 1_000).used);
        (later, ledger.memory_bytes())
    };
    // 4,096 entries at a millisecond each are apart: each expires at its own.
    assert_eq!(run(0, 4_096).0, [4_095, 4_096 - 1_501, 4_096 - 4_001]);
    // From then on an entry gathers for 29 ms, and some 1,900 entries take the other 55 seconds.
    assert!(run(4_096, 59_000).1 < 60_000);
}

#[test]
fn who_wants_more_than_a_limit_ever_lets_through_waits_for_what_it_does() {
    let mut ledger = Ledger::new();
    let asks = |log| [tokens(50, log, 0), tokens_of(SECOND, 100, log, 0)];
    let hold = ledger.reserve(1, &asks(40), 1).unwrap();
    assert_eq!(ledger.cover(hold, 80, 80, 1), Cover::Waiting);
    // Once the minute is empty it gets 50, not 80; and who asks for nothing passes after it.
    assert_eq!(ledger.reserve(2, &asks(0), 2).unwrap_err().retry, exactly(MINUTE + 1));
    ledger.reserve(2, &asks(0), MINUTE + 1).unwrap();
    assert_eq!(ledger.hold_left(hold), Some(50));
}
