//! People for whom a provider of identities vouches: their first log-in, which finds or makes their account, and every later one. It trusts
//! whoever calls that the provider did vouch.

use domain::{Email, Identity, IdentityId, Org, OrgId, Person, PersonId, PlanId, Role, SameAddress, SessionId, UnixMicros};
use serde_json::json;

use super::links::Link;
use super::people::note;
use crate::sql::{self, Connection, Database};
use crate::store::Inner;
use crate::{AccountError, Actor, DatabaseFault, ErrorClass, OperationError, SignUpError, Store, caps};

/// Who may have an account made by coming.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admitted {
    /// Everybody, with an organisation of their own.
    Everybody,
    /// For whose address an invitation waits.
    Invited,
    /// Nobody.
    Nobody,
}

/// Somebody who comes from a provider of identities.
#[derive(Clone, Debug)]
pub struct Arrival {
    /// Who they are there.
    pub identity: Identity,
    /// Their address; `None`: the provider doesn't vouch for one.
    pub email: Option<Email>,
    /// What people call them; empty: it isn't said.
    pub name: String,
    /// Who may have an account made.
    pub admitted: Admitted,
    /// The plan that an organisation of their own begins with.
    pub plan: PlanId,
}

/// Whose account it is that they came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Arrived {
    /// They came before.
    Known(Person),
    /// There was one with their address, and it is theirs.
    Linked(Person),
    /// It was made.
    SignedUp(Person),
}

/// Why they came to none.
#[derive(Debug, thiserror::Error)]
pub enum ArriveError {
    /// They come for the first time, and the provider doesn't vouch for an address.
    #[error("the provider does not say that an address is theirs")]
    NoAddress,
    /// There is an account with this address, which isn't known to be theirs.
    #[error("there is an account with this address, which has to be linked after its password was given")]
    ProveFirst,
    /// An account is only made for those for whose address an invitation waits.
    #[error("an invitation is needed")]
    NotInvited,
    /// No account is made.
    #[error("nobody can sign up")]
    Closed,
    /// It couldn't be made.
    #[error(transparent)]
    SignUp(#[from] SignUpError),
    /// The database failed.
    #[error(transparent)]
    Unavailable(#[from] DatabaseFault),
}

/// An identity of somebody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkedIdentity {
    /// Its name here.
    pub id: IdentityId,
    /// Who they are there.
    pub identity: Identity,
    /// Since when they can log in with it.
    pub created: UnixMicros,
}

/// Why an identity isn't linked with an account.
#[derive(Debug, thiserror::Error)]
pub enum LinkIdentityError {
    /// Their session has ended meanwhile.
    #[error("the session in which this was begun has ended")]
    LoggedOut,
    /// It is somebody else's.
    #[error("it belongs to another account")]
    Anothers,
    /// They have as many as they may.
    #[error("{most} are linked already, which is as many as one person may have")]
    TooMany {
        /// How many they may have.
        most: usize,
    },
    /// The database failed.
    #[error(transparent)]
    Unavailable(#[from] DatabaseFault),
}

/// Why an identity isn't taken from an account.
#[derive(Debug, thiserror::Error)]
pub enum UnlinkIdentityError {
    /// There is none.
    #[error("there is no identity {0} of yours")]
    NotFound(IdentityId),
    /// Nobody could log in to the account any more.
    #[error("this is the only way in which you log in; choose a password first, with a link that you ask for")]
    LastWay,
    /// The database failed.
    #[error(transparent)]
    Unavailable(#[from] DatabaseFault),
}

impl OperationError for UnlinkIdentityError {
    fn class(&self) -> ErrorClass<'_> {
        match self {
            Self::NotFound(_) => ErrorClass::NotFound,
            Self::LastWay => ErrorClass::Conflict,
            Self::Unavailable(_) => ErrorClass::Unavailable,
        }
    }
}

impl Store {
    /// Whose this identity is; `None`: they never came.
    pub async fn person_of(&self, identity: &Identity) -> Result<Option<Person>, AccountError> {
        let mut connection = self.inner.database.reads.acquire().await.map_err(DatabaseFault::from)?;
        Ok(sql::identities::person_of(&mut connection, identity).await?)
    }

    /// Finds the account of somebody for whom their provider vouches, or makes it.
    pub async fn arrive(&self, arrival: Arrival) -> Result<Arrived, ArriveError> {
        self.turn(move |inner| async move {
            let now = inner.now().wall;
            let mut transaction = inner.database.begin().await?;
            if let Some(person) = sql::identities::person_of(&mut transaction, &arrival.identity).await? {
                return Ok(Arrived::Known(person));
            }
            let email = arrival.email.clone().ok_or(ArriveError::NoAddress)?;
            let account = sql::people::by_email(&mut transaction, &email).await?.map(|known| known.person);
            let (arrived, made) = match account {
                Some(person) => {
                    let is_shown = sql::people::is_address_shown(&mut transaction, person.id).await?;
                    if !(SameAddress { is_shown, is_operator: person.is_operator }).is_theirs() {
                        return Err(ArriveError::ProveFirst);
                    }
                    inner.link_identity(&mut transaction, person.id, arrival.identity, now).await?;
                    (Arrived::Linked(person), None)
                }
                None => {
                    let (person, made) = inner.sign_up_arrived(&mut transaction, arrival, email, now).await?;
                    (Arrived::SignedUp(person), made)
                }
            };
            Database::commit(transaction).await?;
            made.iter().for_each(|org| inner.publish_new(org));
            Ok(arrived)
        })
        .await
    }

