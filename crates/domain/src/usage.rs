//! What is written down of a request: usage records and refusals.

use std::sync::Arc;

use serde::Serialize;

use crate::{AttemptEnd, AttemptRecord, Category, KeyId, Kind, ModelId, Money, OrgId, PlanId, ProviderName, RequestId, UnixMicros};

/// Which endpoint of the model API was called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Endpoint {
    /// `/v1/chat/completions`
    ChatCompletions,
    /// `/v1/completions`
    Completions,
    /// `/v1/embeddings`
    Embeddings,
}

impl Endpoint {
    /// The name as records and metrics write it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ChatCompletions => "chat_completions",
            Self::Completions => "completions",
            Self::Embeddings => "embeddings",
        }
    }
}

/// Tokens of one request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TokenUsage {
    /// Input tokens, cached ones included.
    pub input: u64,
    /// Output tokens, reasoning included.
    pub output: u64,
    /// Input tokens that the provider had cached.
    pub cached: u64,
    /// Output tokens that no client sees as text: the provider counted them as reasoning.
    pub reasoning: u64,
}

impl TokenUsage {
    /// Input plus output.
    pub fn total(self) -> u64 {
        self.input.saturating_add(self.output)
    }
}

/// Who counted a record's tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Counted {
    /// The provider's `usage`.
    Provider,
    /// Tidegate, from the text with a tokenizer.
    Tidegate,
    /// Nobody could: the hold stands for it.
    Estimate,
}

impl Counted {
    /// The name as records write it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Provider => "provider",
            Self::Tidegate => "tidegate",
            Self::Estimate => "estimate",
        }
    }
}

/// How an admitted request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// 2xx and delivered whole.
    Answered,
    /// 2xx begun, ended early by its limits as if `max_tokens` had been reached.
    Cut,
    /// 2xx begun, the client left before the end.
    ClientGone,
    /// 2xx begun, the provider broke before the end.
    Broken,
    /// A provider's 4xx about the request, passed on.
    Rejected,
    /// No answer: all providers failed, timed out or were rate limited, or the client left before any.
    Failed,
}

impl Outcome {
    /// Whether it counts in `totals.requests` (2xx, even if partly delivered) rather than in `totals.failed`.
    pub const fn is_answered(self) -> bool {
        match self {
            Self::Answered | Self::Cut | Self::ClientGone | Self::Broken => true,
            Self::Rejected | Self::Failed => false,
        }
    }

    /// The name as records and metrics write it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Answered => "answered",
            Self::Cut => "cut",
            Self::ClientGone => "client_gone",
            Self::Broken => "broken",
            Self::Rejected => "rejected",
            Self::Failed => "failed",
        }
    }
}

/// One admitted request, written once when it ends.
#[derive(Clone, Debug)]
pub struct UsageRecord {
    /// The request's id, unique. It begins with the millisecond of `at`: usage of a span of time is found by it.
    pub request: RequestId,
    /// When it arrived.
    pub at: UnixMicros,
    /// Whose it was.
    pub org: OrgId,
    /// Which key asked.
    pub key: KeyId,
    /// The plan in force.
    pub plan: PlanId,
    /// The catalogue's model.
    pub model: ModelId,
    /// The model's category, where it has one.
    pub category: Option<Category>,
    /// The pool it counted in.
    pub pool: Arc<str>,
    /// The provider that answered or was tried last; `None`: none was.
    pub provider: Option<ProviderName>,
    /// Which endpoint was called.
    pub endpoint: Endpoint,
    /// Whether it was streamed.
    pub stream: bool,
    /// The HTTP status that the client was sent; 499 where it left before any.
    pub status: u16,
    /// How it ended.
    pub outcome: Outcome,
    /// Tokens charged.
    pub tokens: TokenUsage,
    /// Who counted them.
    pub counted: Counted,
    /// Input and output at the catalogue's prices.
    pub cost: Money,
    /// Attempts made at providers.
    pub attempts: u32,
    /// Time to the first byte of the answer's body, in microseconds; 0 where there was none.
    pub first_byte_us: u64,
    /// Time to the end, in microseconds.
    pub duration_us: u64,
    /// Time that it waited for room before it was admitted, in microseconds.
    pub waited_us: u64,
    /// Time that its answer paused for room, in microseconds.
    pub paused_us: u64,
    /// Tokens that it produced without room, which its limits were owed.
    pub debt: u64,
    /// Its attempts in the order of their ends, where there were several or one failed; empty where there is no more to tell than the rest does.
    pub attempt_list: Vec<AttemptRecord>,
}

impl UsageRecord {
    /// Whether one target answered after another had failed.
    pub fn is_recovered(&self) -> bool {
        self.outcome.is_answered() && self.attempt_list.iter().any(|attempt| matches!(attempt.end, AttemptEnd::Failed(_)))
    }
}

/// One refusal by a pool: what was asked, and of what.
#[derive(Clone, Debug)]
pub struct RefusalEvent {
    /// The request's id.
    pub request: RequestId,
    /// When it was refused.
    pub at: UnixMicros,
    /// Whose request it was.
    pub org: OrgId,
    /// Which key asked.
    pub key: KeyId,
    /// The plan in force.
    pub plan: PlanId,
    /// The catalogue's model.
    pub model: ModelId,
    /// The model's category, where it has one.
    pub category: Option<Category>,
    /// The pool that refused.
    pub pool: Arc<str>,
    /// Which of its limits.
    pub kind: Kind,
    /// That limit's window in microseconds; 0 for `Concurrent`.
    pub window_us: u64,
    /// The limit's number, what was used and held of it, and what was asked.
    pub limit: u64,
    /// Units logged in the window.
    pub used: u64,
    /// Units held.
    pub held: u64,
    /// Units asked.
    pub requested: u64,
    /// The wait announced, in milliseconds; `None`: it can never pass.
    pub retry_after_ms: Option<u64>,
    /// Whether the limit only records: the request was admitted all the same.
    pub shadow: bool,
}
