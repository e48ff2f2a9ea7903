//! Accounts: sign-up with an organisation of one's own or by an invitation, passwords. It hashes nothing: it keeps hashes.

use std::sync::Arc;

use domain::{Email, Org, OrgId, Person, PersonId, PlanId, Role, TokenHash, UnixMicros};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::json;

use super::input;
use crate::load::state_of;
use crate::sql::audit::NewEntry;
use crate::sql::{self, Database, facts};
use crate::store::Inner;
use crate::{AccountError, Actor, DatabaseFault, ErrorClass, InvalidInput, LinkPurpose, OperationError, OrgEntry, Store, caps};

/// Somebody who wants an account.
#[derive(Clone, Debug)]
pub struct SignUp {
    /// Their address; may be left out where an invitation names it.
    pub email: Option<Email>,
    /// What people call them; empty: they don't say.
    pub name: String,
    /// The argon2id hash of their password, as a PHC string.
    pub password: SecretString,
    /// The name of an organisation of their own; needed unless they are invited to one.
    pub organisation: Option<String>,
    /// The invitation that they have.
    pub invitation: Option<TokenHash>,
    /// The plan that an organisation of their own begins with.
    pub plan: PlanId,
    /// Whether their address is taken to be theirs without a link that shows it. An invitation vouches for it in any case.
    pub is_verified: bool,
}

/// Why an account or an organisation of one's own can't be made.
#[derive(Debug, thiserror::Error)]
pub enum SignUpError {
    /// There is an account with this address. Whom this is told learns that there is.
    #[error("there is an account with this address already")]
    Taken,
    /// The invitation was used, withdrawn, has expired, or never was.
    #[error("the invitation is not valid any more; ask for a new one")]
    NotInvited,
    /// The organisation has as many members as it may.
    #[error("the organisation has {most} members already")]
    Full {
        /// How many it may have.
        most: usize,
    },
    /// They own as many organisations as they may.
    #[error("you own {most} organisations already, which is as many as one person may")]
    TooMany {
        /// How many they may own.
        most: u64,
    },
    /// The input is wrong.
    #[error(transparent)]
    Invalid(#[from] InvalidInput),
    /// The database failed.
    #[error(transparent)]
    Unavailable(#[from] DatabaseFault),
}

impl OperationError for SignUpError {
    fn class(&self) -> ErrorClass<'_> {
        match self {
            Self::Taken | Self::Full { .. } | Self::TooMany { .. } => ErrorClass::Conflict,
            Self::NotInvited => ErrorClass::Invalid { param: "invitation" },
            Self::Invalid(fault) => ErrorClass::Invalid { param: &fault.param },
            Self::Unavailable(_) => ErrorClass::Unavailable,
        }
    }
}

/// Somebody with the hash of their password.
#[derive(Clone, Debug)]
pub struct Account {
    /// Who.
    pub person: Person,
    /// The hash as a PHC string; `None`: they can't log in with a password.
    pub password: Option<SecretString>,
}

impl From<sql::people::Known> for Account {
    fn from(known: sql::people::Known) -> Self {
        Self { person: known.person, password: known.password.map(SecretString::from) }
    }
}

impl Store {
    /// Makes an account, and what goes with it: an organisation of its own, or the membership that it was invited to.
    pub async fn sign_up(&self, new: SignUp) -> Result<(Person, OrgId), SignUpError> {
        self.turn(move |inner| async move {
            let now = inner.now().wall;
            let mut transaction = inner.database.begin().await?;
            let link = match new.invitation {
                Some(hash) => Some(valid_invitation(&mut transaction, hash, now).await?),
                None => None,
            };
            let email = address(new.email, link.as_ref().and_then(|link| link.email.clone()))?;
            if sql::people::by_email(&mut transaction, &email).await?.is_some() {
                return Err(SignUpError::Taken);
            }
            let id = PersonId::generate(now, inner.entropy.as_ref());
            let name = if new.name.trim().is_empty() { String::new() } else { input::name("name", &new.name)? };
            let is_verified = new.is_verified || link.is_some();
            let person = Person { id, email, name, is_operator: false, is_verified, created: now };
            sql::people::insert(&mut transaction, &person, Some(new.password.expose_secret())).await?;
            let details = json!({"email": person.email, "name": person.name});
            note(&mut transaction, Actor::Person(id), "person.create", &id.to_string(), details, now).await?;
            let invited_to = link.as_ref().and_then(|link| link.org.map(|org| (org, link.role.unwrap_or(Role::Viewer))));
            let made = match invited_to {
                Some((org, role)) => {
                    inner.join(&mut transaction, org, id, role, now).await?;
                    None
                }
                None => {
                    let wanted = || input::fault("organisation", "organisation is missing: name the organisation that is to be yours");
                    let name = new.organisation.as_deref().ok_or_else(wanted)?;
                    Some(inner.insert_own_org(&mut transaction, id, name, new.plan, now).await?)
                }
            };
            if let Some(link) = &link {
                sql::sessions::end_link(&mut transaction, link.id).await?;
            }
            Database::commit(transaction).await?;
            let org = made.as_ref().map_or_else(|| invited_to.map(|(org, _)| org), |org| Some(org.id));
            made.iter().for_each(|org| inner.publish_new(org));
            let org = org.ok_or_else(|| input::fault("organisation", "there is no organisation to join"))?;
            Ok((person, org))
        })
        .await
    }

