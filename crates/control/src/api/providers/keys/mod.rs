//! `/providers/{name}/keys`: the API keys that a provider is called with.

pub(crate) mod create;
pub(crate) mod delete;
pub(crate) mod list;
