//! Why an organisation's requests were refused in a span of time: which limits, when, and whose.

use std::sync::Arc;

use domain::{KeyId, Kind, UnixMicros};

use super::pool_usage::limit_of;
use super::usage::{Bucket, Group, GroupBy, SeriesRow, UsageError, UsageQuery};
use super::usage_filter::{StatusFilter, UsageFilter};
use super::usage_spans;
use crate::{Store, caps};

/// What one limit refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefusingLimit {
    /// The pool.
    pub pool: Arc<str>,
    /// What it counts.
    pub kind: Kind,
    /// Requests that it refused.
    pub refused: u64,
    /// When that began: the beginning of a minute, or of an hour or a day where the span is long.
    pub first: UnixMicros,
    /// When it ended: the end of one.
    pub last: UnixMicros,
    /// The keys that asked, those of most refusals first, at most eight.
    pub keys: Vec<(KeyId, u64)>,
    /// The models that were asked for, in the same order and number.
    pub models: Vec<(String, u64)>,
}

/// Why requests were refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WhyRefused {
    /// From this moment on.
    pub from: UnixMicros,
    /// Before this moment.
    pub to: UnixMicros,
    /// Requests that were answered in the same time.
    pub requests: u64,
    /// Requests that were refused.
    pub refused: u64,
    /// By which limits, those of most refusals first, at most eight.
    pub limits: Vec<RefusingLimit>,
}

impl Store {
    /// Why requests were refused. Of the question its span and its filter count, but for the filter's status.
    pub async fn why_refused(&self, query: &UsageQuery) -> Result<WhyRefused, UsageError> {
        let of_all = UsageFilter { status: None, ..query.filter.clone() };
        let totals = self.usage(&asked(query, None, None, of_all)).await?;
        let of_refused = UsageFilter { status: Some(StatusFilter::Refused), ..query.filter.clone() };
        let by_limit = self.usage(&asked(query, Some(GroupBy::Limit), None, of_refused.clone())).await?;
        let mut limits = Vec::new();
        for (limit, refused) in greatest(by_limit.series) {
            if let Some((pool, kind)) = limit_of(&limit) {
                let filter = UsageFilter { pool: Some(pool.to_owned()), limit_kind: Some(kind), ..of_refused.clone() };
                limits.push(self.refusing(query, (pool, kind), refused, filter).await?);
            }
        }
        let counters = totals.totals.counters;
        Ok(WhyRefused { from: totals.from, to: totals.to, requests: counters.requests, refused: counters.refused, limits })
    }

    async fn refusing(
        &self,
        query: &UsageQuery,
        (pool, kind): (&str, Kind),
        refused: u64,
        filter: UsageFilter,
    ) -> Result<RefusingLimit, UsageError> {
        let when = self.usage(&asked(query, None, Some(Bucket::Auto), filter.clone())).await?;
        let keys = self.usage(&asked(query, Some(GroupBy::Key), None, filter.clone())).await?;
        let models = self.usage(&asked(query, Some(GroupBy::Model), None, filter)).await?;
        let starts = || when.series.iter().filter_map(|row| row.start);
        let end = |start| when.bucket.and_then(|bucket| usage_spans::end_of(start, bucket, query.tz.as_deref()));
        Ok(RefusingLimit {
            pool: pool.into(),
            kind,
            refused,
            first: starts().min().unwrap_or(when.from),
            last: starts().max().and_then(end).unwrap_or(when.to),
            keys: greatest(keys.series).into_iter().filter_map(|(key, refused)| Some((key.parse().ok()?, refused))).collect(),
            models: greatest(models.series),
        })
    }
}

fn asked(query: &UsageQuery, group_by: Option<GroupBy>, bucket: Option<Bucket>, filter: UsageFilter) -> UsageQuery {
    let UsageQuery { org, from, to, ref tz, .. } = *query;
    UsageQuery { from, to, tz: tz.clone(), group_by, bucket, filter, ..UsageQuery::of(org) }
}

fn greatest(series: Vec<SeriesRow>) -> Vec<(String, u64)> {
    let of = |row: SeriesRow| match row.group {
        Some((_, Group::Of(Some(of)))) => Some((of, row.used.counters.refused)),
        _none => None,
    };
    let mut all: Vec<_> = series.into_iter().filter_map(of).filter(|(_, refused)| *refused > 0).collect();
    all.sort_by(|(a, of_a), (b, of_b)| of_b.cmp(of_a).then_with(|| a.cmp(b)));
    all.truncate(caps::WHY_MOST);
    all
}
