//! Which headers cross the gateway, in both directions: allow-lists, never credentials or cookies.

use http::HeaderMap;
use http::header::{ACCEPT, CONTENT_TYPE, HeaderName, HeaderValue};

const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// What a provider is sent: the client's allowed headers, then `own` (the credential and what is configured).
pub(crate) fn upstream(client: &HeaderMap, own: &[(HeaderName, HeaderValue)]) -> HeaderMap {
    let mut headers = HeaderMap::with_capacity(8);
    headers.insert(CONTENT_TYPE, client.get(CONTENT_TYPE).filter(|v| is_json(v)).cloned().unwrap_or(JSON));
    for (name, value) in client {
        if name == ACCEPT || name == TRACEPARENT || has_allowed_prefix(name) {
            headers.append(name.clone(), value.clone());
        }
    }
    for (name, value) in own {
        headers.insert(name.clone(), value.clone());
    }
    headers
}

fn has_allowed_prefix(name: &HeaderName) -> bool {
    name.as_str().starts_with("openai-") || name.as_str().starts_with("anthropic-")
}

/// The body was read as JSON: some clients call it otherwise, and some providers refuse that.
fn is_json(value: &HeaderValue) -> bool {
    value.as_bytes().get(..16).is_some_and(|start| start.eq_ignore_ascii_case(b"application/json"))
}

/// Headers of a provider's answer that a client may see.
const SHOWN: [HeaderName; 4] = [
    CONTENT_TYPE,
    HeaderName::from_static("openai-processing-ms"),
    HeaderName::from_static("openai-version"),
    HeaderName::from_static("openai-model"),
];

/// What the client sees of a provider's headers.
pub(crate) fn to_client(provider: &HeaderMap) -> HeaderMap {
    // Room for the limit headers and ours, so that the map is made once.
    let mut headers = HeaderMap::with_capacity(16);
    for name in SHOWN {
        if let Some(value) = provider.get(&name) {
            headers.insert(name, value.clone());
        }
    }
    headers
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(n, v)| (HeaderName::from_static(n), HeaderValue::from_static(v))).collect()
    }

    fn names(headers: &HeaderMap) -> Vec<&str> {
        let mut names: Vec<_> = headers.keys().map(HeaderName::as_str).collect();
        names.sort_unstable();
        names
    }

    #[test]
    fn providers_get_what_is_allowed_and_nothing_else() {
        let client = map(&[
            ("authorization", "Bearer tg_secret"),
            ("x-api-key", "tg_secret"),
            ("cookie", "a=b"),
            ("accept-encoding", "gzip, br"),
            ("user-agent", "openai-python"),
            ("x-stainless-lang", "python"),
            ("forwarded", "for=1.2.3.4"),
            ("accept", "text/event-stream"),
            ("content-type", "application/json; charset=utf-8"),
            ("openai-beta", "assistants=v2"),
            ("anthropic-version", "2023-06-01"),
            ("traceparent", "00-0-0-00"),
        ]);
        let own = [(HeaderName::from_static("authorization"), HeaderValue::from_static("Bearer sk-provider"))];
        let sent = upstream(&client, &own);
        assert_eq!(names(&sent), ["accept", "anthropic-version", "authorization", "content-type", "openai-beta", "traceparent"]);
        assert_eq!(sent["authorization"], "Bearer sk-provider");
        assert_eq!(sent["content-type"], "application/json; charset=utf-8");
        assert_eq!(upstream(&map(&[("content-type", "text/plain")]), &[])["content-type"], "application/json");
    }

    #[test]
    fn clients_see_nothing_of_the_providers_limits_or_cookies() {
        let provider = map(&[
            ("content-type", "application/json"),
            ("openai-processing-ms", "12"),
            ("openai-organization", "org-operator"),
            ("set-cookie", "__cf=1"),
            ("server", "cloudflare"),
            ("retry-after", "5"),
            ("x-ratelimit-remaining-requests", "1"),
            ("x-request-id", "req_theirs"),
            ("content-length", "3"),
            ("transfer-encoding", "chunked"),
        ]);
        assert_eq!(names(&to_client(&provider)), ["content-type", "openai-processing-ms"]);
    }
}
