//! What people are shown of a target or a credential, and the names of what can be wrong with it.

/// What an attempt's failure says of whoever was asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Trouble {
    /// It refuses this account more for now.
    #[default]
    RateLimited,
    /// It has more to do than it can.
    Overloaded,
    /// It failed.
    Failed,
    /// It was too slow.
    TimedOut,
    /// The credential is wrong, or lacks a permission.
    Credential,
    /// The account has no money left.
    Billing,
    /// The model or path isn't there.
    Missing,
}

impl Trouble {
    /// The name in answers and records.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::RateLimited => "rate_limited",
            Self::Overloaded => "overloaded",
            Self::Failed => "failed",
            Self::TimedOut => "timed_out",
            Self::Credential => "credential",
            Self::Billing => "billing",
            Self::Missing => "missing",
        }
    }

    /// Whether it counts towards opening a circuit. A refusal for rate is no failure.
    pub(super) const fn is_failure(self) -> bool {
        match self {
            Self::Overloaded | Self::Failed | Self::TimedOut => true,
            Self::RateLimited | Self::Credential | Self::Billing | Self::Missing => false,
        }
    }

    /// Whether only the operator can mend it.
    pub const fn is_alarm(self) -> bool {
        match self {
            Self::Credential | Self::Billing | Self::Missing => true,
            Self::RateLimited | Self::Overloaded | Self::Failed | Self::TimedOut => false,
        }
    }

    /// Whether it is left alone for a while even where the provider didn't say so.
    pub(super) const fn cools_by_itself(self) -> bool {
        match self {
            Self::RateLimited | Self::Overloaded => true,
            Self::Failed | Self::TimedOut | Self::Credential | Self::Billing | Self::Missing => false,
        }
    }
}

/// Why nothing goes there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// It is left alone for a while because of this.
    Cooling(Trouble),
    /// It failed too often.
    Open,
    /// A probe is under way, and others wait for what comes of it.
    Probing,
}

impl Why {
    /// One line for people.
    pub const fn text(self) -> &'static str {
        match self {
            Self::Cooling(Trouble::RateLimited) => "429 Too Many Requests",
            Self::Cooling(Trouble::Overloaded) => "it is overloaded",
            Self::Cooling(Trouble::Failed) => "it failed and said when to come back",
            Self::Cooling(Trouble::TimedOut) => "it was too slow",
            Self::Cooling(Trouble::Credential) => "it refuses the credential",
            Self::Cooling(Trouble::Billing) => "the account there has no money left",
            Self::Cooling(Trouble::Missing) => "the model or the path isn't there",
            Self::Open => "it failed too often",
            Self::Probing => "a probe is under way",
        }
    }
}

/// How it stands, in a word.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum HealthState {
    /// Requests go there.
    #[default]
    Healthy,
    /// It is left alone until a moment.
    Cooling,
    /// It failed too often, and is left alone until a moment.
    Open,
    /// It failed too often; one request at a time sees whether it answers again.
    HalfOpen,
    /// The operator has to mend something; one request now and then sees whether that was done.
    Alarm,
}

impl HealthState {
    /// Every state, in the order of `as_str`.
    pub const ALL: [Self; 5] = [Self::Healthy, Self::Cooling, Self::Open, Self::HalfOpen, Self::Alarm];

    /// The name in answers and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Healthy => "healthy",
            Self::Cooling => "cooling",
            Self::Open => "open",
            Self::HalfOpen => "half_open",
            Self::Alarm => "alarm",
        }
    }
}

/// What a provider said is left of one of its own limits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Allowance {
    /// The limit's number.
    pub limit: Option<u64>,
    /// What is left of it.
    pub remaining: Option<u64>,
    /// When it is whole again, on the steady clock.
    pub reset_us: Option<u64>,
}

/// What a provider last said of its own limits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct QuotaRead {
    /// Of requests.
    pub requests: Option<Allowance>,
    /// Of tokens.
    pub tokens: Option<Allowance>,
    /// When it said so, on the steady clock; 0: never.
    pub at_us: u64,
}

/// How a target or a credential stands at one moment. Moments are of the steady clock.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Standing {
    /// In a word.
    pub state: HealthState,
    /// Why it isn't healthy.
    pub why: Option<Why>,
    /// Since when it isn't.
    pub since_us: Option<u64>,
    /// Until when nothing goes there.
    pub until_us: Option<u64>,
    /// When one request may see whether it answers again.
    pub next_probe_us: Option<u64>,
    /// Answers among what came of attempts in the last 5 minutes, in percent; `None`: nothing came.
    pub success_percent: Option<f64>,
    /// The time below which 95 of 100 first bytes came in that time.
    pub p95_us: Option<u64>,
    /// Failures since it last answered.
    pub failures_in_a_row: u32,
    /// The provider's own limits as it last told them.
    pub quota: QuotaRead,
}
