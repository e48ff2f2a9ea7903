//! First stop: whose request is it. It looks at headers only and never at the body.

use std::sync::Arc;

use domain::{ApiKeyHash, RateLimitBody, UnixMicros};
use http::HeaderMap;
use http::header::{AUTHORIZATION, HeaderName};
use store::{Directory, KeyEntry};

const X_API_KEY: HeaderName = HeaderName::from_static("x-api-key");
const X_ERROR_FORMAT: HeaderName = HeaderName::from_static("x-error-format");

/// Who asks: a key that may be used, and how it wants its refusals.
#[derive(Clone)]
pub(crate) struct Caller {
    pub(crate) key: Arc<KeyEntry>,
    /// The choice of the request or the key; `None`: the installation's.
    pub(crate) rate_limit_body: Option<RateLimitBody>,
}

/// Why nobody is recognised.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum AuthFault {
    /// Neither header is there.
    NoKey,
    /// `Authorization` is not `Bearer` and a key.
    NotBearer,
    /// Two different keys.
    TwoKeys,
    /// Nobody has this key.
    Unknown,
    /// The key was revoked.
    Revoked,
    /// The key is disabled.
    Disabled,
    /// The key has expired.
    Expired(UnixMicros),
    /// The key's organisation was deleted.
    OrgDeleted,
}

/// Recognises the caller.
pub(crate) fn authenticate(headers: &HeaderMap, directory: &Directory, wall: UnixMicros) -> Result<Caller, AuthFault> {
    let key = Arc::new(directory.caller(&ApiKeyHash::of(presented(headers)?)).ok_or(AuthFault::Unknown)?);
    if !key.is_valid_at(wall) {
        return Err(match key.expires() {
            _ if key.org().state().deleted => AuthFault::OrgDeleted,
            _ if key.revoked().is_some() => AuthFault::Revoked,
            Some(at) if at <= wall => AuthFault::Expired(at),
            Some(_) | None => AuthFault::Disabled,
        });
    }
    let asked = headers.get(X_ERROR_FORMAT).filter(|v| v.as_bytes().eq_ignore_ascii_case(b"openai")).map(|_| RateLimitBody::Openai);
    let rate_limit_body = asked.or_else(|| key.rate_limit_body());
    Ok(Caller { key, rate_limit_body })
}

/// The key's text as the request carries it.
fn presented(headers: &HeaderMap) -> Result<&[u8], AuthFault> {
    let mut found = None;
    for value in headers.get_all(AUTHORIZATION) {
        let key = bearer(value.as_bytes()).ok_or(AuthFault::NotBearer)?;
        same_or_first(&mut found, key)?;
    }
    for value in headers.get_all(X_API_KEY) {
        let key = value.as_bytes().trim_ascii();
        if !key.is_empty() {
            same_or_first(&mut found, key)?;
        }
    }
    found.ok_or(AuthFault::NoKey)
}

fn same_or_first<'a>(found: &mut Option<&'a [u8]>, key: &'a [u8]) -> Result<(), AuthFault> {
    match *found {
        Some(first) if first != key => Err(AuthFault::TwoKeys),
        Some(_) => Ok(()),
        None => {
            *found = Some(key);
            Ok(())
        }
    }
}

fn bearer(value: &[u8]) -> Option<&[u8]> {
    let (scheme, rest) = value.split_at_checked(7)?;
    let key = rest.trim_ascii();
    (scheme.eq_ignore_ascii_case(b"Bearer ") && !key.is_empty()).then_some(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap())).collect()
    }

    #[test]
    fn a_key_stands_in_either_header() {
        for pairs in [
            &[("authorization", "Bearer tg_a")][..],
            &[("authorization", "bearer  tg_a ")],
            &[("x-api-key", "tg_a")],
            &[("authorization", "Bearer tg_a"), ("x-api-key", "tg_a")],
            &[("authorization", "Bearer tg_a"), ("x-api-key", "")],
        ] {
            assert_eq!(presented(&headers(pairs)), Ok(&b"tg_a"[..]), "{pairs:?}");
        }
    }

    #[test]
    fn faults_are_told_apart() {
        assert_eq!(presented(&headers(&[])), Err(AuthFault::NoKey));
        assert_eq!(presented(&headers(&[("x-api-key", " ")])), Err(AuthFault::NoKey));
        for value in ["Basic dXNlcg==", "Bearer", "Bearer ", "tg_a"] {
            assert_eq!(presented(&headers(&[("authorization", value)])), Err(AuthFault::NotBearer), "{value}");
        }
        let two = headers(&[("authorization", "Bearer tg_a"), ("x-api-key", "tg_b")]);
        assert_eq!(presented(&two), Err(AuthFault::TwoKeys));
    }
}
