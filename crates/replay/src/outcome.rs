//! What became of a workload on one plan. It knows no table and no plot.

use std::sync::Arc;

use domain::{Kind, PlanId, UnixMicros};

use crate::series::{Fold, Series};
use crate::spread::Spread;

const MINUTE_US: u64 = 60_000_000;
/// As fine as use over time is kept to begin with.
const USE_SLOT_US: u64 = 10_000_000;

/// A workload on one plan.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The plan.
    pub plan: PlanId,
    /// Requests of the workload.
    pub requests: u64,
    /// Of those, how many asked for a model that the plan doesn't have.
    pub not_in_plan: u64,
    /// When the first of them arrived, by the trace's clock.
    pub from: UnixMicros,
    /// From the first arrival to the end of the last answer, in microseconds.
    pub span_us: u64,
    /// The pools that were asked, in the order in which they were.
    pub pools: Vec<PoolOutcome>,
}

impl Outcome {
    /// Whether every request was admitted at once, and every answer delivered whole, though perhaps with pauses.
    #[must_use]
    pub fn admitted_all(&self) -> bool {
        self.not_in_plan == 0 && self.pools.iter().all(|pool| pool.refusals == 0 && pool.refused == 0 && pool.cut == 0)
    }
}

/// A workload in one pool, all organisations together.
#[derive(Clone, Debug)]
pub struct PoolOutcome {
    /// `model:ID`, `category:C` or `any`.
    pub pool: Arc<str>,
    /// Whether its limits refuse, or only record.
    pub enforce: bool,
    /// Its limits.
    pub limits: Vec<LimitOutcome>,
    /// Requests that asked for it.
    pub requests: u64,
    /// Of those, admitted, at once or later.
    pub admitted: u64,
    /// Never admitted: the client gave up.
    pub refused: u64,
    /// Of those refused, how many had more input than a limit ever lets through.
    pub too_large: u64,
    /// Refusals, of which one request may have had several.
    pub refusals: u64,
    /// Refusals over time, by the minute to begin with.
    pub refusals_over_time: Series,
    /// Waits announced by refusals.
    pub announced: Spread,
    /// How long requests waited that were admitted later, by clients who came back and in the gateway.
    pub waited: Spread,
    /// Input tokens of admitted requests.
    pub input: u64,
    /// Output tokens relayed.
    pub output: u64,
    /// How long streams paused that did.
    pub paused: Spread,
    /// Answers that were cut.
    pub cut: u64,
    /// Output tokens that were not delivered because of that.
    pub cut_tokens: u64,
    /// Tokens relayed without room.
    pub debt: u64,
}

impl PoolOutcome {
    pub(crate) fn new(pool: Arc<str>, enforce: bool, limits: Vec<LimitOutcome>) -> Self {
        Self {
            pool,
            enforce,
            limits,
            requests: 0,
            admitted: 0,
            refused: 0,
            too_large: 0,
            refusals: 0,
            refusals_over_time: Series::new(Fold::Sum, MINUTE_US),
            announced: Spread::default(),
            waited: Spread::default(),
            input: 0,
            output: 0,
            paused: Spread::default(),
            cut: 0,
            cut_tokens: 0,
            debt: 0,
        }
    }
}

/// One limit of a pool.
#[derive(Clone, Debug)]
pub struct LimitOutcome {
    /// What it counts.
    pub kind: Kind,
    /// Its window in microseconds; 0 for `Concurrent`.
    pub window_us: u64,
    /// Its number.
    pub n: u64,
    /// Refusals in which it had no room.
    pub refusals: u64,
    /// The most that really happened in any window, of any one organisation.
    pub peak: u64,
    /// When, in microseconds after the first arrival.
    pub peak_at: u64,
    /// What happened in the window before, over time: the most in each slot, of any one organisation.
    pub over_time: Series,
}

impl LimitOutcome {
    pub(crate) fn new(kind: Kind, window_us: u64, n: u64) -> Self {
        Self { kind, window_us, n, refusals: 0, peak: 0, peak_at: 0, over_time: Series::new(Fold::Most, USE_SLOT_US) }
    }

    pub(crate) fn note(&mut self, sum: u64, now: u64) {
        self.over_time.note(sum, now);
        if sum > self.peak {
            (self.peak, self.peak_at) = (sum, now);
        }
    }

    /// The peak as a share of the limit; none for a limit of 0.
    #[must_use]
    pub fn ratio(&self) -> Option<f64> {
        (self.n > 0).then(|| self.peak as f64 / self.n as f64)
    }
}
