//! API keys: how a secret is made and what is kept of it.

use std::fmt;

use sha2::{Digest, Sha256};

use crate::Entropy;

/// SHA-256 of a key's text. A key has 202 random bits, so a plain hash can't be searched.
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

/// A key's secret: `tg_` and 40 letters and digits, of which the last six are a checksum: CRC-32 (IEEE) of `tg_` and the 34 before them,
/// in base 62 (`0-9A-Za-z`), most significant digit first. So scanners for leaked secrets can tell keys from other text without asking
/// anybody. Shown once, never stored, never logged.
#[derive(Clone, PartialEq, Eq)]
pub struct ApiKey(String);

const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const PREFIX: &str = "tg_";
const SECRET_CHARS: usize = 40;
const CHECKSUM_CHARS: usize = 6;

impl ApiKey {
    /// A new secret.
    pub fn generate(entropy: &dyn Entropy) -> Self {
        let mut text = String::from(PREFIX);
        let mut bytes = [0; 64];
        let random = PREFIX.len() + SECRET_CHARS - CHECKSUM_CHARS;
        while text.len() < random {
            entropy.fill(&mut bytes);
            // Bytes from 248 on are left out, so that every character is equally likely.
            let fair = bytes.iter().filter(|b| **b < 248).filter_map(|b| ALPHABET.get(usize::from(b % 62)));
            text.extend(fair.take(random - text.len()).map(|b| char::from(*b)));
        }
        let checksum = checksum(&text);
        text.push_str(&checksum);
        Self(text)
    }

    /// Whether the checksum is right. It is of every key that was made since keys have one; others work as well.
    pub fn has_checksum(&self) -> bool {
        let (secret, given) = self.0.split_at(self.0.len() - CHECKSUM_CHARS);
        checksum(secret) == given
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

fn checksum(text: &str) -> String {
    let mut rest = crc32fast::hash(text.as_bytes());
    let mut digits = [b'0'; CHECKSUM_CHARS];
    for digit in digits.iter_mut().rev() {
        *digit = ALPHABET.get((rest % 62) as usize).copied().unwrap_or(b'0');
        rest /= 62;
    }
    digits.map(char::from).iter().collect()
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

    #[test]
    fn a_scanner_tells_a_key_by_its_checksum() {
        let key = ApiKey::generate(&Counting(Mutex::new(Cell::new(0))));
        assert!(key.has_checksum());
        let mut other = key.expose().to_owned();
        let last = if other.pop() == Some('0') { '1' } else { '0' };
        other.push(last);
        assert!(!other.parse::<ApiKey>().unwrap().has_checksum());
        let known = format!("tg_{}", "0".repeat(34));
        assert_eq!(checksum(&known), base62(crc(known.as_bytes())));
    }

    fn base62(n: u32) -> String {
        (0..6).rev().map(|place| char::from(ALPHABET[(n / 62_u32.pow(place) % 62) as usize])).collect()
    }

    /// Bit by bit, as the standard has it.
    fn crc(bytes: &[u8]) -> u32 {
        let step = |crc: u32| if crc & 1 == 1 { crc >> 1 ^ 0xEDB8_8320 } else { crc >> 1 };
        !bytes.iter().fold(u32::MAX, |crc, byte| (0..8).fold(crc ^ u32::from(*byte), |crc, _| step(crc)))
    }
}
