//! `/providers/{name}/cooldown`.

pub(crate) mod delete;
