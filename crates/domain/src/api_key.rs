//! API keys: how a secret is made and what is kept of it.

use std::fmt;

use sha2::{Digest, Sha256};

use crate::Entropy;

/// SHA-256 of a key's text. A key has 238 random bits, so a plain hash can't be searched.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct ApiKeyHash(pub [u8; 32]);

impl ApiKeyHash {
    /// The hash of what a client presented.
    pub fn of(presented: &[u8]) -> Self {
        Self(Sha256::digest(presented).into())
    }
}

impl fmt::Debug for ApiKeyHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ApiKeyHash(…)")
    }
}

/// The text is not in the form of an API key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an API key is tg_ and 40 letters and digits")]
pub struct ParseApiKeyError;

/// A key's secret: `tg_` and 40 letters and digits. Shown once, never stored, never logged.
#[derive(Clone, PartialEq, Eq)]
pub struct ApiKey(String);

const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const PREFIX: &str = "tg_";
const SECRET_CHARS: usize = 40;

impl ApiKey {
    /// A new secret.
    pub fn generate(entropy: &dyn Entropy) -> Self {
        let mut text = String::from(PREFIX);
        let mut bytes = [0; 64];
        while text.len() < PREFIX.len() + SECRET_CHARS {
            entropy.fill(&mut bytes);
            // Bytes from 248 on are left out, so that every character is equally likely.
            let fair = bytes.iter().filter(|b| **b < 248).filter_map(|b| ALPHABET.get(usize::from(b % 62)));
            text.extend(fair.take(PREFIX.len() + SECRET_CHARS - text.len()).map(|b| char::from(*b)));
        }
        Self(text)
    }

    /// The secret itself.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// What is kept of it.
    pub fn hash(&self) -> ApiKeyHash {
        ApiKeyHash::of(self.0.as_bytes())
    }

    /// Its first characters, to tell keys apart.
    pub fn prefix(&self) -> &str {
        self.0.get(..PREFIX.len() + 4).unwrap_or(&self.0)
    }
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ApiKey({}…)", self.prefix())
    }
}

impl std::str::FromStr for ApiKey {
    type Err = ParseApiKeyError;

    fn from_str(text: &str) -> Result<Self, ParseApiKeyError> {
        let secret = text.strip_prefix(PREFIX).ok_or(ParseApiKeyError)?;
        let plain = secret.len() == SECRET_CHARS && secret.bytes().all(|b| b.is_ascii_alphanumeric());
        if plain { Ok(Self(text.into())) } else { Err(ParseApiKeyError) }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::sync::Mutex;

    use super::*;

    struct Counting(Mutex<Cell<u8>>);
    impl Entropy for Counting {
        fn fill(&self, bytes: &mut [u8]) {
            let next = self.0.lock().unwrap();
            for b in bytes {
                next.set(next.get().wrapping_add(37));
                *b = next.get();
            }
        }
    }

    #[test]
    fn a_key_parses_back_and_hides_in_debug() {
        let key = ApiKey::generate(&Counting(Mutex::new(Cell::new(0))));
        assert_eq!(key.expose().len(), 43);
        assert_eq!(key.expose().parse::<ApiKey>().as_ref(), Ok(&key));
        assert!(!format!("{key:?}").contains(key.expose()));
        assert_eq!(key.hash(), ApiKeyHash::of(key.expose().as_bytes()));
    }
}
