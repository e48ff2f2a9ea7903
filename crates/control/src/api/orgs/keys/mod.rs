//! `/orgs/{id}/keys`: the keys of an organisation.

pub(crate) mod create;
pub(crate) mod delete;
pub(crate) mod list;
pub(crate) mod patch;
pub(crate) mod rotate;
