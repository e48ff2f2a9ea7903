//! `/orgs/{id}/subscription`: the plan, and how it is changed.

pub(crate) mod create;
pub(crate) mod get;
pub(crate) mod portal;
pub(crate) mod preview;
pub(crate) mod refresh;
pub(crate) mod request;
pub(crate) mod test_page;
pub(crate) mod test_payment;
