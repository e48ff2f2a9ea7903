//! `POST /orgs`: a new organisation.

use axum::extract::State;

use crate::access::OrgMaker;
use crate::answer::Put;
use crate::app::App;
use crate::body::Body;
use crate::documented_errors::{Conflict, WriteErrors};
use crate::problem::Problem;
use crate::shapes::org::{Org, OrgInput};

/// Make an organisation
///
/// Operators make any. Others make some of their own, whose owner they are, on the plan that such organisations begin with.
#[utoipa::path(post, path = "/orgs", tag = "organisations", security(("operator_token" = []), ("session" = [])), request_body = OrgInput,
    responses((status = 201, description = "The organisation, with its limits in force", body = Org), WriteErrors, Conflict))]
pub(crate) async fn create_org(maker: OrgMaker, State(app): State<App>, Body(input): Body<OrgInput>) -> Result<Put<Org>, Problem> {
    let org = match maker {
        OrgMaker::Operator(operator) => operator.store().create_org(operator.actor(), input.into_new()?).await?,
        OrgMaker::Person(me) => {
            let config = &app.config().sign_up;
            me.create_org(input.into_own(config)?, config.plan.clone(), config.orgs_per_person).await?
        }
    };
    Ok(Put::made(&["orgs", &org.id.to_string()], app.org_shape(&org)))
}
