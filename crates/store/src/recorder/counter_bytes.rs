//! Counters as bytes, for those that wait to be added to their rows. It knows no SQL.
//!
//! ```text
//! counters  version (1) | how many kinds | each: model, provider, plan, category (texts; none: empty) | status
//!           | of each counter: org (id) | key (id) | minute (signed) | its kind (the how manieth) | requests | refused | would refuse
//!           | failed | input | output | cached | cost (signed)
//! ```

use domain::{Category, KeyId, ModelId, OrgId, PlanId, ProviderName};
use hashbrown::HashMap;

use super::batch::{Counters, CountersOf};
use crate::journal::format::{Put as _, Take};

const VERSION: u8 = 1;

/// What counters of many keys have in common.
#[derive(Clone, PartialEq, Eq, Hash)]
struct CounterKind {
    model: ModelId,
    provider: Option<ProviderName>,
    plan: PlanId,
    category: Option<Category>,
    status: u16,
}

impl CounterKind {
    fn of(of: &CountersOf) -> Self {
        let CountersOf { model, provider, plan, category, status, .. } = of;
        Self { model: model.clone(), provider: provider.clone(), plan: plan.clone(), category: *category, status: *status }
    }

    fn put(&self, into: &mut Vec<u8>) {
        into.text(self.model.as_str());
        into.text(self.provider.as_ref().map_or("", ProviderName::as_str));
        into.text(self.plan.as_str());
        into.text(self.category.map_or("", Category::as_str));
        into.number(u64::from(self.status));
    }

    fn take(take: &mut Take<'_>) -> Option<Self> {
        Some(Self {
            model: take.text()?.into(),
            provider: Some(take.text()?).filter(|name| !name.is_empty()).map(ProviderName::from),
            plan: take.text()?.into(),
            category: category(take.text()?)?,
            status: u16::try_from(take.number()?).ok()?,
        })
    }
}

fn category(text: &str) -> Option<Option<Category>> {
    let all = [None, Some(Category::Small), Some(Category::Medium), Some(Category::Large)];
    all.into_iter().find(|category| category.map_or("", Category::as_str) == text)
}

pub(crate) fn put_counters(counters: &[(CountersOf, Counters)]) -> Vec<u8> {
    let (mut kinds, mut heads) = (HashMap::new(), Vec::new());
    let mut rows = Vec::new();
    for (of, n) in counters {
        let next = kinds.len() as u64;
        let kind = *kinds.entry(CounterKind::of(of)).or_insert_with_key(|kind: &CounterKind| {
            kind.put(&mut heads);
            next
        });
        rows.id(of.org.bits());
        rows.id(of.key.bits());
        rows.signed(of.minute);
        rows.number(kind);
        for n in [n.requests, n.refused, n.would_refuse, n.failed, n.input, n.output, n.cached] {
            rows.number(n);
        }
        rows.signed(n.cost);
    }
    let mut bytes = vec![VERSION];
    bytes.number(kinds.len() as u64);
    bytes.append(&mut heads);
    bytes.append(&mut rows);
    bytes
}

/// Calls `each` with all of them; `None` where these are no such bytes.
pub(crate) fn take_counters(bytes: &[u8], mut each: impl FnMut(CountersOf, Counters)) -> Option<()> {
    let mut take = Take::new(bytes);
    if take.byte()? != VERSION {
        return None;
    }
    let kinds = usize::try_from(take.number()?).ok().filter(|kinds| *kinds <= take.len())?;
    let kinds = (0..kinds).map(|_| CounterKind::take(&mut take)).collect::<Option<Vec<_>>>()?;
    while !take.is_empty() {
        let (org, key, minute) = (OrgId::from_bits(take.id()?), KeyId::from_bits(take.id()?), take.signed()?);
        let CounterKind { model, provider, plan, category, status } = kinds.get(usize::try_from(take.number()?).ok()?)?.clone();
        let counters = Counters {
            requests: take.number()?,
            refused: take.number()?,
            would_refuse: take.number()?,
            failed: take.number()?,
            input: take.number()?,
            output: take.number()?,
            cached: take.number()?,
            cost: take.signed()?,
        };
        each(CountersOf { org, minute, model, key, provider, plan, category, status }, counters);
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counters(n: u64) -> (CountersOf, Counters) {
        let of = CountersOf {
            org: OrgId::from_bits(u128::from(n) << 70),
            minute: 29_000_000 + n as i64,
            model: if n.is_multiple_of(2) { "even".into() } else { "odd".into() },
            key: KeyId::from_bits(u128::from(n)),
            provider: (!n.is_multiple_of(3)).then(|| ProviderName::from("p")),
            plan: "starter".into(),
            category: [None, Some(Category::Small), Some(Category::Medium), Some(Category::Large)][n as usize % 4],
            status: if n == 7 { 429 } else { 200 },
        };
        let [requests, refused, would_refuse, failed, input, output, cached] = [n, n + 1, n + 2, n + 3, n << 40, n * 300, u64::MAX - n];
        (of, Counters { requests, refused, would_refuse, failed, input, output, cached, cost: -(n as i64) })
    }

    #[test]
    fn counters_come_back_as_they_went() {
        for count in [0, 1, 100] {
            let all: Vec<_> = (0..count).map(counters).collect();
            let mut back = Vec::new();
            take_counters(&put_counters(&all), |of, n| back.push((of, n))).unwrap();
            assert_eq!(back, all);
        }
    }

    #[test]
    fn what_is_no_counters_is_told() {
        let bytes = put_counters(&[counters(5), counters(6)]);
        assert!((0..bytes.len()).filter(|len| take_counters(&bytes[..*len], |_, _| ()).is_some()).count() <= 2, "only between counters");
        let other = [&[VERSION + 1], &bytes[1..]].concat();
        assert!(take_counters(&other, |_, _| ()).is_none());
    }

    #[test]
    fn a_counter_takes_few_bytes() {
        let of_many_keys: Vec<_> =
            (0..1_000).map(|n| (CountersOf { key: KeyId::from_bits(n), ..counters(8).0 }, Counters::default())).collect();
        assert!(put_counters(&of_many_keys).len() < 50 * of_many_keys.len());
    }
}
