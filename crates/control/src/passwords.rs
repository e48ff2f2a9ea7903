//! Passwords: argon2id (RFC 9106) with OWASP's parameters, a few at a time off the runtime's threads. It keeps nothing.

use std::sync::{Arc, OnceLock};

use argon2::{Argon2, PasswordHasher as _, PasswordVerifier as _};
use domain::Entropy;
use http::StatusCode;
use secrecy::{ExposeSecret as _, SecretString};
use tokio::sync::Semaphore;

use crate::caps::{PASSWORDS_AT_ONCE, PASSWORDS_WAITING};
use crate::problem::Problem;

/// Hashes and checks passwords.
pub(crate) struct Passwords {
    entropy: Arc<dyn Entropy>,
    /// Each takes 19 MiB and some 20 ms of a core.
    places: Arc<Semaphore>,
    waiting: Semaphore,
    /// What the passwords of accounts that don't exist are checked against, so that they take as long.
    nobodys: Arc<OnceLock<String>>,
}

impl Passwords {
    pub(crate) fn new(entropy: Arc<dyn Entropy>) -> Self {
        let (places, waiting) = (Arc::new(Semaphore::new(PASSWORDS_AT_ONCE)), Semaphore::new(PASSWORDS_WAITING));
        Self { entropy, places, waiting, nobodys: Arc::default() }
    }

    /// The hash of a new password, as a PHC string.
    pub(crate) async fn hash(&self, password: SecretString) -> Result<SecretString, Problem> {
        let mut salt = [0; 16];
        self.entropy.fill(&mut salt);
        self.off_the_runtime(move || hashed(&password, &salt)).await?.map(SecretString::from).ok_or_else(busy)
    }

    /// Whether the password is that of the hash. Where there is none it isn't, after as long.
    pub(crate) async fn is_right(&self, password: SecretString, hash: Option<SecretString>) -> Result<bool, Problem> {
        let nobodys = Arc::clone(&self.nobodys);
        self.off_the_runtime(move || {
            let known = match &hash {
                Some(hash) => hash.expose_secret(),
                None => nobodys.get_or_init(|| hashed(&SecretString::from("nobody"), &[0; 16]).unwrap_or_default()),
            };
            let matches = Argon2::default().verify_password(password.expose_secret().as_bytes(), known).is_ok();
            matches && hash.is_some()
        })
        .await
    }

    async fn off_the_runtime<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, Problem> {
        let _waiting = self.waiting.try_acquire().map_err(|_| busy())?;
        let place = Arc::clone(&self.places).acquire_owned().await.map_err(|_| busy())?;
        let task = tokio::task::spawn_blocking(move || {
            let _place = place;
            work()
        });
        task.await.map_err(|_| busy())
    }
}

fn hashed(password: &SecretString, salt: &[u8]) -> Option<String> {
    let hash = Argon2::default().hash_password_with_salt(password.expose_secret().as_bytes(), salt).ok()?;
    Some(hash.to_string())
}

fn busy() -> Problem {
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, "busy", "Too many people log in at this moment; try again in a few seconds.")
}
