//! What a provider's failed answer means: whose fault it is, whom it concerns, when to come back.
//! It refuses to decide where a request goes next, and reads no clock.

mod error_body;
mod head;
mod names;
mod quota;
mod times;

use domain::UnixMicros;

pub(crate) use error_body::ErrorBody;
pub use quota::{Allowance, Quota};
pub use times::When;

use crate::caps;
use crate::upstream_error::{speaks_of_rate_limits, without_keys_and_addresses};
use head::Head;
use names::Meaning;

/// Whose fault it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The client's: another provider would refuse it as well.
    Client,
    /// The provider refuses this account more for now.
    RateLimited,
    /// The provider has more to do than it can, for everybody.
    Overloaded,
    /// The provider failed.
    Failed,
    /// The operator's: the credential is wrong or lacks a permission.
    Credential,
    /// The operator's: the account has no money left. No waiting helps, so somebody should be told.
    Billing,
    /// The operator's: the model, deployment or path isn't there.
    Missing,
}

/// What the fault concerns, at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// This request alone: nothing may be kept from others for it.
    Request,
    /// The model at this provider.
    Target,
    /// All that is sent with this credential.
    Credential,
}

/// Where a provider said when to come back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// `retry-after-ms` or `x-ms-retry-after-ms`.
    RetryAfterMs,
    /// `retry-after`.
    RetryAfter,
    /// A member of the error, such as Google's `retryDelay`.
    Body,
    /// The error's words.
    Words,
    /// When a limit resets: rather too late than too early.
    Reset,
}

/// When to come back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retry {
    /// The moment.
    pub when: When,
    /// Where it was said.
    pub source: Source,
}

/// What is concluded from a provider's failed answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Whose fault it is.
    pub fault: Fault,
    /// What it concerns.
    pub scope: Scope,
    /// When to come back, if the provider said so and coming back can help.
    pub retry: Option<Retry>,
    /// The provider's name for it, else `http_502` or `in_band`, for records: letters, digits, `_`, `-` and `.`, at most
    /// `caps::MAX_ERROR_CODE_BYTES`. Not for clients: it may speak of rate limits.
    pub code: String,
}

impl Verdict {
    /// The wait that the provider asks for, in milliseconds, at most `caps::MAX_RETRY_AFTER_MS`, 0 where it has passed; `None`: it doesn't say.
    pub fn wait_ms(&self, now: UnixMicros) -> Option<u64> {
        self.retry.map(|retry| retry.when.wait_ms(now))
    }
}

/// Judges an answer by its status, its headers (names in lower case) and the beginning of its body. One with a 2xx is taken for an
/// error in an answer's place, see [`judge_in_band`].
pub fn judge<'h>(status: u16, headers: impl IntoIterator<Item = (&'h str, &'h [u8])>, body: &[u8]) -> Verdict {
    let status = Some(status).filter(|status| !(200..300).contains(status));
    conclude(status, &Head::read(headers), &ErrorBody::read(body))
}

/// Judges an error that came inside a 200: as an event of a stream, or instead of an answer.
pub fn judge_in_band(payload: &[u8]) -> Verdict {
    judge_error(&ErrorBody::read(payload))
}

pub(crate) fn judge_error(error: &ErrorBody) -> Verdict {
    conclude(None, &Head::default(), error)
}

fn conclude(status: Option<u16>, head: &Head, error: &ErrorBody) -> Verdict {
    let names = || [&error.reason, &error.code, &error.kind, &head.error_type, &error.status_name].into_iter().flatten();
    let named = names().find_map(|name| names::meaning(name));
    let throttled = head.error_type.as_deref().and_then(names::meaning) == Some(Meaning::RateLimited);
    let (fault, scope) = match status.or(error.status) {
        Some(_) if throttled => (Fault::RateLimited, Scope::Target),
        Some(status) => of_status(status, named, error),
        None => of_name(named, &error.words),
    };
    let may_return = scope != Scope::Request && matches!(fault, Fault::RateLimited | Fault::Overloaded | Fault::Failed);
    // In other failures a provider may quote what a client wrote.
    let words_count = fault == Fault::RateLimited || named == Some(Meaning::Overloaded) || matches!(status, Some(429 | 498 | 503 | 529));
    let retry = if may_return { retry(head, error, words_count) } else { None };
    // Some call the operator's fault, or their own, an invalid request.
    let fits = |name: &&String| fault == Fault::Client || names::meaning(name) != Some(Meaning::Client);
    let code = names().filter(fits).map(|name| clean(name)).find(|name| name.contains(|c: char| c.is_ascii_alphabetic()));
    let code = code.unwrap_or_else(|| status.or(error.status).map_or_else(|| "in_band".to_owned(), |status| format!("http_{status}")));
    Verdict { fault, scope, retry, code }
}

