//! Providers that nobody configured: those whose key is in the environment, and model servers on this machine.

mod environment;

pub(crate) use environment::environment;
