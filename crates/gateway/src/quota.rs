//! What a provider allows us, for all its models and for each: exact limits like any other, over all organisations, asked after theirs.
//! What it counts when is told by whoever sends; nothing is sent here.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use domain::{Provider, ProviderName, Target};
use hashbrown::HashMap;
use limits::{Ask, HoldGuard, HoldId, Kind, LimitKey, Refusal, Retry, Settlement, SharedLedger};

use crate::caps;

/// What a target may be sent: its provider's quota, then its own.
#[derive(Debug)]
pub(crate) struct Quota {
    ledger: Arc<OnTheWay>,
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
    /// Whether it is tokens that lack, of which a count may find fewer.
    pub(crate) lacks_tokens: bool,
    /// When there will be; `None`: never for this request.
    pub(crate) at_us: Option<u64>,
}

/// The pool of what all models of a provider share; each target has one of its own.
const PROVIDERS_POOL: u64 = 0;
/// The name of a hold that nobody keeps.
const LOOK: u128 = u128::MAX;

impl Quota {
    /// Takes a request with these tokens from the quota: from the provider's and the target's in one step, or from neither.
    pub(crate) fn reserve(&self, request: u128, input: u64, output: u64, now_us: u64) -> Result<QuotaHold, NoRoom> {
        self.ledger.catch_up(now_us);
        let taken = self.ledger.shared.reserve(request, &self.asks(input, output), now_us);
        taken.map(|guard| QuotaHold { guard, ledger: Arc::clone(&self.ledger) }).map_err(|refusal| self.no_room(&refusal))
    }

    /// Whether a request with these tokens would find room.
    pub(crate) fn look(&self, input: u64, output: u64, now_us: u64) -> Result<(), NoRoom> {
        let asks = self.asks(input, output);
        self.ledger.catch_up(now_us);
        let looked = self.ledger.shared.with(|ledger| ledger.reserve(LOOK, &asks, now_us).map(|hold| ledger.refund_all(hold, now_us)));
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
        let kinds = refusal.blocked.iter().filter_map(|blocked| self.limits.get(blocked.ask)).map(|(key, _)| key.kind);
        NoRoom { of, lacks_tokens: kinds.into_iter().any(|kind| kind == Kind::Tokens), at_us }
    }
}

/// A ledger, and the requests that were sent and of which nothing was heard yet.
///
/// A provider counts a request when it arrives, which nobody here sees. It has not arrived before it is sent and has when something
/// comes back, so that is when it counts here too: then no window of the provider's sees more than one of ours. Where an answer lets
/// itself be waited for, the request is taken to be there a while after it was sent.
#[derive(Debug, Default)]
struct OnTheWay {
    shared: SharedLedger,
    /// Until when each is taken to be on its way, the first before the others.
    sent: Mutex<VecDeque<(u64, HoldId)>>,
}

impl OnTheWay {
    /// Counts what must have arrived by now at the moment at which it must.
    fn catch_up(&self, now_us: u64) {
        let mut sent = self.sent.lock().unwrap_or_else(PoisonError::into_inner);
        while let Some((at_us, hold)) = sent.pop_front_if(|(at_us, _)| *at_us <= now_us) {
            self.shared.with(|ledger| ledger.recount(hold, at_us));
        }
    }

    fn sent(&self, hold: HoldId, now_us: u64) {
        self.catch_up(now_us);
        self.shared.with(|ledger| ledger.recount(hold, now_us));
        let mut sent = self.sent.lock().unwrap_or_else(PoisonError::into_inner);
        sent.retain(|(_, other)| *other != hold);
        sent.push_back((now_us.saturating_add(caps::ON_THE_WAY_US), hold));
    }

    fn arrived(&self, hold: HoldId, now_us: u64) {
        self.catch_up(now_us);
        let mut sent = self.sent.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(place) = sent.iter().position(|(_, other)| *other == hold) {
            sent.remove(place);
            self.shared.with(|ledger| ledger.recount(hold, now_us));
        }
    }
}

/// What a request has taken from the quota of a target, until it ends.
#[derive(Debug)]
#[must_use = "dropped, it is charged whole"]
pub(crate) struct QuotaHold {
    guard: HoldGuard,
    ledger: Arc<OnTheWay>,
}

/// Tells when a request was sent.
#[derive(Clone, Debug)]
pub(crate) struct Sending {
    hold: HoldId,
    ledger: Arc<OnTheWay>,
}

impl Sending {
    /// It is sent now, and hasn't arrived before.
    pub(crate) fn begins(&self, now_us: u64) {
        self.ledger.sent(self.hold, now_us);
    }
}

impl QuotaHold {
    /// For whoever sends the request.
    pub(crate) fn sending(&self) -> Sending {
        Sending { hold: self.guard.id(), ledger: Arc::clone(&self.ledger) }
    }

    /// Something was heard of it, or nothing more will be.
    pub(crate) fn arrived(&self, now_us: u64) {
        self.ledger.arrived(self.guard.id(), now_us);
    }

