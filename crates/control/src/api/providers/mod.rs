//! `/providers`: providers, their API keys, their state and their cooldowns.

pub(crate) mod cooldown;
pub(crate) mod create;
pub(crate) mod delete;
pub(crate) mod get;
pub(crate) mod keys;
pub(crate) mod list;
pub(crate) mod patch;
pub(crate) mod put;
pub(crate) mod state;
pub(crate) mod test;
