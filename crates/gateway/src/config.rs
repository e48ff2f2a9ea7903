//! What the binary settles for the data plane. Where the values come from is not known here.

use std::time::Duration;

use domain::{Money, RateLimitBody};
use providers::demo::Speed;

/// The data plane's settings.
#[derive(Clone, Debug)]
pub struct GatewayConfig {
    /// Longest request body in bytes.
    pub max_body_bytes: u64,
    /// How long a whole request body may take.
    pub body_timeout: Duration,
    /// The shape of a rate-limit refusal, where neither the key nor the request chooses.
    pub rate_limit_body: RateLimitBody,
    /// How long a request waits for room before it is refused, where it doesn't ask for more or less.
    pub micro_wait: Duration,
    /// The longest wait that a request can ask for.
    pub max_wait: Duration,
    /// How long an answer may stand still for want of room before it ends.
    pub max_pause: Duration,
    /// What may be spent at all providers together in a UTC day, at the catalogue's prices; `None`: no ceiling.
    pub spend_per_day: Option<Money>,
    /// Whether `HTTPS_PROXY`, `ALL_PROXY` and `NO_PROXY` are honoured.
    pub proxy_from_environment: bool,
    /// How fast the built-in simulated server answers.
    pub demo_speed: Speed,
}

impl Default for GatewayConfig {
    fn default() -> Self {
        Self {
            max_body_bytes: 10 * 1024 * 1024,
            body_timeout: Duration::from_secs(30),
            rate_limit_body: RateLimitBody::default(),
            micro_wait: Duration::ZERO,
            max_wait: Duration::from_secs(30),
            max_pause: Duration::from_secs(300),
            spend_per_day: None,
            proxy_from_environment: true,
            demo_speed: Speed::Believable,
        }
    }
}
