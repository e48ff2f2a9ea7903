//! The endpoints: one file each, its path mirroring the URL. Handlers convert, call the store, convert.

pub(crate) mod apply;
pub(crate) mod audit;
pub(crate) mod auth;
pub(crate) mod billing;
pub(crate) mod models;
pub(crate) mod oidc;
pub(crate) mod openapi;
pub(crate) mod orgs;
pub(crate) mod people;
pub(crate) mod plan_requests;
pub(crate) mod plans;
pub(crate) mod providers;
pub(crate) mod requests;
pub(crate) mod route;
pub(crate) mod status;
