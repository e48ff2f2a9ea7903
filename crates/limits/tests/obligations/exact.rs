//! I1, I3, I4, I5, and that the ledger does in all things what brute force does.

use std::collections::BTreeMap;

use limits::{Ask, Caps, Cover, Kind, LimitKey, Refusal, Retry, Status};
use proptest::prelude::*;

use crate::history::{Fixed, Jump, LIMITS, Op, Outcome, SECOND, World, cases, history, history_with_recounts, jump, limits, op};

proptest! {
    #![proptest_config(cases(300))]

    /// Every answer and every status, whatever happens.
    #[test]
    fn the_ledger_does_what_brute_force_does(steps in history(60)) {
        let mut world = World::new(&Caps::DEFAULT);
        for (jump, op) in steps {
            world.step(jump, op);
            world.agree();
        }
    }
}

proptest! {
    #![proptest_config(cases(300))]

    /// The same where what was counted is counted again later.
    #[test]
    fn what_is_counted_again_counts_from_then_on(steps in history_with_recounts(60)) {
        let mut world = World::new(&Caps::DEFAULT);
        for (jump, op) in steps {
            world.step(jump, op);
            world.agree();
        }
    }
}

proptest! {
    #![proptest_config(cases(150))]

    #[test]
    fn i1_used_and_held_never_pass_the_limit_but_after_it_was_lowered(steps in history(60)) {
        let mut world = World::new(&Caps::DEFAULT);
        let mut lowered = [false; LIMITS.len()];
        for (jump, op) in steps {
            let earlier = world.clone();
            world.step(jump, op);
            let before = earlier.player.statuses(&earlier.n, world.now);
            for (index, (before, after)) in before.into_iter().zip(world.statuses()).enumerate() {
                let (was, is, n) = (before.used + before.held, after.used + after.held, world.n[index]);
                lowered[index] = is > n && (lowered[index] || n < earlier.n[index]);
                prop_assert!(is <= n || (lowered[index] && is <= was), "{:?}: {is} of {n}", LIMITS[index].0);
                prop_assert!(after.free <= n.saturating_sub(is));
            }
        }
    }

    #[test]
    fn i3_asked_and_extended_is_charged_released_or_left(steps in history(60)) {
        let mut world = World::new(&Caps::DEFAULT);
        let mut balances: BTreeMap<usize, Balance> = BTreeMap::new();
        for (jump, op) in steps {
            let mut earlier = world.clone();
            let Some((fixed, outcome)) = world.step(jump, op) else { continue };
            earlier.player.ledger.advance(world.now);
            earlier.oracle.enter(world.now);
            account(&mut balances, &earlier, &fixed, &outcome);
            for (hold, balance) in &balances {
                let Some(left) = world.player.ledger.hold_left(world.player.holds[*hold]) else { continue };
                // What was granted to a waiter, and it hasn't heard yet.
                let unheard = world.oracle_hold(*hold).unwrap().unheard;
                let taken = balance.charged + balance.released + left;
                prop_assert_eq!(balance.asked + balance.extended + unheard, taken, "hold {}", hold);
            }
            held_is_what_holds_have_left(&world);
        }
    }

    #[test]
    fn i4_what_is_refused_has_no_room_or_something_waits(steps in reserves()) {
        let mut world = World::new(&Caps::DEFAULT);
        for (jump, op) in steps {
            let earlier = world.clone();
            let Some((Fixed::Reserve(_, asks), Outcome::Refused(refusal))) = world.step(jump, op) else { continue };
            let mut oracle = earlier.oracle;
            oracle.enter(world.now);
            let blocks = |ask: &Ask| {
                let taken = oracle.used(&ask.key) + oracle.held(&ask.key) + ask.log + ask.hold;
                taken > ask.n || oracle.lines.get(&ask.key).is_some_and(|line| !line.queue.is_empty())
            };
            prop_assert!(asks.iter().any(blocks), "{refusal:?}");
            prop_assert!(refusal.blocked.iter().all(|b| blocks(&asks[b.ask])));
        }
    }

    #[test]
    fn i5_the_time_announced_is_sound_minimal_and_a_window_away_at_most(steps in reserves()) {
        let mut world = World::new(&Caps::DEFAULT);
        for (jump, op) in steps {
            let Some((Fixed::Reserve(request, asks), Outcome::Refused(refusal))) = world.step(jump, op) else { continue };
            check_announced(&world, request, &asks, &refusal);
        }
    }
}

