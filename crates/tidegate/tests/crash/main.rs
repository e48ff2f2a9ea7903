//! The program killed, stopped, starved and lied to while it serves: what is counted stays true, or the operator is told.
//! And loads that are long or crowded: memory stays flat, no hold is left, every counter is what clients saw.
//! Longer: `TIDEGATE_CRASH_TIMES=50` and `TIDEGATE_SOAK_SECONDS=3600` before `cargo test -p tidegate --test crash`.
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test's tool fails the test")]
#![expect(clippy::print_stderr, reason = "a test tells its figures")]

mod client;
mod clocks;
mod crowd;
mod kill;
mod load;
mod mixed;
mod provider;
mod server;
mod usage;
mod windows;
