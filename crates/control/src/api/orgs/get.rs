//! `GET /orgs/{id}`: one organisation.

use axum::Json;
use axum::extract::State;

use crate::app::App;
use crate::authenticate::Operator;
use crate::documented_errors::{NotFound, ReadErrors};
use crate::problem::Problem;
use crate::segments::{Segments, org_id};
use crate::shapes::org::Org;

/// Get an organisation
#[utoipa::path(get, path = "/orgs/{id}", tag = "organisations", params(("id" = String, Path, description = "The organisation's id")),
    responses((status = 200, description = "The organisation, with its limits in force", body = Org), ReadErrors, NotFound))]
pub(crate) async fn get_org(_: Operator, State(app): State<App>, Segments(id): Segments<String>) -> Result<Json<Org>, Problem> {
    let org = app.store().org(org_id(&id)?).ok_or_else(|| Problem::not_found("organisation", &id))?;
    Ok(Json(app.org_shape(&org)))
}
