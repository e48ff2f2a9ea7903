//! `GET /orgs/{id}/subscription/preview`: what another plan would change.

use axum::Json;
use axum::extract::State;
use domain::{Quote, limit_changes};

use crate::access::{OrgAccess, See};
use crate::api::orgs::queries::PreviewQuery;
use crate::app::App;
use crate::documented_errors::{NotFound, ReadErrors, TooLow};
use crate::problem::Problem;
use crate::query::Query;
use crate::shapes::amount::Amount;
use crate::shapes::subscription::{LimitChange, Preview};
use crate::shapes::time::Time;

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
    let is_sold = app.vault().sells() && wanted.price_month.is_some();
    let quote = if is_sold { Some(org.quote(&wanted.id).await?) } else { None };
    let (credit, due_now, from) = match quote {
        None => (None, None, None),
        Some(Quote::Now { credit, due }) => (Some(Amount(credit)), Some(Amount(due)), None),
        Some(Quote::AtPeriodEnd(at)) => (Some(Amount::default()), Some(Amount::default()), Some(Time(at))),
    };
    let changes = changes.iter().map(LimitChange::of).collect();
    Ok(Json(Preview { plan: query.plan, changes, credit, due_now, from }))
}
