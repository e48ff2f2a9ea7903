//! Usage of an organisation: exact totals and series over any span of time.

use domain::{Money, OrgId, UnixMicros};
use serde::{Deserialize, Serialize};

use super::input;
use super::usage_spans::{self, Span};
use super::usage_sums::{self, Sums};
use crate::sql::Connection;
use crate::sql::kept::Kept;
use crate::sql::usage::Asked;
use crate::{DatabaseFault, ErrorClass, InvalidInput, OperationError, Store, Times, UsageFilter, caps};

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
    /// How it ended: `answered`, `cut`, `client_gone`, `broken`, `rejected`, `failed`, `refused`, or `shadow` for what a limit that only
    /// records would have refused.
    Outcome,
    /// The pool that it counted in, or that refused it.
    Pool,
    /// Which limit refused it, its pool and what that counts: `category:large tokens`.
    Limit,
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
            Self::Outcome => "outcome",
            Self::Pool => "pool",
            Self::Limit => "limit",
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
    /// The shortest of these of which the span has at most 400, or a day.
    Auto,
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
    /// Only these requests.
    pub filter: UsageFilter,
    /// So many groups, those of most requests, and what is in others together; `None`: all groups.
    pub top: Option<usize>,
    /// Beside it, the totals of the span of the same length before.
    pub compare: bool,
    /// Beside the counters, how long answers took.
    pub times: bool,
}

impl UsageQuery {
    /// All that an organisation ever used.
    pub fn of(org: OrgId) -> Self {
        let filter = UsageFilter::default();
        Self { org, from: None, to: None, group_by: None, bucket: None, tz: None, filter, top: None, compare: false, times: false }
    }
}

/// What was used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct UsageCounters {
    /// Requests answered: 2xx, even if partly delivered.
    pub requests: u64,
    /// Requests refused by a pool.
    pub refused: u64,
    /// Requests that a limit that only records would have refused; `refused` has none of them.
    pub would_have_been_refused: u64,
    /// Admitted requests without an answer, a passed-on provider's 4xx among them.
    pub failed: u64,
    /// Requests that one target answered after another had failed; `requests` has them.
    pub recovered: u64,
    /// Input tokens.
    pub input_tokens: u64,
    /// Output tokens.
    pub output_tokens: u64,
    /// Input tokens that the provider had cached.
    pub cached_tokens: u64,
    /// Output tokens that the provider counted as reasoning.
    pub reasoning_tokens: u64,
    /// Cost at the catalogue's prices of the time.
    pub cost: Money,
}

/// What was used, and how long answers took where that was asked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Used {
    /// What was used.
    pub counters: UsageCounters,
    /// How long answers took; nothing where it wasn't asked.
    pub times: Times,
}

/// What a row of a series is of.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Group {
    /// Of this; `None`: of none, such as a request that no provider took.
    Of(Option<String>),
    /// Of all that have no rows of their own.
    Others,
}

/// One element of a series: spans and groups without any use are left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeriesRow {
    /// What it is split by and the value here.
    pub group: Option<(GroupBy, Group)>,
    /// When the bucket begins.
    pub start: Option<UnixMicros>,
    /// What was used.
    pub used: Used,
}

/// The answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Usage {
    /// From this moment on. It lies before the moment that was asked for where nothing so fine is kept any more.
    pub from: UnixMicros,
    /// Before this moment; it lies after the one asked for in the same case.
    pub to: UnixMicros,
    /// How long the buckets are, where there are any.
    pub bucket: Option<Bucket>,
    /// Over the whole span.
    pub totals: Used,
    /// By bucket, then by group; empty where neither was asked.
    pub series: Vec<SeriesRow>,
    /// The span of the same length before, where it was asked for.
    pub previous: Option<Previous>,
}

/// Totals of the span before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Previous {
    /// From this moment on.
    pub from: UnixMicros,
    /// Before this moment.
    pub to: UnixMicros,
    /// Over all of it.
    pub totals: Used,
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

/// The span that a question is about, as far as its organisation was there and as fine as things are kept.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asking {
    /// As the answer tells it.
    pub(crate) from: UnixMicros,
    pub(crate) to: UnixMicros,
    /// As it is looked for.
    pub(crate) span: Span,
}

