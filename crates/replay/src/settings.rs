//! What a simulation assumes beyond what a trace and a plan say.

use domain::{Category, HoldPolicy, OnExhausted};
use limits::Caps;

/// What is assumed.
#[derive(Clone, Debug)]
pub struct Settings {
    /// How much output is held; absent: as the plan says.
    pub hold: Option<HoldPolicy>,
    /// What happens to a stream whose hold can't be extended; absent: as the plan says.
    pub on_exhausted: Option<OnExhausted>,
    /// The model of rows that name none.
    pub model: Option<String>,
    /// The category of models that aren't in the catalogue and whose rows name none.
    pub category: Option<Category>,
    /// `max_tokens` of rows that state none.
    pub max_tokens: Option<u32>,
    /// How fast output is produced where a row doesn't say how long its answer took; above 0.
    pub tokens_per_second: f64,
    /// How many times as densely requests arrive; answers take as long as ever. Above 0.
    pub speed_up: f64,
    /// Output is relayed in pieces of so much time, in microseconds.
    pub piece_us: u64,
    /// How long a client comes back whenever it is told, in microseconds from its first request; 0: it gives up at once.
    pub wait_us: u64,
    /// How long a request waits for room before it is refused, in microseconds.
    pub micro_wait_us: u64,
    /// How long a stream may pause before it is cut, in microseconds.
    pub max_pause_us: u64,
    /// The limiter's bounds.
    pub caps: &'static Caps,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            hold: None,
            on_exhausted: None,
            model: None,
            category: None,
            max_tokens: None,
            tokens_per_second: 50.0,
            speed_up: 1.0,
            piece_us: 1_000_000,
            wait_us: 0,
            micro_wait_us: 250_000,
            max_pause_us: 300_000_000,
            caps: &Caps::DEFAULT,
        }
    }
}

impl Settings {
    /// Microseconds for one token of output.
    pub(crate) fn us_per_token(&self) -> u64 {
        ((1e6 / self.tokens_per_second).round() as u64).max(1)
    }
}
