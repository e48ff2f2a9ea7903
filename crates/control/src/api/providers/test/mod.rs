//! `/providers/{name}/test`.

pub(crate) mod create;
