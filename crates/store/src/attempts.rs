//! Attempts to log in, to sign up and to use links, limited by the same exact windows as requests. It is in memory alone, and knows no
//! password.

use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, PoisonError};

use domain::Entropy;
use limits::{Ask, HoldId, Kind, Ledger, LimitKey, Retry};
use sha2::{Digest, Sha256};

use crate::{ErrorClass, OperationError, Store};

/// Ledgers among which subjects are spread.
const LEDGERS: usize = 64;
const MINUTE_US: u64 = 60_000_000;

/// What is attempted, by whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attempted<'a> {
    /// A log-in to this account, whether or not there is one: 10 failures in 15 minutes.
    LogIn(&'a str),
    /// A log-in from this address: 50 failures in 15 minutes.
    LogInFrom(IpAddr),
    /// A sign-up from this address: 10 in an hour.
    SignUpFrom(IpAddr),
    /// The use of a link from this address: 30 failures in 15 minutes.
    LinkFrom(IpAddr),
    /// A mail to this address, whether or not it has an account: 5 in an hour.
    MailTo(&'a str),
    /// A mail that is asked for from this address: 20 in an hour.
    MailFrom(IpAddr),
}

/// There were as many attempts as there may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there were too many attempts; try again in {seconds} s", seconds = wait_us.div_ceil(1_000_000))]
pub struct TooManyAttempts {
    /// The next is admitted after so many microseconds.
    pub wait_us: u64,
}

impl OperationError for TooManyAttempts {
    fn class(&self) -> ErrorClass<'_> {
        ErrorClass::TooMany { wait_us: self.wait_us }
    }
}

/// An attempt that was admitted. It counts unless it is forgiven.
#[must_use]
#[derive(Debug)]
pub struct Attempt<'a> {
    attempts: &'a Attempts,
    ledger: usize,
    hold: HoldId,
}

pub(crate) struct Attempts {
    ledgers: [Mutex<Ledger>; LEDGERS],
    /// So that nobody can choose subjects that meet in one ledger.
    seed: [u8; 16],
    number: AtomicU64,
}

impl std::fmt::Debug for Attempts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Attempts")
    }
}

impl Attempted<'_> {
    /// How many there may be in a window, and the window in microseconds.
    const fn limit(self) -> (u64, u64) {
        match self {
            Self::LogIn(_) => (10, 15 * MINUTE_US),
            Self::LogInFrom(_) => (50, 15 * MINUTE_US),
            Self::SignUpFrom(_) => (10, 60 * MINUTE_US),
            Self::LinkFrom(_) => (30, 15 * MINUTE_US),
            Self::MailTo(_) => (5, 60 * MINUTE_US),
            Self::MailFrom(_) => (20, 60 * MINUTE_US),
        }
    }

    fn subject(self) -> String {
        match self {
            Self::LogIn(account) => format!("login {account}"),
            Self::LogInFrom(address) => format!("login from {}", network(address)),
            Self::SignUpFrom(address) => format!("sign-up from {}", network(address)),
            Self::LinkFrom(address) => format!("link from {}", network(address)),
            Self::MailTo(account) => format!("mail to {account}"),
            Self::MailFrom(address) => format!("mail from {}", network(address)),
        }
    }
}

/// An address, or of IPv6 the 64 bits that one customer has.
fn network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(six) => match six.to_ipv4_mapped() {
            Some(four) => IpAddr::V4(four),
            None => IpAddr::V6((six.to_bits() >> 64 << 64).into()),
        },
    }
}

impl Attempts {
    pub(crate) fn new(entropy: &dyn Entropy) -> Self {
        let mut seed = [0; 16];
        entropy.fill(&mut seed);
        Self { ledgers: std::array::from_fn(|_| Mutex::new(Ledger::new())), seed, number: AtomicU64::new(0) }
    }

    fn ledger(&self, index: usize) -> Option<MutexGuard<'_, Ledger>> {
        self.ledgers.get(index).map(|ledger| ledger.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn admit(&self, what: Attempted<'_>, now_us: u64) -> Result<Attempt<'_>, TooManyAttempts> {
        let digest: [u8; 32] = Sha256::new().chain_update(self.seed).chain_update(what.subject()).finalize().into();
        let pool = digest.iter().take(8).fold(0, |sum, byte| sum << 8 | u64::from(*byte));
        let index = usize::from(digest[8]) % LEDGERS;
        let (n, window_us) = what.limit();
        let ask = Ask { key: LimitKey { pool, kind: Kind::Requests, window_us }, n, log: 1, hold: 0 };
        let number = u128::from(self.number.fetch_add(1, Relaxed));
        let admitted = self.ledger(index).map(|mut ledger| ledger.reserve(number, &[ask], now_us));
        match admitted {
            Some(Ok(hold)) => Ok(Attempt { attempts: self, ledger: index, hold }),
            Some(Err(refusal)) => match refusal.retry {
                Retry::At { at, .. } => Err(TooManyAttempts { wait_us: at.saturating_sub(now_us).max(1) }),
                Retry::Never => Err(TooManyAttempts { wait_us: window_us }),
            },
            None => Err(TooManyAttempts { wait_us: window_us }),
        }
    }
}

impl Attempt<'_> {
    /// It succeeded, and doesn't count.
    pub fn forgive(self, now_us: u64) {
        if let Some(mut ledger) = self.attempts.ledger(self.ledger) {
            ledger.refund_all(self.hold, now_us);
        }
    }
}

impl Drop for Attempt<'_> {
    fn drop(&mut self) {
        if let Some(mut ledger) = self.attempts.ledger(self.ledger) {
            let now_us = ledger.now();
            ledger.release(self.hold, now_us);
        }
    }
}

impl Store {
    /// Asks for an attempt.
    ///
    /// # Errors
    /// There were too many; when there may be another.
    pub fn attempt(&self, what: Attempted<'_>) -> Result<Attempt<'_>, TooManyAttempts> {
        self.inner.attempts.admit(what, self.inner.now().mono_us)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Zeros;
    impl Entropy for Zeros {
        fn fill(&self, bytes: &mut [u8]) {
            bytes.fill(0);
        }
    }

    #[test]
    fn failures_count_and_successes_do_not() {
        let attempts = Attempts::new(&Zeros);
        let log_in = Attempted::LogIn("ada@example.com");
        for at in 1..=20 {
            attempts.admit(log_in, at).unwrap().forgive(at);
        }
        for at in 21..=30 {
            drop(attempts.admit(log_in, at).unwrap());
        }
        let TooManyAttempts { wait_us } = attempts.admit(log_in, 40).unwrap_err();
        assert_eq!(wait_us, 15 * MINUTE_US - 19, "until the first failure is 15 minutes old");
        drop(attempts.admit(Attempted::LogIn("bob@example.com"), 40).unwrap());
        drop(attempts.admit(log_in, 40 + wait_us).unwrap());
        assert!(attempts.admit(log_in, 40 + wait_us).is_err());
    }

    #[test]
    fn a_customer_has_one_network_however_many_addresses() {
        let of = |text: &str| network(text.parse().unwrap()).to_string();
        assert_eq!(of("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::");
        assert_eq!(of("::ffff:192.0.2.7"), "192.0.2.7");
        assert_eq!(of("192.0.2.7"), "192.0.2.7");
    }
}
