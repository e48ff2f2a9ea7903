//! What a provider allows us, for all its models and for each: exact limits like any other, over all organisations, asked after theirs.

use std::sync::{Arc, Mutex, PoisonError};

use domain::{Provider, ProviderName, Target};
use hashbrown::HashMap;
use limits::{Ask, HoldGuard, Kind, LimitKey, Refusal, Retry, SharedLedger};

/// What a target may be sent: its provider's quota, then its own.
#[derive(Debug)]
pub(crate) struct Quota {
    ledger: SharedLedger,
    limits: Vec<(LimitKey, u64)>,
}

/// Whose quota it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum QuotaOf {
    Provider,
    Target,
}

/// There is no room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NoRoom {
    pub(crate) of: QuotaOf,
    /// When there will be; `None`: never for this request.
    pub(crate) at_us: Option<u64>,
}

/// The pool of what all models of a provider share; each target has one of its own.
const PROVIDERS_POOL: u64 = 0;
/// The name of a hold that nobody keeps.
const LOOK: u128 = u128::MAX;

impl Quota {
    /// Takes a request with these tokens from the quota: from the provider's and the target's in one step, or from neither.
    pub(crate) fn reserve(&self, request: u128, input: u64, output: u64, now_us: u64) -> Result<HoldGuard, NoRoom> {
        self.ledger.reserve(request, &self.asks(input, output), now_us).map_err(|refusal| self.no_room(&refusal))
    }

    /// Whether a request with these tokens would find room.
    pub(crate) fn look(&self, input: u64, output: u64, now_us: u64) -> Result<(), NoRoom> {
        let asks = self.asks(input, output);
        let looked = self.ledger.with(|ledger| ledger.reserve(LOOK, &asks, now_us).map(|hold| ledger.refund_all(hold, now_us)));
        looked.map_err(|refusal| self.no_room(&refusal))
    }

    fn asks(&self, input: u64, output: u64) -> Vec<Ask> {
        let ask = |(key, n): &(LimitKey, u64)| {
            let (log, hold) = match key.kind {
                Kind::Requests => (1, 0),
                Kind::Tokens => (input, output.min(n.saturating_sub(input))),
                Kind::Concurrent => (0, 1),
            };
            Ask { key: *key, n: *n, log, hold }
        };
        self.limits.iter().map(ask).collect()
    }

    fn no_room(&self, refusal: &Refusal) -> NoRoom {
        let last = refusal.blocked.first().and_then(|blocked| self.limits.get(blocked.ask));
        let of = last.map_or(QuotaOf::Provider, |(key, _)| if key.pool == PROVIDERS_POOL { QuotaOf::Provider } else { QuotaOf::Target });
        let at_us = match refusal.retry {
            Retry::At { at, .. } => Some(at),
            Retry::Never => None,
        };
        NoRoom { of, at_us }
    }
}

/// The ledger of a provider, and the pools of its targets by their names there.
#[derive(Debug, Default)]
struct Ledger {
    shared: SharedLedger,
    pools: HashMap<String, u64>,
}

/// The ledgers of all providers; each stays when its provider's description changes or it is deleted and comes back.
#[derive(Debug, Default)]
pub(crate) struct Quotas {
    ledgers: Mutex<HashMap<ProviderName, Ledger>>,
}

impl Quotas {
    /// The quota of a target, called `name` at its provider, if it or the provider has one.
    pub(crate) fn of(&self, provider: &Provider, target: &Target, name: &str, window_us: u64) -> Option<Arc<Quota>> {
        let shared = [(Kind::Requests, provider.rpm), (Kind::Tokens, provider.tpm)];
        let own = [(Kind::Requests, target.rpm), (Kind::Tokens, target.tpm), (Kind::Concurrent, target.concurrent)];
        if shared.iter().chain(&own).all(|(_, n)| n.is_none()) {
            return None;
        }
        let mut ledgers = self.ledgers.lock().unwrap_or_else(PoisonError::into_inner);
        let ledger = ledgers.entry(provider.name.clone()).or_default();
        let next = PROVIDERS_POOL + 1 + ledger.pools.len() as u64;
        let own_pool = *ledger.pools.entry_ref(name).or_insert(next);
        let limit = |pool| move |(kind, n): (Kind, Option<u64>)| Some((LimitKey { pool, kind, window_us: window(kind, window_us) }, n?));
        let limits = shared.into_iter().filter_map(limit(PROVIDERS_POOL)).chain(own.into_iter().filter_map(limit(own_pool)));
        Some(Arc::new(Quota { limits: limits.collect(), ledger: ledger.shared.clone() }))
    }
}

const fn window(kind: Kind, window_us: u64) -> u64 {
    match kind {
        Kind::Requests | Kind::Tokens => window_us,
        Kind::Concurrent => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: u64 = 60_000_000;

    fn provider(members: &str) -> Provider {
        serde_json::from_str(&format!(r#"{{"name":"p","kind":"openai"{members}}}"#)).unwrap()
    }

    fn target(members: &str) -> Target {
        serde_json::from_str(&format!(r#"{{"provider":"p"{members}}}"#)).unwrap()
    }

    #[test]
    fn a_quota_survives_a_change_of_its_provider() {
        let quotas = Quotas::default();
        let bare = target("");
        let first = quotas.of(&provider(r#","rpm":1"#), &bare, "m", MINUTE).unwrap();
        first.reserve(1, 10, 10, 0).unwrap().release(0);
        let second = quotas.of(&provider(r#","rpm":1,"tpm":100"#), &bare, "another", MINUTE).unwrap();
        assert_eq!(second.reserve(2, 10, 10, MINUTE - 1).unwrap_err(), NoRoom { of: QuotaOf::Provider, at_us: Some(MINUTE) });
        second.reserve(3, 10, 10, MINUTE).unwrap().release(MINUTE);
        assert!(quotas.of(&provider(""), &bare, "m", 1).is_none());
    }

    #[test]
    fn a_target_has_its_own_and_takes_from_both_or_neither() {
        let quotas = Quotas::default();
        let provider = provider(r#","rpm":3"#);
        let first = quotas.of(&provider, &target(r#","rpm":1"#), "a", MINUTE).unwrap();
        let second = quotas.of(&provider, &target(r#","concurrent":1"#), "b", MINUTE).unwrap();
        first.reserve(1, 1, 1, 0).unwrap().release(0);
        for request in 2..9 {
            assert_eq!(first.reserve(request, 1, 1, 0).unwrap_err(), NoRoom { of: QuotaOf::Target, at_us: Some(MINUTE) });
        }
        let held = second.reserve(10, 1, 1, 0).unwrap();
        assert_eq!(second.look(1, 1, 0).unwrap_err().of, QuotaOf::Target);
        held.release(0);
        for _ in 0..9 {
            assert_eq!(second.look(1, 1, 0), Ok(()), "a look takes nothing");
        }
        second.reserve(11, 1, 1, 0).unwrap().release(0);
        assert_eq!(second.look(1, 1, 0), Err(NoRoom { of: QuotaOf::Provider, at_us: Some(MINUTE) }), "three in all");
    }

    #[test]
    fn what_never_fits_says_so() {
        let quota = Quotas::default().of(&provider(""), &target(r#","tpm":10"#), "m", MINUTE).unwrap();
        assert_eq!(quota.look(11, 0, 0), Err(NoRoom { of: QuotaOf::Target, at_us: None }));
        assert_eq!(quota.look(10, 50, 0), Ok(()), "what is held is at most what the limit leaves");
    }
}
