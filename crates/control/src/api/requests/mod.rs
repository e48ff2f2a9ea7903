//! `/requests`: single requests, after they ended.

pub(crate) mod get;
