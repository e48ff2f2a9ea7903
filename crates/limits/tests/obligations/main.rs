//! The obligations of an exact window with holds, each as a property: the crate against brute force.
//! `PROPTEST_CASES=100000 cargo test -p limits --test obligations --release` searches long.

#![cfg(not(loom))]
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that can't go on has failed")]

mod change;
mod coalescing;
mod exact;
mod history;
mod identity;
mod oracle;
mod processed;
mod recovery;
mod waiting;
