//! What a server is started with: the configuration and what the command line and the environment add to it.

use domain::Provider;
use providers::demo::Speed;
use secrecy::SecretString;
use tracing_appender::non_blocking::ErrorCounter;

use crate::config::{Config, ConfiguredProvider};

/// Everything that `App::start` needs besides clock and entropy.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The checked configuration. Its `server.listen` may have port 0, its `server.data_dir` is made where it is missing.
    pub config: Config,
    /// `TIDEGATE_OPERATOR_TOKEN`; `None`: the one kept in the data folder, made at first start.
    pub operator_token: Option<SecretString>,
    /// Providers whose key was found in the environment. They are asked for their models where the configuration allows it.
    pub found: Vec<ConfiguredProvider>,
    /// Model servers to look for, where the configuration allows it.
    pub local: Vec<Provider>,
    /// How fast the demo answers.
    pub demo_speed: Speed,
    /// Whether `HTTPS_PROXY` and its like are honoured on the way to providers.
    pub proxy_from_environment: bool,
    /// Counts dropped log lines, for the metrics.
    pub log_drops: Option<ErrorCounter>,
}

impl Settings {
    /// The configuration alone: nothing is found, nothing is looked for, no proxy.
    pub fn new(config: Config) -> Self {
        Self {
            config,
            operator_token: None,
            found: Vec::new(),
            local: Vec::new(),
            demo_speed: Speed::default(),
            proxy_from_environment: false,
            log_drops: None,
        }
    }

    /// The providers found in the environment that are to be used.
    pub(crate) fn found_in_use(&self) -> &[ConfiguredProvider] {
        if self.config.uses_environment() { &self.found } else { &[] }
    }

    /// The servers that are to be looked for.
    pub(crate) fn local_in_use(&self) -> &[Provider] {
        if self.config.looks_around() { &self.local } else { &[] }
    }
}
