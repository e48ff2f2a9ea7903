//! How a value that somebody wrote, in a file or in an environment variable, becomes one of ours.
//! It knows no key by name.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use secrecy::SecretString;
use serde::de::{DeserializeOwned, IntoDeserializer};
use toml::de::DeValue;

/// A value as it was written.
#[derive(Clone, Copy)]
pub(crate) enum Written<'a> {
    Toml(&'a DeValue<'a>),
    /// The text of an environment variable.
    Text(&'a str),
}

impl<'a> Written<'a> {
    fn text(self) -> Option<&'a str> {
        match self {
            Self::Toml(value) => value.as_str(),
            Self::Text(text) => Some(text),
        }
    }

    fn wrong(self, expected: &str) -> String {
        match self {
            Self::Toml(value) => format!("expected {expected}, found {}", article(value.type_str())),
            Self::Text(_) => format!("expected {expected}"),
        }
    }
}

fn article(kind: &str) -> String {
    let vowel = kind.starts_with(['a', 'e', 'i', 'o', 'u']);
    format!("{} {kind}", if vowel { "an" } else { "a" })
}

/// A type that can be written. The error says what was expected.
pub(crate) trait Parse: Sized {
    fn parse(written: Written<'_>) -> Result<Self, String>;
}

impl Parse for String {
    fn parse(written: Written<'_>) -> Result<Self, String> {
        written.text().map(Into::into).ok_or_else(|| written.wrong("a string"))
    }
}

impl Parse for SecretString {
    fn parse(written: Written<'_>) -> Result<Self, String> {
        let text = written.text().ok_or_else(|| written.wrong("a string"))?;
        if text.trim().is_empty() { Err("must not be empty".into()) } else { Ok(text.trim().into()) }
    }
}

impl Parse for PathBuf {
    fn parse(written: Written<'_>) -> Result<Self, String> {
        let text = written.text().ok_or_else(|| written.wrong("a path"))?;
        if text.is_empty() { Err("must not be empty".into()) } else { Ok(text.into()) }
    }
}

impl Parse for bool {
    fn parse(written: Written<'_>) -> Result<Self, String> {
        let fault = || written.wrong("true or false");
        match written {
            Written::Toml(value) => value.as_bool().ok_or_else(fault),
            Written::Text(text) => text.trim().parse().map_err(|_| fault()),
        }
    }
}

impl Parse for u64 {
    fn parse(written: Written<'_>) -> Result<Self, String> {
        let expected = "a whole number, 0 or more";
        match written {
            Written::Toml(value) => {
                let integer = value.as_integer().ok_or_else(|| written.wrong(expected))?;
                Self::from_str_radix(integer.as_str(), integer.radix()).map_err(|_| format!("expected {expected}, found {integer}"))
            }
            Written::Text(text) => text.trim().replace('_', "").parse().map_err(|_| written.wrong(expected)),
        }
    }
}

impl Parse for u32 {
    fn parse(written: Written<'_>) -> Result<Self, String> {
        Self::try_from(u64::parse(written)?).map_err(|_| format!("must be at most {}", Self::MAX))
    }
}

impl Parse for f64 {
    fn parse(written: Written<'_>) -> Result<Self, String> {
        let number = match written {
            Written::Toml(value) => match (value.as_integer(), value.as_float()) {
                (Some(integer), _) => i64::from_str_radix(integer.as_str(), integer.radix()).ok().map(|n| n as Self),
                (None, Some(float)) => float.as_str().parse().ok(),
                (None, None) => None,
            },
            Written::Text(text) => text.trim().parse().ok(),
        };
        number.filter(|n: &Self| n.is_finite()).ok_or_else(|| written.wrong("a number"))
    }
}

impl Parse for domain::Money {
    /// A decimal string; a bare number is taken as well, since people write prices so.
    fn parse(written: Written<'_>) -> Result<Self, String> {
        let number = match written {
            Written::Toml(value) => value.as_integer().map(ToString::to_string).or_else(|| value.as_float().map(ToString::to_string)),
            Written::Text(_) => None,
        };
        let text = number.as_deref().or_else(|| written.text()).ok_or_else(|| written.wrong("an amount such as \"0.15\""))?;
        let money: Self = text.parse().map_err(|e: domain::ParseMoneyError| e.to_string())?;
        if money.0 < 0 { Err("an amount can't be negative".into()) } else { Ok(money) }
    }
}

impl Parse for SocketAddr {
    /// `127.0.0.1:8080`, `[::1]:8080`, `localhost:8080`, `:8080` (loopback).
    fn parse(written: Written<'_>) -> Result<Self, String> {
        let fault = || written.wrong("an address and port such as 127.0.0.1:8080");
        parse_listen(written.text().ok_or_else(fault)?.trim()).ok_or_else(fault)
    }
}

/// An address to listen on. A bare port and `localhost` mean loopback.
pub(crate) fn parse_listen(text: &str) -> Option<SocketAddr> {
    let loopback = |port: &str| port.parse().ok().map(|port| SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
    match text.rsplit_once(':') {
        Some(("" | "localhost", port)) => loopback(port),
        Some(_) => text.parse().ok(),
        None => None,
    }
}

impl<T: Parse> Parse for Vec<T> {
    /// An array; in an environment variable, values between commas.
    fn parse(written: Written<'_>) -> Result<Self, String> {
        match written {
            Written::Toml(value) => {
                let array = value.as_array().ok_or_else(|| written.wrong("an array"))?;
                array.iter().map(|item| T::parse(Written::Toml(item.get_ref()))).collect()
            }
            Written::Text(text) => text.split(',').map(|item| T::parse(Written::Text(item.trim()))).collect(),
        }
    }
}

/// One value, or an array of some.
pub(crate) struct OneOrSeveral<T>(pub(crate) Vec<T>);

impl<T: Parse> Parse for OneOrSeveral<T> {
    fn parse(written: Written<'_>) -> Result<Self, String> {
        match written {
            Written::Toml(value) if value.as_array().is_some() => match Vec::parse(written)? {
                none if none.is_empty() => Err("the list is empty: leave it out, or give at least one".into()),
                several => Ok(Self(several)),
            },
            one => T::parse(one).map(|one| Self(vec![one])),
        }
    }
}

/// One of an enum's words, as its `Deserialize` names them.
pub(crate) struct Word<T>(pub(crate) T);

impl<T: DeserializeOwned> Parse for Word<T> {
    fn parse(written: Written<'_>) -> Result<Self, String> {
        let text = written.text().ok_or_else(|| written.wrong("a string"))?;
        let deserializer: serde::de::value::StrDeserializer<'_, serde::de::value::Error> = text.into_deserializer();
        T::deserialize(deserializer).map(Self).map_err(|e| e.to_string().replace('`', "\"").replace("unknown variant", "unknown choice"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn listen_addresses_that_people_write() {
        for (text, expected) in [
            ("127.0.0.1:8080", Some("127.0.0.1:8080")),
            (":9000", Some("127.0.0.1:9000")),
            ("localhost:0", Some("127.0.0.1:0")),
            ("[::1]:80", Some("[::1]:80")),
            ("8080", None),
            ("example.com:80", None),
            ("127.0.0.1:65536", None),
        ] {
            assert_eq!(parse_listen(text).map(|a| a.to_string()).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn words_name_the_choices() {
        let fault = Word::<domain::Category>::parse(Written::Text("huge")).err().unwrap();
        assert_eq!(fault, r#"unknown choice "huge", expected one of "small", "medium", "large""#);
    }
}
