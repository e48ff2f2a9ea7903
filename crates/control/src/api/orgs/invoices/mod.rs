//! `/orgs/{id}/invoices`: what was charged.

pub(crate) mod list;
