//! The configuration: a file a section here. Precedence is flag, environment, file, default. Every fault is found in
//! one reading; nothing here acts on what was configured.

mod billing;
mod cross;
mod discovery;
mod email;
mod errors;
mod explain;
mod fault;
mod later;
mod limits;
mod log;
mod metrics;
mod models;
mod oidc;
mod plans;
mod providers;
mod retention;
mod secret;
mod server;
mod signup;
mod spend;
mod store;
mod table;
mod written;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;

use domain::{Model, Plan, Provider};
use toml::de::DeTable;

pub use billing::Billing;
pub use discovery::Discovery;
pub use email::{Email, Security};
pub use errors::Errors;
pub use fault::{Fault, Faults, Place};
pub use limits::Limits;
pub use listener::{Network, TlsFiles};
pub use log::{Log, LogFormat};
pub use metrics::MetricsSection;
pub use oidc::Oidc;
pub use providers::{ConfiguredProvider, Credential};
pub use server::Server;
pub use spend::Spend;

pub(crate) use server::is_unspecified;
pub(crate) use written::parse_listen;

use crate::seed;

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
    /// `[spend]`
    pub spend: Spend,
    /// `[signup]`
    pub sign_up: control::SignUpConfig,
    /// Tokens a minute that all organisations on the plan of `sign_up` may use together; `None`: as many as each may.
    pub total_tpm: Option<u64>,
    /// `[billing]`
    pub billing: Billing,
    /// `[email]`; `None`: no mail is sent.
    pub email: Option<Email>,
    /// `[oidc]`; `None`: people log in with passwords alone.
    pub oidc: Option<Oidc>,
    /// `[retention]`
    pub retention: ::store::Retention,
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
    /// `--demo`
    pub demo: bool,
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
    /// `--demo`
    pub demo: bool,
}

impl Config {
    /// Reads and checks a configuration; its entries may refer to what is built in and what is found.
    ///
    /// # Errors
    /// Every fault at once.
    pub fn read(sources: &Sources) -> Result<Self, Faults> {
        read(sources, Some(seed::base(&sources.environment)?)).0
    }

    /// The configuration that a text alone gives.
    ///
    /// # Errors
    /// Every fault at once.
    pub fn from_toml(text: &str) -> Result<Self, Faults> {
        Self::read(&Sources { file: Some(("configuration".into(), text.into())), ..Sources::default() })
    }

    /// The entries of a built-in text, which refer to nothing but each other.
    pub(crate) fn built_in(name: &str, text: &str) -> Result<Entries, Faults> {
        let config = read(&Sources { file: Some((name.into(), text.into())), ..Sources::default() }, None).0?;
        let providers = config.providers.into_iter().map(|p| p.provider).collect();
        Ok(Entries { providers, models: config.models, plans: config.plans })
    }

    /// Whether the demo is there: asked for, or nothing else is configured.
    pub(crate) fn has_demo(&self) -> bool {
        self.demo || (self.providers.is_empty() && self.discovery.demo)
    }

    /// Whether keys in the environment make providers.
    pub(crate) fn uses_environment(&self) -> bool {
        self.providers.is_empty() && self.discovery.environment
    }

    /// Whether model servers on this machine are looked for.
    pub(crate) fn looks_around(&self) -> bool {
        self.providers.is_empty() && self.discovery.local
    }
}

fn read(sources: &Sources, base: Option<seed::Base>) -> (Result<Config, Faults>, Vec<String>) {
    let (name, text) = sources.file.as_ref().map_or(("(defaults)", ""), |(name, text)| (name, text));
    let reading = Reading::new(Source::new(name, text), &sources.environment);
    let (body, broken) = DeTable::parse_recoverable(text);
    for error in &broken {
        reading.broken(reading.place(error.span().map_or(0, |s| s.start)), error.message());
    }
    let mut places = Places::default();
    let mut config = sections(&reading, body.get_ref(), sources, &mut places);
    // Where the text is broken, an entry may be missing for that reason alone.
    if broken.is_empty() {
        let base = base.map(|base| base.of(&config)).unwrap_or_default();
        cross::check(&reading, &config, &base, &places);
    }
    if let Some(listen) = sources.listen {
        config.server.listen = listen;
    }
    if let Some(data_dir) = &sources.data_dir {
        config.server.data_dir.clone_from(data_dir);
    }
    if let Some(oidc) = config.oidc.as_ref().filter(|_| config.server.public_url.is_none() && !config.server.is_loopback()) {
        let message = "[oidc] needs public_url in [server]: the address under which browsers reach this server, and come back to it";
        reading.fault(oidc.place.clone(), message);
    }
    let notes = reading.finish();
    let known = notes.known_keys().map(Into::into).collect();
    config.warnings = notes.warnings;
    (if notes.faults.is_empty() { Ok(config) } else { Err(Faults(notes.faults)) }, known)
}

fn sections<'a>(reading: &'a Reading<'a>, body: &'a DeTable<'a>, sources: &Sources, places: &mut Places) -> Config {
    let root = reading.root(body);
    store::read(root.section("store"));
    later::empty(root.section("otel"), "otel");
    let (sign_up, total_tpm) = signup::read(root.section("signup"), places);
    let config = Config {
        server: Server::read(root.section("server")),
        limits: Limits::read(root.section("limits")),
        spend: Spend::read(root.section("spend")),
        sign_up,
        total_tpm,
        billing: billing::read(root.section("billing"), &sources.environment),
        email: Email::read(root.section("email")),
        oidc: Oidc::read(root.section("oidc"), &sources.environment),
        retention: retention::read(root.section("retention")),
        errors: Errors::read(root.section("errors")),
        metrics: MetricsSection::read(root.section("metrics")),
        log: Log::read(root.section("log")),
        discovery: Discovery::read(root.section("discovery")),
        providers: providers::read(root.tables("providers"), &sources.environment, places),
        models: models::read(root.tables("models"), places),
        plans: plans::read(root.tables("plans"), places),
        demo: sources.demo,
        warnings: Vec::new(),
    };
    root.close();
    config
}

#[cfg(test)]
mod tests;
