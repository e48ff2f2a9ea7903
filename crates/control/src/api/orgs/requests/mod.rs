//! `/orgs/{id}/requests`: requests of an organisation, one by one.

pub(crate) mod get;
pub(crate) mod list;
