//! What a limit is called and what a request asks of it.
//! It knows no plan, model or organisation: a pool is a number.

/// Microseconds of a clock that never runs backwards; the ledger clamps one that does.
pub type Micros = u64;

pub(crate) const SECOND_US: Micros = 1_000_000;

/// What a limit counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Requests admitted in any window.
    Requests,
    /// Input and output tokens processed in any window.
    Tokens,
    /// Requests under way at once. It has no window.
    Concurrent,
}

/// The name of one limit. A pool has at most one limit a kind and window.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LimitKey {
    pub pool: u64,
    pub kind: Kind,
    /// Length of the window in microseconds; 0 for [`Kind::Concurrent`].
    pub window_us: Micros,
}

/// What a request asks of one limit.
///
/// | kind | `log` | `hold` |
/// |---|---|---|
/// | requests | requests, so 1 | ignored |
/// | tokens | input tokens | output tokens expected |
/// | concurrent | ignored | requests under way, so 1 |
///
/// All limits of a kind are asked for the same: where asks of one request differ, the greatest `log`, and the least `hold` of tokens
/// or the greatest of concurrency, stands for all. A key that is asked twice counts once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ask {
    pub key: LimitKey,
    /// Units of the limit in a window, as the plan in force says. The ledger adopts it, so a change of plan is in force at once.
    pub n: u64,
    pub log: u64,
    pub hold: u64,
}
