//! `/orgs/{id}/audit`.

pub(crate) mod list;
