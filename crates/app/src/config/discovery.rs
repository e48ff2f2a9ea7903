//! `[discovery]`: what is set up by itself while no `[[providers]]` are configured.

use super::table::Table;

/// `[discovery]`. All of it only while the configuration names no provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Discovery {
    /// Providers whose key is in the environment, such as `OPENAI_API_KEY`.
    pub environment: bool,
    /// An Ollama, vLLM or llama.cpp server on this machine.
    pub local: bool,
    /// The built-in, simulated `demo` provider.
    pub demo: bool,
}

impl Discovery {
    pub(super) fn read(table: Table<'_>) -> Self {
        let on = |key| table.get(key).unwrap_or(true);
        let discovery = Self { environment: on("environment"), local: on("local"), demo: on("demo") };
        table.close();
        discovery
    }
}
