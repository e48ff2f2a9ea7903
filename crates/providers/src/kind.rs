//! Which language each kind of provider speaks. It refuses to know the languages' contents.

use domain::ProviderKind;

use crate::openai::Dialect;

/// How a provider of some kind is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wire {
    /// Over HTTP in OpenAI's language.
    OpenAi(&'static Dialect),
    /// Not at all: [`crate::demo`] simulates it.
    Demo,
}

/// The language of a kind.
pub const fn wire(kind: ProviderKind) -> Wire {
    match kind {
        ProviderKind::Openai => Wire::OpenAi(&crate::openai::OPENAI),
        ProviderKind::Vllm => Wire::OpenAi(&crate::openai::VLLM),
        ProviderKind::Ollama => Wire::OpenAi(&crate::openai::OLLAMA),
        ProviderKind::LlamaCpp => Wire::OpenAi(&crate::openai::LLAMA_CPP),
        ProviderKind::Demo => Wire::Demo,
    }
}
