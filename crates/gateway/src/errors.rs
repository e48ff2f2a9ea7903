//! The one place where faults become answers: status, OpenAI's object, headers, and words for people. The words kept for
//! the 429 stand in no other message.

use bytes::Bytes;
use domain::{Kind, PlanId, RateLimitBody, Source};
use http::StatusCode;
use providers::RequestFault;
use serde::Serialize;

use crate::admit::{AdmitFault, RateLimited};
use crate::authenticate::AuthFault;
use crate::dispatch::DispatchFault;
use crate::problem::{Content, ErrorObject, Problem, json};
use crate::receive::ReceiveFault;
use crate::resolve::ResolveFault;
use crate::spend::SpendRefused;

/// Nothing lies at this path.
pub(crate) fn unknown_path(method: &http::Method, path: &str) -> Problem {
    let path: String = path.chars().take(200).collect();
    let message = format!(
        "There is nothing at {method} {path}. The model API has POST /v1/chat/completions, /v1/completions and /v1/embeddings, \
         and GET /v1/models, /v1/models/{{id}} and /v1/limits."
    );
    Problem::invalid(StatusCode::NOT_FOUND, "unknown_url", message)
}

/// The path takes another method.
pub(crate) fn wrong_method(method: &http::Method, allow: &'static str) -> Problem {
    let message = format!("{method} is not taken here: use {allow}.");
    Problem { allow: Some(allow), ..Problem::invalid(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", message) }
}

/// The server ends.
pub(crate) fn shutting_down() -> Problem {
    let message = "This gateway is shutting down. Send the request again: another instance, or this one once restarted, will take it.";
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, "server_error", "unavailable", message).close()
}

/// A defect of ours.
pub(crate) fn internal() -> Problem {
    let message = "Something in this gateway went wrong. Tell its operator the request id in the x-request-id header.";
    Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "server_error", "internal_error", message)
}

impl From<AuthFault> for Problem {
    fn from(fault: AuthFault) -> Self {
        let message = match fault {
            AuthFault::NoKey => "No API key was sent. Send it as `Authorization: Bearer tg_…` or as `X-API-Key`.".into(),
            AuthFault::NotBearer => "The Authorization header is not `Bearer` and an API key. Send `Authorization: Bearer tg_…`.".into(),
            AuthFault::TwoKeys => "Two different API keys were sent. Send one, in `Authorization` or in `X-API-Key`.".into(),
            AuthFault::Unknown => "The API key is not known here. Check that it is whole, and that it was made at this gateway.".into(),
            AuthFault::Revoked => "The API key was revoked. Make a new one, or ask whoever manages your organisation's keys.".into(),
            AuthFault::Disabled => "The API key is disabled. Enable it, or ask whoever manages your organisation's keys.".into(),
            AuthFault::Expired(at) => format!("The API key expired at {at}. Make a new one, or ask whoever manages your keys."),
            AuthFault::OrgDeleted => "The organisation of this API key was deleted. Ask the operator of this gateway.".into(),
        };
        Self { challenge: true, ..Self::invalid(StatusCode::UNAUTHORIZED, "invalid_api_key", message) }
    }
}

