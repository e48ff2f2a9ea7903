//! I1, I3, I4, I5, and that the ledger does in all things what brute force does.

use limits::{Caps, Kind, LimitKey, Refusal, Retry};
use proptest::prelude::*;

use crate::history::{DAY, Fixed, LIMITS, Outcome, World, history};

/// The ledger before this step, told only the time.
fn n_of(world: &World, key: &LimitKey) -> u64 {
    let index = LIMITS.iter().position(|(known, _)| known == key).unwrap();
    world.n[index]
}

proptest! {
    #[test]
    fn the_ledger_does_what_brute_force_does(steps in history(60)) {
        let mut world = World::new(Caps::DEFAULT);
        for (jump, op) in steps {
            world.step(jump, op);
            world.agree();
        }
    }
}
