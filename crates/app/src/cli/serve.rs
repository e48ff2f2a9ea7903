//! `tidegate serve`: the server as a process, from its configuration to its last record.

use std::io::{IsTerminal as _, Write as _};
use std::sync::Arc;

use anyhow::{Context as _, anyhow};
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::args::Cli;
use super::{Surroundings, file};
use crate::config::Config;
use crate::telemetry::{Telemetry, log_panics};
use crate::{App, Running, Settings, SystemClock, SystemEntropy, discovery};

/// Runs the server until a signal ends it. A second signal ends it at once, with every record written.
///
/// # Errors
/// Lines that say what to do: one, or one a fault of the configuration.
pub async fn serve(cli: Cli, surroundings: &Surroundings) -> anyhow::Result<()> {
    let sources = file::sources(&cli.common, &cli.serve, surroundings)?;
    let config = Config::read(&sources)?;
    let telemetry = Telemetry::start(&config.log).map_err(|error| anyhow!("logging can't be set up: {error}"))?;
    log_panics();
    for warning in &config.warnings {
        tracing::warn!(place = %warning.place, "{}", warning.message);
    }
    let mut signals = Signals::listen()?;
    let settings = Settings {
        operator_token: surroundings.environment.get("TIDEGATE_OPERATOR_TOKEN").filter(|t| !t.trim().is_empty()).map(|t| t.as_str().into()),
        found: discovery::environment(&surroundings.environment),
        local: discovery::local(),
        proxy_from_environment: true,
        log_drops: Some(telemetry.drops()),
        ..Settings::new(config)
    };
    let running = App::start(settings, Arc::new(SystemClock), Arc::new(SystemEntropy::default())).await;
    // Its text tells the cause already.
    let running = running.map_err(|error| anyhow!("{error}"))?;
    tracing::info!(addr = %running.addr, data_dir = %running.data_dir.display(), version = env!("CARGO_PKG_VERSION"), "ready");
    announce(&running, cli.common.json);
    let name = signals.next().await;
    tracing::info!(signal = name, "stopping: requests in progress are finished first; a second signal ends at once");
    let again = async move {
        signals.next().await;
    };
    running.shutdown_or(again).await;
    Ok(())
}

fn announce(running: &Running, is_json: bool) {
    let mut out = std::io::stdout();
    let said = running.announcement();
    let text = if is_json { said.json().to_string() } else { said.text(out.is_terminal()) };
    // A closed standard output is no reason not to serve.
    let _ = writeln!(out, "{}", text.trim_end()).and_then(|()| out.flush());
}

struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn listen() -> anyhow::Result<Self> {
        let on = |kind| signal(kind).context("signals can't be received");
        Ok(Self { terminate: on(SignalKind::terminate())?, interrupt: on(SignalKind::interrupt())? })
    }

    async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
}
