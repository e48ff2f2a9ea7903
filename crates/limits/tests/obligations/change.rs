//! I9, I11: limits that are lowered and raised in use, and what is left when everything is over.

use limits::{Caps, Kind, Ledger};
use proptest::prelude::*;

use crate::history::{DAY, Fixed, Jump, LIMITS, Op, Outcome, World, cases, history};

proptest! {
    #![proptest_config(cases(150))]

    #[test]
    fn i9_lowering_revokes_nothing_and_blocks_at_once(
        steps in history(40), index in 0..LIMITS.len(), to in 0..500u64,
    ) {
        let mut world = World::new(&Caps::DEFAULT);
        for (jump, op) in steps {
            world.step(jump, op);
        }
        let (key, before) = (LIMITS[index].0, world.statuses()[index]);
        let taken = before.used + before.held;
        let n = to.min(world.n[index]);
        let left: Vec<_> = world.player.holds.iter().map(|hold| world.player.ledger.hold_left(*hold)).collect();
        world.player.ledger.set_n(key, n);
        world.n[index] = n;
        let after = world.statuses()[index];
        // A waiter may take less at once of a limit that is lower than what it wants: then it may be served now. Nobody loses anything.
        prop_assert_eq!((after.used, after.debt), (before.used, before.debt));
        prop_assert!(after.held >= before.held && after.used + after.held <= n.max(taken));
        prop_assert!(after.held == before.held || before.waiting > 0);
        prop_assert_eq!(after.free, if after.waiting > 0 { 0 } else { n.saturating_sub(after.used + after.held) });
        let still: Vec<_> = world.player.holds.iter().map(|hold| world.player.ledger.hold_left(*hold)).collect();
        prop_assert!(left.iter().zip(&still).all(|(before, after)| before <= after));
        // Exactly what is free passes, and not one more.
        let mut ask = world.asks(1 << index, 0, 0)[0];
        let units = |more: u64, ask: &mut limits::Ask| match key.kind {
            Kind::Requests | Kind::Tokens => ask.log = after.free + more,
            Kind::Concurrent => ask.hold = after.free + more,
        };
        units(1, &mut ask);
        prop_assert!(world.player.ledger.clone().reserve(1 << 80, &[ask], world.now).is_err());
        units(0, &mut ask);
        prop_assert_eq!(world.player.ledger.clone().reserve(1 << 80, &[ask], world.now).is_ok(), after.waiting == 0);
    }

    #[test]
    fn i9_raising_admits_at_once(steps in history(40), index in 0..LIMITS.len(), more in 0..60u64) {
        let mut world = World::new(&Caps::DEFAULT);
        for (jump, op) in steps {
            world.step(jump, op);
        }
        let (key, before) = (LIMITS[index].0, world.statuses()[index]);
        let mut ask = world.asks(1 << index, 0, 0)[0];
        match key.kind {
            Kind::Requests | Kind::Tokens => ask.log = before.free + more,
            Kind::Concurrent => ask.hold = before.free + more,
        }
        // The plan's new number comes with the ask; those who wait are served of it first.
        ask.n = before.used + before.held + before.waiting + before.free + more;
        let alone = world.oracle.holds.values().filter(|hold| hold.wanted > 0).all(|hold| hold.own.len() == 1);
        let admitted = world.player.ledger.clone().reserve(1 << 80, &[ask], world.now).is_ok();
        prop_assert!(admitted || !alone);
        prop_assert!(admitted || before.waiting > 0);
    }

    #[test]
    fn i11_idle_longer_than_the_window_is_as_good_as_new(steps in history(60)) {
        let mut world = World::new(&Caps::DEFAULT);
        for (jump, op) in steps {
            world.step(jump, op);
        }
        for hold in 0..world.player.holds.len() {
            world.player.play(&Fixed::Release(hold), world.now);
        }
        for (key, n) in LIMITS {
            world.player.ledger.set_n(key, n);
        }
        let ledger = &mut world.player.ledger;
        let mut last = world.now;
        while let Some(next) = ledger.advance(last) {
            prop_assert!(next > last);
            last = next;
        }
        let busy = LIMITS.iter().filter_map(|(key, n)| ledger.status(*key, *n, last).resets_at).max();
        if let Some(until) = busy {
            prop_assert!(until <= last + DAY);
            prop_assert!(!ledger.clone().is_empty(until - 1), "something still counts");
        }
        prop_assert!(ledger.is_empty(busy.unwrap_or(last)));
        prop_assert!(ledger.is_empty(last + DAY));
        prop_assert_eq!(ledger.memory_bytes(), Ledger::new().memory_bytes());
        prop_assert_eq!(ledger.holds(), 0);
    }
}

#[test]
fn a_plan_change_keeps_the_history() {
    let mut world = World::new(&Caps::DEFAULT);
    for request in 0..6 {
        let op = Op::Reserve { request, limits: 1, log: 1, hold: 0 };
        assert!(matches!(world.step(Jump::By(1), op), Some((_, Outcome::Admitted(_)))));
    }
    for (request, (n, admitted)) in [(6, false), (7, true), (2, false), (7, false), (8, true)].into_iter().enumerate() {
        let asks = [limits::Ask { n, ..world.asks(1, 1, 0)[0] }];
        assert_eq!(world.player.ledger.reserve(100 + request as u128, &asks, world.now).is_ok(), admitted, "of {n}");
    }
}
