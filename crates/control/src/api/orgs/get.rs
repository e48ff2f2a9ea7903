//! `GET /orgs/{id}`: one organisation.

use axum::Json;
use axum::extract::State;

use crate::access::{OrgAccess, See};
use crate::app::App;
use crate::documented_errors::{NotFound, ReadErrors, TooLow};
use crate::problem::Problem;
use crate::shapes::org::Org;

/// Get an organisation
#[utoipa::path(get, path = "/orgs/{id}", tag = "organisations",
    security(("operator_token" = []), ("session" = [])), extensions(("x-role" = json!("viewer"))),
    params(("id" = String, Path, description = "The organisation's id")),
    responses((status = 200, description = "The organisation, with its limits in force", body = Org), ReadErrors, TooLow, NotFound))]
pub(crate) async fn get_org(org: OrgAccess<See>, State(app): State<App>) -> Result<Json<Org>, Problem> {
    let found = org.org().ok_or_else(|| Problem::not_found("organisation", &org.id()))?;
    Ok(Json(app.org_shape(&found)))
}
