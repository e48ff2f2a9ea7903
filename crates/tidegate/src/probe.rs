//! Asking a provider for its models through the gateway's client.

use std::time::Duration;

use domain::Provider;
use gateway::Gateway;
use secrecy::SecretString;

/// What a provider answered.
pub(crate) struct Probe {
    pub(crate) models: Vec<String>,
    pub(crate) elapsed_us: u64,
}

/// Why it did not.
#[derive(Debug, thiserror::Error)]
#[error("providers can't be asked yet")]
pub(crate) struct ProbeError;

pub(crate) async fn probe(_: &Gateway, _: &Provider, _: Option<&SecretString>, _: Duration) -> Result<Probe, ProbeError> {
    std::future::ready(Err(ProbeError)).await
}
