//! Secrets that people carry for a while: sessions and links. Only their hash is kept.

use std::fmt;

use sha2::{Digest, Sha256};

use crate::Entropy;

/// SHA-256 of a token's text. A token has 256 random bits, so a plain hash can't be searched.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct TokenHash(pub [u8; 32]);

impl TokenHash {
    /// The hash of what was presented.
    pub fn of(presented: &str) -> Self {
        Self(Sha256::digest(presented.as_bytes()).into())
    }
}

impl fmt::Debug for TokenHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenHash(…)")
    }
}

/// A token: 64 hexadecimal digits. Given out once, never stored, never logged.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretToken(String);

impl SecretToken {
    /// A new one.
    pub fn generate(entropy: &dyn Entropy) -> Self {
        let mut random = [0; 32];
        entropy.fill(&mut random);
        Self(random.iter().map(|byte| format!("{byte:02x}")).collect())
    }

    /// The secret itself.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// What is kept of it.
    pub fn hash(&self) -> TokenHash {
        TokenHash::of(&self.0)
    }
}

impl fmt::Debug for SecretToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretToken(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Sevens;
    impl Entropy for Sevens {
        fn fill(&self, bytes: &mut [u8]) {
            bytes.fill(0x7f);
        }
    }

    #[test]
    fn a_token_is_found_by_its_hash_and_hides_in_debug() {
        let token = SecretToken::generate(&Sevens);
        assert_eq!(token.expose(), "7f".repeat(32));
        assert_eq!(TokenHash::of(token.expose()), token.hash());
        assert!(!format!("{token:?}{:?}", token.hash()).contains("7f"));
    }
}
