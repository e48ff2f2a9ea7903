//! How a provider stands at this moment, and what a test of it said, as the API writes them.

use domain::{ProviderName, ProviderStatus};
use serde::{Deserialize, Serialize};
use store::ProviderPatch;
use utoipa::ToSchema;

use super::choice::ProviderState;
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
