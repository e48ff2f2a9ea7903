//! `/orgs/{id}/usage`.

pub(crate) mod get;
