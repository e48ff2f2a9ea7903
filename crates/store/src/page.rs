//! Pages of lists: a number of elements and an opaque cursor.

use std::str::FromStr;

use domain::OrgId;

use crate::{DatabaseFault, ErrorClass, OperationError, caps};

/// Why a page of a list can't be read.
#[derive(Debug, thiserror::Error)]
pub enum ListError {
    /// There is no organisation of this id.
    #[error("there is no organisation {0}")]
    NoOrg(OrgId),
    /// The cursor is none that a page gave.
    #[error("cursor \"{cursor}\" is not one that a page gave")]
    BadCursor {
        /// What was given.
        cursor: String,
    },
    /// The database failed.
    #[error(transparent)]
    Unavailable(#[from] DatabaseFault),
}

impl OperationError for ListError {
    fn class(&self) -> ErrorClass<'_> {
        match self {
            Self::NoOrg(_) => ErrorClass::NotFound,
            Self::BadCursor { .. } => ErrorClass::Invalid { param: "cursor" },
            Self::Unavailable(_) => ErrorClass::Unavailable,
        }
    }
}

/// Which page of a list.
#[derive(Clone, Debug, Default)]
pub struct PageRequest {
    /// The `next_cursor` of the page before; `None`: the first page.
    pub cursor: Option<String>,
    /// Elements wanted; absent: 50; at least 1, at most 200.
    pub limit: Option<usize>,
}

impl PageRequest {
    pub(crate) fn size(&self) -> usize {
        self.limit.unwrap_or(caps::PAGE_DEFAULT).clamp(1, caps::PAGE_MAX)
    }

    /// What the cursor names, behind which the page begins.
    pub(crate) fn position<T: FromStr>(&self) -> Result<Option<T>, ListError> {
        let bad = |cursor: &String| ListError::BadCursor { cursor: cursor.clone() };
        self.cursor.as_ref().map(|cursor| cursor.parse().map_err(|_| bad(cursor))).transpose()
    }
}

/// A page of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<T> {
    /// The elements.
    pub data: Vec<T>,
    /// Where the next page begins; `None`: this is the last.
    pub next_cursor: Option<String>,
}

impl<T> Page<T> {
    /// The page of what was found: one more than was asked for, if there is more.
    pub(crate) fn of(mut found: Vec<T>, request: &PageRequest, cursor: impl Fn(&T) -> String) -> Self {
        let more = found.len() > request.size();
        found.truncate(request.size());
        let next_cursor = if more { found.last().map(cursor) } else { None };
        Self { data: found, next_cursor }
    }

    pub(crate) fn map<U>(self, show: impl Fn(T) -> U) -> Page<U> {
        Page { data: self.data.into_iter().map(show).collect(), next_cursor: self.next_cursor }
    }
}
