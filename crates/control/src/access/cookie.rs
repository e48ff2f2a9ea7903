//! The session's cookie: read, set, cleared. Over https its name's prefix keeps other hosts and plain http from setting it.

use domain::{SecretToken, UnixMicros};
use http::{HeaderMap, HeaderName, HeaderValue, header};

/// Where browsers come over https (RFC 6265bis, 4.1.3.2).
const SECURE: &str = "__Host-tidegate_session";
/// Where they come over plain http.
const PLAIN: &str = "tidegate_session";
/// Digits of a token.
const DIGITS: usize = 64;

fn name(is_secure: bool) -> &'static str {
    if is_secure { SECURE } else { PLAIN }
}

/// The session's secret that the request carries. Two are none: nobody could tell which was meant.
pub(super) fn session(headers: &HeaderMap, is_secure: bool) -> Option<&str> {
    let texts = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let pairs = texts.flat_map(|text| text.split(';')).filter_map(|pair| pair.trim().split_once('='));
    let mut found = pairs.filter(|(key, _)| *key == name(is_secure)).map(|(_, value)| value);
    let (first, None) = (found.next()?, found.next()) else { return None };
    let is_token = first.len() == DIGITS && first.bytes().all(|digit| digit.is_ascii_hexdigit());
    is_token.then_some(first)
}

/// The header that gives a browser its session.
pub(crate) fn set(token: &SecretToken, is_secure: bool, now: UnixMicros, expires: UnixMicros) -> (HeaderName, HeaderValue) {
    let seconds = (expires.0 - now.0).max(0) / 1_000_000;
    written(token.expose(), is_secure, seconds)
}

/// The header that takes it away.
pub(crate) fn cleared(is_secure: bool) -> (HeaderName, HeaderValue) {
    written("", is_secure, 0)
}

fn written(value: &str, is_secure: bool, seconds: i64) -> (HeaderName, HeaderValue) {
    let secure = if is_secure { "; Secure" } else { "" };
    let text = format!("{}={value}; Path=/; HttpOnly; SameSite=Strict; Max-Age={seconds}{secure}", name(is_secure));
    let mut value = HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static(""));
    value.set_sensitive(true);
    (header::SET_COOKIE, value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(cookies: &[&str], is_secure: bool) -> Option<String> {
        let mut headers = HeaderMap::new();
        for cookie in cookies {
            headers.append(header::COOKIE, cookie.parse().unwrap());
        }
        session(&headers, is_secure).map(str::to_owned)
    }

    #[test]
    fn one_cookie_of_the_right_name_and_form_is_a_session() {
        let token = "0f".repeat(32);
        assert_eq!(read(&[&format!("a=b; tidegate_session={token}; c=d")], false), Some(token.clone()));
        assert_eq!(read(&["a=b", &format!("__Host-tidegate_session={token}")], true), Some(token.clone()));
        assert_eq!(read(&[&format!("tidegate_session={token}")], true), None, "any page of plain http could have set it");
        assert_eq!(read(&[&format!("tidegate_session={token}; tidegate_session={token}")], false), None);
        assert_eq!(read(&[&format!("tidegate_session={token}0")], false), None);
        assert_eq!(read(&["tidegate_session=", "tidegate_session"], false), None);
    }
}
