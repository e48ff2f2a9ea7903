//! One log-in on its way: what this server gave the browser to keep while it is at the provider, sealed, so that nothing is kept here. What came
//! back belongs to the browser that began, is ten minutes old at most, and is used once.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as URL_SAFE;
use domain::{Entropy, PersonId, SecretToken, SessionId, TokenHash, UnixMicros};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use crate::caps::{MAX_LOG_IN_S, MAX_NEXT_BYTES, SPENT_LOG_INS};

/// What the browser keeps. Its text holds secrets.
#[derive(Serialize, Deserialize)]
pub(crate) struct Flow {
    state: String,
    pub(super) nonce: String,
    pub(super) verifier: String,
    /// Where it goes on afterwards: a path of this server.
    pub(crate) next: String,
    /// In microseconds since 1970.
    until: i64,
    /// To whose account the identity is to be linked; `None`: it is a log-in.
    pub(crate) link: Option<Linking>,
}

/// Somebody who is logged in and links an identity.
#[derive(Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Linking {
    pub(crate) person: PersonId,
    pub(crate) session: SessionId,
}

impl Flow {
    pub(super) fn begin(next: String, link: Option<Linking>, now: UnixMicros, entropy: &dyn Entropy) -> Self {
        let random = || SecretToken::generate(entropy).expose().to_owned();
        let until = now.0 + MAX_LOG_IN_S * 1_000_000;
        Self { state: random(), nonce: random(), verifier: random(), next, until, link }
    }

    pub(super) fn state(&self) -> &str {
        &self.state
    }

    /// What the provider is told of the verifier (RFC 7636, 4.2).
    pub(super) fn challenge(&self) -> String {
        URL_SAFE.encode(Sha256::digest(&self.verifier))
    }

    /// As text, to be sealed.
    pub(crate) fn to_text(&self) -> Vec<u8> {
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// What was sealed, if what came back with `state` belongs to it and isn't too late.
    pub(crate) fn of_text(text: &[u8], state: &str, now: UnixMicros) -> Option<Self> {
        let flow: Self = serde_json::from_slice(text).ok()?;
        let is_its: bool = flow.state.as_bytes().ct_eq(state.as_bytes()).into();
        (is_its && now.0 < flow.until).then_some(flow)
    }
}

/// Where a browser goes on: a path of this server and nothing that a browser could take for another's address.
pub(crate) fn local_path(next: &str) -> Option<&str> {
    let begins = next.starts_with('/') && !next.starts_with("//");
    let is_plain = next.bytes().all(|byte| byte.is_ascii_graphic() && !b"\\<>\"'`{}|^".contains(&byte));
    (begins && is_plain && next.len() <= MAX_NEXT_BYTES).then_some(next)
}

/// Log-ins that came back, for as long as they could again.
#[derive(Default)]
pub(super) struct Spent(Mutex<VecDeque<(TokenHash, i64)>>);

impl Spent {
    /// Whether this one comes back for the first time.
    pub(super) fn is_first(&self, flow: &Flow, now: UnixMicros) -> bool {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let hash = TokenHash::of(&flow.state);
        all.retain(|(_, until)| now.0 < *until);
        if all.iter().any(|(known, _)| *known == hash) {
            return false;
        }
        if all.len() >= SPENT_LOG_INS {
            all.pop_front();
        }
        all.push_back((hash, flow.until));
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A different byte each time.
    struct Counting(std::sync::atomic::AtomicU8);
    impl Entropy for Counting {
        fn fill(&self, bytes: &mut [u8]) {
            bytes.fill(self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed));
        }
    }

    const NOW: UnixMicros = UnixMicros(1_770_305_400_000_000);
    const MINUTES_10: i64 = 600_000_000;

    fn flow(entropy: &Counting) -> Flow {
        Flow::begin("/".into(), None, NOW, entropy)
    }

    #[test]
    fn what_came_back_belongs_to_what_was_begun_for_ten_minutes() {
        let entropy = Counting(0.into());
        let (one, other) = (flow(&entropy), flow(&entropy));
        let back = |state: &str, after: i64| Flow::of_text(&one.to_text(), state, UnixMicros(NOW.0 + after)).is_some();
        assert!(back(one.state(), 0) && back(one.state(), MINUTES_10 - 1));
        assert!(!back(one.state(), MINUTES_10) && !back(other.state(), 0) && !back("", 0));
        let texts = [&one.state, &one.nonce, &one.verifier, &other.state, &other.nonce, &other.verifier];
        assert!(texts.iter().enumerate().all(|(at, text)| text.len() == 64 && !texts[..at].contains(text)), "each its own");
        assert!(Flow::of_text(b"{}", "", NOW).is_none());
    }

    #[test]
    fn the_challenge_is_the_standard_s_own_example() {
        // RFC 7636, appendix B.
        let verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk".to_owned();
        let flow = Flow { verifier, ..flow(&Counting(0.into())) };
        assert_eq!(flow.challenge(), "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
    }

    #[test]
    fn each_comes_back_once_and_few_are_remembered() {
        let (spent, entropy) = (Spent::default(), Counting(0.into()));
        let one = flow(&entropy);
        assert!(spent.is_first(&one, NOW));
        assert!(!spent.is_first(&one, UnixMicros(NOW.0 + MINUTES_10 - 1)));
        for n in 0..SPENT_LOG_INS + 10 {
            assert!(spent.is_first(&Flow { state: n.to_string(), ..flow(&entropy) }, NOW));
        }
        assert_eq!(spent.0.lock().unwrap().len(), SPENT_LOG_INS);
        spent.is_first(&one, UnixMicros(NOW.0 + MINUTES_10));
        assert_eq!(spent.0.lock().unwrap().len(), 1, "those that can't come back are forgotten");
    }

    #[test]
    fn one_goes_on_at_a_path_of_this_server() {
        for fine in ["/", "/orgs/org_1?tab=keys#x", "/a//b", "/@evil.example.com", "/%5cevil.example.com", "/https://evil.example.com"] {
            assert_eq!(local_path(fine), Some(fine));
        }
        let long = format!("/{}", "x".repeat(MAX_NEXT_BYTES));
        for wrong in [
            "",
            "x",
            "//evil.example.com",
            "///evil.example.com",
            "/\\evil.example.com",
            "\\\\evil.example.com",
            "https://evil.example.com",
            "javascript:alert(1)",
            " /",
            "/\t/evil.example.com",
            "/\n",
            "/\u{e4}",
            "/\"><script>",
            &long,
        ] {
            assert_eq!(local_path(wrong), None, "{wrong:?}");
        }
    }
}
