//! `/orgs/{id}/invitations`: who is to belong to an organisation.

pub(crate) mod create;
pub(crate) mod delete;
pub(crate) mod list;
