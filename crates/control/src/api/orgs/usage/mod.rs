//! `/orgs/{id}/usage`.

pub(crate) mod get;
pub(crate) mod pools;
pub(crate) mod refusals;
