//! The configuration: a file a section here. Precedence is flag, environment, file, default. Every fault is found in
//! one reading; nothing here acts on what was configured.

mod cross;
mod discovery;
mod errors;
mod fault;
mod later;
mod limits;
mod log;
mod metrics;
mod models;
mod network;
mod plans;
mod providers;
mod server;
mod store;
mod table;
mod written;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;

use domain::{Model, Plan, Provider};
use toml::de::DeTable;

pub use discovery::Discovery;
pub use errors::{Errors, RateLimitBody};
pub use fault::{Fault, Faults, Place};
pub use limits::Limits;
pub use log::{Log, LogFormat};
pub use metrics::MetricsSection;
pub use network::Network;
pub use providers::ConfiguredProvider;
pub use server::{Server, TlsFiles};

pub(crate) use server::is_unspecified;
pub(crate) use written::parse_listen;

use cross::Places;
use fault::Source;
use table::Reading;

/// A checked configuration with all defaults filled in.
#[derive(Clone, Debug)]
pub struct Config {
    /// `[server]`
    pub server: Server,
    /// `[limits]`
    pub limits: Limits,
    /// `[errors]`
    pub errors: Errors,
    /// `[metrics]`
    pub metrics: MetricsSection,
    /// `[log]`
    pub log: Log,
    /// `[discovery]`
    pub discovery: Discovery,
    /// `[[providers]]`
    pub providers: Vec<ConfiguredProvider>,
    /// `[[models]]`
    pub models: Vec<Model>,
    /// `[[plans]]`
    pub plans: Vec<Plan>,
    /// What was set and has no effect.
    pub warnings: Vec<Fault>,
}

/// Providers, models and plans that a file's entries are checked together with.
#[derive(Clone, Debug, Default)]
pub struct Entries {
    /// Providers.
    pub providers: Vec<Provider>,
    /// Models.
    pub models: Vec<Model>,
    /// Plans.
    pub plans: Vec<Plan>,
}

/// What a configuration is read from.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    /// The file's path as it was given, and its text.
    pub file: Option<(String, String)>,
    /// The environment.
    pub environment: BTreeMap<String, String>,
    /// `--listen`
    pub listen: Option<SocketAddr>,
    /// `--data-dir`
    pub data_dir: Option<PathBuf>,
}

impl Config {
    /// Reads and checks a configuration.
    ///
    /// # Errors
    /// Every fault at once.
    pub fn read(sources: &Sources, base: &Entries) -> Result<Self, Faults> {
        read(sources, base).0
    }

    /// The configuration that a text alone gives, next to the built-in plans and models.
    ///
    /// # Errors
    /// Every fault at once.
    pub fn from_toml(text: &str) -> Result<Self, Faults> {
        let sources = Sources { file: Some(("configuration".into(), text.into())), ..Sources::default() };
        Self::read(&sources, &crate::seed::base(&sources.environment)?)
    }
}

fn read(sources: &Sources, base: &Entries) -> (Result<Config, Faults>, Vec<String>) {
    let (name, text) = sources.file.as_ref().map_or(("(defaults)", ""), |(name, text)| (name, text));
    let reading = Reading::new(Source::new(name, text), &sources.environment);
    let (body, broken) = DeTable::parse_recoverable(text);
    for error in &broken {
        reading.fault(reading.place(error.span().map_or(0, |s| s.start)), format!("not TOML: {}", error.message()));
    }
    let mut config = sections(&reading, body.get_ref(), sources, base, broken.is_empty());
    if let Some(listen) = sources.listen {
        config.server.listen = listen;
    }
    if let Some(data_dir) = &sources.data_dir {
        config.server.data_dir.clone_from(data_dir);
    }
    let notes = reading.finish();
    let known = notes.known_keys().map(Into::into).collect();
    config.warnings = notes.warnings;
    (if notes.faults.is_empty() { Ok(config) } else { Err(Faults(notes.faults)) }, known)
}

fn sections<'a>(reading: &'a Reading<'a>, body: &'a DeTable<'a>, sources: &Sources, base: &Entries, is_whole: bool) -> Config {
    let root = reading.root(body);
    let mut places = Places::default();
    store::read(root.section("store"));
    later::signup(root.section("signup"));
    later::billing(root.section("billing"));
    for name in ["email", "oidc", "retention", "otel"] {
        later::empty(root.section(name), name);
    }
    let config = Config {
        server: Server::read(root.section("server")),
        limits: Limits::read(root.section("limits")),
        errors: Errors::read(root.section("errors")),
        metrics: MetricsSection::read(root.section("metrics")),
        log: Log::read(root.section("log")),
        discovery: Discovery::read(root.section("discovery")),
        providers: providers::read(root.tables("providers"), &sources.environment, &mut places),
        models: models::read(root.tables("models"), &mut places),
        plans: plans::read(root.tables("plans"), &mut places),
        warnings: Vec::new(),
    };
    root.close();
    // Where the text is broken, an entry may be missing for that reason alone.
    if is_whole {
        let providers = config.providers.iter().map(|p| p.provider.clone()).collect();
        let file = Entries { providers, models: config.models.clone(), plans: config.plans.clone() };
        cross::check(reading, &file, base, &places);
    }
    config
}

#[cfg(test)]
mod tests;
