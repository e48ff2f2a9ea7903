//! `POST /orgs`: a new organisation.

use axum::extract::State;

use crate::answer::Put;
use crate::app::App;
use crate::authenticate::Operator;
use crate::body::Body;
use crate::documented_errors::WriteErrors;
use crate::problem::Problem;
use crate::shapes::org::{Org, OrgInput};

/// Make an organisation
#[utoipa::path(post, path = "/orgs", tag = "organisations", request_body = OrgInput,
    responses((status = 201, description = "The organisation, with its limits in force", body = Org), WriteErrors))]
pub(crate) async fn create_org(operator: Operator, State(app): State<App>, Body(input): Body<OrgInput>) -> Result<Put<Org>, Problem> {
    let org = app.store().create_org(operator.actor(), input.into_new()?).await?;
    Ok(Put::made(&["orgs", &org.id.to_string()], app.org_shape(&org)))
}