fn of_status(status: u16, named: Option<Meaning>, error: &ErrorBody) -> (Fault, Scope) {
    let words = error.words.as_str();
    let operators = |fault| (fault, Scope::Credential);
    match status {
        400 | 413 | 422 => match names::begins_as_operators_fault(words).or(named) {
            Some(Meaning::Billing) => operators(Fault::Billing),
            Some(Meaning::Credential) => operators(Fault::Credential),
            Some(Meaning::ModelMissing) => (Fault::Missing, Scope::Target),
            Some(Meaning::Client | Meaning::RateLimited | Meaning::Overloaded | Meaning::Failed) | None => (Fault::Client, Scope::Request),
        },
        402 if names::says_it_is_this_request(words) => (Fault::Billing, Scope::Request),
        402 => operators(Fault::Billing),
        403 if error.is_moderated || names::says_moderated(words) => (Fault::Client, Scope::Request),
        401 | 403 | 412 if named == Some(Meaning::Billing) || names::says_spent(words) => operators(Fault::Billing),
        403 if named == Some(Meaning::ModelMissing) => (Fault::Missing, Scope::Target),
        401 => operators(Fault::Credential),
        403 if named == Some(Meaning::Credential) => operators(Fault::Credential),
        // Firewalls before providers and moderators of contents refuse so, too: what doesn't name the credential may be one request's.
        403 => (Fault::Credential, Scope::Request),
        404 if names::says_it_is_this_request(words) => (Fault::Missing, Scope::Request),
        404 | 405 | 410 => (Fault::Missing, Scope::Target),
        429 => of_429(named, words),
        // Groq's flex tier has no capacity left.
        498 => (Fault::Overloaded, Scope::Target),
        408 | 409 | 423 | 424 | 425 | 499 if names::says_overloaded(words) => (Fault::Overloaded, Scope::Target),
        408 | 409 | 423 | 424 | 425 | 499 => (Fault::Failed, Scope::Target),
        406..=499 => (Fault::Failed, Scope::Request),
        _ => of_failure(status, named, words),
    }
}

fn of_429(named: Option<Meaning>, words: &str) -> (Fault, Scope) {
    if named == Some(Meaning::Billing) || names::says_spent(words) {
        (Fault::Billing, Scope::Credential)
    } else if names::says_too_large(words) {
        (Fault::Failed, Scope::Request)
    } else if named == Some(Meaning::Overloaded) || (names::says_overloaded(words) && !speaks_of_rate_limits(words)) {
        (Fault::Overloaded, Scope::Target)
    } else {
        (Fault::RateLimited, Scope::Target)
    }
}

/// 5xx, and all that no answer should have.
fn of_failure(status: u16, named: Option<Meaning>, words: &str) -> (Fault, Scope) {
    match named {
        Some(Meaning::Billing) => (Fault::Billing, Scope::Credential),
        Some(Meaning::RateLimited) => (Fault::RateLimited, Scope::Target),
        Some(Meaning::Overloaded) => (Fault::Overloaded, Scope::Target),
        // It calls the request wrong and can't say so.
        Some(Meaning::Client) => (Fault::Failed, Scope::Request),
        Some(Meaning::Failed | Meaning::Credential | Meaning::ModelMissing) | None => {
            let is_busy = matches!(status, 503 | 529) || names::says_overloaded(words);
            (if is_busy { Fault::Overloaded } else { Fault::Failed }, Scope::Target)
        }
    }
}

/// Of an error that has no status.
fn of_name(named: Option<Meaning>, words: &str) -> (Fault, Scope) {
    match named {
        Some(Meaning::Client) => (Fault::Client, Scope::Request),
        Some(Meaning::RateLimited) => of_429(named, words),
        Some(Meaning::Overloaded) => (Fault::Overloaded, Scope::Target),
        Some(Meaning::Credential) => (Fault::Credential, Scope::Credential),
        Some(Meaning::Billing) => (Fault::Billing, Scope::Credential),
        Some(Meaning::ModelMissing) => (Fault::Missing, Scope::Target),
        Some(Meaning::Failed) | None if names::says_overloaded(words) => (Fault::Overloaded, Scope::Target),
        Some(Meaning::Failed) | None => (Fault::Failed, Scope::Target),
    }
}

fn retry(head: &Head, error: &ErrorBody, words_count: bool) -> Option<Retry> {
    let told = |when: Option<When>, source| when.map(|when| Retry { when: when.since(head.date), source });
    let in_words = || if words_count { times::in_words(&error.words) } else { None };
    told(head.retry_after_ms, Source::RetryAfterMs)
        .or_else(|| told(head.retry_after, Source::RetryAfter))
        .or_else(|| match (told(error.retry, Source::Body), told(in_words(), Source::Words)) {
            // Google's member cuts off the fraction that its words have.
            (Some(member), Some(words)) if member.when.is_shorter_than(words.when) => Some(words),
            (member, words) => member.or(words),
        })
        .or_else(|| told(head.limits.opens(), Source::Reset))
}

/// A name that may stand in records.
fn clean(name: &str) -> String {
    let name = without_keys_and_addresses(name.get(..name.floor_char_boundary(caps::MAX_ERROR_CODE_BYTES)).unwrap_or_default());
    name.chars().map(|c| if c.is_ascii_alphanumeric() || "-.".contains(c) { c } else { '_' }).collect()
}

#[cfg(test)]
mod tests;
