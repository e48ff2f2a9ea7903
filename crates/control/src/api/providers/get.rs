//! `GET /providers/{name}`: one provider.

use axum::Json;

use crate::access::Operator;
use crate::documented_errors::{NotFound, ReadErrors};
use crate::problem::Problem;
use crate::segments::Segments;
use crate::shapes::provider::Provider;

/// Get a provider
#[utoipa::path(get, path = "/providers/{name}", tag = "providers", params(("name" = String, Path, description = "The provider's name")),
    responses((status = 200, description = "The provider", body = Provider), ReadErrors, NotFound))]
pub(crate) async fn get_provider(operator: Operator, Segments(name): Segments<String>) -> Result<Json<Provider>, Problem> {
    let kept = operator.store().provider(&name).ok_or_else(|| Problem::not_found("provider", &name))?;
    Ok(Json(Provider::of(&kept)))
}
