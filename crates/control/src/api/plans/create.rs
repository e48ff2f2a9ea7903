//! `POST /plans`: a new plan.

use store::{Origin, PutMode};

use crate::access::Operator;
use crate::answer::Put;
use crate::body::Body;
use crate::documented_errors::{Conflict, WriteErrors};
use crate::problem::Problem;
use crate::shapes::apply::named;
use crate::shapes::plan::{Plan, PlanInput};

/// Make a plan
#[utoipa::path(post, path = "/plans", tag = "plans", request_body = PlanInput,
    responses((status = 201, description = "The plan", body = Plan), WriteErrors, Conflict))]
pub(crate) async fn create_plan(operator: Operator, Body(input): Body<PlanInput>) -> Result<Put<Plan>, Problem> {
    let id = named("id", input.id.clone())?;
    let plan = input.into_plan(id.clone().into())?;
    let written = operator.store().put_plan(operator.actor(), plan, Origin::Api, PutMode::Create).await?;
    Ok(Put::of(&["plans", &id], written, |kept| Plan::of(&kept)))
}
