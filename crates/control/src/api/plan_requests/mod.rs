//! `/plan-requests`: wishes for another plan, for those who decide them.

pub(crate) mod list;
pub(crate) mod patch;
mod query;
