//! `POST /apply`: providers, models and plans as a file has them, all or nothing.

use axum::Json;
use store::{ApplyOptions, Origin};

use crate::access::Operator;
use crate::body::Body;
use crate::documented_errors::{Conflict, WriteErrors};
use crate::problem::Problem;
use crate::shapes::apply::{ApplyInput, Diff};

/// Bring providers, models and plans to what a file says
///
/// All of it or nothing, in force for the next request. Answers what changed, or with `dry_run` what would.
#[utoipa::path(post, path = "/apply", tag = "installation", request_body = ApplyInput,
    responses((status = 200, description = "What changed, or would", body = Diff), WriteErrors, Conflict))]
pub(crate) async fn apply(operator: Operator, Body(input): Body<ApplyInput>) -> Result<Json<Diff>, Problem> {
    let (prune, dry_run) = (input.prune, input.dry_run);
    let desired = input.into_desired(operator.store())?;
    let options = ApplyOptions { origin: Origin::File, overwrite: true, prune, dry_run };
    let diff = operator.store().apply(operator.actor(), desired, options).await?;
    Ok(Json(Diff::of(diff, dry_run)))
}
