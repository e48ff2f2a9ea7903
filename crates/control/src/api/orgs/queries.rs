//! The queries of `/orgs` and what is below it.

use domain::OrgId;
use serde::Deserialize;
use store::PageRequest;
use utoipa::IntoParams;

use crate::problem::Problem;
use crate::query::{choice, page, time};
use crate::shapes::choice::{Bucket, GroupBy};
use crate::shapes::time::Time;

/// Which organisations.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct OrgsQuery {
    /// Only those whose name or id contains this text.
    pub(crate) q: Option<String>,
    /// The `next_cursor` of the page before; absent: the first page.
    cursor: Option<String>,
    /// Entries of the page: 1 to 200, 50 where absent.
    #[param(value_type = Option<u16>, minimum = 1, maximum = 200, default = 50)]
    limit: Option<String>,
}

impl OrgsQuery {
    /// The page that the query names.
    pub(crate) fn page(&self) -> Result<PageRequest, Problem> {
        page(self.cursor.as_deref(), self.limit.as_deref())
    }
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
}

impl UsageQuery {
    /// The question for the store.
    pub(crate) fn of(self, org: OrgId) -> Result<store::UsageQuery, Problem> {
        Ok(store::UsageQuery {
            org,
            from: time("from", self.from.as_deref())?,
            to: time("to", self.to.as_deref())?,
            group_by: choice::<GroupBy>("group_by", self.group_by.as_deref())?.map(Into::into),
            bucket: choice::<Bucket>("bucket", self.bucket.as_deref())?.map(Into::into),
            tz: self.tz,
        })
    }
}

/// Which plan.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct PreviewQuery {
    /// The plan's id.
    pub(crate) plan: String,
}
