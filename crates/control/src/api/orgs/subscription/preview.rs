//! `GET /orgs/{id}/subscription/preview`: what another plan would change.

use axum::Json;
use axum::extract::State;
use domain::limit_changes;

use crate::access::{OrgAccess, See};
use crate::api::orgs::queries::PreviewQuery;
use crate::app::App;
use crate::documented_errors::{NotFound, ReadErrors, TooLow};
use crate::problem::Problem;
use crate::query::Query;
use crate::shapes::subscription::{LimitChange, Preview};

/// See what another plan would change
///
/// Every limit that falls is told as plainly as those that rise.
#[utoipa::path(get, path = "/orgs/{id}/subscription/preview", tag = "subscriptions",
    security(("operator_token" = []), ("session" = [])), extensions(("x-role" = json!("viewer"))),
    params(("id" = String, Path, description = "The organisation's id"), PreviewQuery),
    responses((status = 200, description = "What would change", body = Preview), ReadErrors, TooLow, NotFound))]
pub(crate) async fn preview_subscription(
    org: OrgAccess<See>,
    State(app): State<App>,
    Query(query): Query<PreviewQuery>,
) -> Result<Json<Preview>, Problem> {
    let found = org.org().ok_or_else(|| Problem::not_found("organisation", &org.id()))?;
    let catalogue = app.vault().catalogue();
    let wanted = catalogue.plan(&query.plan);
    let wanted = wanted.ok_or_else(|| Problem::invalid("plan", format!("plan: there is no plan \"{}\".", query.plan)))?;
    // A plan that was deleted while organisations were on it allows nothing any more.
    let changes = match catalogue.plan(found.effective_plan.as_str()) {
        Some(present) => limit_changes(&catalogue, present, wanted),
        None => limit_changes(&catalogue, &domain::Plan { limits: Vec::new(), ..domain::Plan::clone(wanted) }, wanted),
    };
    Ok(Json(Preview { plan: query.plan, changes: changes.iter().map(LimitChange::of).collect() }))
}
