//! `GET /orgs/{id}/audit`: who changed what of an organisation, newest first.

use axum::Json;

use crate::access::{Manage, OrgAccess};
use crate::answer::List;
use crate::documented_errors::{NotFound, ReadErrors, TooLow};
use crate::problem::Problem;
use crate::query::{PageQuery, Query};
use crate::shapes::audit::AuditEntry;

/// List an organisation's audit log
///
/// What was changed of the organisation, its keys, members, plan and limits, by whom. Nothing else is in it.
#[utoipa::path(get, path = "/orgs/{id}/audit", tag = "organisations",
    security(("operator_token" = []), ("session" = [])), extensions(("x-role" = json!("admin"))),
    params(("id" = String, Path, description = "The organisation's id"), PageQuery),
    responses((status = 200, description = "A page of changes, newest first", body = List<AuditEntry>), ReadErrors, TooLow, NotFound))]
pub(crate) async fn list_org_audit(org: OrgAccess<Manage>, Query(query): Query<PageQuery>) -> Result<Json<List<AuditEntry>>, Problem> {
    Ok(List::of(org.audit(&query.page()?).await?, AuditEntry::of))
}
