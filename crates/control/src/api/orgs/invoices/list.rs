//! `GET /orgs/{id}/invoices`: what was charged, newest first.

use axum::Json;

use crate::access::{Billing, OrgAccess};
use crate::answer::List;
use crate::documented_errors::{NotFound, ReadErrors, TooLow};
use crate::problem::Problem;
use crate::query::{PageQuery, Query};
use crate::shapes::subscription::Invoice;

/// List invoices
#[utoipa::path(get, path = "/orgs/{id}/invoices", tag = "subscriptions",
    security(("operator_token" = []), ("session" = [])), extensions(("x-role" = json!("admin"))),
    params(("id" = String, Path, description = "The organisation's id"), PageQuery),
    responses((status = 200, description = "A page of invoices, newest first", body = List<Invoice>), ReadErrors, TooLow, NotFound))]
pub(crate) async fn list_invoices(org: OrgAccess<Billing>, Query(query): Query<PageQuery>) -> Result<Json<List<Invoice>>, Problem> {
    Ok(List::of(org.invoices(&query.page()?).await?, Invoice::of))
}
