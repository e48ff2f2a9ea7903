//! Usage of an organisation: exact totals and series over any span of time.

use std::collections::BTreeMap;

use domain::{Money, OrgId, UnixMicros};
use serde::ser::SerializeMap as _;
use serde::{Deserialize, Serialize};

use super::input;
use super::usage_spans::{self, Span};
use crate::sql;
use crate::sql::usage::Minutes;
use crate::{DatabaseFault, ErrorClass, InvalidInput, OperationError, Store, caps};

/// What a series is split by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum GroupBy {
    /// The catalogue's model.
    Model,
    /// The API key's id.
    Key,
    /// The model's size category.
    Category,
    /// The provider that answered or was tried last.
    Provider,
    /// The HTTP status that the client was sent.
    Status,
}

impl GroupBy {
    /// The name as the API writes it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Model => "model",
            Self::Key => "key",
            Self::Category => "category",
            Self::Provider => "provider",
            Self::Status => "status",
        }
    }
}

/// How long one element of a series is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Bucket {
    /// A minute.
    Minute,
    /// An hour of the time zone.
    Hour,
    /// A day of the time zone: 23 or 25 hours where clocks change.
    Day,
}

/// A question about usage.
#[derive(Clone, Debug)]
pub struct UsageQuery {
    /// Whose.
    pub org: OrgId,
    /// From this moment on; `None`: since the organisation was made.
    pub from: Option<UnixMicros>,
    /// Before this moment; `None`: now.
    pub to: Option<UnixMicros>,
    /// Split by this.
    pub group_by: Option<GroupBy>,
    /// And by spans of time.
    pub bucket: Option<Bucket>,
    /// IANA name of the time zone of hours and days; `None`: UTC.
    pub tz: Option<String>,
}

/// What was used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct UsageCounters {
    /// Requests answered: 2xx, even if partly delivered.
    pub requests: u64,
    /// Requests refused by a pool.
    pub refused: u64,
    /// Requests that a limit that only records would have refused; `refused` has none of them.
    pub would_have_been_refused: u64,
    /// Admitted requests without an answer, a passed-on provider's 4xx among them.
    pub failed: u64,
    /// Input tokens.
    pub input_tokens: u64,
    /// Output tokens.
    pub output_tokens: u64,
    /// Input tokens that the provider had cached.
    pub cached_tokens: u64,
    /// Cost at the catalogue's prices of the time.
    pub cost: Money,
}

/// One element of a series: spans and groups without any use are left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeriesRow {
    /// What it is split by and the value here; `None` as value: none, such as a request that no provider took.
    pub group: Option<(GroupBy, Option<String>)>,
    /// When the bucket begins.
    pub start: Option<UnixMicros>,
    /// What was used.
    pub counters: UsageCounters,
}

/// The answer, in the control API's shape.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Usage {
    /// From this moment on.
    pub from: UnixMicros,
    /// Before this moment.
    pub to: UnixMicros,
    /// Over the whole span.
    pub totals: UsageCounters,
    /// By bucket, then by group; empty where neither was asked.
    pub series: Vec<SeriesRow>,
}

/// `{"start":…,"model":…,"requests":…,…}`: the group's member is named after what it is split by.
impl Serialize for SeriesRow {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        let Self { group, start, counters } = self;
        let mut map = s.serialize_map(None)?;
        if let Some(start) = start {
            map.serialize_entry("start", start)?;
        }
        if let Some((by, value)) = group {
            map.serialize_entry(by.as_str(), value)?;
        }
        map.serialize_entry("requests", &counters.requests)?;
        map.serialize_entry("refused", &counters.refused)?;
        map.serialize_entry("would_have_been_refused", &counters.would_have_been_refused)?;
        map.serialize_entry("failed", &counters.failed)?;
        map.serialize_entry("input_tokens", &counters.input_tokens)?;
        map.serialize_entry("output_tokens", &counters.output_tokens)?;
        map.serialize_entry("cached_tokens", &counters.cached_tokens)?;
        map.serialize_entry("cost", &counters.cost)?;
        map.end()
    }
}

