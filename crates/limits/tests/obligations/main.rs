//! The obligations of an exact window with holds, each as a property: the crate against brute force.
//! `PROPTEST_CASES=100000 cargo test -p limits --test obligations --release` searches long.

mod exact;
mod history;
mod oracle;
