//! The public name of one of a provider's credentials. It knows neither the credential nor how its name is made.

use std::fmt;
use std::str::FromStr;

/// The text names no credential.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected an id such as cred_0f3a5c7e9b1d")]
pub struct ParseCredentialIdError;

/// A credential of a provider: `cred_` and twelve hexadecimal digits, the same as long as it is the same credential there.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CredentialId(u64);

const PREFIX: &str = "cred_";
const DIGITS: usize = 12;

impl CredentialId {
    /// The id of a fingerprint.
    pub const fn of_fingerprint([a, b, c, d, e, f]: [u8; 6]) -> Self {
        Self(u64::from_be_bytes([0, 0, a, b, c, d, e, f]))
    }
}

impl fmt::Display for CredentialId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PREFIX}{:0DIGITS$x}", self.0)
    }
}

impl fmt::Debug for CredentialId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for CredentialId {
    type Err = ParseCredentialIdError;

    fn from_str(text: &str) -> Result<Self, ParseCredentialIdError> {
        let digits = text.strip_prefix(PREFIX).ok_or(ParseCredentialIdError)?;
        let is_sound = digits.len() == DIGITS && digits.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
        let number = if is_sound { u64::from_str_radix(digits, 16).ok() } else { None };
        number.map(Self).ok_or(ParseCredentialIdError)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_read_as_it_is_written_and_in_no_other_form() {
        let id = CredentialId::of_fingerprint([0, 0xff, 1, 2, 3, 0xab]);
        assert_eq!(id.to_string(), "cred_00ff010203ab");
        assert_eq!(id.to_string().parse(), Ok(id));
        for wrong in ["", "cred_", "00ff010203ab", "cred_00FF010203ab", "cred_0ff010203ab", "cred_+0ff010203ab", "key_00ff010203ab"] {
            assert_eq!(wrong.parse::<CredentialId>(), Err(ParseCredentialIdError), "{wrong}");
        }
    }
}
