//! `GET /providers`: providers, in their order.

use axum::Json;

use crate::access::Operator;
use crate::answer::List;
use crate::documented_errors::ReadErrors;
use crate::problem::Problem;
use crate::query::{PageQuery, Query};
use crate::shapes::provider::Provider;

/// List providers
#[utoipa::path(get, path = "/providers", tag = "providers", params(PageQuery),
    responses((status = 200, description = "A page of providers", body = List<Provider>), ReadErrors))]
pub(crate) async fn list_providers(operator: Operator, Query(query): Query<PageQuery>) -> Result<Json<List<Provider>>, Problem> {
    let found = operator.store().providers(&query.page()?);
    Ok(List::of(found, |kept| Provider::of(&kept)))
}
