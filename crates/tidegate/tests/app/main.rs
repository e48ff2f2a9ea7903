//! The application as a whole: first run, listener, shutdown, metrics, TLS, the command line, the process.

mod command_line;
mod discovery;
mod first_run;
mod http2;
mod lifecycle;
mod listener;
mod metrics;
mod process;
mod server;
mod tls;
