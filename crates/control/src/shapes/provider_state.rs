//! How a provider stands at this moment, and what a test of it said, as the API writes them.

use domain::{ProviderName, ProviderStatus};
use serde::{Deserialize, Serialize};
use store::ProviderPatch;
use utoipa::ToSchema;

use super::choice::{HealthState, ProviderState};
use super::provider_key::{Keys, KeysSchema};
use super::time::Time;

/// What to change of a provider.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ProviderChange {
    /// Whether it takes requests; absent: as it is.
    #[serde(default)]
    state: Option<ProviderState>,
    /// Its API key, or several that take turns: written, never shown. Absent: those that are there stay; `null`: none from now on.
    #[serde(default, deserialize_with = "Keys::given")]
    #[schema(value_type = Option<KeysSchema>, write_only)]
    api_key: Option<Keys>,
}

impl ProviderChange {
    /// What the store is to change; `None`: nothing.
    pub(crate) fn into_patch(self) -> Option<ProviderPatch> {
        let has_any = self.state.is_some() || self.api_key.is_some();
        has_any.then(|| ProviderPatch { state: self.state.map(Into::into), credential: Keys::change(self.api_key) })
    }
}

/// A time in which nothing is sent to a provider, to one model of it, or with one of its API keys.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct Cooldown {
    /// The model's name at the provider; `null`: the whole provider.
    #[schema(required)]
    model: Option<String>,
    /// The id of the API key that is left out; `null`: whatever the key.
    #[schema(required)]
    key: Option<String>,
    /// When it is tried again.
    until: Time,
    /// Why.
    why: String,
}

/// What a provider said is left of one of its own limits; `null`: it didn't say.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Allowance {
    /// The limit's number.
    #[schema(required)]
    limit: Option<u64>,
    /// What is left of it.
    #[schema(required)]
    remaining: Option<u64>,
    /// When it is whole again.
    #[schema(required)]
    resets_at: Option<Time>,
}

/// What a provider last said, in an answer's headers, of its own limits.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct OwnQuota {
    /// Of requests.
    #[schema(required)]
    requests: Option<Allowance>,
    /// Of tokens.
    #[schema(required)]
    tokens: Option<Allowance>,
    /// When it said so.
    told_at: Time,
}

/// How a model at a provider, or an API key, stands at this moment.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TargetStanding {
    /// The model's name at the provider; `null`: an API key, whatever the model.
    #[schema(required)]
    model: Option<String>,
    /// The API key's id; `null`: whatever the key.
    #[schema(required)]
    key: Option<String>,
    /// How it stands.
    state: HealthState,
    /// Why it isn't healthy.
    #[schema(required)]
    why: Option<String>,
    /// Since when it isn't.
    #[schema(required)]
    since: Option<Time>,
    /// Until when nothing goes there.
    #[schema(required)]
    until: Option<Time>,
    /// When one request may see whether it answers again.
    #[schema(required)]
    next_probe: Option<Time>,
    /// Answers among what came of attempts in the last 5 minutes, from 0 to 1; `null`: nothing came.
    #[schema(required)]
    success_rate: Option<f64>,
    /// The time below which 95 of 100 first bytes came in the last 5 minutes.
    #[schema(required)]
    p95_ms: Option<f64>,
    /// Failures since it last answered.
    failures_in_a_row: u32,
    /// Attempts in progress.
    in_flight: u64,
    /// What the provider last said of its own limits; `null`: it never did.
    #[schema(required)]
    quota: Option<OwnQuota>,
}

impl From<domain::TargetStatus> for TargetStanding {
    fn from(of: domain::TargetStatus) -> Self {
        let allowance = |a: domain::AllowanceStatus| Allowance { limit: a.limit, remaining: a.remaining, resets_at: a.resets_at.map(Time) };
        let quota = |q: domain::QuotaStatus| OwnQuota {
            requests: q.requests.map(allowance),
            tokens: q.tokens.map(allowance),
            told_at: Time(q.told_at),
        };
        Self {
            model: of.model,
            key: of.credential.map(|id| id.to_string()),
            state: of.state.into(),
            why: of.why,
            since: of.since.map(Time),
            until: of.until.map(Time),
            next_probe: of.next_probe.map(Time),
            success_rate: of.success_percent.map(|percent| (percent * 100.0).round() / 1e4),
            p95_ms: of.p95_us.map(|us| us as f64 / 1e3),
            failures_in_a_row: of.failures_in_a_row,
            in_flight: of.in_flight,
            quota: of.quota.map(quota),
        }
    }
}

/// How a provider stands at this moment.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ProviderStanding {
    /// Its name.
    name: String,
    /// Whether it takes requests, as the operator set it.
    state: ProviderState,
    /// When the cooldown of the whole provider, else the longest of its models', ends; `null`: it is tried. A key that is left out while
    /// others are there counts for none.
    #[schema(required)]
    cooldown_until: Option<Time>,
    /// Why it cools down; `null`: it does not.
    #[schema(required)]
    why: Option<String>,
    /// All cooldowns that have not ended.
    cooldowns: Vec<Cooldown>,
    /// Attempts in progress.
    in_flight: u64,
    /// Its models, as far as some model of the catalogue has them, and its API keys; a key at one model only where it isn't well.
    targets: Vec<TargetStanding>,
}

impl ProviderStanding {
    /// The provider's state, and how the data plane sees it.
    pub(crate) fn of(name: &ProviderName, state: domain::ProviderState, status: ProviderStatus) -> Self {
        let cooldown =
            |c: domain::Cooldown| Cooldown { model: c.model, key: c.credential.map(|id| id.to_string()), until: Time(c.until), why: c.why };
        let cooldowns: Vec<_> = status.cooldowns.into_iter().map(cooldown).collect();
        let main = cooldowns.iter().filter(|c| c.key.is_none()).max_by_key(|c| (c.model.is_none(), c.until)).cloned();
        Self {
            name: name.as_str().into(),
            state: state.into(),
            cooldown_until: main.as_ref().map(|c| c.until),
            why: main.map(|c| c.why),
            cooldowns,
            in_flight: status.in_flight,
            targets: status.targets.into_iter().map(Into::into).collect(),
        }
    }
}

/// What came of asking a provider for its models.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ProviderTest {
    /// Whether it answered in its language and took the credential.
    ok: bool,
    /// The models it says it has.
    models: Vec<String>,
    /// How long it took.
    elapsed_ms: f64,
    /// What is wrong and what to do, or that all is well.
    message: String,
}

impl From<domain::ProviderTest> for ProviderTest {
    fn from(of: domain::ProviderTest) -> Self {
        let domain::ProviderTest { ok, models, elapsed_us, message } = of;
        Self { ok, models, elapsed_ms: elapsed_us as f64 / 1e3, message }
    }
}
