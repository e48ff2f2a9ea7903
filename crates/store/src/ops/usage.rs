//! Usage of an organisation: exact totals and series over any span of time.

use domain::{Money, OrgId, UnixMicros};
use serde::{Deserialize, Serialize};

use crate::{DatabaseFault, ErrorClass, OperationError, Store};

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

impl Serialize for SeriesRow {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_unit()
    }
}

/// Why usage can't be told.
#[derive(Debug, thiserror::Error)]
pub enum UsageError {
    /// There is no organisation of this id, and never was.
    #[error("there is no organisation {0}")]
    NotFound(OrgId),
    /// The question is wrong.
    #[error("{message}")]
    Invalid {
        /// The parameter to blame.
        param: String,
        /// What is wrong and what to do.
        message: String,
    },
    /// The database failed.
    #[error(transparent)]
    Unavailable(#[from] DatabaseFault),
}

impl OperationError for UsageError {
    fn class(&self) -> ErrorClass<'_> {
        match self {
            Self::NotFound(_) => ErrorClass::NotFound,
            Self::Invalid { param, .. } => ErrorClass::Invalid { param },
            Self::Unavailable(_) => ErrorClass::Unavailable,
        }
    }
}

impl Store {
    /// What an organisation used in a span of time. What ended a second ago or more is in it.
    pub async fn usage(&self, query: &UsageQuery) -> Result<Usage, UsageError> {
        let _ = query;
        todo!()
    }
}
