//! What the data plane knows of a provider at this moment, as the control plane may ask it.
//! Which attempts lead to a cooldown is not decided here.

use std::pin::Pin;

use crate::{CredentialId, ProviderName, UnixMicros};

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

/// A provider at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProviderStatus {
    /// Cooldowns that have not ended; empty: it is tried.
    pub cooldowns: Vec<Cooldown>,
    /// Attempts in progress.
    pub in_flight: u64,
}

/// The data plane's answer about providers; the binary hands it to the control plane.
pub trait ProviderRuntime: Send + Sync {
    /// How `provider` stands; the default for one that was never tried.
    fn status(&self, provider: &ProviderName) -> ProviderStatus;

    /// Ends all cooldowns of `provider`, so that the next request may try it. Nothing happens where there is none.
    fn clear_cooldown(&self, provider: &ProviderName);
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
