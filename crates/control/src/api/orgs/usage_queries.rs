//! The queries about what an organisation used.

use domain::{KeyId, OrgId};
use serde::Deserialize;
use store::{StatusFilter, UsageFilter};
use utoipa::IntoParams;

use crate::problem::Problem;
use crate::query::{choice, flag, page, time};
use crate::shapes::choice::{Bucket, Category, Compare, Format, GroupBy, Order, RequestsFormat};
use crate::shapes::time::Time;

/// The filter that a query with these members holds.
macro_rules! filter {
    ($query:expr, status: $status:expr) => {
        UsageFilter {
            model: $query.model.as_deref().map(Into::into),
            key: $query.key.as_deref().map(key).transpose()?,
            category: choice::<Category>("category", $query.category.as_deref())?.map(Into::into),
            provider: $query.provider.as_deref().map(Into::into),
            pool: $query.pool.clone(),
            limit_kind: None,
            status: $status.map(status).transpose()?,
        }
    };
}

/// Which usage.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct UsageQuery {
    /// From this moment on; absent: since the organisation was made.
    #[param(value_type = Option<Time>)]
    from: Option<String>,
    /// Before this moment; absent: now.
    #[param(value_type = Option<Time>)]
    to: Option<String>,
    /// Split the series by this.
    #[param(value_type = Option<GroupBy>)]
    group_by: Option<String>,
    /// Split the series by spans of time.
    #[param(value_type = Option<Bucket>)]
    bucket: Option<String>,
    /// IANA name of the time zone of hours and days, such as `Europe/Vienna`; absent: UTC.
    tz: Option<String>,
    /// Only requests of this model.
    model: Option<String>,
    /// Only requests by the API key of this id.
    key: Option<String>,
    /// Only requests of models of this category.
    #[param(value_type = Option<Category>)]
    category: Option<String>,
    /// Only requests that this provider answered, or was tried last for.
    provider: Option<String>,
    /// Only requests that counted in this pool, or that it refused.
    pool: Option<String>,
    /// Only requests that ended so: an HTTP status, or `answered`, `refused` or `failed`.
    status: Option<String>,
    /// With `group_by`: so many groups, those of most requests over the whole span, and what is in others as one.
    #[param(value_type = Option<u8>, minimum = 1, maximum = 100)]
    top: Option<String>,
    /// `previous`: the totals of the span of the same length before, too.
    #[param(value_type = Option<Compare>)]
    compare: Option<String>,
    /// `true`: how long answers took, too.
    #[param(value_type = Option<bool>)]
    times: Option<String>,
    /// `csv`: the series as comma-separated values; without one, the totals.
    #[param(value_type = Option<Format>)]
    format: Option<String>,
}

impl UsageQuery {
    /// The question for the store.
    pub(crate) fn of(&self, org: OrgId) -> Result<store::UsageQuery, Problem> {
        let top =
            self.top.as_deref().map(|top| top.parse().map_err(|_| Problem::invalid("top", "top: expected a whole number from 1 to 100.")));
        Ok(store::UsageQuery {
            org,
            from: time("from", self.from.as_deref())?,
            to: time("to", self.to.as_deref())?,
            group_by: choice::<GroupBy>("group_by", self.group_by.as_deref())?.map(Into::into),
            bucket: choice::<Bucket>("bucket", self.bucket.as_deref())?.map(Into::into),
            tz: self.tz.clone(),
            filter: filter!(self, status: self.status.as_deref()),
            top: top.transpose()?,
            compare: choice::<Compare>("compare", self.compare.as_deref())?.is_some(),
            times: flag("times", self.times.as_deref())?,
        })
    }

    /// Whether the answer is a table.
    pub(crate) fn is_csv(&self) -> Result<bool, Problem> {
        Ok(choice::<Format>("format", self.format.as_deref())? == Some(Format::Csv))
    }
}

fn key(text: &str) -> Result<KeyId, Problem> {
    text.parse().map_err(|_| Problem::invalid("key", "key: expected an API key's id, key_ and 26 letters and digits."))
}

fn status(text: &str) -> Result<StatusFilter, Problem> {
    let code = || text.parse().ok().filter(|code| (100..600).contains(code)).map(StatusFilter::Code);
    let filter = match text {
        "answered" => Some(StatusFilter::Answered),
        "refused" => Some(StatusFilter::Refused),
        "failed" => Some(StatusFilter::Failed),
        _ => code(),
    };
    filter.ok_or_else(|| Problem::invalid("status", "status: expected an HTTP status, or one of \"answered\", \"refused\", \"failed\"."))
}

