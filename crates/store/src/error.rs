//! What operations' errors have in common, so that a plane can map them to answers in one place.

use crate::sql;

/// How an operation's error is to be answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorClass<'a> {
    /// What was named is not there (404).
    NotFound,
    /// Whoever wants it may not (403).
    Forbidden,
    /// It contradicts what is there (409).
    Conflict,
    /// The input is wrong (422): which member, where one is to blame.
    Invalid {
        /// The member's path, such as `limits[2].rpm`; empty where no single one is to blame.
        param: &'a str,
    },
    /// It was tried too often (429).
    TooMany {
        /// It may be tried again after so many microseconds.
        wait_us: u64,
    },
    /// The database can't be used now (503).
    Unavailable,
}

/// Every operation's error. Its `Display` is fit for the operator's eyes.
pub trait OperationError: std::error::Error {
    /// How it is to be answered.
    fn class(&self) -> ErrorClass<'_>;
}

/// The database failed. `Display` says what happened and what to do.
#[derive(Debug, thiserror::Error)]
#[error("the database can't be used now: {0}{advice}", advice = sql::advice(.0))]
pub struct DatabaseFault(#[from] sqlx::Error);

impl OperationError for DatabaseFault {
    fn class(&self) -> ErrorClass<'_> {
        ErrorClass::Unavailable
    }
}

impl DatabaseFault {
    pub(crate) fn into_sqlx(self) -> sqlx::Error {
        self.0
    }

    /// The task that did the work ended before it was done.
    pub(crate) fn interrupted() -> Self {
        Self(sqlx::Error::WorkerCrashed)
    }
}
