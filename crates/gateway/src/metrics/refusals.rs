//! Refusals by pool. A pool's counter is found without a lock once it has refused before.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use arc_swap::ArcSwap;
use domain::{Kind, PoolId};
use hashbrown::HashMap;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;

type Count = Counter<u64, AtomicU64>;

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct RefusalLabels {
    selector: String,
    kind: &'static str,
}

/// Counters of refusals by selector and kind. All keys' own pools share the selector `key`.
#[derive(Debug, Default)]
pub(crate) struct Refusals {
    family: Family<RefusalLabels, Count>,
    known: ArcSwap<HashMap<(PoolId, Kind), Count>>,
}

impl Refusals {
    pub(crate) fn family(&self) -> Family<RefusalLabels, Count> {
        self.family.clone()
    }

    /// The pool called `name` has refused.
    pub(crate) fn count(&self, id: PoolId, name: &str, kind: Kind) {
        let is_key = name.starts_with("key:");
        let id = if is_key { PoolId(0) } else { id };
        if let Some(counter) = self.known.load().get(&(id, kind)) {
            counter.inc();
            return;
        }
        let selector = if is_key { "key".into() } else { name.into() };
        let counter = self.family.get_or_create_owned(&RefusalLabels { selector, kind: kind.as_str() });
        counter.inc();
        self.known.rcu(|known| {
            let mut known = HashMap::clone(known);
            known.insert((id, kind), counter.clone());
            Arc::new(known)
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_share_one_series_and_pools_have_their_own() {
        let refusals = Refusals::default();
        for n in 0..3 {
            refusals.count(PoolId(n + 10), &format!("key:key_{n}"), Kind::Requests);
            refusals.count(PoolId(1), "category:small", Kind::Tokens);
        }
        assert_eq!(refusals.known.load().len(), 2);
        let labels = RefusalLabels { selector: "key".into(), kind: "requests" };
        assert_eq!(refusals.family.get_or_create(&labels).get(), 3);
    }
}