impl From<ReceiveFault> for Problem {
    fn from(fault: ReceiveFault) -> Self {
        match fault {
            ReceiveFault::Encoded => {
                let message = "Compressed request bodies are not taken. Send the JSON as it is, without Content-Encoding.";
                Self::invalid(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_encoding", message).close()
            }
            ReceiveFault::TooLarge(most) => {
                let message = format!("The body is larger than the {most} bytes that this gateway takes. Send less, or ask its operator.");
                Self::invalid(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", message).final_word().close()
            }
            ReceiveFault::TooSlow(within) => {
                let message = format!("The body did not arrive within {} s. Send it faster.", within.as_secs_f64());
                Self::invalid(StatusCode::REQUEST_TIMEOUT, "body_timeout", message).close()
            }
            ReceiveFault::Broken => Self::invalid(StatusCode::BAD_REQUEST, "incomplete_body", "The body broke off before its end.").close(),
        }
    }
}

impl From<RequestFault> for Problem {
    fn from(fault: RequestFault) -> Self {
        let problem = Self::invalid(StatusCode::BAD_REQUEST, "invalid_request", format!("{}.", sentence(&fault.to_string())));
        match fault.param() {
            Some(param) => problem.param(param),
            None => problem,
        }
    }
}

impl From<ResolveFault> for Problem {
    fn from(fault: ResolveFault) -> Self {
        match fault {
            ResolveFault::NoSuchModel { name, near } => {
                let name: String = name.chars().take(200).collect();
                let hint = match near.as_slice() {
                    [] => "GET /v1/models lists the models that you may use.".into(),
                    near => format!("Did you mean {}?", list(near.iter().map(domain::ModelId::as_str), "or")),
                };
                let message = format!("There is no model `{name}` here. {hint}");
                Self::invalid(StatusCode::NOT_FOUND, "model_not_found", message).param("model").final_word()
            }
            ResolveFault::NotInPlan { name, plan, plans } => {
                let hint = match plans.as_slice() {
                    [] => "No plan has it; ask the operator of this gateway for a custom limit.".into(),
                    plans => format!("It is in {}: change the plan to use it.", plan_names(plans)),
                };
                let message = format!("The model `{name}` is not in your organisation's plan, `{plan}`. {hint}");
                Self::new(StatusCode::FORBIDDEN, "permission_error", "model_not_in_plan", message).param("model").final_word()
            }
            ResolveFault::NotForKey { name, key } => {
                let message = format!(
                    "The API key {key} may not use the model `{name}`: it is confined to other models. \
                     Use another key, or ask whoever manages your organisation's keys."
                );
                Self::new(StatusCode::FORBIDDEN, "permission_error", "model_not_for_key", message).param("model").final_word()
            }
        }
    }
}

fn plan_names(plans: &[PlanId]) -> String {
    let noun = if plans.len() == 1 { "the plan" } else { "the plans" };
    format!("{noun} {}", list(plans.iter().map(PlanId::as_str), "and"))
}

/// `a`, `b` and `c`, each in backticks.
fn list<'a>(names: impl Iterator<Item = &'a str>, word: &str) -> String {
    let names: Vec<_> = names.map(|name| format!("`{name}`")).collect();
    match names.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} {word} {last}", rest.join(", ")),
        Some((only, _)) => only.clone(),
        None => String::new(),
    }
}

/// The first letter as a capital, where a sentence begins with a letter.
fn sentence(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}

impl AdmitFault {
    /// The answer to a caller who asked for `model` under this name and reads refusals in this shape.
    pub(crate) fn into_problem(self, model: &str, shape: RateLimitBody) -> Problem {
        match self {
            Self::JournalRefuses => {
                let message = "This gateway can't write usage down at the moment and admits nothing new. Try again in some seconds.";
                Problem::new(StatusCode::SERVICE_UNAVAILABLE, "server_error", "unavailable", message)
            }
            Self::TooManyInProgress => {
                let message = "Your organisation has as many requests in progress as one may have. Try again when some have ended.";
                Problem::new(StatusCode::SERVICE_UNAVAILABLE, "server_error", "unavailable", message)
            }
            Self::RateLimited(limited) => refusal(model, &limited, shape),
            Self::InputTooLarge { input, limit, window_us, pool, source } => {
                let message = format!(
                    "This request's input alone has {input} tokens, more than the {limit} that {} allows for {pool} in {} s, \
                     so it can never be admitted. Send a shorter input, or ask for a higher limit.",
                    whose(source),
                    window_us as f64 / 1e6,
                );
                Problem::invalid(StatusCode::PAYLOAD_TOO_LARGE, "request_exceeds_limit", message).final_word()
            }
            Self::Closed { pool, kind } => {
                let message =
                    format!("The limit of {} for {pool} is 0, so nothing is admitted there. Ask for a higher limit.", kind.as_str());
                Problem::new(StatusCode::FORBIDDEN, "permission_error", "limit_is_zero", message).final_word()
            }
        }
    }
}

const fn whose(source: Source) -> &'static str {
    match source {
        Source::Plan => "your organisation's plan",
        Source::Custom => "your organisation's agreement",
        Source::Key => "the API key's own limit",
    }
}

#[derive(Serialize)]
struct TextRefusal<'a> {
    error: String,
    code: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    limit: Option<LimitShape<'a>>,
    retry_after_ms: u64,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    estimate: bool,
}

#[derive(Serialize)]
struct ObjectRefusal<'a> {
    error: ErrorObject<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    limit: Option<LimitShape<'a>>,
    retry_after_ms: u64,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    estimate: bool,
}

#[derive(Serialize)]
struct LimitShape<'a> {
    pool: &'a str,
    kind: &'static str,
    limit: u64,
    used: u64,
    held: u64,
    requested: u64,
    window_seconds: Option<Number>,
}

/// Whole seconds as whole numbers.
#[derive(Serialize)]
#[serde(untagged)]
enum Number {
    Whole(u64),
    Fraction(f64),
}

const CODE: &str = "rate_limit_exceeded";