impl Store {
    /// What an organisation used in a span of time, deleted ones included. What ended a second ago or more is in it. Answered
    /// requests count by when they arrived; refusals of one second count by the first of them.
    pub async fn usage(&self, query: &UsageQuery) -> Result<Usage, UsageError> {
        if query.top.is_some_and(|top| !(1..=caps::MAX_TOP).contains(&top)) {
            return Err(input::fault("top", format!("top must be a whole number from 1 to {}", caps::MAX_TOP)).into());
        }
        let mut transaction = self.inner.database.reads.begin().await.map_err(DatabaseFault::from)?;
        let kept = Kept::read(&mut transaction).await?;
        let Asking { from, to, span } = self.asking(query.org, query.from, query.to, kept)?;
        let bucket = query.bucket.map(|bucket| usage_spans::resolved(span, bucket));
        let buckets = match bucket {
            Some(bucket) => usage_spans::buckets(span, bucket, query.tz.as_deref())?,
            None => vec![usage_spans::whole(span)],
        };
        let asked = Asked { org: query.org, group_by: query.group_by, filter: &query.filter };
        let mut sums = usage_sums::read(&mut transaction, asked, span, &buckets, kept, query.times).await?;
        let mut totals = Used::default();
        sums.values().for_each(|used| totals.add(used));
        if let Some(top) = query.top.filter(|_| query.group_by.is_some()) {
            usage_sums::keep_greatest(&mut sums, top);
        }
        if query.bucket.is_none() && query.group_by.is_none() {
            sums.clear();
        }
        let previous = if query.compare { Some(self.previous(&mut transaction, query, (from, to), kept).await?) } else { None };
        Ok(Usage { from, to, bucket, totals, series: series(sums, query), previous })
    }

    pub(crate) fn asking(&self, org: OrgId, from: Option<UnixMicros>, to: Option<UnixMicros>, kept: Kept) -> Result<Asking, UsageError> {
        let entry = self.inner.directory.org(org).ok_or(UsageError::NotFound(org))?;
        let now = self.inner.now().wall;
        let created = entry.state().created;
        let (asked_to, to) = (to, to.unwrap_or(now));
        let from = from.unwrap_or(created.min(to));
        if from > to {
            return Err(input::fault("from", format!("from {from} must not lie after to {to}")).into());
        }
        // Without `to`, this very moment is part of it.
        let end = asked_to.unwrap_or(UnixMicros(now.0.saturating_add(1)));
        // Before it was made there was no use, and a span from the year 0 on needs no buckets.
        let exact = Span { from: from.max(created.min(end)), to: end };
        let span = usage_spans::widened(exact, kept);
        Ok(Asking { from: from.min(span.from), to: if span.to > exact.to { span.to } else { to }, span })
    }

    async fn previous(
        &self,
        connection: &mut Connection,
        query: &UsageQuery,
        (from, to): (UnixMicros, UnixMicros),
        kept: Kept,
    ) -> Result<Previous, UsageError> {
        let before = UnixMicros(from.0.saturating_sub(to.0.saturating_sub(from.0)));
        let Asking { from, to, span } = self.asking(query.org, Some(before), Some(from), kept)?;
        let asked = Asked { org: query.org, group_by: None, filter: &query.filter };
        let sums = usage_sums::read(connection, asked, span, &[usage_spans::whole(span)], kept, query.times).await?;
        Ok(Previous { from, to, totals: sums.into_values().next().unwrap_or_default() })
    }
}

fn series(sums: Sums, query: &UsageQuery) -> Vec<SeriesRow> {
    let row = |((minute, group), used)| SeriesRow {
        group: query.group_by.map(|by| (by, group)),
        start: query.bucket.map(|_| usage_spans::start_of(minute)),
        used,
    };
    sums.into_iter().map(row).collect()
}

impl Used {
    pub(crate) fn add(&mut self, other: &Self) {
        self.counters = self.counters.plus(&other.counters);
        self.times.add_all(&other.times);
    }
}

impl UsageCounters {
    /// The sum, saturating.
    pub fn plus(&self, other: &Self) -> Self {
        Self {
            requests: self.requests.saturating_add(other.requests),
            refused: self.refused.saturating_add(other.refused),
            would_have_been_refused: self.would_have_been_refused.saturating_add(other.would_have_been_refused),
            failed: self.failed.saturating_add(other.failed),
            recovered: self.recovered.saturating_add(other.recovered),
            input_tokens: self.input_tokens.saturating_add(other.input_tokens),
            output_tokens: self.output_tokens.saturating_add(other.output_tokens),
            cached_tokens: self.cached_tokens.saturating_add(other.cached_tokens),
            reasoning_tokens: self.reasoning_tokens.saturating_add(other.reasoning_tokens),
            cost: self.cost.plus(other.cost),
        }
    }
}
