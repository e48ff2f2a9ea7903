//! What a provider's address and further headers may be. Operators may name private addresses, never link-local ones
//! (that is where clouds keep their machines' credentials). Names are not looked up here.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::ProviderKind;

const EXAMPLE: &str = "expected a URL such as https://api.openai.com/v1";

impl ProviderKind {
    /// The kind's usual address, empty for `demo`; `None`: it has to be given.
    pub const fn default_base_url(self) -> Option<&'static str> {
        match self {
            Self::Openai => Some("https://api.openai.com/v1"),
            Self::Vllm => Some("http://127.0.0.1:8000/v1"),
            Self::Ollama => Some("http://127.0.0.1:11434/v1"),
            Self::LlamaCpp => None,
            Self::Demo => Some(""),
        }
    }
}

/// The address without its last slashes, or what is wrong with it.
pub fn checked_base_url(text: &str) -> Result<String, String> {
    let plain = text.bytes().all(|b| b.is_ascii_graphic()) && !text.contains(['?', '#', '\\', '"', '<', '>', '^', '`', '{', '|', '}']);
    let (scheme, rest) = text.split_once("://").filter(|_| plain).ok_or(EXAMPLE)?;
    if !["http", "https"].iter().any(|known| scheme.eq_ignore_ascii_case(known)) {
        return Err(EXAMPLE.into());
    }
    let authority = rest.split('/').next().unwrap_or_default();
    if authority.contains('@') {
        return Err("must hold no user name or password; the provider's key has a place of its own".into());
    }
    match ip_of(authority)? {
        Some(ip) if is_link_local(ip) => Err(format!("{ip} is a link-local address, which is never called")),
        Some(_) | None => Ok(text.trim_end_matches('/').into()),
    }
}

/// Whether connections to the address are refused whatever the operator says.
pub fn is_link_local(ip: IpAddr) -> bool {
    match ip.to_canonical() {
        IpAddr::V4(ip) => ip.is_link_local(),
        IpAddr::V6(ip) => ip.is_unicast_link_local(),
    }
}

/// The address that a host is, if it is one. Forms of numbers other than four decimal ones are refused: resolvers take
/// `2852039166` and `0xa9fea9fe` for 169.254.169.254.
fn ip_of(authority: &str) -> Result<Option<IpAddr>, String> {
    let (host, port) = match authority.strip_prefix('[') {
        Some(rest) => {
            let (inner, after) = rest.split_once(']').ok_or(EXAMPLE)?;
            let ip: Ipv6Addr = inner.parse().map_err(|_| format!("[{inner}] is not an IPv6 address"))?;
            (Some(IpAddr::V6(ip)), after.strip_prefix(':').or_else(|| after.is_empty().then_some("")).ok_or(EXAMPLE)?)
        }
        None => {
            let (host, port) = authority.split_once(':').unwrap_or((authority, ""));
            (named_host(host)?, port)
        }
    };
    if !port.is_empty() && !port.parse::<u16>().is_ok_and(|port| port > 0) {
        return Err(format!("{port} is not a port"));
    }
    Ok(host)
}

fn named_host(host: &str) -> Result<Option<IpAddr>, String> {
    let last = host.trim_end_matches('.').rsplit('.').next().unwrap_or_default();
    let is_number = last.bytes().all(|b| b.is_ascii_digit()) || last.strip_prefix("0x").or(last.strip_prefix("0X")).is_some_and(is_hex);
    if host.is_empty() || last.is_empty() || !host.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._".contains(&b)) {
        Err(EXAMPLE.into())
    } else if is_number {
        let ip: Ipv4Addr = host.parse().map_err(|_| format!("{host} is not an IPv4 address in its usual form"))?;
        Ok(Some(IpAddr::V4(ip)))
    } else {
        Ok(None)
    }
}

fn is_hex(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_hexdigit())
}

/// What is wrong with a further header of a provider, if anything. `name` in any case.
pub fn header_fault(name: &str, value: &str) -> Option<&'static str> {
    let lower = name.to_ascii_lowercase();
    let is_token = !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b));
    if !is_token {
        Some("is not a header's name")
    } else if value.bytes().any(|b| (b < 0x20 && b != b'\t') || b >= 0x7f) {
        Some("holds characters that a header can't")
    } else if ["authorization", "cookie", "proxy-authorization"].contains(&lower.as_str()) {
        Some("is a credential; the provider's key has a place of its own")
    } else if OWN.contains(&lower.as_str()) {
        Some("is set by Tidegate itself")
    } else {
        None
    }
}

/// Headers that the connection needs for itself.
const OWN: [&str; 9] =
    ["host", "content-length", "content-type", "transfer-encoding", "connection", "accept-encoding", "te", "trailer", "upgrade"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn public_and_private_addresses_are_taken() {
        for (text, kept) in [
            ("https://api.openai.com/v1", "https://api.openai.com/v1"),
            ("http://127.0.0.1:8081/v1/", "http://127.0.0.1:8081/v1"),
            ("http://10.0.0.7", "http://10.0.0.7"),
            ("HTTP://[::1]:8080/", "HTTP://[::1]:8080"),
            ("http://ollama:11434/v1", "http://ollama:11434/v1"),
            ("https://1.example.com", "https://1.example.com"),
        ] {
            assert_eq!(checked_base_url(text).as_deref(), Ok(kept));
        }
    }

    #[test]
    fn link_local_addresses_are_refused_in_every_form() {
        for text in [
            "http://169.254.169.254/latest",
            "http://[fe80::1]/",
            "http://[::ffff:169.254.169.254]/",
            "http://2852039166/",
            "http://0xa9fea9fe/",
            "http://0xa9.254.169.254/",
            "http://0251.254.169.254",
            "http://169.254.43518",
            "http://169.254.169.254./",
            "http://169.254.169.0xfe",
        ] {
            assert!(checked_base_url(text).is_err(), "{text}");
        }
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for text in [
            "",
            "api.openai.com/v1",
            "ftp://x/",
            "http://",
            "http://:80",
            "http://a:99999",
            "http://a:0",
            "http://a:b",
            "http://u:p@a/",
            "http://a/?q",
            "http://a/#f",
            "http://a b/",
            "http://[::1",
            "http://[::1]x",
            "http://ä/",
            "file:///etc/passwd",
            "http://a\\@b/",
        ] {
            assert!(checked_base_url(text).is_err(), "{text}");
        }
    }

    #[test]
    fn headers_that_carry_credentials_or_frame_the_request_are_refused() {
        assert_eq!(header_fault("OpenAI-Organization", "org-1"), None);
        for (name, value) in
            [("", "x"), ("a b", "x"), ("x", "a\r\nb: c"), ("Authorization", "Bearer x"), ("Cookie", "x"), ("HOST", "x"), ("te", "x")]
        {
            assert!(header_fault(name, value).is_some(), "{name}");
        }
    }
}
