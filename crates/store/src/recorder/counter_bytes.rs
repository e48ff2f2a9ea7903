//! Counters as bytes, for those that wait to be added to their rows. It knows no SQL.
//!
//! ```text
//! counters  version (2) | how many labels | each: model, plan, category, provider (texts; none: empty) | status | outcome, pool, kind (texts)
//!           | of each counter: org (id) | key (id) | minute (signed) | its labels (the how manieth) | requests | refused | would refuse
//!           | failed | recovered | input | output | cached | reasoning | cost (signed) | times: see `times.rs`
//! ```

use domain::{Category, KeyId, Kind, OrgId, ProviderName};
use hashbrown::HashMap;

use super::batch::{CounterLabels, Counters, CountersOf, Ending};
use crate::Times;
use crate::journal::format::{Put as _, Take};

const VERSION: u8 = 2;

impl CounterLabels {
    fn put(&self, into: &mut Vec<u8>) {
        into.text(self.model.as_str());
        into.text(self.plan.as_str());
        into.text(self.category.map_or("", Category::as_str));
        into.text(self.provider.as_ref().map_or("", ProviderName::as_str));
        into.number(u64::from(self.status));
        into.text(self.ending.as_str());
        into.text(&self.pool);
        into.text(self.limit_kind.map_or("", Kind::as_str));
    }

    fn take(take: &mut Take<'_>) -> Option<Self> {
        Some(Self {
            model: take.text()?.into(),
            plan: take.text()?.into(),
            category: one_or_none(take.text()?, [Category::Small, Category::Medium, Category::Large], Category::as_str)?,
            provider: Some(take.text()?).filter(|name| !name.is_empty()).map(ProviderName::from),
            status: u16::try_from(take.number()?).ok()?,
            ending: one_or_none(take.text()?, Ending::ALL, Ending::as_str)??,
            pool: take.text()?.into(),
            limit_kind: one_or_none(take.text()?, [Kind::Requests, Kind::Tokens, Kind::Concurrent], Kind::as_str)?,
        })
    }
}

/// The one of this name; for no name none.
fn one_or_none<T: Copy, const N: usize>(text: &str, all: [T; N], name: fn(T) -> &'static str) -> Option<Option<T>> {
    if text.is_empty() {
        return Some(None);
    }
    all.into_iter().find(|one| name(*one) == text).map(Some)
}

pub(crate) fn put_counters(counters: &[(CountersOf, Counters)]) -> Vec<u8> {
    let (mut kinds, mut heads) = (HashMap::new(), Vec::new());
    let mut rows = Vec::new();
    for (of, n) in counters {
        let next = kinds.len() as u64;
        let kind = *kinds.entry(&of.labels).or_insert_with_key(|labels: &&CounterLabels| {
            labels.put(&mut heads);
            next
        });
        rows.id(of.org.bits());
        rows.id(of.key.bits());
        rows.signed(of.minute);
        rows.number(kind);
        for n in [n.requests, n.refused, n.would_refuse, n.failed, n.recovered, n.input, n.output, n.cached, n.reasoning] {
            rows.number(n);
        }
        rows.signed(n.cost);
        n.times.put(&mut rows);
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
    let kinds = (0..kinds).map(|_| CounterLabels::take(&mut take)).collect::<Option<Vec<_>>>()?;
    while !take.is_empty() {
        let (org, key, minute) = (OrgId::from_bits(take.id()?), KeyId::from_bits(take.id()?), take.signed()?);
        let labels = kinds.get(usize::try_from(take.number()?).ok()?)?.clone();
        let counters = Counters {
            requests: take.number()?,
            refused: take.number()?,
            would_refuse: take.number()?,
            failed: take.number()?,
            recovered: take.number()?,
            input: take.number()?,
            output: take.number()?,
            cached: take.number()?,
            reasoning: take.number()?,
            cost: take.signed()?,
            times: Times::take(&mut take)?,
        };
        each(CountersOf { org, minute, key, labels }, counters);
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counters(n: u64) -> (CountersOf, Counters) {
        let labels = CounterLabels {
            model: if n.is_multiple_of(2) { "even".into() } else { "odd".into() },
            plan: "starter".into(),
            category: [None, Some(Category::Small), Some(Category::Medium), Some(Category::Large)][n as usize % 4],
            provider: (!n.is_multiple_of(3)).then(|| ProviderName::from("p")),
            status: if n == 7 { 429 } else { 200 },
            ending: Ending::ALL[n as usize % 8],
            pool: "category:small".into(),
            limit_kind: [None, Some(Kind::Requests), Some(Kind::Tokens), Some(Kind::Concurrent)][n as usize % 4],
        };
        let of = CountersOf {
            org: OrgId::from_bits(u128::from(n) << 70),
            minute: 29_000_000 + n as i64,
            key: KeyId::from_bits(u128::from(n)),
            labels,
        };
        let mut times = Times::default();
        (0..n % 5).for_each(|more| times.add(n * 1_000, n * (more + 1) * 1_000_000));
        let [requests, refused, would_refuse, failed, recovered] = [n, n + 1, n + 2, n + 3, n + 4];
        let [input, output, cached, reasoning] = [n << 40, n * 300, u64::MAX - n, n];
        (of, Counters { requests, refused, would_refuse, failed, recovered, input, output, cached, reasoning, cost: -(n as i64), times })
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
