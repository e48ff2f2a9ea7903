//! Secrets at rest: XChaCha20-Poly1305 under the data folder's key, and fingerprints of them. It knows no database.

use std::fmt;

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use domain::Entropy;
use sha2::{Digest as _, Sha256};

use crate::Store;

/// The key that seals credentials: 32 random bytes.
#[derive(Clone)]
pub struct SecretKey([u8; 32]);

impl SecretKey {
    /// The key of these bytes.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// A new key.
    pub fn generate(entropy: &dyn Entropy) -> Self {
        let mut bytes = [0; 32];
        entropy.fill(&mut bytes);
        Self(bytes)
    }

    /// The key as its file has it: 64 hexadecimal digits.
    pub(crate) fn to_text(&self) -> String {
        self.0.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    pub(crate) fn of_text(text: &str) -> Option<Self> {
        let text = text.trim();
        if text.len() != 64 || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
            return None;
        }
        let mut bytes = [0; 32];
        for (byte, digits) in bytes.iter_mut().zip(text.as_bytes().chunks(2)) {
            *byte = u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
        }
        Some(Self(bytes))
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretKey(…)")
    }
}

/// What was sealed can't be opened: another key, another place, or it was changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("sealed under another key, or changed")]
pub(crate) struct CannotUnseal;

/// Seals, unseals and fingerprints under one key.
#[derive(Clone)]
pub(crate) struct Sealer {
    cipher: XChaCha20Poly1305,
    prints: Sha256,
}

/// First byte of everything sealed, so that another way can follow.
const VERSION: u8 = 1;
const NONCE_BYTES: usize = 24;

impl Sealer {
    pub(crate) fn new(key: &SecretKey) -> Self {
        let prints = Sha256::new().chain_update(b"fingerprints").chain_update(key.0);
        Self { cipher: XChaCha20Poly1305::new(&key.0.into()), prints }
    }

    /// Seals `secret` for one place: it can't be unsealed as if it stood at another.
    pub(crate) fn seal(&self, place: &str, secret: &[u8], entropy: &dyn Entropy) -> Vec<u8> {
        let mut nonce = [0; NONCE_BYTES];
        entropy.fill(&mut nonce);
        let payload = Payload { msg: secret, aad: place.as_bytes() };
        // It fails for more than 256 GB only.
        let sealed = self.cipher.encrypt(&XNonce::from(nonce), payload).unwrap_or_default();
        [&[VERSION], nonce.as_slice(), &sealed].concat()
    }

    /// The same for the same secret at the same place. Without the key nobody can try whether a secret has it.
    pub(crate) fn fingerprint(&self, place: &str, secret: &[u8]) -> [u8; 6] {
        let hash = self.prints.clone().chain_update(Sha256::digest(place)).chain_update(secret).finalize();
        let [a, b, c, d, e, f, ..] = <[u8; 32]>::from(hash);
        [a, b, c, d, e, f]
    }

    /// A print of several texts together, under the same conditions.
    pub(crate) fn print_of(&self, place: &str, texts: &[&[u8]]) -> [u8; 32] {
        let print = self.prints.clone().chain_update(Sha256::digest(place));
        texts.iter().fold(print, |print, text| print.chain_update(Sha256::digest(text))).finalize().into()
    }

    pub(crate) fn unseal(&self, place: &str, sealed: &[u8]) -> Result<Vec<u8>, CannotUnseal> {
        let (version, rest) = sealed.split_first().ok_or(CannotUnseal)?;
        let (nonce, msg) = rest.split_first_chunk::<NONCE_BYTES>().ok_or(CannotUnseal)?;
        if *version != VERSION {
            return Err(CannotUnseal);
        }
        let payload = Payload { msg, aad: place.as_bytes() };
        self.cipher.decrypt(&XNonce::from(*nonce), payload).map_err(|_| CannotUnseal)
    }
}

impl Store {
    /// A text that only this installation can read and nobody can change, for somebody to keep; `place` is what for.
    pub fn seal(&self, place: &str, text: &[u8]) -> Vec<u8> {
        self.inner.sealer.seal(&handed_out(place), text, self.inner.entropy.as_ref())
    }

    /// What was sealed for that; `None`: it wasn't, or was changed.
    pub fn unseal(&self, place: &str, sealed: &[u8]) -> Option<Vec<u8>> {
        self.inner.sealer.unseal(&handed_out(place), sealed).ok()
    }
}

/// A place apart from those of what is kept here.
fn handed_out(place: &str) -> String {
    format!("handed out:{place}")
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Sevens;
    impl Entropy for Sevens {
        fn fill(&self, bytes: &mut [u8]) {
            bytes.fill(7);
        }
    }

    #[test]
    fn what_is_sealed_opens_under_its_key_at_its_place_only() {
        let key = SecretKey::from_bytes([1; 32]);
        let sealed = Sealer::new(&key).seal("provider:a", b"sk-secret", &Sevens);
        assert!(!sealed.windows(9).any(|w| w == b"sk-secret"));
        assert_eq!(Sealer::new(&key).unseal("provider:a", &sealed).unwrap(), b"sk-secret");
        assert_eq!(Sealer::new(&key).unseal("provider:b", &sealed), Err(CannotUnseal));
        assert_eq!(Sealer::new(&SecretKey::from_bytes([2; 32])).unseal("provider:a", &sealed), Err(CannotUnseal));
        for cut in [0, 1, 24, 25, sealed.len() - 1] {
            assert_eq!(Sealer::new(&key).unseal("provider:a", &sealed[..cut]), Err(CannotUnseal));
        }
        for flip in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[flip] ^= 1;
            assert_eq!(Sealer::new(&key).unseal("provider:a", &changed), Err(CannotUnseal), "byte {flip}");
        }
    }

    #[test]
    fn a_fingerprint_is_of_one_secret_at_one_place_under_one_key() {
        let print = |key: u8, place: &str, secret: &[u8]| Sealer::new(&SecretKey::from_bytes([key; 32])).fingerprint(place, secret);
        let first = print(1, "provider:a", b"sk-secret");
        assert_eq!(first, print(1, "provider:a", b"sk-secret"));
        for other in [print(2, "provider:a", b"sk-secret"), print(1, "provider:as", b"k-secret"), print(1, "provider:a", b"sk-secrets")] {
            assert_ne!(first, other);
        }
    }

    #[test]
    fn a_key_survives_its_file_and_hides_in_debug() {
        let key = SecretKey::generate(&Sevens);
        let text = key.to_text();
        assert_eq!(SecretKey::of_text(&format!("{text}\n")).unwrap().0, key.0);
        assert_eq!(format!("{key:?}"), "SecretKey(…)");
        for bad in ["", "07", &"g".repeat(64), &"é".repeat(32), &text[1..]] {
            assert!(SecretKey::of_text(bad).is_none(), "{bad}");
        }
    }
}
