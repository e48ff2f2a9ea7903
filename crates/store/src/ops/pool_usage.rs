//! The greatest minutes of an organisation's pools beside what their limits were then, and what they refused.

use std::collections::BTreeMap;
use std::sync::Arc;

use domain::{CustomLimit, Kind, LimitRow, OrgId, Plan, PlanId, PoolLimit, Selector, Source, UnixMicros};

use super::custom_limits::LimitFact;
use super::usage::{Asking, Bucket, Group, GroupBy, UsageError, UsageQuery};
use super::usage_filter::{StatusFilter, UsageFilter};
use super::usage_spans;
use crate::sql::facts::{self, PlanFact};
use crate::sql::kept::Kept;
use crate::sql::peaks::{self, Peak, Peaks};
use crate::{DatabaseFault, Store, caps};

/// A question about pools.
#[derive(Clone, Debug)]
pub struct PoolUsageQuery {
    /// Whose.
    pub org: OrgId,
    /// From this moment on; `None`: since the organisation was made.
    pub from: Option<UnixMicros>,
    /// Before this moment; `None`: now.
    pub to: Option<UnixMicros>,
    /// By spans of time, too.
    pub bucket: Option<Bucket>,
    /// IANA name of the time zone of hours and days; `None`: UTC.
    pub tz: Option<String>,
}

/// A limit's number in a span of time.
#[derive(Clone, Debug, PartialEq)]
pub struct LimitStep {
    /// From this moment on.
    pub from: UnixMicros,
    /// Before this moment.
    pub to: UnixMicros,
    /// How many units; `None`: it was unlimited, or there was no such pool.
    pub limit: Option<u64>,
    /// The limit's window in microseconds.
    pub window_us: u64,
    /// Whether it refused or only recorded.
    pub enforce: bool,
    /// Where it came from.
    pub source: Source,
}

/// The greatest minute of a span.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PeakMinute {
    /// When the span begins.
    pub start: UnixMicros,
    /// Requests, or tokens.
    pub peak: u64,
    /// When that minute begins.
    pub at: UnixMicros,
}

/// What became of one pool, counted in one way.
#[derive(Clone, Debug, PartialEq)]
pub struct PoolUse {
    /// `model:ID`, `category:C` or `any`; `None`: the whole organisation.
    pub pool: Option<Arc<str>>,
    /// What is counted.
    pub kind: Kind,
    /// Requests that it refused.
    pub refused: u64,
    /// The greatest minute of the whole span, where there was use.
    pub peak: Option<PeakMinute>,
    /// The greatest minutes of its buckets; those without use are left out.
    pub series: Vec<PeakMinute>,
    /// What the limit was, oldest first, without gaps; nothing where there was none all the time.
    pub limits: Vec<LimitStep>,
}

/// The answer.
#[derive(Clone, Debug, PartialEq)]
pub struct PoolUsage {
    /// From this moment on, at the beginning of a minute.
    pub from: UnixMicros,
    /// Before this moment, at the end of a minute.
    pub to: UnixMicros,
    /// How long the buckets are, where there are any.
    pub bucket: Option<Bucket>,
    /// The whole organisation, then its pools by name.
    pub pools: Vec<PoolUse>,
}

/// By pool, then by the first minute of the bucket.
type Found = BTreeMap<Arc<str>, BTreeMap<i64, Peaks>>;

