//! What the data plane knows of a provider at this moment, as the control plane may ask it.
//! Which attempts lead to a cooldown is not decided here.

use std::pin::Pin;

use crate::{CredentialId, Features, HealthState, ProviderName, UnixMicros};

/// A time in which nothing is sent to a provider, to one model of it, or with one of its credentials.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cooldown {
    /// The model's name at the provider; `None`: the whole provider.
    pub model: Option<String>,
    /// The credential that is left out; `None`: whatever the credential.
    pub credential: Option<CredentialId>,
    /// When it is tried again.
    pub until: UnixMicros,
    /// Why, for people: such as `429 Too Many Requests, retry-after 20 s`. Never a prompt or a credential.
    pub why: String,
}

/// What a provider said is left of one of its own limits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AllowanceStatus {
    /// The limit's number.
    pub limit: Option<u64>,
    /// What is left of it.
    pub remaining: Option<u64>,
    /// When it is whole again.
    pub resets_at: Option<UnixMicros>,
}

/// What a provider last said of its own limits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QuotaStatus {
    /// Of requests.
    pub requests: Option<AllowanceStatus>,
    /// Of tokens.
    pub tokens: Option<AllowanceStatus>,
    /// When it said so.
    pub told_at: UnixMicros,
}

/// How a model at a provider, or a credential, stands at one moment.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TargetStatus {
    /// The model's name at the provider; `None`: a credential, whatever the model.
    pub model: Option<String>,
    /// The credential; `None`: whatever the credential.
    pub credential: Option<CredentialId>,
    /// In a word.
    pub state: HealthState,
    /// Why it isn't healthy, for people.
    pub why: Option<String>,
    /// Since when it isn't.
    pub since: Option<UnixMicros>,
    /// Until when nothing goes there.
    pub until: Option<UnixMicros>,
    /// When one request may see whether it answers again.
    pub next_probe: Option<UnixMicros>,
    /// Answers among what came of attempts in the last 5 minutes, in percent; `None`: nothing came.
    pub success_percent: Option<f64>,
    /// The time below which 95 of 100 first bytes came in that time.
    pub p95_us: Option<u64>,
    /// Failures since it last answered.
    pub failures_in_a_row: u32,
    /// Attempts in progress.
    pub in_flight: u64,
    /// The provider's own limits as it last told them; `None`: it never did.
    pub quota: Option<QuotaStatus>,
}

/// A provider at one moment.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ProviderStatus {
    /// Cooldowns that have not ended; empty: it is tried.
    pub cooldowns: Vec<Cooldown>,
    /// Attempts in progress.
    pub in_flight: u64,
    /// Its targets and credentials.
    pub targets: Vec<TargetStatus>,
}

/// A request that isn't made, to see where it would go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RouteQuestion {
    /// Its input in tokens.
    pub input_tokens: u64,
    /// The output that it asks for in tokens.
    pub output_tokens: u64,
    /// What it needs beyond text.
    pub features: Features,
}

/// Why a target is passed over, in a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SkipReason {
    /// The operator has disabled its provider.
    Disabled,
    /// Its provider finishes what it has.
    Draining,
    /// It can't do what is needed.
    FeatureMissing,
    /// Input and output are too long for it.
    ContextTooSmall,
    /// It, or its credential, is left alone for a while.
    Cooling,
    /// It failed too often.
    CircuitOpen,
    /// A probe is under way.
    Probing,
    /// Its quota, or its provider's, has no room.
    NoRoom,
    /// Its provider's ceiling on the day's spend is reached.
    Spent,
}

/// A target passed over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Skipped {
    /// In a word.
    pub reason: SkipReason,
    /// For people.
    pub why: String,
    /// Until when, where that is known.
    pub until: Option<UnixMicros>,
    /// Whether it is tried all the same where no other target answers.
    pub is_last_resort: bool,
}

/// One target in the order in which a request would try them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RouteStep {
    /// Its provider.
    pub provider: ProviderName,
    /// The model's name there.
    pub model: String,
    /// Lower is tried first.
    pub priority: u32,
    /// Its share within its priority.
    pub weight: u32,
    /// Why it would be passed over; `None`: it would be tried, unless one before it answers.
    pub skipped: Option<Skipped>,
}

/// The data plane's answer about providers; the binary hands it to the control plane.
pub trait ProviderRuntime: Send + Sync {
    /// How `provider` stands; the default for one that was never tried.
    fn status(&self, provider: &ProviderName) -> ProviderStatus;

    /// Ends all cooldowns of `provider` and closes its circuits, so that the next request may try it. Nothing happens where there is none.
    fn clear_cooldown(&self, provider: &ProviderName);

    /// In which order a request for `model`, an id or an alias, would try its targets now, and which it would pass over. Within a
    /// priority the order is drawn anew for each request. `None`: there is no such model.
    fn route(&self, model: &str, question: &RouteQuestion) -> Option<Vec<RouteStep>>;
}

/// What came of asking a provider for its models.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProviderTest {
    /// Whether it answered in its language and took the credential.
    pub ok: bool,
    /// The models it says it has.
    pub models: Vec<String>,
    /// How long it took, in microseconds.
    pub elapsed_us: u64,
    /// One line for people: what is wrong and what to do, or that all is well. Never a credential.
    pub message: String,
}

/// Whoever can reach providers; the binary hands it to the control plane.
pub trait ProviderTester: Send + Sync {
    /// Asks the provider of this name for its models, within a bounded time.
    fn test(&self, name: ProviderName) -> Pin<Box<dyn Future<Output = ProviderTest> + Send + '_>>;
}
