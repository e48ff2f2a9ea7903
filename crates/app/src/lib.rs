//! Tidegate as a library for its binary and its tests: command line, configuration, wiring, first run, shutdown,
//! telemetry, and the only clock. It decides nothing about limits and speaks no provider's language.

mod app;
mod caps;
pub mod cli;
pub mod config;
mod discovery;
mod entries;
mod fetcher;
pub mod first_run;
mod mailer;
mod memory;
mod payments;
mod running;
pub mod seed;
mod settings;
mod start_error;
mod system_clock;
mod system_entropy;
mod telemetry;
mod tester;

pub use app::App;
pub use running::Running;
pub use settings::Settings;
pub use start_error::StartError;
pub use system_clock::SystemClock;
pub use system_entropy::SystemEntropy;
pub use telemetry::Telemetry;
