//! What providers' names for errors mean, and the few sentences that mean more than the name beside them.
//! It refuses to know statuses.
//!
//! Names are a provider's own words; sentences may quote a client's text. So a sentence decides only where no client can write it:
//! at the message's beginning, or in answers that no request is at fault for.

/// What a name means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Meaning {
    Client,
    RateLimited,
    Overloaded,
    Failed,
    Credential,
    Billing,
    ModelMissing,
}

const CLIENT: &[&str] = &[
    "invalid_request_error",
    "bad_request",
    "bad_request_error",
    "badrequesterror",
    "invalid_argument",
    "out_of_range",
    "context_length_exceeded",
    "exceed_context_size_error",
    "content_filter",
    "content_policy_violation",
    "responsibleaipolicyviolation",
    "request_too_large",
    "string_above_max_length",
    "unprocessable_entity",
    "validation_error",
    "validationexception",
];
const RATE_LIMITED: &[&str] = &[
    "too_many_requests",
    "too_many_requests_error",
    "throttling",
    "throttling_error",
    "throttlingexception",
    "servicequotaexceededexception",
    "resource_exhausted",
    "request_quota_exceeded",
    "token_quota_exceeded",
    "dynamic_request_limited",
    "dynamic_token_limited",
    "slow_down",
];
const OVERLOADED: &[&str] = &[
    "overloaded",
    "overloaded_error",
    "engine_overloaded",
    "engine_overloaded_error",
    "provider_overloaded",
    "server_overloaded",
    "server_is_overloaded",
    "queue_exceeded",
    "capacity_exceeded",
    "service_tier_capacity_exceeded",
    "unavailable",
    "unavailable_error",
    "service_unavailable",
    "service_unavailable_error",
    "serviceunavailableerror",
    "serviceunavailableexception",
    "modelnotreadyexception",
];
const FAILED: &[&str] = &[
    "server_error",
    "api_error",
    "internal",
    "internal_error",
    "internal_server_error",
    "internalservererror",
    "internalserverexception",
    "modelerrorexception",
    "modelstreamerrorexception",
    "modeltimeoutexception",
    "deadline_exceeded",
    "timeout_error",
    "cf_bad_gateway",
];
const CREDENTIAL: &[&str] = &[
    "authentication_error",
    "invalid_api_key",
    "api_key_invalid",
    "invalid_authentication_error",
    "unauthenticated",
    "permission_error",
    "permission_denied",
    "accessdeniedexception",
    "unrecognizedclientexception",
    "expiredtokenexception",
    "unsupported_country_region_territory",
];
const BILLING: &[&str] = &[
    "insufficient_quota",
    "insufficient_balance",
    "insufficient_credits",
    "credit_balance_exhausted",
    "billing_error",
    "billing_hard_limit_reached",
    "billing_not_active",
    "payment_required",
];
const MODEL_MISSING: &[&str] = &["model_not_found", "deploymentnotfound", "resourcenotfoundexception", "notfounderror", "not_found_error"];

/// What a `code`, `type` or the like means, if it says anything.
pub(super) fn meaning(name: &str) -> Option<Meaning> {
    let name = name.to_ascii_lowercase();
    [
        (CLIENT, Meaning::Client),
        (RATE_LIMITED, Meaning::RateLimited),
        (OVERLOADED, Meaning::Overloaded),
        (FAILED, Meaning::Failed),
        (CREDENTIAL, Meaning::Credential),
        (BILLING, Meaning::Billing),
        (MODEL_MISSING, Meaning::ModelMissing),
    ]
    .into_iter()
    .find_map(|(names, meaning)| names.contains(&name.as_str()).then_some(meaning))
    .or_else(|| name.contains("rate_limit").then_some(Meaning::RateLimited))
}

/// A 400 that is no client's fault: Anthropic and xAI say with it that the key is wrong or the money gone.
pub(super) fn begins_as_operators_fault(words: &str) -> Option<Meaning> {
    let begins = |sentences: &[&str]| sentences.iter().any(|sentence| words.starts_with(sentence));
    if begins(&["Your credit balance is too low to access", "You have reached your specified API usage limits"]) {
        Some(Meaning::Billing)
    } else if begins(&["Incorrect API key provided", "API key not valid"]) {
        Some(Meaning::Credential)
    } else {
        None
    }
}

fn says(words: &str, phrases: &[&str]) -> bool {
    let lower = words.to_ascii_lowercase();
    phrases.iter().any(|phrase| lower.contains(phrase))
}

/// The account has no money left. "You exceeded your current quota" isn't among these: OpenAI says it of money, Google of minutes.
pub(super) fn says_spent(words: &str) -> bool {
    says(words, &["used all available credits", "spending limit", "insufficient balance", "insufficient credit", "account is not active"])
}

/// Everybody is served badly, and not this account for its own requests.
pub(super) fn says_overloaded(words: &str) -> bool {
    const PHRASES: &[&str] = &[
        "overloaded",
        "at capacity",
        "capacity exceeded",
        "over capacity",
        "high demand",
        "high traffic",
        "peak load",
        "too busy",
        "server busy",
        "server is busy",
    ];
    says(words, PHRASES)
}

/// The request alone is larger than the account's limit, so that no waiting helps it and nothing stands in the way of others.
/// OpenAI and Groq tell both: "Limit 7000, Used 0, Requested ~12903".
pub(super) fn says_too_large(words: &str) -> bool {
    let lower = words.to_ascii_lowercase();
    let number = |before: &'static str| {
        let behind = lower.match_indices(before).filter_map(|(at, found)| lower.get(at + found.len()..));
        behind
            .map(|rest| rest.trim_start_matches('~'))
            .find_map(|rest| rest.split(|c: char| !c.is_ascii_digit()).next()?.parse::<u64>().ok())
    };
    number("requested ").zip(number("limit ")).is_some_and(|(requested, limit)| requested > limit)
        || says(words, &["request too large for", "is required for long context requests"])
}

/// What was asked is against the provider's rules; xAI says it with the same name as a missing permission.
pub(super) fn says_moderated(words: &str) -> bool {
    words.starts_with("Content violates usage guidelines")
}

/// Another request, one that asks for less, would have been served.
pub(super) fn says_it_is_this_request(words: &str) -> bool {
    says(words, &["can only afford", "no endpoints found that"])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overload_is_told_from_an_accounts_own_limit() {
        for words in [
            "The model is overloaded. Please try again later.",
            "Selected model is at capacity. Please try a different model.",
            "Service tier capacity exceeded for this model.",
            "We are over capacity",
            "The system is currently experiencing high demand",
            "We're experiencing high traffic right now! Please try again soon.",
            "Your request exceeds the maximum usage size allowed during peak load",
            "Service is too busy",
            "server busy, please try again. maximum pending requests exceeded",
            "The server is busy. Please try again later.",
        ] {
            assert!(says_overloaded(words), "{words}");
        }
        for words in
            ["Please try again later or contact Fireworks to explore dedicated capacity.", "Rate limit reached", "Loading model", ""]
        {
            assert!(!says_overloaded(words), "{words}");
        }
    }

    #[test]
    fn every_name_has_one_meaning() {
        let all = [CLIENT, RATE_LIMITED, OVERLOADED, FAILED, CREDENTIAL, BILLING, MODEL_MISSING].concat();
        for name in &all {
            assert!(name.to_ascii_lowercase() == *name && all.iter().filter(|other| *other == name).count() == 1, "{name}");
        }
        assert_eq!(meaning("Rate_Limit_Reached_Error"), Some(Meaning::RateLimited));
        assert_eq!(meaning("tokens"), None);
    }
}
