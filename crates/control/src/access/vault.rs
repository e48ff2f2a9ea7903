//! What is kept, and the little of it that anybody reaches: the catalogue, signing up, logging in, links. All else needs a proof of this
//! folder, which alone can open it.

use std::sync::Arc;

use domain::{Catalogue, Email, Identity, OrgId, Person, PersonId, SecretToken, SessionId, TokenHash, UnixMicros};
use secrecy::SecretString;
use store::{
    Account, AccountError, Actor, Arrival, ArriveError, Arrived, Attempt, Attempted, BillingError, Link, LinkError, LinkIdentityError,
    Session, Settled, SignUp, SignUpError, Store, TooManyAttempts,
};

use crate::billing::{Cashier, HearFault};

/// The store and who sells plans, out of reach.
#[derive(Clone)]
pub(crate) struct Vault(Store, Cashier);

impl Vault {
    pub(crate) fn new(store: Store, cashier: Cashier) -> Self {
        Self(store, cashier)
    }

    pub(super) fn cashier(&self) -> &Cashier {
        &self.1
    }

    /// Whether plans with a price are sold here; else operators grant them.
    pub(crate) fn sells(&self) -> bool {
        self.1.sells()
    }

    /// Whether they are paid with test cards.
    pub(crate) fn takes_test_cards(&self) -> bool {
        self.1.name() == "test"
    }

    /// For whoever can prove with a signature that it is they who charge.
    pub(crate) async fn hear(&self, signatures: &[&str], body: &[u8]) -> Result<Result<Settled, BillingError>, HearFault> {
        self.1.hear(signatures, body).await
    }

    pub(super) fn store(&self) -> &Store {
        &self.0
    }

    pub(crate) fn catalogue(&self) -> Arc<Catalogue> {
        Arc::clone(&self.0.directory().catalogue())
    }

    pub(crate) fn attempt(&self, what: Attempted<'_>) -> Result<Attempt<'_>, TooManyAttempts> {
        self.0.attempt(what)
    }

    pub(crate) async fn sign_up(&self, new: SignUp) -> Result<(Person, OrgId), SignUpError> {
        self.0.sign_up(new).await
    }

    pub(crate) async fn account(&self, email: &Email) -> Result<Option<Account>, AccountError> {
        self.0.account(email).await
    }

    /// The account of somebody who has linked an identity.
    pub(crate) async fn account_of(&self, person: PersonId) -> Result<Option<Account>, AccountError> {
        self.0.account_of(person).await
    }

    /// For somebody whose password or link was right, or for whom their provider vouches.
    pub(crate) async fn begin_session(&self, person: Person, agent: &str) -> Result<(Session, SecretToken), AccountError> {
        self.0.begin_session(person, agent).await
    }

    /// Until when a session lasts that begins now.
    pub(crate) fn session_end(&self, now: UnixMicros) -> UnixMicros {
        Store::session_end(now)
    }

    /// A text for somebody's browser to keep, which it can't read.
    pub(crate) fn seal(&self, place: &str, text: &[u8]) -> Vec<u8> {
        self.0.seal(place, text)
    }

    /// What a browser has kept.
    pub(crate) fn unseal(&self, place: &str, sealed: &[u8]) -> Option<Vec<u8>> {
        self.0.unseal(place, sealed)
    }

    /// Whose identity this is, for which its provider vouches.
    pub(crate) async fn person_of(&self, identity: &Identity) -> Result<Option<Person>, AccountError> {
        self.0.person_of(identity).await
    }

    /// For somebody for whom their provider vouches.
    pub(crate) async fn arrive(&self, arrival: Arrival) -> Result<Arrived, ArriveError> {
        self.0.arrive(arrival).await
    }

    /// For somebody who began this while they were logged in, and for whom their provider vouches.
    pub(crate) async fn link_identity(&self, person: PersonId, session: SessionId, identity: Identity) -> Result<(), LinkIdentityError> {
        self.0.link_identity(person, session, identity).await
    }

    pub(crate) async fn reset_password(&self, token: &str, password: SecretString) -> Result<Person, LinkError> {
        self.0.reset_password(TokenHash::of(token), password).await
    }

    /// For whoever receives mail at the account's address.
    pub(crate) async fn make_reset_link(&self, person: PersonId) -> Result<(Link, SecretToken), AccountError> {
        self.0.make_reset_link(Actor::Person(person), person).await
    }

    /// For whoever receives mail at the account's address.
    pub(crate) async fn make_verify_link(&self, person: PersonId) -> Result<(Link, SecretToken), AccountError> {
        self.0.make_verify_link(person).await
    }

    pub(crate) async fn verify(&self, token: &str) -> Result<Person, LinkError> {
        self.0.verify(TokenHash::of(token)).await
    }

    pub(crate) async fn set_up(&self, token: &str, email: Email, name: String, password: SecretString) -> Result<Person, LinkError> {
        self.0.set_up(TokenHash::of(token), email, name, password).await
    }
}
