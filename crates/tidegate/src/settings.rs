//! What a server is started with: the configuration and what the command line and the environment add to it.

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
    /// Providers whose key was found in the environment.
    pub found: Vec<ConfiguredProvider>,
    /// Whether to look for model servers on this machine and for the models of found providers, where the configuration
    /// allows it.
    pub looks_around: bool,
    /// Whether `HTTPS_PROXY` and its like are honoured on the way to providers.
    pub proxy_from_environment: bool,
    /// Counts dropped log lines, for the metrics.
    pub log_drops: Option<ErrorCounter>,
}

impl Settings {
    /// The configuration alone: nothing is found, nothing is looked for, no proxy.
    pub fn new(config: Config) -> Self {
        Self { config, operator_token: None, found: Vec::new(), looks_around: false, proxy_from_environment: false, log_drops: None }
    }
}