    /// An organisation of their own for somebody with an account, who may own at most so many.
    pub async fn create_own_org(&self, person: PersonId, name: String, plan: PlanId, most: u64) -> Result<Org, SignUpError> {
        self.turn(move |inner| async move {
            let now = inner.now().wall;
            let mut transaction = inner.database.begin().await?;
            let roles = sql::people::orgs_of(&mut transaction, person).await?;
            if roles.iter().filter(|(_, role)| *role == Role::Owner).count() as u64 >= most {
                return Err(SignUpError::TooMany { most });
            }
            let org = inner.insert_own_org(&mut transaction, person, &name, plan, now).await?;
            Database::commit(transaction).await?;
            inner.publish_new(&org);
            Ok(org)
        })
        .await
    }

    /// The account with this address; `None`: there is none.
    pub async fn account(&self, email: &Email) -> Result<Option<Account>, AccountError> {
        let mut connection = self.inner.database.reads.acquire().await.map_err(DatabaseFault::from)?;
        Ok(sql::people::by_email(&mut connection, email).await?.map(Into::into))
    }

    /// The account of this person.
    pub async fn account_of(&self, person: PersonId) -> Result<Option<Account>, AccountError> {
        let mut connection = self.inner.database.reads.acquire().await.map_err(DatabaseFault::from)?;
        Ok(sql::people::get(&mut connection, person).await?.map(Into::into))
    }

    /// Keeps the hash of a new password, and ends every session of theirs.
    pub async fn set_password(&self, person: PersonId, password: SecretString) -> Result<(), AccountError> {
        self.turn(move |inner| async move {
            let mut transaction = inner.database.begin().await?;
            sql::people::set_password(&mut transaction, person, password.expose_secret()).await?;
            sql::sessions::end_all(&mut transaction, person).await?;
            sql::sessions::end_links(&mut transaction, LinkPurpose::Reset, Some(person)).await?;
            let at = inner.now().wall;
            note(&mut transaction, Actor::Person(person), "person.password", &person.to_string(), json!({"replaced": "password"}), at)
                .await?;
            Ok(Database::commit(transaction).await?)
        })
        .await
    }
}

impl Inner {
    /// Writes an organisation and its owner.
    pub(crate) async fn insert_own_org(
        &self,
        connection: &mut sql::Connection,
        owner: PersonId,
        name: &str,
        plan: PlanId,
        now: UnixMicros,
    ) -> Result<Org, SignUpError> {
        let name = input::name("organisation", name)?;
        input::plan(&self.directory.catalogue_now(), &plan)?;
        let id = OrgId::generate(now, self.entropy.as_ref());
        let org = Org { id, name, plan: plan.clone(), effective_plan: plan, custom: Vec::new(), created: now };
        sql::orgs::insert(connection, &org).await?;
        facts::begin_org_fact(connection, &org, now).await?;
        sql::people::join(connection, id, owner, Role::Owner, now).await?;
        let details = json!({"name": org.name, "plan": org.plan, "owner": owner});
        note(connection, Actor::Person(owner), "org.create", &id.to_string(), details, now).await?;
        Ok(org)
    }

    /// Writes a membership.
    pub(crate) async fn join(
        &self,
        connection: &mut sql::Connection,
        org: OrgId,
        person: PersonId,
        role: Role,
        now: UnixMicros,
    ) -> Result<(), SignUpError> {
        self.live_org(org).ok_or(SignUpError::NotInvited)?;
        if sql::people::count_members(connection, org).await? >= caps::MAX_MEMBERS_PER_ORG as u64 {
            return Err(SignUpError::Full { most: caps::MAX_MEMBERS_PER_ORG });
        }
        sql::people::join(connection, org, person, role, now).await?;
        let details = json!({"person": person, "role": role});
        note(connection, Actor::Person(person), "member.join", &org.to_string(), details, now).await?;
        Ok(())
    }

    pub(crate) fn publish_new(&self, org: &Org) {
        self.directory.put_org(Arc::new(OrgEntry::new(org.id, state_of(org, Arc::from([]), self.window_us), self.window_us)));
    }
}

/// The invitation of this secret.
pub(crate) async fn valid_invitation(
    connection: &mut sql::Connection,
    hash: TokenHash,
    now: UnixMicros,
) -> Result<super::links::Link, SignUpError> {
    let found = sql::sessions::link(connection, hash).await?;
    found.filter(|link| link.purpose == LinkPurpose::Invitation && now < link.expires).ok_or(SignUpError::NotInvited)
}

/// The address of a new account: that of the invitation, which nobody else can take up.
fn address(given: Option<Email>, invited: Option<Email>) -> Result<Email, InvalidInput> {
    match (given, invited) {
        (Some(given), Some(invited)) if given.folded() != invited.folded() => {
            Err(input::fault("email", "the invitation is for another address"))
        }
        (Some(email), _) | (None, Some(email)) => Ok(email),
        (None, None) => Err(input::fault("email", "email is missing")),
    }
}

pub(crate) async fn note(
    connection: &mut sql::Connection,
    actor: Actor,
    action: &str,
    subject: &str,
    details: serde_json::Value,
    at: UnixMicros,
) -> Result<(), DatabaseFault> {
    sql::audit::insert(connection, NewEntry { at, actor, action, org: None, subject, details }).await
}
