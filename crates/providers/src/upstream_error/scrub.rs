//! Takes out of a provider's words what a client must not see.
//! It refuses to know what the words mean.

use std::net::Ipv4Addr;

use crate::caps;

const REMOVED: &str = "[removed]";
/// How the credentials of well-known services begin.
const KEY_PREFIXES: [&str; 9] = ["sk-", "sk_", "gsk_", "hf_", "xai-", "AIza", "tg_", "pplx-", "nvapi-"];
/// Shorter secrets would take out ordinary words.
const SHORTEST_SECRET: usize = 4;
const SHORTEST_KEY: usize = 12;

/// A provider's words without `secrets`, without what looks like an API key or an address inside a private network, and without
/// the words kept for the 429; at most `caps::MAX_ERROR_MESSAGE_BYTES` long.
pub fn scrub(text: &str, secrets: &[&str]) -> String {
    let end = text.floor_char_boundary(caps::MAX_ERROR_MESSAGE_BYTES.min(text.len()));
    let mut clean = text.get(..end).unwrap_or_default().to_owned();
    for secret in secrets.iter().filter(|secret| secret.len() >= SHORTEST_SECRET) {
        clean = clean.replace(secret, REMOVED);
    }
    without_rate_limits(&without_keys_and_addresses(&clean))
}

/// Words without what looks like an API key or an address inside a private network.
pub(crate) fn without_keys_and_addresses(text: &str) -> String {
    let is_part = |c: char| c.is_ascii_alphanumeric() || "-_.:/*[]@%?=&+".contains(c);
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let length = rest.find(|c| !is_part(c)).unwrap_or(rest.len());
        if length == 0 {
            out.push(first);
            rest = rest.get(first.len_utf8()..).unwrap_or_default();
            continue;
        }
        let (word, after) = rest.split_at(length);
        let is_bearer = out.to_ascii_lowercase().ends_with("bearer ") && word.len() >= SHORTEST_KEY;
        out.push_str(if is_bearer || looks_like_key(word) || is_private_address(word) { REMOVED } else { word });
        rest = after;
    }
    out
}

fn looks_like_key(word: &str) -> bool {
    let starts = |part: &str| part.len() >= SHORTEST_KEY && KEY_PREFIXES.iter().any(|prefix| part.starts_with(prefix));
    word.split([':', '=', '/', '&', '?']).any(starts)
}

/// Whether a word is a URL or `host:port` that leads into a private network.
fn is_private_address(word: &str) -> bool {
    let url = word.split_once("://");
    let host_and_port = url.map_or(word, |(_, rest)| rest).split(['/', '?']).next().unwrap_or_default();
    let host_and_port = host_and_port.rsplit('@').next().unwrap_or_default().trim_end_matches(['.', ':']);
    let host = host_and_port.split(':').next().unwrap_or_default();
    if host.parse::<Ipv4Addr>().is_ok() {
        return true;
    }
    let has_port =
        host_and_port.split_once(':').is_some_and(|(_, port)| !port.is_empty() && port.bytes().all(|digit| digit.is_ascii_digit()));
    let is_inner =
        host == "localhost" || host.starts_with('[') || [".local", ".internal", ".lan", ".svc"].iter().any(|end| host.ends_with(end));
    is_inner && (url.is_some() || has_port) || (url.is_some() && !host.contains('.'))
}

/// Whether the words are there that SDKs take for a 429, however they are joined.
pub(crate) fn speaks_of_rate_limits(text: &str) -> bool {
    next_rate_limit(text).is_some()
}

fn without_rate_limits(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((start, end)) = next_rate_limit(rest) {
        out.push_str(rest.get(..start).unwrap_or_default());
        rest = rest.get(end..).unwrap_or_default();
        let is_next = |suffix: &str| rest.get(..suffix.len()).is_some_and(|next| next.eq_ignore_ascii_case(suffix));
        let (word, suffix) = if is_next("ed") {
            ("throttled", 2)
        } else if is_next("ing") {
            ("throttling", 3)
        } else {
            ("quota", 0)
        };
        out.push_str(word);
        rest = rest.get(suffix..).unwrap_or_default();
    }
    out.push_str(rest);
    out
}

/// Where the next "rate", whatever joins the two, "limit" starts and ends.
fn next_rate_limit(text: &str) -> Option<(usize, usize)> {
    let lower = text.to_ascii_lowercase();
    lower.match_indices("rate").find_map(|(start, rate)| {
        let behind = lower.get(start + rate.len()..)?;
        let limit = behind.trim_start_matches(|c: char| c.is_whitespace() || "-_\u{2010}\u{2011}\u{2013}".contains(c));
        let end = lower.len() - limit.len() + "limit".len();
        limit.starts_with("limit").then_some((start, end))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_kept_for_the_429_go_however_they_are_joined() {
        for (said, clean) in [
            ("you are rate limited", "you are throttled"),
            ("Rate Limit reached; RATE-LIMITING", "quota reached; throttling"),
            ("code rate_limit_exceeded", "code quota_exceeded"),
            ("RateLimitError: rate\n  limits", "quotaError: quotas"),
            ("the rate is limited, a moderate limit", "the rate is limited, a modequota"),
            ("rate\u{2011}limit", "quota"),
        ] {
            assert_eq!(scrub(said, &[]), clean);
            assert!(!speaks_of_rate_limits(clean), "{clean}");
        }
    }

    #[test]
    fn credentials_and_inner_addresses_go() {
        let secrets = ["s3cr3t-credential", "http://gpu-7.prod:8000/v1", "gpu-7.prod"];
        for (said, clean) in [
            ("key s3cr3t-credential at http://gpu-7.prod:8000/v1 (gpu-7.prod)", "key [removed] at [removed] ([removed])"),
            ("Incorrect API key provided: sk-proj-abcdefgh1234.", "Incorrect API key provided: [removed]"),
            ("header 'Authorization: Bearer abcdef0123456789'", "header 'Authorization: Bearer [removed]'"),
            ("POST http://10.0.0.7:8000/v1/chat failed", "POST [removed] failed"),
            ("connect 127.0.0.1:11434: refused", "connect [removed] refused"),
            ("http://ollama:11434/api and localhost:8080", "[removed] and [removed]"),
            ("http://vllm.models.svc/v1", "[removed]"),
        ] {
            assert_eq!(scrub(said, &secrets), clean);
        }
        for harmless in [
            "see https://platform.openai.com/docs, version 1.2",
            "messages[0].content: expected a string",
            "a/b: sk- and tg_",
            "task-force",
            "max 8192:4096",
        ] {
            assert_eq!(scrub(harmless, &secrets), harmless);
        }
    }

    #[test]
    fn long_words_are_cut_at_a_character() {
        let said = "é".repeat(10_000);
        let clean = scrub(&said, &[]);
        assert!(clean.len() <= caps::MAX_ERROR_MESSAGE_BYTES && said.starts_with(&clean) && clean.len() > 4_000);
    }
}
