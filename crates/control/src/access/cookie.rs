//! Cookies, of sessions and of log-ins that are under way: read, set, cleared. Over https their names' prefix keeps other hosts and plain http
//! from setting them.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as URL_SAFE;
use domain::{SecretToken, UnixMicros};
use http::{HeaderMap, HeaderName, HeaderValue, header};

use crate::caps::MAX_LOG_IN_S;

/// A cookie's names: where browsers come over https (RFC 6265bis, 4.1.3.2), and where they come over plain http.
struct Names {
    secure: &'static str,
    plain: &'static str,
}

const SESSION: Names = Names { secure: "__Host-tidegate_session", plain: "tidegate_session" };
/// What is kept while somebody is at their provider of identities.
const LOG_IN: Names = Names { secure: "__Host-tidegate_log_in", plain: "tidegate_log_in" };
/// Digits of a token.
const DIGITS: usize = 64;

impl Names {
    const fn name(&self, is_secure: bool) -> &'static str {
        if is_secure { self.secure } else { self.plain }
    }
}

/// The session's secret that the request carries.
pub(super) fn session(headers: &HeaderMap, is_secure: bool) -> Option<&str> {
    let found = only(headers, SESSION.name(is_secure))?;
    let is_token = found.len() == DIGITS && found.bytes().all(|digit| digit.is_ascii_hexdigit());
    is_token.then_some(found)
}

/// What the browser has kept while somebody was at their provider of identities.
pub(crate) fn log_in(headers: &HeaderMap, is_secure: bool) -> Option<Vec<u8>> {
    URL_SAFE.decode(only(headers, LOG_IN.name(is_secure))?).ok()
}

/// The one cookie of this name. Two are none: nobody could tell which was meant.
fn only<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let texts = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let pairs = texts.flat_map(|text| text.split(';')).filter_map(|pair| pair.trim().split_once('='));
    let mut found = pairs.filter(|(key, _)| *key == name).map(|(_, value)| value);
    let (first, None) = (found.next()?, found.next()) else { return None };
    Some(first)
}

/// The header that gives a browser its session.
pub(crate) fn set(token: &SecretToken, is_secure: bool, now: UnixMicros, expires: UnixMicros) -> (HeaderName, HeaderValue) {
    let seconds = (expires.0 - now.0).max(0) / 1_000_000;
    written(&SESSION, token.expose(), "Strict", is_secure, seconds)
}

/// The header that takes it away.
pub(crate) fn cleared(is_secure: bool) -> (HeaderName, HeaderValue) {
    written(&SESSION, "", "Strict", is_secure, 0)
}

/// The header that gives a browser what it is to keep. It comes back with the way that leads here from elsewhere, hence `Lax`.
pub(crate) fn set_log_in(sealed: &[u8], is_secure: bool) -> (HeaderName, HeaderValue) {
    written(&LOG_IN, &URL_SAFE.encode(sealed), "Lax", is_secure, MAX_LOG_IN_S)
}

/// The header that takes it away.
pub(crate) fn cleared_log_in(is_secure: bool) -> (HeaderName, HeaderValue) {
    written(&LOG_IN, "", "Lax", is_secure, 0)
}

fn written(names: &Names, value: &str, same_site: &str, is_secure: bool, seconds: i64) -> (HeaderName, HeaderValue) {
    let secure = if is_secure { "; Secure" } else { "" };
    let text = format!("{}={value}; Path=/; HttpOnly; SameSite={same_site}; Max-Age={seconds}{secure}", names.name(is_secure));
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
