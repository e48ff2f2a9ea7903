//! The queries of `/orgs` and what is below it.

use serde::Deserialize;
use store::PageRequest;
use utoipa::IntoParams;

use crate::problem::Problem;
use crate::query::page;

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

/// Which plan.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct PreviewQuery {
    /// The plan's id.
    pub(crate) plan: String,
}
