//! `GET /route`: where a request for a model would go at this moment, as a trial: nothing is sent.

use axum::Json;
use axum::extract::State;

use super::query::RouteQuery;
use crate::access::Operator;
use crate::app::App;
use crate::documented_errors::{NotFound, ReadErrors};
use crate::problem::Problem;
use crate::query::Query;
use crate::shapes::route::Route;

/// See where a request would go
///
/// The order in which a request for a model would try its targets now, and why it would pass some over. Nothing is sent, and nothing is
/// taken from a quota.
#[utoipa::path(get, path = "/route", tag = "models", params(RouteQuery),
    responses((status = 200, description = "Its way", body = Route), ReadErrors, NotFound))]
pub(crate) async fn get_route(operator: Operator, State(app): State<App>, Query(asked): Query<RouteQuery>) -> Result<Json<Route>, Problem> {
    let question = asked.question()?;
    let missing = || Problem::not_found("model", &asked.model);
    let steps = app.providers().route(&asked.model, &question).ok_or_else(missing)?;
    let catalogue = operator.store().directory().catalogue();
    let model = catalogue.find(&asked.model).and_then(|index| catalogue.model(index)).ok_or_else(missing)?;
    Ok(Json(Route::of(model.id.as_str().into(), steps)))
}
