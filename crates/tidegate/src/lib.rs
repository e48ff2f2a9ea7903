//! Tidegate as a library for its binary and its tests: command line, configuration, wiring, first run, shutdown,
//! telemetry, and the only clock. It decides nothing about limits and speaks no provider's language.

pub mod config;
mod discovery;
pub mod seed;
mod system_clock;
mod system_entropy;

pub use system_clock::SystemClock;
pub use system_entropy::SystemEntropy;
