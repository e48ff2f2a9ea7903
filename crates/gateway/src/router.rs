//! Every path of the data plane on one screen. It knows no handler.

use std::borrow::Cow;

use domain::Endpoint;
use http::Method;

use crate::caps;

/// What a request is for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Route<'a> {
    /// A call of a model.
    Call(Endpoint),
    /// `GET /v1/models`
    Models,
    /// `GET /v1/models/{id}`, decoded.
    Model(Cow<'a, str>),
    /// `GET /v1/limits`
    Limits,
    /// The path is ours, the method is not; the one that is.
    WrongMethod(&'static str),
    /// Nothing of ours.
    Unknown,
}

/// Finds the route of a request. `/openai/v1` is the same as `/v1`.
pub(crate) fn route<'a>(method: &Method, path: &'a str) -> Route<'a> {
    let Some(rest) = path.strip_prefix("/openai").unwrap_or(path).strip_prefix("/v1/") else { return Route::Unknown };
    match rest {
        "chat/completions" => post(method, Endpoint::ChatCompletions),
        "completions" => post(method, Endpoint::Completions),
        "embeddings" => post(method, Endpoint::Embeddings),
        "models" => get(method, Route::Models),
        "limits" => get(method, Route::Limits),
        _ => match rest.strip_prefix("models/").and_then(decode) {
            Some(id) if !id.is_empty() => get(method, Route::Model(id)),
            _ => Route::Unknown,
        },
    }
}

fn post(method: &Method, endpoint: Endpoint) -> Route<'static> {
    if method == Method::POST { Route::Call(endpoint) } else { Route::WrongMethod("POST") }
}

fn get<'a>(method: &Method, route: Route<'a>) -> Route<'a> {
    if method == Method::GET { route } else { Route::WrongMethod("GET") }
}

/// A path's text without percent escapes; `None` where they are broken or the text is no UTF-8 or too long.
fn decode(text: &str) -> Option<Cow<'_, str>> {
    if text.len() > 3 * caps::MODEL_ID_BYTES {
        return None;
    }
    if !text.contains('%') {
        return Some(Cow::Borrowed(text));
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        rest = tail;
        if *first == b'%' {
            let (digits, after) = tail.split_at_checked(2)?;
            let value = digits.iter().try_fold(0, |n, d| char::from(*d).to_digit(16).map(|d| n * 16 + d))?;
            bytes.push(u8::try_from(value).ok()?);
            rest = after;
        } else {
            bytes.push(*first);
        }
    }
    String::from_utf8(bytes).ok().map(Cow::Owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn get(path: &str) -> Route<'_> {
        route(&Method::GET, path)
    }

    #[test]
    fn both_prefixes_lead_to_the_same_routes() {
        for prefix in ["/v1", "/openai/v1"] {
            assert_eq!(route(&Method::POST, &format!("{prefix}/chat/completions")), Route::Call(Endpoint::ChatCompletions));
            assert_eq!(route(&Method::POST, &format!("{prefix}/completions")), Route::Call(Endpoint::Completions));
            assert_eq!(route(&Method::POST, &format!("{prefix}/embeddings")), Route::Call(Endpoint::Embeddings));
            assert_eq!(get(&format!("{prefix}/models")), Route::Models);
            assert_eq!(get(&format!("{prefix}/limits")), Route::Limits);
        }
    }

    #[test]
    fn model_ids_may_hold_slashes_raw_or_encoded() {
        assert_eq!(get("/v1/models/meta-llama/Llama-3.3-70B"), Route::Model("meta-llama/Llama-3.3-70B".into()));
        assert_eq!(get("/v1/models/meta-llama%2FLlama-3.3-70B"), Route::Model("meta-llama/Llama-3.3-70B".into()));
        assert_eq!(get("/v1/models/Qwen%203%20%E2%9C%93"), Route::Model("Qwen 3 ✓".into()));
    }

    #[test]
    fn broken_escapes_and_foreign_paths_are_unknown() {
        for path in [
            "/v1/models/",
            "/v1/models/%",
            "/v1/models/%zz",
            "/v1/models/%+f",
            "/v1/models/%ff",
            "/v1",
            "/v1/",
            "/v2/models",
            "/v1/chat",
            "/v1x/models",
        ] {
            assert_eq!(get(path), Route::Unknown, "{path}");
        }
        assert_eq!(get(&format!("/v1/models/{}", "a".repeat(4_000))), Route::Unknown);
    }

    #[test]
    fn the_wrong_method_names_the_right_one() {
        assert_eq!(get("/v1/chat/completions"), Route::WrongMethod("POST"));
        assert_eq!(route(&Method::POST, "/v1/models"), Route::WrongMethod("GET"));
        assert_eq!(route(&Method::DELETE, "/v1/models/a/b"), Route::WrongMethod("GET"));
    }
}
