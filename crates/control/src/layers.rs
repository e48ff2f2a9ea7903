//! What is done to every request and response around the routes: headers, foreign origins, raw slashes in model ids.

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::uri::{Authority, PathAndQuery};
use http::{HeaderValue, Method, StatusCode, Uri, header};

use crate::app::App;
use crate::problem::Problem;

/// Where model ids begin in paths.
const MODELS: &str = "/api/v1/models/";

/// Nothing here is for caches, nor to be guessed at by browsers.
pub(crate) async fn safe_headers(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

/// Refuses writes that a browser sends from a page of another origin.
pub(crate) async fn own_origin(State(app): State<App>, request: Request, next: Next) -> Response {
    let reads = [Method::GET, Method::HEAD, Method::OPTIONS].contains(request.method());
    if reads || !is_foreign(&request, app.config().public_url.as_ref()) {
        return next.run(request).await;
    }
    let message = "Writes are taken from this server's own pages only; the Origin header names another.";
    Problem::new(StatusCode::FORBIDDEN, "foreign_origin", message).at("origin").into_response()
}

fn is_foreign(request: &Request, public_url: Option<&Uri>) -> bool {
    let mut origins = request.headers().get_all(header::ORIGIN).iter();
    let Some(origin) = origins.next() else { return false };
    let origin = origin.to_str().ok().and_then(|text| text.parse::<Uri>().ok());
    let (Some(origin), None) = (origin, origins.next()) else { return true };
    let of_host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok()).and_then(|host| host.parse::<Authority>().ok());
    let host = of_host.as_ref().or(request.uri().authority());
    let scheme = origin.scheme_str();
    let is_host = host.is_some_and(|host| same_place(scheme, origin.authority(), Some(host)));
    let is_public =
        public_url.is_some_and(|url| url.scheme() == origin.scheme() && same_place(scheme, origin.authority(), url.authority()));
    !(is_host || is_public)
}

/// Whether two authorities are the same host and port under `scheme`, whose own port may be left out.
fn same_place(scheme: Option<&str>, a: Option<&Authority>, b: Option<&Authority>) -> bool {
    let own_port = match scheme {
        Some("http") => 80,
        Some("https") => 443,
        _ => return false,
    };
    let port = |of: &Authority| of.port_u16().unwrap_or(own_port);
    matches!((a, b), (Some(a), Some(b)) if a.host().eq_ignore_ascii_case(b.host()) && port(a) == port(b))
}

/// Model ids may hold slashes: those after `/models/` become `%2F`, so that the id is one segment of the path.
pub(crate) fn encode_model_slashes(mut request: Request) -> Request {
    if let Some(uri) = encoded(request.uri()) {
        *request.uri_mut() = uri;
    }
    request
}

fn encoded(uri: &Uri) -> Option<Uri> {
    let id = uri.path().strip_prefix(MODELS).filter(|id| id.contains('/'))?;
    let query = uri.query().map(|query| format!("?{query}")).unwrap_or_default();
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = Some(PathAndQuery::try_from(format!("{MODELS}{}{query}", id.replace('/', "%2F"))).ok()?);
    Uri::from_parts(parts).ok()
}
