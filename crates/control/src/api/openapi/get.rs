//! `GET /openapi.json`: the document of this API. It holds no secrets and needs no token.

use axum::Json;
use utoipa::openapi::OpenApi;

/// Get the OpenAPI document
///
/// Needs no token.
#[utoipa::path(get, path = "/openapi.json", tag = "installation", security(()),
    responses((status = 200, description = "OpenAPI 3.1", content_type = "application/json", body = Object)))]
pub(crate) async fn get_openapi() -> Json<OpenApi> {
    Json(crate::openapi())
}