/// The 429. All its times come from one reading of the clock and are rounded up.
fn refusal(model: &str, limited: &RateLimited, shape: RateLimitBody) -> Problem {
    let now = limited.now;
    // Whatever is announced lies in the future.
    let at_us = limited.at_us.max(now.mono_us + 1);
    let wait_us = at_us - now.mono_us;
    let text = format!("{model} model is rate limited until {}", now.wall_at(at_us).to_rfc3339_rounded_up());
    let limit = limited.limit.as_ref().map(|b| LimitShape {
        pool: &b.pool,
        kind: b.kind.as_str(),
        limit: b.n,
        used: b.used,
        held: b.held,
        requested: b.requested,
        window_seconds: (b.window_us > 0).then(|| seconds(b.window_us)),
    });
    let (retry_after_ms, estimate) = (wait_us.div_ceil(1_000), limited.is_estimate);
    let kind = limited.limit.as_ref().map_or("requests", |b| if b.kind == Kind::Tokens { "tokens" } else { "requests" });
    let body: Bytes = match shape {
        RateLimitBody::Text => json(&TextRefusal { error: text, code: CODE, limit, retry_after_ms, estimate }),
        RateLimitBody::Openai => {
            let error = ErrorObject { message: &text, kind, param: None, code: CODE };
            json(&ObjectRefusal { error, limit, retry_after_ms, estimate })
        }
    };
    let problem = Problem::new(StatusCode::TOO_MANY_REQUESTS, kind, CODE, String::new()).wait(wait_us);
    Problem { content: Content::Body(body), ..problem }
}

fn seconds(us: u64) -> Number {
    if us.is_multiple_of(1_000_000) { Number::Whole(us / 1_000_000) } else { Number::Fraction(us as f64 / 1e6) }
}

impl DispatchFault {
    /// The answer to a caller who asked for `model` under this name and reads refusals in this shape.
    pub(crate) fn into_problem(self, model: &str, shape: RateLimitBody) -> Problem {
        match self {
            Self::AllRateLimited { at_us, now } => refusal(model, &RateLimited { limit: None, at_us, is_estimate: false, now }, shape),
            Self::NoTarget => {
                let message = format!("No provider has `{model}` yet: whoever runs this gateway has to add one that does.");
                Problem::new(StatusCode::SERVICE_UNAVAILABLE, "server_error", "unavailable", message)
            }
            Self::NoneTakes { opens: None } => {
                let message = format!("No provider takes requests for `{model}` at the moment. Try again later, or use another model.");
                Problem::new(StatusCode::SERVICE_UNAVAILABLE, "server_error", "unavailable", message)
            }
            Self::NoneTakes { opens: Some((at_us, now)) } => {
                let wait_us = at_us.max(now.mono_us + 1) - now.mono_us;
                let message = format!(
                    "No provider answers for `{model}` at the moment. Try again in {} s, or use another model.",
                    wait_us.div_ceil(1_000_000)
                );
                Problem::new(StatusCode::SERVICE_UNAVAILABLE, "server_error", "unavailable", message).wait(wait_us)
            }
            Self::Unfit { lacking } => {
                let message =
                    format!("No provider of `{model}` can do what this request needs: {lacking}. Leave that out, or use a model that can.");
                Problem::invalid(StatusCode::BAD_REQUEST, "unsupported_feature", message)
            }
            Self::TimedOut { provider, tried } => {
                let message = format!(
                    "The provider `{provider}` took too long to answer for `{model}`{}. Nothing was charged; try again, or ask for a shorter answer.",
                    after(tried)
                );
                Problem::new(StatusCode::GATEWAY_TIMEOUT, "server_error", "provider_timeout", message)
            }
            Self::Failed { provider, why, tried } => {
                let message = format!(
                    "The provider `{provider}` failed to answer for `{model}`{}: {why}. Nothing was charged; try again in a moment.",
                    after(tried)
                );
                Problem::new(StatusCode::BAD_GATEWAY, "server_error", "provider_error", message)
            }
            Self::OperatorFault { provider, status, tried } => {
                let message = format!(
                    "The provider `{provider}` refused this gateway's request for `{model}`{} (status {status}). That is for the operator \
                     of this gateway to put right; nothing was charged.",
                    after(tried)
                );
                Problem::new(StatusCode::BAD_GATEWAY, "server_error", "provider_error", message)
            }
        }
    }
}

impl SpendRefused {
    /// The answer to a caller who asked for `model` under this name. What the operator spends is none of its business.
    pub(crate) fn into_problem(self, model: &str) -> Problem {
        let message = format!(
            "This gateway takes no more requests for `{model}` today, as its operator has decided. Try again tomorrow (UTC), or ask whoever \
             runs it."
        );
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, "server_error", "unavailable", message).final_word()
    }
}

fn after(tried: u32) -> String {
    if tried > 1 { format!(" (the last of {tried} attempts)") } else { String::new() }
}

#[cfg(test)]
mod tests;
