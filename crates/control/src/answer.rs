//! The successful answers: lists, and what was created. It knows no resource in particular.

use axum::Json;
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as URL_SAFE_NO_PAD;
use http::{HeaderValue, StatusCode, header};
use serde::Serialize;
use store::{Page, Written};
use utoipa::ToSchema;

/// A page of a list.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct List<T> {
    /// The entries.
    data: Vec<T>,
    /// Where the next page begins; `null`: this is the last.
    #[schema(required)]
    next_cursor: Option<String>,
}

impl<T> List<T> {
    /// The page with its entries converted.
    pub(crate) fn of<A>(page: Page<A>, convert: impl FnMut(A) -> T) -> Json<Self> {
        let next_cursor = page.next_cursor.map(|cursor| URL_SAFE_NO_PAD.encode(cursor));
        Json(Self { data: page.data.into_iter().map(convert).collect(), next_cursor })
    }

    /// The page with those entries converted that have anything to show.
    pub(crate) fn some<A>(page: Page<A>, convert: impl FnMut(A) -> Option<T>) -> Json<Self> {
        let next_cursor = page.next_cursor.map(|cursor| URL_SAFE_NO_PAD.encode(cursor));
        Json(Self { data: page.data.into_iter().filter_map(convert).collect(), next_cursor })
    }

    /// A list that is never long.
    pub(crate) fn whole(data: Vec<T>) -> Json<Self> {
        Json(Self { data, next_cursor: None })
    }
}

/// 201 with what was made and where it is, or 200 with what was replaced.
pub(crate) struct Put<T> {
    created: bool,
    location: String,
    body: T,
}

impl<T> Put<T> {
    /// What was made; `segments` lead to it from `/api/v1` on.
    pub(crate) fn made(segments: &[&str], body: T) -> Self {
        Self { created: true, location: location(segments), body }
    }

    /// What was made or replaced.
    pub(crate) fn of<A>(segments: &[&str], written: Written<A>, convert: impl FnOnce(A) -> T) -> Self {
        Self { created: written.created, location: location(segments), body: convert(written.value) }
    }
}

/// A path whose segments are percent-encoded but for unreserved characters.
fn location(segments: &[&str]) -> String {
    let mut path = String::from("/api/v1");
    for segment in segments {
        path.push('/');
        for byte in segment.bytes() {
            if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
                path.push(char::from(byte));
            } else {
                path.push_str(&format!("%{byte:02X}"));
            }
        }
    }
    path
}

impl<T: Serialize> IntoResponse for Put<T> {
    fn into_response(self) -> Response {
        if !self.created {
            return Json(self.body).into_response();
        }
        let mut response = (StatusCode::CREATED, Json(self.body)).into_response();
        if let Ok(location) = HeaderValue::try_from(self.location) {
            response.headers_mut().insert(header::LOCATION, location);
        }
        response
    }
}
