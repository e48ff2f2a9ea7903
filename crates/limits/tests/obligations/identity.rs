//! I6, I7, I10: what must make no difference: refused requests, the same thing twice, a clock that runs backwards.

use limits::{Ask, Caps, Kind};
use proptest::prelude::*;

use crate::history::{Fixed, LIMITS, Op, Outcome, Player, World, cases, history, jump, op};

/// A ledger beside the world's that plays something else and must look the same.
struct Twin(Player);

impl Twin {
    fn of(world: &World) -> Self {
        Self(world.player.clone())
    }

    fn looks_as(&self, world: &World) {
        assert_eq!(self.0.statuses(&world.n, world.now), world.statuses());
    }
}

proptest! {
    #![proptest_config(cases(150))]

    #[test]
    fn i6_a_refusal_leaves_everything_as_it_was(steps in history(60)) {
        let mut world = World::new(&Caps::DEFAULT);
        let mut twin = Twin::of(&world);
        for (jump, op) in steps {
            world.step(jump, op);
            let Some((now, fixed, outcome)) = world.played.last().cloned() else { continue };
            if matches!(outcome, Outcome::Refused(_)) {
                twin.0.ledger.advance(now);
            } else {
                prop_assert_eq!(twin.0.play(&fixed, now), outcome);
            }
            world.played.clear();
            twin.looks_as(&world);
        }
    }

    #[test]
    fn i6_a_request_takes_from_all_its_limits_or_from_none(steps in history(60)) {
        let mut world = World::new(&Caps::DEFAULT);
        for (jump, op) in steps {
            let mut earlier = world.clone();
            let known = world.player.holds.len();
            let Some((Fixed::Reserve(_, asks), outcome)) = world.step(jump, op) else { continue };
            earlier.player.ledger.advance(world.now);
            let before = earlier.player.statuses(&world.n, world.now);
            let fresh = outcome == Outcome::Admitted(known);
            for (index, (was, is)) in before.into_iter().zip(world.statuses()).enumerate() {
                let ask = asks.iter().find(|ask| fresh && ask.key == LIMITS[index].0);
                let (log, hold) = ask.map_or((0, 0), |ask: &Ask| (ask.log, ask.hold));
                prop_assert_eq!((was.used + log, was.held + hold, was.waiting), (is.used, is.held, is.waiting));
            }
        }
    }

    #[test]
    fn i7_the_same_twice_acts_once(steps in history(60)) {
        let mut world = World::new(&Caps::DEFAULT);
        let mut twin = Twin::of(&world);
        for (jump, op) in steps {
            world.step(jump, op);
            let Some((now, fixed, outcome)) = world.played.pop() else { continue };
            prop_assert_eq!(twin.0.play(&fixed, now), outcome.clone());
            let again = match &fixed {
                // The hold has ended, so nothing can end it in another way.
                Fixed::Release(hold) | Fixed::Lapse(hold) | Fixed::RefundTokens(hold) | Fixed::RefundAll(hold) | Fixed::Settle(hold, _) => {
                    for other in [Fixed::Release(*hold), Fixed::Lapse(*hold), Fixed::RefundAll(*hold), Fixed::Charge(*hold, 1_000)] {
                        twin.0.play(&other, now);
                    }
                    continue;
                }
                other => other,
            };
            let second = twin.0.play(again, now);
            match (&fixed, &outcome) {
                (Fixed::Charge(..) | Fixed::Input(..), _) => prop_assert_eq!(second, Outcome::Debt(0)),
                _ => prop_assert_eq!(second, outcome),
            }
            twin.looks_as(&world);
        }
    }

    #[test]
    fn i7_a_live_request_is_one_hold_whatever_it_asks(
        steps in prop::collection::vec((jump(), op()), 1..30),
        limits in any::<u16>(),
    ) {
        let mut world = World::new(&Caps::DEFAULT);
        for (jump, op) in steps {
            let Some((Fixed::Reserve(request, _), Outcome::Admitted(hold))) = world.step(jump, op) else { continue };
            let again = Op::Reserve { request: u8::try_from(request).unwrap(), limits, log: 1_000, hold: 1_000 };
            let before = world.statuses();
            let answer = world.step(crate::history::Jump::Stay, again).unwrap().1;
            prop_assert_eq!(answer, Outcome::Admitted(hold));
            prop_assert_eq!(world.statuses(), before);
        }
    }

    #[test]
    fn i10_a_clock_that_runs_backwards_stands_still(steps in history(60)) {
        let mut world = World::new(&Caps::DEFAULT);
        let mut twin = Twin::of(&world);
        for (jump, op) in steps {
            world.step(jump, op);
            let Some((now, fixed, outcome)) = world.played.pop() else { continue };
            prop_assert!(now <= world.now);
            prop_assert_eq!(twin.0.play(&fixed, world.now), outcome);
            twin.looks_as(&world);
        }
    }
}

#[test]
fn what_is_asked_twice_in_one_request_counts_once() {
    let world = World::new(&Caps::DEFAULT);
    let mut ledger = world.player.ledger.clone();
    let mut asks = world.asks(0b1010, 40, 40);
    asks.extend(asks.clone());
    assert_eq!(asks.iter().filter(|ask| ask.key.kind == Kind::Concurrent).count(), 2);
    ledger.reserve(1, &asks, world.now).unwrap();
    let tokens = ledger.status(LIMITS[1].0, 100, world.now);
    assert_eq!((tokens.used, tokens.held), (40, 40));
    assert_eq!(ledger.status(LIMITS[3].0, 4, world.now).held, 1);
}