proptest! {
    #![proptest_config(cases(250))]

    /// The limits are full of what was counted, some wait for more or owe, and somebody new asks.
    #[test]
    fn i5_holds_behind_those_who_wait(steps in crowded()) {
        let mut world = World::new(&Caps::DEFAULT);
        for (jump, op) in steps {
            let Some((Fixed::Reserve(request, asks), Outcome::Refused(refusal))) = world.step(jump, op) else { continue };
            check_announced(&world, request, &asks, &refusal);
        }
    }
}

pub(crate) fn crowded() -> impl Strategy<Value = Vec<(Jump, Op)>> {
    let jump = || prop_oneof![3 => (0..8 * SECOND).prop_map(Jump::By), 1 => Just(Jump::Stay), 1 => Just(Jump::By(SECOND - 1))];
    let index = any::<prop::sample::Index>;
    let limits = prop::sample::select(vec![0b10, 0b110, 0b1_0010, 0b10_0010, 0b100]);
    let reserve = (jump(), limits, any::<u8>(), 0..40u64, 0..3u64)
        .prop_map(|(jump, limits, request, log, hold)| (jump, Op::Reserve { request, limits, log, hold }));
    let wish = (jump(), index(), 1..80u64, 0..9u64).prop_map(|(jump, hold, least, more)| (jump, Op::Cover(hold, least, more)));
    let owe = (jump(), index(), 0..50u64).prop_map(|(jump, hold, more)| (jump, Op::Charge(hold, more)));
    prop::collection::vec(prop_oneof![4 => reserve, 2 => wish, 1 => owe], 1..40)
}

/// Histories that are mostly asking.
pub(crate) fn reserves() -> impl Strategy<Value = Vec<(Jump, Op)>> {
    let log = prop_oneof![0..30u64, 0..100u64];
    let reserve = (any::<u8>(), limits(), log, prop_oneof![3 => 0..4u64, 1 => 0..50u64]);
    let reserve = reserve.prop_map(|(request, limits, log, hold)| Op::Reserve { request, limits, log, hold });
    prop::collection::vec((jump(), prop_oneof![2 => reserve, 1 => op()]), 1..50)
}

fn check_announced(world: &World, request: u128, asks: &[Ask], refusal: &Refusal) {
    let now = world.now;
    let window = |ask: &Ask| if ask.key.kind == Kind::Concurrent { 60_000_000 } else { ask.key.window_us };
    for blocked in &refusal.blocked {
        let ask = &asks[blocked.ask];
        match blocked.retry {
            Retry::Never => assert!(blocked.requested > ask.n),
            Retry::At { at, .. } => assert!(now < at && at <= now + window(ask) && blocked.requested <= ask.n, "{blocked:?}"),
        }
    }
    let times = refusal.blocked.iter().map(|b| if let Retry::At { at, .. } = b.retry { at } else { u64::MAX });
    assert!(times.is_sorted_by(|one, next| one >= next), "the binding limit comes first");
    let estimates = |r: Retry| matches!(r, Retry::At { estimate: true, .. });
    match refusal.retry {
        Retry::Never => assert_eq!(refusal.blocked[0].retry, Retry::Never),
        Retry::At { at, estimate: true } => {
            assert!(refusal.blocked.iter().any(|b| estimates(b.retry)));
            let excused = |b: &limits::Blocked| b.held > 0 || b.waiting > 0;
            assert!(refusal.blocked.iter().all(|b| !estimates(b.retry) || excused(b)), "used alone is never estimated");
            assert!(matches!(refusal.blocked[0].retry, Retry::At { at: first, .. } if first == at));
        }
        Retry::At { at, estimate: false } => {
            assert!(!refusal.blocked.iter().any(|b| estimates(b.retry)));
            let until = now + asks.iter().map(window).max().unwrap();
            assert_eq!(world.oracle.earliest(asks, until), Some(at), "by brute force");
            assert!(world.player.ledger.clone().reserve(request, asks, at - 1).is_err(), "a microsecond early");
            assert!(world.player.ledger.clone().reserve(request, asks, at).is_ok(), "on time");
            // Whether or not anybody looked in between.
            let mut watched = world.player.ledger.clone();
            let mut next = watched.advance(now);
            while let Some(then) = next.filter(|then| *then < at) {
                next = watched.advance(then);
            }
            assert!(watched.reserve(request, asks, at).is_ok(), "on time, and watched");
        }
    }
}

