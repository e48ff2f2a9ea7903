//! Which errors an operation documents. It knows statuses and the error's schema, not what leads to them.

use std::collections::BTreeMap;

use utoipa::openapi::{ContentBuilder, Ref, RefOr, Response, ResponseBuilder};
use utoipa::{IntoResponses, ToSchema};

use crate::problem::ErrorBody;

type Documented = BTreeMap<String, RefOr<Response>>;

const UNAUTHORIZED: (&str, &str) = ("401", "No valid operator token");
const FORBIDDEN: (&str, &str) = ("403", "A write from a page of another origin");
const UNAVAILABLE: (&str, &str) = ("503", "The store can't be reached");
const INVALID: (&str, &str) = ("422", "A value is wrong; `param` names it");

/// Errors of every read.
pub(crate) struct ReadErrors;

/// Errors of every write without a body.
pub(crate) struct DeleteErrors;

/// Errors of every write with a body.
pub(crate) struct WriteErrors;

/// The thing that the path names is not there.
pub(crate) struct NotFound;

/// The name is taken, or something still depends on it.
pub(crate) struct Conflict;

impl IntoResponses for ReadErrors {
    fn responses() -> Documented {
        documented(&[("400", "The path can't be decoded"), UNAUTHORIZED, INVALID, UNAVAILABLE])
    }
}

impl IntoResponses for DeleteErrors {
    fn responses() -> Documented {
        documented(&[("400", "The path can't be decoded"), UNAUTHORIZED, FORBIDDEN, UNAVAILABLE])
    }
}

impl IntoResponses for WriteErrors {
    fn responses() -> Documented {
        documented(&[
            ("400", "The body is not JSON; the message says where"),
            UNAUTHORIZED,
            FORBIDDEN,
            ("408", "The body did not arrive in time"),
            ("413", "The body is longer than 1 MiB"),
            ("415", "The body is not declared as application/json, or is compressed"),
            INVALID,
            UNAVAILABLE,
        ])
    }
}

impl IntoResponses for NotFound {
    fn responses() -> Documented {
        documented(&[("404", "What the path names is not there")])
    }
}

impl IntoResponses for Conflict {
    fn responses() -> Documented {
        documented(&[("409", "The name is taken, or something still depends on it")])
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
