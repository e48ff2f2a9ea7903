//! Why a request doesn't fit, and when it would.
//! It knows times of the steady clock only; what the client reads is written elsewhere.

use crate::key::Micros;

/// A request that doesn't fit. Nothing was changed but what time changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The limits that refused, the one that opens last first. Empty when a bound of the ledger refuses, not a limit.
    pub blocked: Vec<Blocked>,
    /// When all of them have room: the latest of their times; an estimate when any of theirs is one.
    pub retry: Retry,
}

/// One limit that refused. Counts are units of the limit at the moment of the refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Blocked {
    /// Index in the asks of the request.
    pub ask: usize,
    /// What is counted in the window.
    pub used: u64,
    /// What is held by requests under way.
    pub held: u64,
    /// What waits for room: what holds need, and debt.
    pub waiting: u64,
    pub n: u64,
    /// What this request asked: log and hold together.
    pub requested: u64,
    pub retry: Retry,
}

/// When to come back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// Later than now, at most a window away. Exact unless it is an estimate: admitted at `at`, refused a microsecond before, if nothing
    /// else happens.
    At { at: Micros, estimate: bool },
    /// More than the limit ever lets through.
    Never,
}

impl Retry {
    /// For the order of blocked limits: the one that opens last is the greatest.
    pub(crate) fn time(self) -> Micros {
        match self {
            Self::At { at, .. } => at,
            Self::Never => Micros::MAX,
        }
    }

    pub(crate) fn is_estimate(self) -> bool {
        match self {
            Self::At { estimate, .. } => estimate,
            Self::Never => false,
        }
    }
}
