//! An e-mail address, as far as it can be told from its text. It sends nothing and knows no mail server.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Longest address, in bytes (RFC 5321, 4.5.3.1.3).
const LONGEST: usize = 254;
/// Longest part before the `@`, in bytes (RFC 5321, 4.5.3.1.1).
const LONGEST_LOCAL: usize = 64;

/// The text is no e-mail address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected an e-mail address such as ada@example.com")]
pub struct ParseEmailError;

/// An e-mail address, without white space around it. Two that differ only in upper and lower case are the same person's.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Email(String);

impl Email {
    /// The text as it was given.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What two addresses of the same person have in common.
    pub fn folded(&self) -> String {
        self.0.to_lowercase()
    }
}

impl FromStr for Email {
    type Err = ParseEmailError;

    fn from_str(text: &str) -> Result<Self, ParseEmailError> {
        let text = text.trim();
        let (local, host) = text.rsplit_once('@').ok_or(ParseEmailError)?;
        let plain =
            |part: &str| !part.is_empty() && !part.chars().any(|c| c.is_whitespace() || c.is_control() || "@<>(),;:\\\"[]".contains(c));
        let is_host = |label: &str| !label.is_empty() && !label.starts_with('-') && !label.ends_with('-');
        let letters = |c: char| c.is_alphanumeric() || c == '-' || c == '.';
        let sound = text.len() <= LONGEST
            && local.len() <= LONGEST_LOCAL
            && plain(local)
            && host.chars().all(letters)
            && host.split('.').all(is_host);
        if sound { Ok(Self(text.into())) } else { Err(ParseEmailError) }
    }
}

impl TryFrom<String> for Email {
    type Error = ParseEmailError;

    fn try_from(text: String) -> Result<Self, ParseEmailError> {
        text.parse()
    }
}

impl From<Email> for String {
    fn from(email: Email) -> Self {
        email.0
    }
}

impl fmt::Display for Email {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Email {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_told_from_other_text() {
        for sound in ["ada@example.com", " ada@example.com ", "a.b+c@x.y-z.org", "ada@localhost", "\u{e4}da@ex\u{e4}mple.org"] {
            assert!(sound.parse::<Email>().is_ok(), "{sound}");
        }
        let long = format!("{}@example.com", "a".repeat(65));
        for wrong in [
            "",
            "ada",
            "@example.com",
            "ada@",
            "a da@example.com",
            "ada@@example.com",
            "ada@-x.org",
            "ada@x..org",
            "a<b>@x.org",
            "ada@x.org\r\nbcc: b@x.org",
            &long,
        ] {
            assert!(wrong.parse::<Email>().is_err(), "{wrong:?}");
        }
        assert_eq!("Ada@Example.com".parse::<Email>().unwrap().folded(), "ada@example.com");
    }
}
