//! Providers that nobody configured: those whose key is in the environment, and model servers on this machine. What
//! they have goes into the catalogue, and into no plan.

mod around;
mod environment;
mod models;
mod withdraw;

pub(crate) use around::{Plan, local, look_around};
pub(crate) use environment::environment;
pub(crate) use withdraw::withdraw_all_but;
