//! What a provider allows us: an exact limit like any other, over all organisations, asked after theirs.

use std::sync::{Arc, Mutex, PoisonError};

use domain::{Provider, ProviderName};
use hashbrown::HashMap;
use limits::{Ask, HoldGuard, Kind, LimitKey, Refusal, SharedLedger};

/// A provider's quota.
#[derive(Debug)]
pub(crate) struct Quota {
    ledger: SharedLedger,
    rpm: Option<u64>,
    tpm: Option<u64>,
    window_us: u64,
}

impl Quota {
    /// Takes a request with these tokens from the quota.
    pub(crate) fn reserve(&self, request: u128, input: u64, output: u64, now_us: u64) -> Result<HoldGuard, Refusal> {
        let key = |kind| LimitKey { pool: 0, kind, window_us: self.window_us };
        let requests = self.rpm.map(|n| Ask { key: key(Kind::Requests), n, log: 1, hold: 0 });
        let tokens = self.tpm.map(|n| Ask { key: key(Kind::Tokens), n, log: input, hold: output.min(n.saturating_sub(input)) });
        let asks: Vec<_> = requests.into_iter().chain(tokens).collect();
        self.ledger.reserve(request, &asks, now_us)
    }
}

/// The ledgers of all providers; each stays when its provider's description changes or it is deleted and comes back.
#[derive(Debug, Default)]
pub(crate) struct Quotas {
    ledgers: Mutex<HashMap<ProviderName, SharedLedger>>,
}

impl Quotas {
    /// The quota of a provider that has one.
    pub(crate) fn of(&self, provider: &Provider, window_us: u64) -> Option<Arc<Quota>> {
        if provider.rpm.is_none() && provider.tpm.is_none() {
            return None;
        }
        let mut ledgers = self.ledgers.lock().unwrap_or_else(PoisonError::into_inner);
        let ledger = ledgers.entry(provider.name.clone()).or_default().clone();
        Some(Arc::new(Quota { ledger, rpm: provider.rpm, tpm: provider.tpm, window_us }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quota_survives_a_change_of_its_provider() {
        let quotas = Quotas::default();
        let mut provider: Provider = serde_json::from_str(r#"{"name":"p","kind":"openai","rpm":1}"#).unwrap();
        let first = quotas.of(&provider, 60_000_000).unwrap();
        first.reserve(1, 10, 10, 0).unwrap().release(0);
        provider.tpm = Some(100);
        let second = quotas.of(&provider, 60_000_000).unwrap();
        assert!(second.reserve(2, 10, 10, 59_999_999).is_err());
        second.reserve(3, 10, 10, 60_000_000).unwrap().release(60_000_000);
        assert!(quotas.of(&serde_json::from_str(r#"{"name":"q","kind":"openai"}"#).unwrap(), 1).is_none());
    }
}
