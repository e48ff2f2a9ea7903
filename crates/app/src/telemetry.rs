//! Logs: structured lines to standard error through a bounded queue that never blocks. Prompts, keys and tokens are
//! never given to it.

use std::io::{IsTerminal as _, stderr};

use tracing_appender::non_blocking::{ErrorCounter, NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::filter::EnvFilter;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::util::TryInitError;

use crate::caps::LOG_LINES;
use crate::config::{Log, LogFormat};

/// Libraries that write down what passes through them; only a directive that names one opens it.
const QUIET: &str = "h2=warn,hyper=warn,hyper_util=warn,rustls=warn,sqlx=warn,tokio_util=warn";

/// Keeps the logs flowing; what is queued is written when it is dropped.
#[derive(Debug)]
pub struct Telemetry {
    dropped: ErrorCounter,
    _worker: WorkerGuard,
}

impl Telemetry {
    /// Starts logging for the whole process.
    ///
    /// # Errors
    /// Where something else logs already.
    pub fn start(log: &Log) -> Result<Self, TryInitError> {
        let (writer, worker) =
            NonBlockingBuilder::default().lossy(true).buffered_lines_limit(LOG_LINES).thread_name("log").finish(stderr());
        let dropped = writer.error_counter();
        let filter: EnvFilter = format!("{QUIET},{}", log.filter).parse().unwrap_or_default();
        let is_human = match log.format {
            LogFormat::Human => true,
            LogFormat::Json => false,
            LogFormat::Auto => stderr().is_terminal(),
        };
        let subscriber = tracing_subscriber::fmt().with_env_filter(filter).with_writer(writer).with_ansi(false);
        if is_human {
            subscriber.finish().try_init()?;
        } else {
            subscriber.json().flatten_event(true).with_current_span(false).with_span_list(false).finish().try_init()?;
        }
        Ok(Self { dropped, _worker: worker })
    }

    /// Counts the lines that were dropped, since they came faster than they could be written.
    pub fn drops(&self) -> ErrorCounter {
        self.dropped.clone()
    }
}

/// Has panics logged like everything else, without the message's place being lost.
pub(crate) fn log_panics() {
    std::panic::set_hook(Box::new(|info| {
        let place = info.location().map(ToString::to_string).unwrap_or_default();
        let message = info.payload_as_str().unwrap_or("(no message)");
        tracing::error!(place, message, "a task panicked");
    }));
}
