//! The members of a request that decide something, by name.
//! It refuses names that only some providers would take for one of them.

use crate::json::Text;

/// A member that decides something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Param {
    Model,
    Stream,
    StreamOptions,
    MaxTokens,
    MaxCompletionTokens,
    N,
    BestOf,
    Messages,
    Prompt,
    Input,
    Tools,
    Functions,
    ResponseFormat,
}

impl Param {
    /// Those that nothing else may look like: that a provider answers in another form than was asked harms nobody else.
    const ALL: [Self; 12] = [
        Self::Model,
        Self::Stream,
        Self::StreamOptions,
        Self::MaxTokens,
        Self::MaxCompletionTokens,
        Self::N,
        Self::BestOf,
        Self::Messages,
        Self::Prompt,
        Self::Input,
        Self::Tools,
        Self::Functions,
    ];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Model => "model",
            Self::Stream => "stream",
            Self::StreamOptions => "stream_options",
            Self::MaxTokens => "max_tokens",
            Self::MaxCompletionTokens => "max_completion_tokens",
            Self::N => "n",
            Self::BestOf => "best_of",
            Self::Messages => "messages",
            Self::Prompt => "prompt",
            Self::Input => "input",
            Self::Tools => "tools",
            Self::Functions => "functions",
            Self::ResponseFormat => "response_format",
        }
    }

    fn by_name(name: &[u8]) -> Option<Self> {
        Some(match name {
            b"model" => Self::Model,
            b"stream" => Self::Stream,
            b"stream_options" => Self::StreamOptions,
            b"max_tokens" => Self::MaxTokens,
            b"max_completion_tokens" => Self::MaxCompletionTokens,
            b"n" => Self::N,
            b"best_of" => Self::BestOf,
            b"messages" => Self::Messages,
            b"prompt" => Self::Prompt,
            b"input" => Self::Input,
            b"tools" => Self::Tools,
            b"functions" => Self::Functions,
            b"response_format" => Self::ResponseFormat,
            _ => return None,
        })
    }
}

/// What a member's name is to us.
pub(super) enum Named {
    Known(Param),
    /// Another name that folds to this one.
    LooksLike(&'static str),
    Other,
}

/// Finds a top-level member's name, escapes read.
#[inline]
pub(super) fn named(name: &Text<'_>) -> Named {
    if name.plain {
        if let Some(param) = Param::by_name(name.raw) {
            return Named::Known(param);
        }
        if is_lower_case(name.raw) {
            return Named::Other;
        }
    }
    let said = name.decode();
    if let Some(param) = Param::by_name(said.as_bytes()) {
        return Named::Known(param);
    }
    Param::ALL.into_iter().find(|param| folds_to(&said, param.name())).map_or(Named::Other, |param| Named::LooksLike(param.name()))
}

/// Whether a name isn't `meant` but Go's `encoding/json`, which Ollama reads requests with, would take it for that: upper and
/// lower case are the same to it, and so are U+017F to `s` and U+212A to `k`.
pub(super) fn looks_like(name: &Text<'_>, meant: &str) -> bool {
    let is_itself_or_another = name.is(meant) || (name.plain && is_lower_case(name.raw));
    !is_itself_or_another && folds_to(&name.decode(), meant)
}

fn is_lower_case(name: &[u8]) -> bool {
    name.iter().all(|byte| matches!(byte, b'a'..=b'z' | b'_' | b'0'..=b'9' | b'-'))
}

fn folds_to(name: &str, meant: &str) -> bool {
    let folded = name.chars().map(|c| match c {
        '\u{17F}' => 's',
        '\u{212A}' => 'k',
        other => other.to_ascii_lowercase(),
    });
    folded.eq(meant.chars())
}
