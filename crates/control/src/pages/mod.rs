//! The few pages that there are without the console: those that links lead to, and the API's documentation. They load nothing but what this
//! server gives them, hold no secret and need no session.

mod documentation;
mod said;

use axum::Router;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::{HeaderName, HeaderValue, header};

pub(crate) use said::Said;

/// A page that a link leads to: what all of them have, and what is its own.
macro_rules! page {
    ($title:literal, $own:literal) => {
        concat!(
            include_str!("head.html"),
            "<title>",
            $title,
            " · Tidegate</title>\n</head>\n<body>\n<main>\n<h1>",
            $title,
            "</h1>\n",
            include_str!($own),
            include_str!("foot.html")
        )
    };
}

const SETUP: &str = page!("Set up the first operator", "setup.html");
const INVITATION: &str = page!("Take up an invitation", "invitation.html");
const RESET: &str = page!("Choose a new password", "reset.html");
const VERIFY: &str = page!("Confirm your address", "verify.html");
const SCRIPT: &str = include_str!("account.js");
const STYLE: &str = include_str!("pages.css");

const HTML: &str = "text/html; charset=utf-8";
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; \
                      frame-ancestors 'none'";

/// Where they are, but for the documentation, which is below `/api/v1`.
const PATHS: [&str; 6] = ["/setup", "/invitation", "/reset", "/verify", "/pages/account.js", "/pages/pages.css"];

/// Whether a page is there.
pub fn is_page(path: &str) -> bool {
    PATHS.contains(&path)
}

/// All of them.
pub(crate) fn routes() -> Router {
    let [setup, invitation, reset, verify, script, style] = PATHS;
    Router::new()
        .route(setup, get(async || answered(HTML, SETUP)))
        .route(invitation, get(async || answered(HTML, INVITATION)))
        .route(reset, get(async || answered(HTML, RESET)))
        .route(verify, get(async || answered(HTML, VERIFY)))
        .route(script, get(async || answered("text/javascript; charset=utf-8", SCRIPT)))
        .route(style, get(async || answered("text/css; charset=utf-8", STYLE)))
        .route("/api/v1/docs", get(async || answered(HTML, documentation::page())))
}

fn answered(content_type: &'static str, text: &'static str) -> Response {
    (headers(content_type, "no-cache"), text).into_response()
}

/// The headers of every page.
fn headers(content_type: &'static str, caching: &'static str) -> [(HeaderName, HeaderValue); 6] {
    let headers = [
        (header::CONTENT_TYPE, content_type),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, caching),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    ];
    headers.map(|(name, value)| (name, HeaderValue::from_static(value)))
}

/// A text as a page's text or attribute.
pub(crate) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;").replace('\'', "&#39;")
}
