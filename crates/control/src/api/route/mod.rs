//! `/route`: where a request would go.

pub(crate) mod get;
mod query;