    /// It was answered.
    pub(crate) fn settle(self, settlement: Settlement, now_us: u64) {
        self.arrived(now_us);
        self.guard.settle(settlement, now_us);
    }

    /// Nobody knows what it needed: all that was held is charged.
    pub(crate) fn lapse(self, now_us: u64) {
        self.arrived(now_us);
        self.guard.lapse(now_us);
    }

    /// It keeps its request.
    pub(crate) fn refund_tokens(self, now_us: u64) {
        self.arrived(now_us);
        self.guard.refund_tokens(now_us);
    }

    /// It was never sent.
    pub(crate) fn refund_all(self, now_us: u64) {
        self.arrived(now_us);
        self.guard.refund_all(now_us);
    }
}

/// The ledger of a provider, and the pools of its targets by their names there.
#[derive(Debug, Default)]
struct Ledger {
    shared: Arc<OnTheWay>,
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
        Some(Arc::new(Quota { limits: limits.collect(), ledger: Arc::clone(&ledger.shared) }))
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
    const END: Settlement = Settlement { input: None, output: 0 };

    fn full(of: QuotaOf, at_us: u64) -> NoRoom {
        NoRoom { of, lacks_tokens: false, at_us: Some(at_us) }
    }

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
        first.reserve(1, 10, 10, 0).unwrap().settle(END, 0);
        let second = quotas.of(&provider(r#","rpm":1,"tpm":100"#), &bare, "another", MINUTE).unwrap();
        assert_eq!(second.reserve(2, 10, 10, MINUTE - 1).unwrap_err(), full(QuotaOf::Provider, MINUTE));
        second.reserve(3, 10, 10, MINUTE).unwrap().settle(END, MINUTE);
        assert!(quotas.of(&provider(""), &bare, "m", 1).is_none());
    }

    #[test]
    fn a_target_has_its_own_and_takes_from_both_or_neither() {
        let quotas = Quotas::default();
        let provider = provider(r#","rpm":3"#);
        let first = quotas.of(&provider, &target(r#","rpm":1"#), "a", MINUTE).unwrap();
        let second = quotas.of(&provider, &target(r#","concurrent":1"#), "b", MINUTE).unwrap();
        first.reserve(1, 1, 1, 0).unwrap().settle(END, 0);
        for request in 2..9 {
            assert_eq!(first.reserve(request, 1, 1, 0).unwrap_err(), full(QuotaOf::Target, MINUTE));
        }
        let held = second.reserve(10, 1, 1, 0).unwrap();
        assert_eq!(second.look(1, 1, 0).unwrap_err().of, QuotaOf::Target);
        held.settle(END, 0);
        for _ in 0..9 {
            assert_eq!(second.look(1, 1, 0), Ok(()), "a look takes nothing");
        }
        second.reserve(11, 1, 1, 0).unwrap().settle(END, 0);
        assert_eq!(second.look(1, 1, 0), Err(full(QuotaOf::Provider, MINUTE)), "three in all");
    }

    #[test]
    fn what_never_fits_says_so() {
        let quota = Quotas::default().of(&provider(""), &target(r#","tpm":10"#), "m", MINUTE).unwrap();
        assert_eq!(quota.look(11, 0, 0), Err(NoRoom { of: QuotaOf::Target, lacks_tokens: true, at_us: None }));
        assert_eq!(quota.look(10, 50, 0), Ok(()), "what is held is at most what the limit leaves");
    }

    #[test]
    fn a_request_counts_from_when_it_has_arrived() {
        let quotas = Quotas::default();
        let quota = quotas.of(&provider(r#","rpm":1"#), &target(""), "m", MINUTE).unwrap();
        let told = |quota: &Quota, now_us| quota.look(1, 1, now_us).unwrap_err().at_us;
        let hold = quota.reserve(1, 1, 1, 0).unwrap();
        assert_eq!(told(&quota, 10), Some(MINUTE));
        hold.sending().begins(7_000);
        assert_eq!(told(&quota, 7_000), Some(MINUTE + 7_000), "it took a while to connect");
        hold.arrived(9_000);
        hold.arrived(500_000);
        assert_eq!(told(&quota, 600_000), Some(MINUTE + 9_000), "something was heard of it, and then more");
        hold.settle(END, 5_000_000);
        assert_eq!((told(&quota, MINUTE + 8_999), quota.look(1, 1, MINUTE + 9_000)), (Some(MINUTE + 9_000), Ok(())));
        // Nothing is heard for long.
        let from = 2 * MINUTE;
        let hold = quota.reserve(2, 1, 1, from).unwrap();
        hold.sending().begins(from);
        hold.arrived(from + 30_000_000);
        hold.settle(END, from + 40_000_000);
        assert_eq!(told(&quota, from + 41_000_000), Some(from + MINUTE + caps::ON_THE_WAY_US));
        quota.reserve(3, 1, 1, from + MINUTE + caps::ON_THE_WAY_US).unwrap().refund_all(3 * MINUTE);
    }
}
