//! `PATCH /orgs/{id}`: another name, plan or custom limits, in force for the next request.

use axum::Json;
use axum::extract::State;

use crate::app::App;
use crate::authenticate::Operator;
use crate::body::Body;
use crate::documented_errors::{NotFound, WriteErrors};
use crate::problem::Problem;
use crate::segments::{Segments, org_id};
use crate::shapes::org::{Org, OrgChange};

/// Change an organisation
///
/// A plan change is in force for the next request; pools keep their history.
#[utoipa::path(patch, path = "/orgs/{id}", tag = "organisations", params(("id" = String, Path, description = "The organisation's id")),
    request_body = OrgChange,
    responses((status = 200, description = "The organisation after the change", body = Org), WriteErrors, NotFound))]
pub(crate) async fn change_org(
    operator: Operator,
    State(app): State<App>,
    Segments(id): Segments<String>,
    Body(change): Body<OrgChange>,
) -> Result<Json<Org>, Problem> {
    let org = app.store().update_org(operator.actor(), org_id(&id)?, change.into_patch()?).await?;
    Ok(Json(app.org_shape(&org)))
}
