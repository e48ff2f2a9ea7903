//! What the path names. Ids that can't exist are as absent as ids that don't.

use axum::extract::FromRequestParts;
use axum::extract::rejection::PathRejection;
use domain::{CredentialId, KeyId, OrgId, RequestId};
use http::StatusCode;
use http::request::Parts;
use serde::de::DeserializeOwned;

use crate::app::App;
use crate::problem::Problem;

/// The path's parameters, percent-decoded.
pub(crate) struct Segments<T>(pub(crate) T);

impl<T: DeserializeOwned + Send> FromRequestParts<App> for Segments<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let path = axum::extract::Path::from_request_parts(parts, app).await;
        path.map(|axum::extract::Path(segments)| Self(segments)).map_err(|rejection: PathRejection| {
            Problem::new(StatusCode::BAD_REQUEST, "invalid_path", format!("The path can't be decoded: {}.", rejection.body_text()))
        })
    }
}

/// The organisation that a segment names.
pub(crate) fn org_id(segment: &str) -> Result<OrgId, Problem> {
    segment.parse().map_err(|_| Problem::not_found("organisation", segment))
}

/// The key that a segment names.
pub(crate) fn key_id(segment: &str) -> Result<KeyId, Problem> {
    segment.parse().map_err(|_| Problem::not_found("key", segment))
}

/// The key of a provider that a segment names.
pub(crate) fn credential_id(segment: &str) -> Result<CredentialId, Problem> {
    segment.parse().map_err(|_| Problem::not_found("key", segment))
}

/// The request that a segment names.
pub(crate) fn request_id(segment: &str) -> Result<RequestId, Problem> {
    segment.parse().map_err(|_| Problem::not_found("request", segment))
}
