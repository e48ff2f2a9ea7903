//! `/auth/oidc`: log-in with a provider of identities. A browser is sent there and back, so what goes wrong is told on a page.

pub(crate) mod callback;
pub(crate) mod links;
pub(crate) mod login;
mod refused;

use http::{HeaderName, HeaderValue};

use crate::access::set_log_in;
use crate::app::App;
use crate::oidc::Flow;

/// What the browser's part of a log-in is sealed for.
const PLACE: &str = "log-in";

/// The header that gives a browser its part.
fn kept(app: &App, flow: &Flow) -> (HeaderName, HeaderValue) {
    set_log_in(&app.vault().seal(PLACE, &flow.to_text()), app.config().is_secure)
}
