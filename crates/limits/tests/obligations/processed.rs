//! I2: what was really processed, and when, is never more than what the ledger says is used, held and owed.
//! Tokens are relayed as early as their hold allows and charged as late as the history has it.

use std::collections::BTreeMap;

use limits::{Caps, Kind, LimitKey, Settlement};
use proptest::prelude::*;

use crate::history::{Fixed, LIMITS, Op, Outcome, World, cases, history, jump, op};

/// When: the time, and the step of the history, for what happens within one microsecond.
type When = (u64, usize);

#[derive(Default)]
struct Truth {
    step: usize,
    /// Amounts processed on a limit, and when.
    processed: Vec<(LimitKey, When, u64)>,
    /// What the ledger said of a limit, and when: used, held and debt together.
    said: Vec<(LimitKey, When, u64)>,
    admitted: BTreeMap<usize, When>,
    /// When each hold was last heard of: what is charged later may have been relayed from then on.
    heard: BTreeMap<usize, When>,
}

impl Truth {
    fn listen(&mut self, world: &World) {
        for ((key, _), status) in LIMITS.iter().zip(world.statuses()) {
            if key.kind != Kind::Concurrent {
                self.said.push((*key, (world.now, self.step), status.used + status.held + status.debt));
            }
        }
    }

    /// What an op says was processed: as early as it may have been.
    fn learn(&mut self, earlier: &World, fixed: &Fixed, outcome: &Outcome) {
        let now = (earlier.now, self.step);
        match (fixed, outcome) {
            (Fixed::Reserve(..), Outcome::Admitted(hold)) => {
                self.admitted.entry(*hold).or_insert(now);
                self.heard.entry(*hold).or_insert(now);
            }
            (Fixed::Charge(hold, total) | Fixed::Settle(hold, Settlement { output: total, .. }), _) => {
                let Some(known) = earlier.oracle_hold(*hold) else { return };
                self.relayed(earlier, *hold, total.saturating_sub(known.output), now);
            }
            (Fixed::Lapse(hold), _) => {
                let Some(left) = earlier.player.ledger.hold_left(earlier.player.holds[*hold]) else { return };
                self.relayed(earlier, *hold, left, now);
            }
            (Fixed::Input(hold, exact), _) => {
                let Some(known) = earlier.oracle_hold(*hold) else { return };
                let missing = exact.saturating_sub(known.input + known.late_input);
                for key in known.own.keys().filter(|key| key.kind == Kind::Tokens) {
                    self.processed.push((*key, now, missing));
                }
            }
            _ => {}
        }
        if let Fixed::Cover(hold, ..) | Fixed::Input(hold, _) = fixed {
            self.heard.insert(*hold, now);
        }
    }

    fn relayed(&mut self, earlier: &World, hold: usize, amount: u64, now: When) {
        let heard = self.heard.insert(hold, now).unwrap_or(now);
        let Some(known) = earlier.oracle_hold(hold) else { return };
        for (key, own) in known.own.iter().filter(|(key, _)| key.kind == Kind::Tokens) {
            // What a waiter was granted since may have been relayed only since; when, is not known here.
            let covered = amount.min(own.saturating_sub(known.unheard));
            self.processed.push((*key, heard, covered));
            self.processed.push((*key, now, amount - covered));
        }
    }

    /// Input and requests count from when they were admitted, unless all was given back.
    fn admitted(&mut self, world: &World, hold: usize, back: bool, request_back: bool) {
        let Some(known) = world.oracle_hold(hold) else { return };
        let at = self.admitted[&hold];
        for key in known.own.keys() {
            match key.kind {
                Kind::Requests if !request_back => self.processed.push((*key, at, 1)),
                Kind::Tokens if !back => self.processed.push((*key, at, known.input)),
                Kind::Requests | Kind::Tokens | Kind::Concurrent => {}
            }
        }
    }

    fn check(&self) {
        for (key, then, said) in &self.said {
            let counts = |(of, at, _): &&(LimitKey, When, u64)| of == key && at <= then && then.0 < at.0 + key.window_us;
            let truth: u64 = self.processed.iter().filter(counts).map(|(_, _, amount)| amount).sum();
            assert!(truth <= *said, "{key:?} at {then:?}: {truth} processed, {said} said");
        }
    }
}

fn play(steps: Vec<(crate::history::Jump, Op)>) {
    let mut world = World::new(&Caps::DEFAULT);
    let mut truth = Truth::default();
    for (jump, op) in steps {
        let earlier = world.clone();
        let Some((fixed, outcome)) = world.step(jump, op) else { continue };
        let mut before = earlier;
        before.now = world.now;
        before.oracle.enter(world.now);
        before.player.ledger.advance(world.now);
        truth.listen(&before);
        truth.step += 1;
        match &fixed {
            Fixed::Release(h) | Fixed::Lapse(h) => truth.admitted(&before, *h, false, false),
            Fixed::RefundTokens(h) => truth.admitted(&before, *h, true, false),
            Fixed::RefundAll(h) => truth.admitted(&before, *h, true, true),
            Fixed::Settle(h, s) => {
                // Its input is known in the same moment.
                if let Some(exact) = s.input {
                    let id = before.player.holds[*h];
                    before.player.ledger.input(id, exact, world.now);
                    before.input_only(*h, exact);
                }
                truth.admitted(&before, *h, false, false);
            }
            _ => {}
        }
        truth.learn(&before, &fixed, &outcome);
        truth.listen(&world);
    }
    for hold in 0..world.player.holds.len() {
        truth.admitted(&world, hold, false, false);
    }
    truth.check();
}

proptest! {
    #![proptest_config(cases(150))]

    #[test]
    fn i2_processed_is_at_most_used_held_and_owed(steps in history(50)) {
        play(steps);
    }

    /// Streams that stay within their holds owe nothing.
    #[test]
    fn i2_without_corrections_nothing_is_owed(steps in prop::collection::vec((jump(), op()), 1..60)) {
        let mut world = World::new(&Caps::DEFAULT);
        for (jump, op) in steps {
            let op = match op {
                // Without the limits of long windows, which make no stream wait.
                Op::Reserve { request, limits, log, hold } => Op::Reserve { request, limits: limits & 0b1_0110_1111, log, hold },
                Op::Input(..) | Op::Settle(..) => continue,
                other => other,
            };
            let mut tried = world.clone();
            if let Some((Fixed::Charge(hold, _), _)) = tried.step(jump, op) {
                let within = tried.oracle_hold(hold).is_none_or(|after| {
                    let before = world.oracle_hold(hold).unwrap();
                    after.output - before.output <= before.left
                });
                if !within {
                    continue;
                }
            }
            world.step(jump, op);
            prop_assert!(world.statuses().iter().all(|status| status.debt == 0));
        }
    }
}
