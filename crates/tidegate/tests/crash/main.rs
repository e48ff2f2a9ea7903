//! The program killed, stopped, starved and lied to while it serves: what is counted stays true, or the operator is told.
//! And loads that are long or crowded: memory stays flat, no hold is left, every counter is what clients saw.
//! Longer, with an optimised program: `cargo xtask crash` and `cargo xtask soak`.
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test's tool fails the test")]
#![expect(clippy::print_stderr, reason = "a test tells its figures")]

mod account;
mod backup;
mod client;
mod clocks;
mod crowd;
mod database;
mod disk;
mod folder;
mod kill;
mod load;
mod mixed;
mod once;
mod power;
mod provider;
mod server;
mod shared_pool;
mod spend;
mod usage;
mod windows;

/// Figures of a test that passed so far: whoever runs the long versions reads them together at the end.
fn tell(figures: &str) {
    eprintln!("figures: {figures}");
}