/// Why usage can't be told.
#[derive(Debug, thiserror::Error)]
pub enum UsageError {
    /// There is no organisation of this id, and never was.
    #[error("there is no organisation {0}")]
    NotFound(OrgId),
    /// The question is wrong.
    #[error(transparent)]
    Invalid(#[from] InvalidInput),
    /// The database failed.
    #[error(transparent)]
    Unavailable(#[from] DatabaseFault),
}

impl OperationError for UsageError {
    fn class(&self) -> ErrorClass<'_> {
        match self {
            Self::NotFound(_) => ErrorClass::NotFound,
            Self::Invalid(fault) => ErrorClass::Invalid { param: &fault.param },
            Self::Unavailable(_) => ErrorClass::Unavailable,
        }
    }
}

impl Store {
    /// What an organisation used in a span of time, deleted ones included. What ended a second ago or more is in it. Answered
    /// requests count by when they arrived; refusals of one second count by the first of them.
    pub async fn usage(&self, query: &UsageQuery) -> Result<Usage, UsageError> {
        let entry = self.inner.directory.org(query.org).ok_or(UsageError::NotFound(query.org))?;
        let now = self.inner.now().wall;
        let created = entry.state().created;
        let to = query.to.unwrap_or(now);
        let from = query.from.unwrap_or(created.min(to));
        if from > to {
            return Err(input::fault("from", format!("from {from} must not lie after to {to}")).into());
        }
        // Without `to`, this very moment is part of it.
        let end = query.to.unwrap_or(UnixMicros(now.0.saturating_add(1)));
        // Before it was made there was no use, and a span from the year 0 on needs no buckets.
        let span = Span { from: from.max(created.min(end)), to: end };
        let buckets = match query.bucket {
            Some(bucket) => usage_spans::buckets(span, bucket, query.tz.as_deref())?,
            None => vec![usage_spans::whole(span)],
        };
        let mut sums = self.read_sums(query, span, &buckets).await?;
        let totals = sums.values().fold(UsageCounters::default(), |totals, counters| totals.plus(counters));
        if query.bucket.is_none() && query.group_by.is_none() {
            sums.clear();
        }
        let series = sums.into_iter().map(|((minute, group), counters)| SeriesRow {
            group: query.group_by.map(|by| (by, group)),
            start: query.bucket.map(|_| usage_spans::start_of(minute)),
            counters,
        });
        Ok(Usage { from, to, totals, series: series.collect() })
    }

    /// Sums by the first minute of the bucket and the group, as of one moment.
    async fn read_sums(&self, query: &UsageQuery, span: Span, buckets: &[Minutes]) -> Result<Sums, UsageError> {
        let parts = usage_spans::parts(span);
        let mut transaction = self.inner.database.reads.begin().await.map_err(DatabaseFault::from)?;
        let whole = usage_spans::within(buckets, parts.whole);
        let most = caps::MAX_SERIES + 1;
        let mut found = sql::usage::of_minutes(&mut transaction, query.org, &whole, query.group_by, most).await?;
        if found.len() >= most {
            let message = format!("this would give more than {} elements: ask for a shorter span or a longer bucket", caps::MAX_SERIES);
            return Err(input::fault("bucket", message).into());
        }
        found.extend(sql::usage::of_waiting(&mut transaction, query.org, &whole, query.group_by).await?);
        for (minute, part) in parts.edges.into_iter().flatten() {
            let of_part = sql::usage::of_moments(&mut transaction, query.org, minute, (part.from, part.to), query.group_by).await?;
            found.extend(of_part);
        }
        drop(transaction);
        let mut sums = Sums::new();
        for sum in found {
            let bucket = usage_spans::bucket_of(buckets, sum.bucket);
            let counters = sums.entry((bucket, sum.group)).or_default();
            *counters = counters.plus(&sum.counters);
        }
        sums.retain(|_, counters| *counters != UsageCounters::default());
        Ok(sums)
    }
}

/// By the first minute of the bucket, then by group.
type Sums = BTreeMap<(i64, Option<String>), UsageCounters>;

impl UsageCounters {
    /// The sum, saturating.
    pub fn plus(&self, other: &Self) -> Self {
        Self {
            requests: self.requests.saturating_add(other.requests),
            refused: self.refused.saturating_add(other.refused),
            would_have_been_refused: self.would_have_been_refused.saturating_add(other.would_have_been_refused),
            failed: self.failed.saturating_add(other.failed),
            input_tokens: self.input_tokens.saturating_add(other.input_tokens),
            output_tokens: self.output_tokens.saturating_add(other.output_tokens),
            cached_tokens: self.cached_tokens.saturating_add(other.cached_tokens),
            cost: self.cost.plus(other.cost),
        }
    }
}
