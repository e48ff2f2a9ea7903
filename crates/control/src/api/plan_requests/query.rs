//! The query of `/plan-requests`.

use serde::Deserialize;
use store::PageRequest;
use utoipa::IntoParams;

use crate::problem::Problem;
use crate::query::{choice, page};
use crate::shapes::choice::PlanRequestState;

/// Which wishes.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct PlanRequestsQuery {
    /// Only those that stand so; absent: all.
    #[param(value_type = Option<PlanRequestState>)]
    state: Option<String>,
    /// The `next_cursor` of the page before; absent: the first page.
    cursor: Option<String>,
    /// Entries of the page: 1 to 200, 50 where absent.
    #[param(value_type = Option<u16>, minimum = 1, maximum = 200, default = 50)]
    limit: Option<String>,
}

impl PlanRequestsQuery {
    /// The state that the query names.
    pub(crate) fn state(&self) -> Result<Option<store::PlanRequestState>, Problem> {
        Ok(choice::<PlanRequestState>("state", self.state.as_deref())?.map(Into::into))
    }

    /// The page that it names.
    pub(crate) fn page(&self) -> Result<PageRequest, Problem> {
        page(self.cursor.as_deref(), self.limit.as_deref())
    }
}
