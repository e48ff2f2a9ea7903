//! Which errors an operation documents. It knows statuses and the error's schema, not what leads to them.

use std::collections::BTreeMap;

use utoipa::openapi::schema::Type;
use utoipa::openapi::{ContentBuilder, ObjectBuilder, Ref, RefOr, Response, ResponseBuilder};
use utoipa::{IntoResponses, ToSchema};

use crate::problem::ErrorBody;

type Documented = BTreeMap<String, RefOr<Response>>;

const HIDDEN: (&str, &str) = ("404", "What the path names is not there, or not for whoever is logged in");
const UNAUTHORIZED: (&str, &str) = ("401", "Neither a valid operator token nor a session");
const FORBIDDEN: (&str, &str) = ("403", "A write from a page of another origin, or one that the caller's role does not allow");
const UNAVAILABLE: (&str, &str) = ("503", "The store can't be reached");
const INVALID: (&str, &str) = ("422", "A value is wrong; `param` names it");

/// Errors of every read.
pub(crate) struct ReadErrors;

/// The caller's role in the organisation is too low for this read.
pub(crate) struct TooLow;

/// Only somebody who is logged in can read this.
pub(crate) struct SessionNeeded;

/// What pays was declined.
pub(crate) struct PaymentErrors;

/// Errors of what is told by others.
pub(crate) struct EventErrors;

/// There were too many attempts.
pub(crate) struct AttemptErrors;

/// Errors of every write without a body.
pub(crate) struct DeleteErrors;

/// Errors of every write with a body.
pub(crate) struct WriteErrors;

/// The thing that the path names is not there.
pub(crate) struct NotFound;

/// The name is taken, or something still depends on it.
pub(crate) struct Conflict;

/// What goes wrong where a browser is sent, told on a page.
pub(crate) struct PageErrors;

/// A query parameter is wrong or unknown.
pub(crate) struct QueryErrors;

/// Somebody else who is asked doesn't answer.
pub(crate) struct UpstreamErrors;

impl IntoResponses for PageErrors {
    fn responses() -> Documented {
        let of = |(status, text): (&str, &str)| {
            let content = ContentBuilder::new().schema(Some(ObjectBuilder::new().schema_type(Type::String))).build();
            (status.to_owned(), RefOr::T(ResponseBuilder::new().description(text).content("text/html", content).build()))
        };
        let all = [
            ("400", "It was not begun with this browser, is used or too old; or the address to go on to is not right"),
            ("403", "Who comes is not let in, there or here"),
            ("404", "No provider of identities is configured"),
            ("409", "There is an account with this address, or an account can't be made or linked"),
            ("429", "There were too many attempts; Retry-After says when there may be another"),
            ("502", "The provider of identities can't be asked, or its answer can't be believed"),
            ("503", "The store can't be reached, or too many log in at this moment"),
        ];
        all.into_iter().map(of).collect()
    }
}

impl IntoResponses for QueryErrors {
    fn responses() -> Documented {
        documented(&[INVALID])
    }
}

impl IntoResponses for UpstreamErrors {
    fn responses() -> Documented {
        documented(&[("502", "Somebody else who is asked for this doesn't answer; nothing was changed")])
    }
}

impl IntoResponses for ReadErrors {
    fn responses() -> Documented {
        documented(&[("400", "The path can't be decoded"), UNAUTHORIZED, HIDDEN, INVALID, UNAVAILABLE])
    }
}

impl IntoResponses for DeleteErrors {
    fn responses() -> Documented {
        documented(&[("400", "The path can't be decoded"), UNAUTHORIZED, FORBIDDEN, HIDDEN, UNAVAILABLE])
    }
}

impl IntoResponses for WriteErrors {
    fn responses() -> Documented {
        documented(&[
            ("400", "The body is not JSON; the message says where"),
            UNAUTHORIZED,
            FORBIDDEN,
            HIDDEN,
            ("408", "The body did not arrive in time"),
            ("413", "The body is longer than 1 MiB"),
            ("415", "The body is not declared as application/json, or is compressed"),
            INVALID,
            UNAVAILABLE,
        ])
    }
}

impl IntoResponses for TooLow {
    fn responses() -> Documented {
        documented(&[("403", "The caller's role in the organisation is too low")])
    }
}

impl IntoResponses for SessionNeeded {
    fn responses() -> Documented {
        documented(&[("403", "The operator token is nobody's session")])
    }
}

impl IntoResponses for PaymentErrors {
    fn responses() -> Documented {
        documented(&[("402", "It was declined; nothing was charged")])
    }
}

impl IntoResponses for EventErrors {
    fn responses() -> Documented {
        documented(&[
            ("400", "The signature is not right, or what is signed can't be read; nothing was changed"),
            ("408", "The body did not arrive in time"),
            ("413", "The body is longer than 256 KiB"),
            UNAVAILABLE,
        ])
    }
}

impl IntoResponses for AttemptErrors {
    fn responses() -> Documented {
        documented(&[("429", "There were too many attempts; Retry-After says when there may be another")])
    }
}

impl IntoResponses for NotFound {
    fn responses() -> Documented {
        documented(&[HIDDEN])
    }
}

impl IntoResponses for Conflict {
    fn responses() -> Documented {
        documented(&[("409", "The name is taken, something still depends on it, or a request under the same Idempotency-Key is under way")])
    }
}

fn documented(errors: &[(&str, &str)]) -> Documented {
    let schema = Ref::from_schema_name(ErrorBody::name());
    let of = |text: &str| {
        let content = ContentBuilder::new().schema(Some(schema.clone())).build();
        RefOr::T(ResponseBuilder::new().description(text).content("application/json", content).build())
    };
    errors.iter().map(|(status, text)| ((*status).into(), of(text))).collect()
}
