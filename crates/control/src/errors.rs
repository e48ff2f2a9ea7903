//! Every error's way to HTTP: operations of the store, faulty values, paths and methods that are not there.

use http::{Method, StatusCode, Uri};
use store::{ErrorClass, OperationError};

use crate::problem::Problem;
use crate::shapes::text::Invalid;

impl<E: OperationError> From<E> for Problem {
    fn from(error: E) -> Self {
        let said = error.to_string();
        match error.class() {
            ErrorClass::NotFound => Self::new(StatusCode::NOT_FOUND, "not_found", sentence(&said)),
            ErrorClass::Forbidden => Self::new(StatusCode::FORBIDDEN, "role_too_low", sentence(&said)),
            ErrorClass::TooMany { wait_us } => Self {
                retry_after: Some(wait_us.div_ceil(1_000_000)),
                ..Self::new(StatusCode::TOO_MANY_REQUESTS, "too_many_attempts", sentence(&said))
            },
            ErrorClass::Conflict => Self::new(StatusCode::CONFLICT, "conflict", sentence(&said)),
            ErrorClass::Invalid { param } => Self::from(Invalid::new(param, said)),
            ErrorClass::Unavailable => {
                tracing::error!(error = said, "an operation of the control API failed");
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", sentence(&said))
            }
        }
    }
}

impl From<Invalid> for Problem {
    fn from(fault: Invalid) -> Self {
        let Invalid { param, message } = fault;
        if param.is_empty() {
            return Self::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid_value", sentence(&message));
        }
        let said = if message.starts_with(&param) { format!("{message}.") } else { format!("{param}: {message}.") };
        Self::invalid(param, said)
    }
}

/// 404 for a path that no route has.
pub(crate) async fn unknown_path(uri: Uri) -> Problem {
    let message = format!("There is no {}; GET /api/v1/openapi.json lists every path.", uri.path());
    Problem::new(StatusCode::NOT_FOUND, "unknown_path", message)
}

/// 405 for a method that the path does not have.
pub(crate) async fn unknown_method(method: Method, uri: Uri) -> Problem {
    let message = format!("{} does not take {method}; the Allow header lists what it takes.", uri.path());
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", message)
}

/// The text with a capital and a full stop.
fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    let capital = letters.next().map(|c| c.to_uppercase().to_string()).unwrap_or_default();
    capital + letters.as_str() + "."
}
