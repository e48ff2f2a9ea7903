//! The data plane over loopback, before a scripted provider, with a clock that moves when told.
#![expect(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod answers;
mod credentials;
mod demo;
mod fallback;
mod faults;
mod health;
mod hedge;
mod probe;
mod refusals;
mod rig;
mod routing;
mod streams;