impl Store {
    /// The greatest minutes of an organisation's pools in a span of time, what the limits were, and what they refused. What a request was charged
    /// counts in the minute in which it arrived.
    pub async fn pool_usage(&self, query: &PoolUsageQuery) -> Result<PoolUsage, UsageError> {
        let mut transaction = self.inner.database.reads.begin().await.map_err(DatabaseFault::from)?;
        let kept = Kept::read(&mut transaction).await?;
        let Asking { span, .. } = self.asking(query.org, query.from, query.to, kept)?;
        let whole = usage_spans::whole(span);
        let bucket = query.bucket.map(|bucket| usage_spans::resolved(span, bucket));
        let buckets = match bucket {
            Some(bucket) => usage_spans::buckets(span, bucket, query.tz.as_deref())?,
            None => vec![whole],
        };
        let mut found = Found::new();
        let mut add = |minute: i64, pool: Arc<str>, peaks: Peaks| {
            let bucket = usage_spans::bucket_of(&buckets, kept.tier_of(minute).floor(minute));
            found.entry(pool).or_default().entry(bucket).and_modify(|all| all.add(&peaks)).or_insert(peaks);
        };
        for (tier, cells) in usage_spans::cells(&buckets, whole, kept) {
            peaks::of_cells(&mut transaction, query.org, tier, &cells, &mut add).await?;
        }
        peaks::of_waiting(&mut transaction, query.org, whole, &mut add).await?;
        let history = History {
            facts: facts::of_org_between(&mut transaction, query.org, span.from, span.to, caps::MAX_FACTS).await?,
            plans: facts::plans_between(&mut transaction, query.org, span.from, span.to, caps::MAX_FACTS).await?,
            window_us: self.inner.window_us,
        };
        drop(transaction);
        let span = (usage_spans::start_of(whole.first), usage_spans::start_of(whole.end));
        let refused = self.refused_by_limit(query.org, span).await?;
        for pool in refused.keys().map(|(pool, _)| pool.as_str()).chain(history.pools().iter().map(String::as_str)).chain([""]) {
            found.entry(pool.into()).or_default();
        }
        let pools = found.into_iter().flat_map(|(pool, peaks)| {
            [Kind::Requests, Kind::Tokens].map(|kind| {
                let series = series(&peaks, kind, bucket.is_some());
                let name = (!pool.is_empty()).then(|| Arc::clone(&pool));
                PoolUse {
                    refused: refused.get(&(pool.as_ref().to_owned(), kind)).copied().unwrap_or(0),
                    limits: name.as_deref().map(|pool| history.steps(pool, kind, span)).unwrap_or_default(),
                    pool: name,
                    kind,
                    peak: greatest(&peaks, kind),
                    series,
                }
            })
        });
        // A pool that nobody had, used or was refused by is none; the organisation is always told.
        let is_told = |of: &PoolUse| of.pool.is_none() || of.peak.is_some() || of.refused > 0 || !of.limits.is_empty();
        Ok(PoolUsage { from: span.0, to: span.1, bucket, pools: pools.filter(is_told).collect() })
    }

    /// Refused requests by pool and kind.
    async fn refused_by_limit(
        &self,
        org: OrgId,
        (from, to): (UnixMicros, UnixMicros),
    ) -> Result<BTreeMap<(String, Kind), u64>, UsageError> {
        let filter = UsageFilter { status: Some(StatusFilter::Refused), ..UsageFilter::default() };
        let asked = UsageQuery { from: Some(from), to: Some(to), group_by: Some(GroupBy::Limit), filter, ..UsageQuery::of(org) };
        let mut refused = BTreeMap::new();
        for row in self.usage(&asked).await?.series {
            if let Some((_, Group::Of(Some(limit)))) = row.group
                && let Some((pool, kind)) = limit_of(&limit)
            {
                *refused.entry((pool.to_owned(), kind)).or_default() += row.used.counters.refused;
                *refused.entry((String::new(), kind)).or_default() += row.used.counters.refused;
            }
        }
        Ok(refused)
    }
}

/// The pool and kind of a [`GroupBy::Limit`].
pub(crate) fn limit_of(text: &str) -> Option<(&str, Kind)> {
    let (pool, kind) = text.rsplit_once(' ')?;
    [Kind::Requests, Kind::Tokens, Kind::Concurrent].into_iter().find(|one| one.as_str() == kind).map(|kind| (pool, kind))
}

fn minute_of(peaks: &Peaks, kind: Kind) -> Peak {
    match kind {
        Kind::Requests | Kind::Concurrent => peaks.requests,
        Kind::Tokens => peaks.tokens,
    }
}

fn told(start: i64, peak: Peak) -> PeakMinute {
    PeakMinute { start: usage_spans::start_of(start), peak: peak.n, at: usage_spans::start_of(peak.minute) }
}

fn series(peaks: &BTreeMap<i64, Peaks>, kind: Kind, has_buckets: bool) -> Vec<PeakMinute> {
    let all = peaks.iter().filter(|_| has_buckets).map(|(start, peaks)| told(*start, minute_of(peaks, kind)));
    all.filter(|peak| peak.peak > 0).collect()
}