    /// Links an identity with the account of somebody who is logged in with this session.
    pub async fn link_identity(&self, person: PersonId, session: SessionId, identity: Identity) -> Result<(), LinkIdentityError> {
        self.turn(move |inner| async move {
            let now = inner.now().wall;
            let sessions = sql::sessions::of_person(&inner.database.reads, person, now).await?;
            if !sessions.iter().any(|one| one.id == session) {
                return Err(LinkIdentityError::LoggedOut);
            }
            let mut transaction = inner.database.begin().await?;
            match sql::identities::person_of(&mut transaction, &identity).await? {
                Some(known) if known.id == person => return Ok(()),
                Some(_) => return Err(LinkIdentityError::Anothers),
                None => {}
            }
            if sql::identities::count(&mut transaction, person).await? >= caps::MAX_IDENTITIES as u64 {
                return Err(LinkIdentityError::TooMany { most: caps::MAX_IDENTITIES });
            }
            inner.link_identity(&mut transaction, person, identity, now).await?;
            Ok(Database::commit(transaction).await?)
        })
        .await
    }

    /// The identities of somebody, oldest first.
    pub async fn identities_of(&self, person: PersonId) -> Result<Vec<LinkedIdentity>, AccountError> {
        Ok(sql::identities::of_person(&self.inner.database.reads, person).await?)
    }

    /// Takes an identity from somebody's account, unless it is the only way in which they log in.
    pub async fn unlink_identity(&self, person: PersonId, id: IdentityId) -> Result<(), UnlinkIdentityError> {
        self.turn(move |inner| async move {
            let mut transaction = inner.database.begin().await?;
            let linked = sql::identities::get(&mut transaction, person, id).await?.ok_or(UnlinkIdentityError::NotFound(id))?;
            let count = sql::identities::count(&mut transaction, person).await?;
            let has_password = sql::people::get(&mut transaction, person).await?.is_some_and(|known| known.password.is_some());
            if count <= 1 && !has_password {
                return Err(UnlinkIdentityError::LastWay);
            }
            sql::identities::remove(&mut transaction, id).await?;
            note(&mut transaction, Actor::Person(person), "person.unlink", &person.to_string(), told(&linked), inner.now().wall).await?;
            Ok(Database::commit(transaction).await?)
        })
        .await
    }
}

impl Inner {
    async fn link_identity(
        &self,
        connection: &mut Connection,
        person: PersonId,
        identity: Identity,
        now: UnixMicros,
    ) -> Result<(), DatabaseFault> {
        let linked = LinkedIdentity { id: IdentityId::generate(now, self.entropy.as_ref()), identity, created: now };
        sql::identities::insert(connection, person, &linked).await?;
        note(connection, Actor::Person(person), "person.link", &person.to_string(), told(&linked), now).await
    }

    /// Makes an account without a password, and what goes with it.
    async fn sign_up_arrived(
        &self,
        connection: &mut Connection,
        arrival: Arrival,
        email: Email,
        now: UnixMicros,
    ) -> Result<(Person, Option<Org>), ArriveError> {
        let invitation = match arrival.admitted {
            Admitted::Everybody => None,
            Admitted::Invited => Some(self.waiting_invitation(connection, &email, now).await?.ok_or(ArriveError::NotInvited)?),
            Admitted::Nobody => return Err(ArriveError::Closed),
        };
        let id = PersonId::generate(now, self.entropy.as_ref());
        let name = printable(&arrival.name);
        let own_org = if name.is_empty() { printable(email.as_str()) } else { name.clone() };
        let person = Person { id, email, name, is_operator: false, is_verified: true, created: now };
        sql::people::insert(connection, &person, None).await?;
        sql::people::set_address_shown(connection, id).await?;
        let details = json!({"email": person.email, "name": person.name});
        note(connection, Actor::Person(id), "person.create", &id.to_string(), details, now).await?;
        self.link_identity(connection, id, arrival.identity, now).await?;
        let made = match invitation.as_ref().and_then(invited_to) {
            Some((org, role)) => {
                self.join(connection, org, id, role, now).await?;
                None
            }
            None => Some(self.insert_own_org(connection, id, &own_org, arrival.plan, now).await?),
        };
        if let Some(link) = invitation {
            sql::sessions::end_link(connection, link.id).await?;
        }
        Ok((person, made))
    }

    /// The newest invitation for this address that still leads somewhere.
    async fn waiting_invitation(&self, connection: &mut Connection, email: &Email, now: UnixMicros) -> Result<Option<Link>, DatabaseFault> {
        let waiting = sql::sessions::invitations_for(connection, email, now, caps::INVITATIONS_LOOKED_THROUGH).await?;
        Ok(waiting.into_iter().find(|link| link.org.is_none_or(|org| self.live_org(org).is_some())))
    }
}

/// Where an invitation leads; `None`: to an organisation of their own.
fn invited_to(link: &Link) -> Option<(OrgId, Role)> {
    link.org.map(|org| (org, link.role.unwrap_or(Role::Viewer)))
}

/// As the audit log tells it.
fn told(linked: &LinkedIdentity) -> serde_json::Value {
    json!({"identity": linked.id, "issuer": linked.identity.issuer, "subject": linked.identity.subject})
}

/// What may stand as a name of what others call somebody.
fn printable(text: &str) -> String {
    let text: String = text.chars().filter(|c| !c.is_control()).take(caps::MAX_NAME_CHARS).collect();
    text.trim().to_owned()
}