/// Which pools' use.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct PoolUsageQuery {
    /// From this moment on; absent: since the organisation was made.
    #[param(value_type = Option<Time>)]
    from: Option<String>,
    /// Before this moment; absent: now.
    #[param(value_type = Option<Time>)]
    to: Option<String>,
    /// The greatest minute of each of these spans, too.
    #[param(value_type = Option<Bucket>)]
    bucket: Option<String>,
    /// IANA name of the time zone of hours and days, such as `Europe/Vienna`; absent: UTC.
    tz: Option<String>,
}

impl PoolUsageQuery {
    /// The question for the store.
    pub(crate) fn of(&self, org: OrgId) -> Result<store::PoolUsageQuery, Problem> {
        Ok(store::PoolUsageQuery {
            org,
            from: time("from", self.from.as_deref())?,
            to: time("to", self.to.as_deref())?,
            bucket: choice::<Bucket>("bucket", self.bucket.as_deref())?.map(Into::into),
            tz: self.tz.clone(),
        })
    }
}

/// Which refusals.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct WhyQuery {
    /// From this moment on; absent: since the organisation was made.
    #[param(value_type = Option<Time>)]
    from: Option<String>,
    /// Before this moment; absent: now.
    #[param(value_type = Option<Time>)]
    to: Option<String>,
    /// IANA name of the time zone of hours and days, such as `Europe/Vienna`; absent: UTC.
    tz: Option<String>,
    /// Only requests of this model.
    model: Option<String>,
    /// Only requests by the API key of this id.
    key: Option<String>,
    /// Only requests of models of this category.
    #[param(value_type = Option<Category>)]
    category: Option<String>,
    /// Only requests that this provider answered, or was tried last for.
    provider: Option<String>,
    /// Only requests that counted in this pool, or that it refused.
    pool: Option<String>,
}

impl WhyQuery {
    /// The question for the store.
    pub(crate) fn of(&self, org: OrgId) -> Result<store::UsageQuery, Problem> {
        Ok(store::UsageQuery {
            from: time("from", self.from.as_deref())?,
            to: time("to", self.to.as_deref())?,
            tz: self.tz.clone(),
            filter: filter!(self, status: None::<&str>),
            ..store::UsageQuery::of(org)
        })
    }
}

/// Which requests.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct RequestsQuery {
    /// From this moment on; absent: since the organisation was made.
    #[param(value_type = Option<Time>)]
    from: Option<String>,
    /// Before this moment; absent: now.
    #[param(value_type = Option<Time>)]
    to: Option<String>,
    /// Only requests of this model.
    model: Option<String>,
    /// Only requests by the API key of this id.
    key: Option<String>,
    /// Only requests of models of this category.
    #[param(value_type = Option<Category>)]
    category: Option<String>,
    /// Only requests that this provider answered, or was tried last for.
    provider: Option<String>,
    /// Only requests that counted in this pool, or that it refused.
    pool: Option<String>,
    /// Only requests that ended so: an HTTP status, or `answered`, `refused` or `failed`.
    status: Option<String>,
    /// Which come first; absent: the newest.
    #[param(value_type = Option<Order>)]
    order: Option<String>,
    /// The `next_cursor` of the page before; absent: the first page.
    cursor: Option<String>,
    /// Entries of the page: 1 to 200, 50 where absent.
    #[param(value_type = Option<u16>, minimum = 1, maximum = 200, default = 50)]
    limit: Option<String>,
    /// `csv` or `jsonl`: all that follow, a line each, instead of a page.
    #[param(value_type = Option<RequestsFormat>)]
    format: Option<String>,
}

impl RequestsQuery {
    /// The question for the store.
    pub(crate) fn of(&self, org: OrgId) -> Result<store::RequestsQuery, Problem> {
        Ok(store::RequestsQuery {
            org,
            from: time("from", self.from.as_deref())?,
            to: time("to", self.to.as_deref())?,
            filter: filter!(self, status: self.status.as_deref()),
            oldest_first: choice::<Order>("order", self.order.as_deref())? == Some(Order::Oldest),
            page: page(self.cursor.as_deref(), self.limit.as_deref())?,
        })
    }

    /// How the answer is written.
    pub(crate) fn format(&self) -> Result<RequestsFormat, Problem> {
        Ok(choice("format", self.format.as_deref())?.unwrap_or(RequestsFormat::Json))
    }
}
