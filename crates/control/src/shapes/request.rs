//! One request as the API writes it: what was decided, by which pool, and how it fared.

use domain::{AttemptRecord, UsageRecord};
use serde::Serialize;
use store::{RequestStory, ToldRefusal};
use utoipa::ToSchema;

use super::amount::Amount;
use super::choice::{Category, Kind};
use super::time::Time;

/// What was decided about a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Decision {
    /// It was let in, whatever came of it.
    Admitted,
    /// A limit had no room for it.
    Refused,
}

/// One request.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Request {
    /// Its id, as in `x-request-id`.
    id: String,
    /// When it arrived; of a refused one, when it was refused.
    at: Time,
    /// Whose it was.
    org: String,
    /// Which key asked.
    key: String,
    /// The plan in force.
    plan: String,
    /// The catalogue's model.
    model: String,
    /// The model's category, where it has one.
    #[schema(required)]
    category: Option<Category>,
    /// The pool it counted in, or that refused it.
    pool: String,
    /// What was decided.
    decision: Decision,
    /// How it fared; `null` where it was refused.
    #[schema(required)]
    outcome: Option<RequestOutcome>,
    /// Its attempts at providers in the order of their ends, where there were several or one failed. Empty where there is no more to tell.
    attempts: Vec<RequestAttempt>,
    /// The limits that refused it, or would have.
    refusals: Vec<RequestRefusal>,
}

/// How an admitted request fared.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RequestOutcome {
    /// `answered`, `cut`, `client_gone`, `broken`, `rejected` or `failed`.
    #[schema(value_type = String)]
    end: &'static str,
    /// The HTTP status that the client was sent; 499 where it left before any.
    status: u16,
    /// The provider that answered or was tried last; `null`: none was.
    #[schema(required)]
    provider: Option<String>,
    /// `chat_completions`, `completions` or `embeddings`.
    #[schema(value_type = String)]
    endpoint: &'static str,
    /// Whether it was streamed.
    stream: bool,
    /// Input tokens charged, cached ones included.
    input_tokens: u64,
    /// Output tokens charged.
    output_tokens: u64,
    /// Input tokens that the provider had cached.
    cached_tokens: u64,
    /// Output tokens that the provider counted as reasoning.
    reasoning_tokens: u64,
    /// Who counted them: `provider`, `tidegate`, or `estimate` where nobody could and the hold stands for it.
    #[schema(value_type = String)]
    counted: &'static str,
    /// Tokens that it produced without room, which its limits were owed.
    debt_tokens: u64,
    /// Cost.
    cost: Amount,
    /// Attempts made at providers.
    attempts: u32,
    /// Whether one target answered after another had failed.
    recovered: bool,
    /// Time that it waited for room before it was admitted, in milliseconds.
    waited_ms: f64,
    /// Time to the first byte of the answer's body, in milliseconds; 0 where there was none.
    first_byte_ms: f64,
    /// Time that its answer paused for room, in milliseconds.
    paused_ms: f64,
    /// Time to the end, in milliseconds.
    duration_ms: f64,
}

/// One attempt at a provider.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RequestAttempt {
    /// The provider.
    provider: String,
    /// The model's name there.
    model: String,
    /// `answered`, `rejected`, `rate_limited`, `overloaded`, `failed`, `timed_out`, `credential`, `billing`, `missing`, `broken`, `cancelled`
    /// or `client_gone`.
    #[schema(value_type = String)]
    end: &'static str,
    /// The HTTP status of the provider's refusal, if it was one.
    #[schema(required)]
    status: Option<u16>,
    /// When it began, in milliseconds after the request's arrival.
    begun_ms: f64,
    /// How long it took until it was known how it ends, in milliseconds.
    lasted_ms: f64,
    /// What it may have cost beside what the request is charged: the provider of a cancelled attempt may have worked all the same.
    cost: Amount,
}

/// A limit that refused a request.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RequestRefusal {
    /// The pool.
    pool: String,
    /// What is counted.
    kind: Kind,
    /// The window in seconds; `null` for `concurrent`.
    #[schema(required)]
    window_seconds: Option<f64>,
    /// How many units the limit has.
    limit: u64,
    /// Units logged in the window.
    used: u64,
    /// Units held.
    held: u64,
    /// Units asked.
    requested: u64,
    /// The wait that was announced, in milliseconds; `null`: it can never pass.
    #[schema(required)]
    retry_after_ms: Option<u64>,
    /// Whether it refused; `false`: the limit only records.
    enforce: bool,
    /// Requests of the same second for which this stands.
    requests: u64,
}

impl Request {
    /// What the store knows of it; `None`: nothing.
    pub(crate) fn of(story: RequestStory) -> Option<Self> {
        let RequestStory { usage, refusals } = story;
        let first = refusals.first().map(|told| &told.event);
        let (decision, request, at, org, key, plan, model, category, pool) = match (&usage, first) {
            (Some(of), _) => (Decision::Admitted, of.request, of.at, of.org, of.key, &of.plan, &of.model, of.category, &of.pool),
            (None, Some(of)) => (Decision::Refused, of.request, of.at, of.org, of.key, &of.plan, &of.model, of.category, &of.pool),
            (None, None) => return None,
        };
        Some(Self {
            id: request.to_string(),
            at: Time(at),
            org: org.to_string(),
            key: key.to_string(),
            plan: plan.as_str().into(),
            model: model.as_str().into(),
            category: category.map(Into::into),
            pool: pool.as_ref().into(),
            decision,
            outcome: usage.as_ref().map(RequestOutcome::of),
            attempts: usage.iter().flat_map(|of| &of.attempt_list).map(RequestAttempt::of).collect(),
            refusals: refusals.into_iter().map(RequestRefusal::of).collect(),
        })
    }
}

impl RequestOutcome {
    fn of(of: &UsageRecord) -> Self {
        Self {
            end: of.outcome.as_str(),
            status: of.status,
            provider: of.provider.as_ref().map(|name| name.as_str().into()),
            endpoint: of.endpoint.as_str(),
            stream: of.stream,
            input_tokens: of.tokens.input,
            output_tokens: of.tokens.output,
            cached_tokens: of.tokens.cached,
            reasoning_tokens: of.tokens.reasoning,
            counted: of.counted.as_str(),
            debt_tokens: of.debt,
            cost: Amount(of.cost),
            attempts: of.attempts,
            recovered: of.is_recovered(),
            waited_ms: ms(of.waited_us),
            first_byte_ms: ms(of.first_byte_us),
            paused_ms: ms(of.paused_us),
            duration_ms: ms(of.duration_us),
        }
    }
}

impl RequestAttempt {
    fn of(of: &AttemptRecord) -> Self {
        Self {
            provider: of.provider.as_str().into(),
            model: of.model.clone(),
            end: of.end.as_str(),
            status: of.status,
            begun_ms: ms(of.begun_us),
            lasted_ms: ms(of.lasted_us),
            cost: Amount(of.cost),
        }
    }
}

impl RequestRefusal {
    fn of(told: ToldRefusal) -> Self {
        let ToldRefusal { event: of, refused } = told;
        Self {
            pool: of.pool.as_ref().into(),
            kind: of.kind.into(),
            window_seconds: (of.window_us > 0).then(|| of.window_us as f64 / 1e6),
            limit: of.limit,
            used: of.used,
            held: of.held,
            requested: of.requested,
            retry_after_ms: of.retry_after_ms,
            enforce: !of.shadow,
            requests: refused,
        }
    }
}

fn ms(us: u64) -> f64 {
    us as f64 / 1e3
}
