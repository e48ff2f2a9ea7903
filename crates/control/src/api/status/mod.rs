//! `/status`.

pub(crate) mod get;
