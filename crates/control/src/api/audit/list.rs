//! `GET /audit`: who changed what, newest first.

use axum::Json;

use crate::access::Operator;
use crate::answer::List;
use crate::documented_errors::ReadErrors;
use crate::problem::Problem;
use crate::query::{PageQuery, Query};
use crate::shapes::audit::AuditEntry;

/// List the audit log
#[utoipa::path(get, path = "/audit", tag = "installation", params(PageQuery),
    responses((status = 200, description = "A page of changes, newest first", body = List<AuditEntry>), ReadErrors))]
pub(crate) async fn list_audit(operator: Operator, Query(query): Query<PageQuery>) -> Result<Json<List<AuditEntry>>, Problem> {
    let entries = operator.store().audit(&query.page()?).await?;
    Ok(List::of(entries, AuditEntry::of))
}
