//! `PATCH /orgs/{id}`: another name, plan or custom limits, in force for the next request.

use axum::Json;
use axum::extract::State;

use crate::access::{Manage, OrgAccess};
use crate::app::App;
use crate::body::Body;
use crate::documented_errors::{NotFound, WriteErrors};
use crate::problem::Problem;
use crate::shapes::org::{Org, OrgChange};

/// Change an organisation
///
/// Members change its name only. A plan change is in force for the next request; pools keep their history.
#[utoipa::path(patch, path = "/orgs/{id}", tag = "organisations",
    security(("operator_token" = []), ("session" = [])), extensions(("x-role" = json!("admin"))),
    params(("id" = String, Path, description = "The organisation's id")),
    request_body = OrgChange,
    responses((status = 200, description = "The organisation after the change", body = Org), WriteErrors, NotFound))]
pub(crate) async fn change_org(
    org: OrgAccess<Manage>,
    State(app): State<App>,
    Body(change): Body<OrgChange>,
) -> Result<Json<Org>, Problem> {
    let org = org.update(change.into_patch()?).await??;
    Ok(Json(app.org_shape(&org)))
}