fn greatest(peaks: &BTreeMap<i64, Peaks>, kind: Kind) -> Option<PeakMinute> {
    let mut all = peaks.iter().map(|(start, peaks)| (*start, minute_of(peaks, kind))).filter(|(_, peak)| peak.n > 0);
    let (first, mut greatest) = all.next()?;
    all.for_each(|(_, peak)| greatest.add(peak));
    Some(told(first, greatest))
}

/// What an organisation was entitled to, and what its plans allowed.
struct History {
    /// Oldest first.
    facts: Vec<LimitFact>,
    plans: Vec<PlanFact>,
    window_us: u64,
}

impl History {
    /// Names of all pools that had limits.
    fn pools(&self) -> Vec<String> {
        let of_plans = self.plans.iter().flat_map(|fact| &fact.plan.limits);
        let custom = self.facts.iter().flat_map(|fact| &fact.custom).map(|limit| &limit.row);
        of_plans.chain(custom).map(|row| row.selector.to_string()).collect()
    }

    /// Every moment at which a limit may have changed.
    fn changes(&self, (from, to): (UnixMicros, UnixMicros)) -> Vec<UnixMicros> {
        let of_custom = |limit: &CustomLimit| [limit.from, limit.until];
        let of_facts = self.facts.iter().flat_map(|fact| fact.custom.iter().flat_map(of_custom).chain([Some(fact.from), fact.until]));
        let of_plans = self.plans.iter().flat_map(|fact| [Some(fact.since), fact.until]);
        let mut changes: Vec<_> = of_facts.chain(of_plans).flatten().filter(|at| from < *at && *at < to).chain([from, to]).collect();
        changes.sort_unstable();
        changes.dedup();
        changes
    }

    fn plan_at(&self, id: &PlanId, at: UnixMicros) -> Option<&Plan> {
        let fact = self.plans.iter().find(|fact| fact.plan.id == *id && fact.since <= at && fact.until.is_none_or(|until| at < until));
        fact.map(|fact| &fact.plan)
    }

    /// The row of a pool at a moment.
    fn row_at(&self, pool: &str, at: UnixMicros) -> Option<(&LimitRow, Source)> {
        let is_pools = |selector: &Selector| selector.to_string() == pool;
        let fact = self.facts.iter().find(|fact| fact.from <= at && fact.until.is_none_or(|until| at < until))?;
        let custom = fact.custom.iter().find(|limit| limit.is_valid_at(at) && is_pools(&limit.row.selector));
        let of_plan = || self.plan_at(&fact.effective_plan, at)?.limits.iter().find(|row| is_pools(&row.selector));
        custom.map(|limit| (&limit.row, Source::Custom)).or_else(|| of_plan().map(|row| (row, Source::Plan)))
    }

    /// What the limit by the minute was; of a longer window there is none.
    fn steps(&self, pool: &str, kind: Kind, span: (UnixMicros, UnixMicros)) -> Vec<LimitStep> {
        let changes = self.changes(span);
        let mut steps: Vec<LimitStep> = Vec::new();
        for (from, to) in changes.iter().zip(changes.iter().skip(1)) {
            let row = self.row_at(pool, *from);
            let limits = row.map(|(row, _)| LimitRow { rpd: None, tpd: None, ..row.clone() }.limits(self.window_us)).unwrap_or_default();
            let limit: Option<PoolLimit> = limits.into_iter().find(|limit| limit.kind == kind);
            let step = LimitStep {
                from: *from,
                to: *to,
                limit: limit.map(|limit| limit.n),
                window_us: limit.map_or(self.window_us, |limit| limit.window_us),
                enforce: row.is_none_or(|(row, _)| row.enforce),
                source: row.map_or(Source::Plan, |(_, source)| source),
            };
            match steps.last_mut() {
                Some(last) if LimitStep { from: last.from, to: last.to, ..step.clone() } == *last => last.to = *to,
                _ => steps.push(step),
            }
        }
        if steps.iter().all(|step| step.limit.is_none()) {
            steps.clear();
        }
        steps
    }
}
