//! `PUT /plans/{id}`: the plan as it is to be.

use store::{Origin, PutMode};

use crate::access::Operator;
use crate::answer::Put;
use crate::body::Body;
use crate::documented_errors::WriteErrors;
use crate::problem::Problem;
use crate::segments::Segments;
use crate::shapes::apply::named_by_path;
use crate::shapes::plan::{Plan, PlanInput};

/// Make or replace a plan
///
/// Its rows are in force for the next request of every organisation on it; pools keep their history.
#[utoipa::path(put, path = "/plans/{id}", tag = "plans", params(("id" = String, Path, description = "The plan's id")), request_body = PlanInput,
    responses((status = 200, description = "The plan was replaced", body = Plan),
        (status = 201, description = "The plan was made", body = Plan), WriteErrors))]
pub(crate) async fn put_plan(
    operator: Operator,
    Segments(id): Segments<String>,
    Body(input): Body<PlanInput>,
) -> Result<Put<Plan>, Problem> {
    let id = named_by_path("id", input.id.as_deref(), &id)?;
    let plan = input.into_plan(id.clone().into())?;
    let written = operator.store().put_plan(operator.actor(), plan, Origin::Api, PutMode::Upsert).await?;
    Ok(Put::of(&["plans", &id], written, |kept| Plan::of(&kept)))
}
