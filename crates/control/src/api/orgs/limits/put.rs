//! `PUT /orgs/{id}/limits`: all custom limits anew.

use axum::Json;
use axum::extract::State;

use crate::access::Operator;
use crate::app::App;
use crate::body::Body;
use crate::documented_errors::{NotFound, WriteErrors};
use crate::problem::Problem;
use crate::segments::{Segments, org_id};
use crate::shapes::limit_row::LimitRow;
use crate::shapes::org::{Org, custom};

/// Replace an organisation's custom limits
///
/// Each row replaces the plan's row of its selector while it is valid, and survives plan changes. In force for the next request.
#[utoipa::path(put, path = "/orgs/{id}/limits", tag = "organisations", params(("id" = String, Path, description = "The organisation's id")),
    request_body = Vec<LimitRow>,
    responses((status = 200, description = "The organisation after the change", body = Org), WriteErrors, NotFound))]
pub(crate) async fn put_org_limits(
    operator: Operator,
    State(app): State<App>,
    Segments(id): Segments<String>,
    Body(rows): Body<Vec<LimitRow>>,
) -> Result<Json<Org>, Problem> {
    let org = operator.store().set_custom_limits(operator.actor(), org_id(&id)?, custom("", rows)?).await?;
    Ok(Json(app.org_shape(&org)))
}