#[derive(Default)]
struct Balance {
    asked: u64,
    extended: u64,
    charged: u64,
    released: u64,
    output: u64,
    input: u64,
}

/// Books what an op did to its hold, by the ledger's answers alone.
fn account(balances: &mut BTreeMap<usize, Balance>, before: &World, fixed: &Fixed, outcome: &Outcome) {
    let left = |hold: &usize| before.player.ledger.hold_left(before.player.holds[*hold]).unwrap_or(0);
    match (fixed, outcome) {
        (Fixed::Reserve(_, asks), Outcome::Admitted(hold)) => {
            let tokens = asks.iter().find(|ask| ask.key.kind == Kind::Tokens);
            let (input, asked) = tokens.map_or((0, 0), |ask| (ask.log, ask.hold));
            balances.entry(*hold).or_insert(Balance { asked, input, ..Balance::default() });
        }
        (Fixed::Charge(hold, total), _) => {
            let balance = balances.get_mut(hold).unwrap();
            let due = total.saturating_sub(balance.output);
            balance.output += due;
            balance.charged += due.min(left(hold));
        }
        (Fixed::Input(hold, exact), _) => {
            let balance = balances.get_mut(hold).unwrap();
            let logged = before.oracle_hold(*hold).map_or(u64::MAX, |h| h.input + h.late_input);
            balance.charged += exact.saturating_sub(logged).min(left(hold));
            balance.input = *exact;
        }
        (Fixed::Cover(hold, ..), Outcome::Covered(answer)) => {
            let balance = balances.get_mut(hold).unwrap();
            let Some(known) = before.oracle_hold(*hold) else { return };
            balance.extended += known.unheard;
            match answer {
                Cover::Covered(now_left) => {
                    balance.extended += now_left.saturating_sub(left(hold));
                    balance.released += left(hold).saturating_sub(*now_left);
                }
                Cover::Waiting => balance.released += left(hold),
            }
        }
        _ => {}
    }
}

/// A hold is equal on all token limits that make streams wait, and never more than that on the others.
fn held_is_what_holds_have_left(world: &World) {
    let sum_of = |key: &LimitKey| -> u64 {
        let of = |(index, id)| world.oracle_hold(index).filter(|h| h.own.contains_key(key)).and(world.player.ledger.hold_left(id));
        world.player.holds.iter().copied().enumerate().filter_map(of).sum()
    };
    let check = |(key, status): (&LimitKey, Status)| match key.kind {
        Kind::Tokens if key.window_us <= 120_000_000 => assert_eq!(status.held, sum_of(key)),
        Kind::Tokens => assert!(status.held <= sum_of(key)),
        Kind::Requests => assert_eq!(status.held, 0),
        Kind::Concurrent => assert_eq!(status.used, 0),
    };
    // As of the last call: a later time would already grant more to those who wait.
    LIMITS.iter().map(|(key, _)| key).zip(world.statuses()).for_each(check);
}
