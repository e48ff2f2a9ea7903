//! `/providers/{name}/state`.

pub(crate) mod get;
