//! The application as a whole: first run, listener, shutdown, metrics, TLS, the command line, the process.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test's tool fails the test")]
#![expect(clippy::disallowed_methods, reason = "a test waits for what it spawns")]

mod command_line;
mod discovery;
mod first_run;
mod http2;
mod lifecycle;
mod listener;
mod metrics;
mod oidc;
mod process;
mod replay;
mod server;
mod tls;
