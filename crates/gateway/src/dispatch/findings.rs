//! What was learned on the way from target to target, and what the client is told where none answered.

use domain::{Features, Now};

use super::DispatchFault;
use crate::quota::NoRoom;
use crate::routing::Skip;

/// What was learned on the way.
#[derive(Default)]
pub(super) struct Findings {
    pub(super) tried: u32,
    /// The earliest moment at which a rate-limited target opens.
    opens_us: Option<u64>,
    /// Targets that are left alone for another reason, and until when.
    resting: Vec<(u64, usize)>,
    /// What targets lacked.
    lacking: Features,
    pub(super) last: Option<DispatchFault>,
}

impl Findings {
    pub(super) fn rate_limited_until(&mut self, at_us: u64) {
        self.opens_us = Some(self.opens_us.map_or(at_us, |earlier| earlier.min(at_us)));
    }

    pub(super) fn passed_over(&mut self, index: usize, skip: Skip) {
        if let Some(until_us) = skip.last_resort_us() {
            return self.resting.push((until_us, index));
        }
        match skip {
            Skip::Disabled | Skip::Draining | Skip::TooLong { .. } | Skip::Spent | Skip::NoRoom(NoRoom { at_us: None, .. }) => {}
            Skip::Lacks(features) => self.lacking = self.lacking.and(features),
            Skip::NoRoom(NoRoom { at_us: Some(at_us), .. }) => self.rate_limited_until(at_us),
            Skip::Resting { until_us, .. } => self.rate_limited_until(until_us),
        }
    }

    pub(super) fn has_last_resorts(&self) -> bool {
        !self.resting.is_empty()
    }

    /// Targets that were left alone for another reason than their rate, the one that opens first before the others.
    pub(super) fn last_resorts(&self) -> Vec<usize> {
        let mut resting = self.resting.clone();
        resting.sort_unstable();
        resting.into_iter().map(|(_, index)| index).collect()
    }

    pub(super) fn conclude(self, has_targets: bool, now: impl FnOnce() -> Now) -> DispatchFault {
        let resting_us = self.resting.iter().map(|(until, _)| *until).min();
        match (self.last, resting_us, self.opens_us) {
            (Some(fault), ..) => fault,
            (None, None, Some(at_us)) => DispatchFault::AllRateLimited { at_us, now: now() },
            (None, Some(resting), limited) => {
                let at_us = limited.map_or(resting, |limited| limited.min(resting));
                DispatchFault::NoneTakes { opens: Some((at_us, now())) }
            }
            (None, None, None) if !has_targets => DispatchFault::NoTarget,
            (None, None, None) if !self.lacking.is_empty() => DispatchFault::Unfit { lacking: self.lacking },
            (None, None, None) => DispatchFault::NoneTakes { opens: None },
        }
    }
}
