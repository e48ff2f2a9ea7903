//! `/apply`.

pub(crate) mod create;
