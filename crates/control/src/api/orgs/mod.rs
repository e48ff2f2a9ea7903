//! `/orgs`: organisations and what is theirs.

pub(crate) mod audit;
pub(crate) mod create;
pub(crate) mod delete;
pub(crate) mod get;
pub(crate) mod invitations;
pub(crate) mod invoices;
pub(crate) mod keys;
pub(crate) mod limits;
pub(crate) mod list;
pub(crate) mod members;
pub(crate) mod patch;
pub(crate) mod queries;
pub(crate) mod requests;
pub(crate) mod subscription;
pub(crate) mod usage;
pub(crate) mod usage_queries;
