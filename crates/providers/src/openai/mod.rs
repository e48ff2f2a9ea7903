//! OpenAI's language over HTTP: paths, credentials, and what its look-alikes do differently.
//! It refuses to send anything.

mod texts;
mod usage;

#[cfg(test)]
pub(crate) use texts::LaneKind;
pub(crate) use texts::{Choices, Lane, choices};
pub(crate) use usage::usage;

use domain::Endpoint;

/// What distinguishes one speaker of OpenAI's language from the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dialect {
    /// The kind's name for people.
    pub label: &'static str,
    /// Where its API begins when nothing else is configured.
    pub default_base_url: &'static str,
    /// The environment variable that usually holds its credential; `None`: it usually needs none.
    pub credential_env: Option<&'static str>,
}

/// OpenAI itself, and every look-alike without quirks.
pub static OPENAI: Dialect =
    Dialect { label: "OpenAI", default_base_url: "https://api.openai.com/v1", credential_env: Some("OPENAI_API_KEY") };
/// vLLM's server.
pub static VLLM: Dialect = Dialect { label: "vLLM", default_base_url: "http://127.0.0.1:8000/v1", credential_env: Some("VLLM_API_KEY") };
/// Ollama.
pub static OLLAMA: Dialect = Dialect { label: "Ollama", default_base_url: "http://127.0.0.1:11434/v1", credential_env: None };
/// llama.cpp's server.
pub static LLAMA_CPP: Dialect =
    Dialect { label: "llama.cpp", default_base_url: "http://127.0.0.1:8080/v1", credential_env: Some("LLAMA_API_KEY") };

impl Dialect {
    /// What is appended to the base URL, without its trailing slash, for an endpoint.
    pub const fn path(&self, endpoint: Endpoint) -> &'static str {
        match endpoint {
            Endpoint::ChatCompletions => "/chat/completions",
            Endpoint::Completions => "/completions",
            Endpoint::Embeddings => "/embeddings",
        }
    }

    /// What is appended to the base URL for the list of models (`{"data":[{"id"}]}`), which also serves as a test of the credential.
    pub const fn models_path(&self) -> &'static str {
        "/models"
    }

    /// The header that carries the credential: its name in lower case and its value.
    pub fn credential_header(&self, credential: &str) -> (&'static str, String) {
        ("authorization", format!("Bearer {credential}"))
    }
}
