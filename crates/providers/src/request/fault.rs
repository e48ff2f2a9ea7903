//! Why a client's body is refused, in words that help to mend it.
//! It never quotes the client's text.

use thiserror::Error;

use crate::json::{Flaw, Halt, Kind, What, place};

/// Stands for the body as a whole where a member's name is told.
pub(super) const BODY: &str = "body";

/// Why a body can't be accepted: always 400. Its text says where and what was expected, and never quotes the client's text.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum RequestFault {
    /// Some byte sequence is not UTF-8.
    #[error("the body is not valid UTF-8 at line {line}, column {column}")]
    NotUtf8 {
        /// From 1.
        line: usize,
        /// From 1, in characters.
        column: usize,
    },
    /// It is not JSON.
    #[error("the body is not valid JSON at line {line}, column {column}: {what}")]
    NotJson {
        /// From 1.
        line: usize,
        /// From 1, in characters.
        column: usize,
        /// What was found or is missing.
        what: &'static str,
    },
    /// Arrays and objects are nested too deeply.
    #[error("the body is nested too deeply at line {line}, column {column}: at most {} levels are accepted", crate::caps::MAX_DEPTH)]
    TooDeep {
        /// From 1.
        line: usize,
        /// From 1, in characters.
        column: usize,
    },
    /// There is no `model`, or it is null.
    #[error("you must provide a `model`")]
    NoModel,
    /// `model` is an empty string.
    #[error("`model` is empty: name a model")]
    EmptyModel,
    /// A member that the endpoint needs is missing, null or empty.
    #[error("`{param}` is missing or empty: it must be {expected}")]
    Missing {
        /// Its name.
        param: &'static str,
        /// What it must be.
        expected: &'static str,
    },
    /// A member has a value that it can't have.
    #[error("`{param}` must be {expected}, but {found} was found at line {line}, column {column}")]
    WrongType {
        /// Its name, such as `stream_options.include_usage`; `body` for the whole.
        param: &'static str,
        /// What it must be.
        expected: &'static str,
        /// What it is.
        found: &'static str,
        /// From 1.
        line: usize,
        /// From 1, in characters.
        column: usize,
    },
    /// A member that decides something stands twice: which one counts depends on who reads it.
    #[error("`{param}` stands twice, the second time at line {line}, column {column}")]
    Repeated {
        /// Its name.
        param: &'static str,
        /// From 1.
        line: usize,
        /// From 1, in characters.
        column: usize,
    },
    /// A member differs from one that decides something only in upper and lower case: some providers would take it for that one.
    #[error("a member's name differs from `{param}` only in upper and lower case at line {line}, column {column}: write `{param}`")]
    Misspelt {
        /// The name that is meant.
        param: &'static str,
        /// From 1.
        line: usize,
        /// From 1, in characters.
        column: usize,
    },
}

impl RequestFault {
    /// The member at fault, as OpenAI's `error.param` names it; `None` where it is the body as a whole.
    pub fn param(&self) -> Option<&'static str> {
        match self {
            Self::NotUtf8 { .. } | Self::NotJson { .. } | Self::TooDeep { .. } => None,
            Self::NoModel | Self::EmptyModel => Some("model"),
            Self::WrongType { param, .. } if *param == BODY => None,
            Self::Missing { param, .. } | Self::WrongType { param, .. } | Self::Repeated { param, .. } | Self::Misspelt { param, .. } => {
                Some(param)
            }
        }
    }
}

/// Why reading stopped (`None`: the text is not JSON, and the cursor tells why), with offsets that only a refusal turns into lines and columns. Boxed, because it is rare and results are many.
#[derive(Debug)]
pub(super) struct Stop(Option<Box<Cause>>);

#[derive(Debug)]
enum Cause {
    Flaw(Flaw),
    WrongType { param: &'static str, expected: &'static str, found: &'static str, at: usize },
    Repeated { param: &'static str, at: usize },
    Misspelt { param: &'static str, at: usize },
    Known(RequestFault),
}

impl From<Halt> for Stop {
    fn from(_: Halt) -> Self {
        Self(None)
    }
}

impl From<Flaw> for Stop {
    #[cold]
    fn from(flaw: Flaw) -> Self {
        Self::of(Cause::Flaw(flaw))
    }
}

impl From<RequestFault> for Stop {
    #[cold]
    fn from(fault: RequestFault) -> Self {
        Self::of(Cause::Known(fault))
    }
}

impl Stop {
    fn of(cause: Cause) -> Self {
        Self(Some(Box::new(cause)))
    }

    #[cold]
    pub(super) fn wrong_type(param: &'static str, expected: &'static str, found: &'static str, at: usize) -> Self {
        Self::of(Cause::WrongType { param, expected, found, at })
    }

    #[cold]
    pub(super) fn wrong_kind(param: &'static str, expected: &'static str, found: Kind, at: usize) -> Self {
        Self::wrong_type(param, expected, found.as_str(), at)
    }

    #[cold]
    pub(super) fn repeated(param: &'static str, at: usize) -> Self {
        Self::of(Cause::Repeated { param, at })
    }

    #[cold]
    pub(super) fn misspelt(param: &'static str, at: usize) -> Self {
        Self::of(Cause::Misspelt { param, at })
    }

    pub(super) fn into_fault(self, body: &[u8], flaw: Flaw) -> RequestFault {
        match self.0.map_or(Cause::Flaw(flaw), |cause| *cause) {
            Cause::Flaw(flaw) => {
                let (line, column) = place(body, flaw.at);
                let what = flaw.what.as_str();
                if flaw.what == What::TooDeep {
                    RequestFault::TooDeep { line, column }
                } else {
                    RequestFault::NotJson { line, column, what }
                }
            }
            Cause::WrongType { param, expected, found, at } => {
                let (line, column) = place(body, at);
                RequestFault::WrongType { param, expected, found, line, column }
            }
            Cause::Repeated { param, at } => {
                let (line, column) = place(body, at);
                RequestFault::Repeated { param, line, column }
            }
            Cause::Misspelt { param, at } => {
                let (line, column) = place(body, at);
                RequestFault::Misspelt { param, line, column }
            }
            Cause::Known(fault) => fault,
        }
    }
}
