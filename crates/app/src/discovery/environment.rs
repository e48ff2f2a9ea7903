//! Providers whose API key is in the environment under the name that their own documentation gives it.

use std::collections::BTreeMap;

use domain::{Provider, ProviderKind, ProviderState, QuotaHold};
use store::CredentialKind;

use crate::config::{ConfiguredProvider, Credential};

/// Variable, name, base URL. All of them speak OpenAI's language.
const VENDORS: &[(&str, &str, &str)] = &[
    ("OPENAI_API_KEY", "openai", "https://api.openai.com/v1"),
    ("CEREBRAS_API_KEY", "cerebras", "https://api.cerebras.ai/v1"),
    ("DEEPSEEK_API_KEY", "deepseek", "https://api.deepseek.com/v1"),
    ("FIREWORKS_API_KEY", "fireworks", "https://api.fireworks.ai/inference/v1"),
    ("GROQ_API_KEY", "groq", "https://api.groq.com/openai/v1"),
    ("MISTRAL_API_KEY", "mistral", "https://api.mistral.ai/v1"),
    ("OPENROUTER_API_KEY", "openrouter", "https://openrouter.ai/api/v1"),
    ("TOGETHER_API_KEY", "together", "https://api.together.xyz/v1"),
    ("XAI_API_KEY", "xai", "https://api.x.ai/v1"),
];

/// The providers whose key this environment holds.
pub(crate) fn environment(environment: &BTreeMap<String, String>) -> Vec<ConfiguredProvider> {
    let found = VENDORS.iter().filter_map(|(variable, name, base_url)| {
        let key = environment.get(*variable).map(|v| v.trim()).filter(|v| !v.is_empty())?;
        let provider = provider(name, ProviderKind::Openai, base_url);
        let credential = Credential { secret: key.into(), found: CredentialKind::Env((*variable).into()) };
        Some(ConfiguredProvider { provider, credentials: vec![credential] })
    });
    found.collect()
}

/// A provider with nothing but a name, a kind and an address.
pub(crate) fn provider(name: &str, kind: ProviderKind, base_url: &str) -> Provider {
    Provider {
        name: name.into(),
        kind,
        base_url: base_url.into(),
        timeout_seconds: None,
        first_byte_timeout_seconds: None,
        headers: BTreeMap::new(),
        rpm: None,
        tpm: None,
        quota_hold: QuotaHold::default(),
        spend_per_day: None,
        state: ProviderState::Enabled,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_in_the_environment_makes_a_provider_and_an_empty_one_none() {
        let variables = [("OPENAI_API_KEY", "sk-1"), ("GROQ_API_KEY", " "), ("HOME", "/root")];
        let found = environment(&variables.map(|(k, v)| (k.to_owned(), v.to_owned())).into());
        assert_eq!(found.iter().map(|f| f.provider.name.as_str()).collect::<Vec<_>>(), ["openai"]);
    }
}
