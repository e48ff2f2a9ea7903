//! Long and crowded loads on the real program: memory stays flat, no hold is left, every counter is what clients saw.
//! `cargo xtask soak` runs the long version.
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test's tool fails the test")]
#![expect(clippy::print_stderr, reason = "a test tells its figures")]

#[path = "../crash/client.rs"]
mod client;
mod crowd;
#[path = "../crash/load.rs"]
mod load;
mod mixed;
#[path = "../crash/provider.rs"]
mod provider;
#[path = "../crash/server.rs"]
mod server;
#[path = "../crash/usage.rs"]
mod usage;
#[path = "../crash/windows.rs"]
mod windows;
