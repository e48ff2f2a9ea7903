//! Links that work once: invitations, new passwords, addresses, the set-up of the first operator. Only the hash of their secret is kept.

use domain::{Email, LinkId, OrgId, Person, PersonId, Role, SecretToken, TokenHash, UnixMicros};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::json;

use super::people::{note, valid_invitation};
use crate::sql::{self, Database};
use crate::store::Inner;
use crate::{AccountError, Actor, DatabaseFault, ErrorClass, OperationError, SignUpError, Store, caps};

/// What a link is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkPurpose {
    /// To become a member of an organisation, or to make one.
    Invitation,
    /// To choose a new password.
    Reset,
    /// To show that an address is one's own.
    Verify,
    /// To become the first operator.
    Setup,
}

impl LinkPurpose {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Invitation => "invitation",
            Self::Reset => "reset",
            Self::Verify => "verify",
            Self::Setup => "setup",
        }
    }

    pub(crate) fn of_str(text: &str) -> Option<Self> {
        [Self::Invitation, Self::Reset, Self::Verify, Self::Setup].into_iter().find(|purpose| purpose.as_str() == text)
    }
}

/// A link without its secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// Its public name.
    pub id: LinkId,
    /// What it is for.
    pub purpose: LinkPurpose,
    /// Whose password it is about.
    pub person: Option<PersonId>,
    /// The organisation it invites to; `None` of an invitation: to make one.
    pub org: Option<OrgId>,
    /// The only address that may take it up.
    pub email: Option<Email>,
    /// What whoever takes it up becomes there.
    pub role: Option<Role>,
    /// When it was made.
    pub created: UnixMicros,
    /// It works until before this moment.
    pub expires: UnixMicros,
}

/// Why somebody can't be invited.
#[derive(Debug, thiserror::Error)]
pub enum InviteError {
    /// There is no organisation of this id.
    #[error("there is no organisation {0}")]
    NotFound(OrgId),
    /// Whoever invites may not give this role.
    #[error("only owners invite owners")]
    AboveOwn,
    /// They are a member already.
    #[error("they are a member already")]
    Member,
    /// There are as many open invitations as there may be.
    #[error("{most} invitations are open already; withdraw those that nobody will take up")]
    TooMany {
        /// How many there may be.
        most: usize,
    },
    /// The database failed.
    #[error(transparent)]
    Unavailable(#[from] DatabaseFault),
}

impl OperationError for InviteError {
    fn class(&self) -> ErrorClass<'_> {
        match self {
            Self::NotFound(_) => ErrorClass::NotFound,
            Self::AboveOwn => ErrorClass::Forbidden,
            Self::Member | Self::TooMany { .. } => ErrorClass::Conflict,
            Self::Unavailable(_) => ErrorClass::Unavailable,
        }
    }
}

/// Why a link does nothing.
#[derive(Debug, thiserror::Error)]
pub enum LinkError {
    /// It was used or replaced, has expired, or never was.
    #[error("the link is not valid any more; ask for a new one")]
    Spent,
    /// There is an account with this address already.
    #[error("there is an account with this address already")]
    Taken,
    /// The database failed.
    #[error(transparent)]
    Unavailable(#[from] DatabaseFault),
}

impl OperationError for LinkError {
    fn class(&self) -> ErrorClass<'_> {
        match self {
            Self::Spent => ErrorClass::Invalid { param: "token" },
            Self::Taken => ErrorClass::Conflict,
            Self::Unavailable(_) => ErrorClass::Unavailable,
        }
    }
}

impl Store {
    /// Invites somebody to an organisation, or to make one. The secret is returned this once and not kept.
    pub async fn invite(
        &self,
        actor: Actor,
        by: Role,
        org: Option<OrgId>,
        email: Email,
        role: Role,
    ) -> Result<(Link, SecretToken), InviteError> {
        self.turn(move |inner| async move {
            let now = inner.now().wall;
            if role > by {
                return Err(InviteError::AboveOwn);
            }
            let mut transaction = inner.database.begin().await?;
            if let Some(org) = org {
                inner.live_org(org).ok_or(InviteError::NotFound(org))?;
                if sql::sessions::links_to(&inner.database.reads, org, now).await?.len() >= caps::MAX_INVITATIONS_PER_ORG {
                    return Err(InviteError::TooMany { most: caps::MAX_INVITATIONS_PER_ORG });
                }
                if let Some(known) = sql::people::by_email(&mut transaction, &email).await?
                    && sql::people::member(&mut transaction, org, known.person.id).await?.is_some()
                {
                    return Err(InviteError::Member);
                }
            }
            let (link, token) = inner.new_link(LinkPurpose::Invitation, now, caps::INVITATION_US);
            let link = Link { org, email: Some(email), role: org.map(|_| role), ..link };
            sql::sessions::insert_link(&mut transaction, &link, token.hash()).await?;
            let subject = org.map_or_else(|| "installation".into(), |org| org.to_string());
            let details = json!({"invitation": link.id, "email": link.email, "role": link.role});
            note(&mut transaction, actor, "member.invite", &subject, details, now).await?;
            Database::commit(transaction).await?;
            Ok((link, token))
        })
        .await
    }

    /// Invitations to an organisation that nobody has taken up, oldest first.
    pub async fn invitations(&self, org: OrgId) -> Result<Vec<Link>, AccountError> {
        Ok(sql::sessions::links_to(&self.inner.database.reads, org, self.inner.now().wall).await?)
    }

    /// Withdraws an invitation to this organisation; whether there was one.
    pub async fn withdraw_invitation(&self, actor: Actor, org: OrgId, id: LinkId) -> Result<bool, AccountError> {
        self.turn(move |inner| async move {
            let mut transaction = inner.database.begin().await?;
            let gone = sql::sessions::withdraw(&mut transaction, org, id).await?;
            if gone {
                let at = inner.now().wall;
                note(&mut transaction, actor, "member.uninvite", &org.to_string(), json!({"invitation": id}), at).await?;
            }
            Database::commit(transaction).await?;
            Ok(gone)
        })
        .await
    }

    /// Somebody with an account takes up an invitation to an organisation, which they are now a member of.
    pub async fn accept_invitation(&self, person: Person, hash: TokenHash) -> Result<OrgId, SignUpError> {
        self.turn(move |inner| async move {
            let now = inner.now().wall;
            let mut transaction = inner.database.begin().await?;
            let link = valid_invitation(&mut transaction, hash, now).await?;
            let is_theirs = link.email.as_ref().is_none_or(|email| email.folded() == person.email.folded());
            let (Some(org), true) = (link.org, is_theirs) else { return Err(SignUpError::NotInvited) };
            if sql::people::member(&mut transaction, org, person.id).await?.is_none() {
                inner.join(&mut transaction, org, person.id, link.role.unwrap_or(Role::Viewer), now).await?;
            }
            sql::sessions::end_link(&mut transaction, link.id).await?;
            Database::commit(transaction).await?;
            Ok(org)
        })
        .await
    }

    /// A link with which this person chooses a new password; earlier ones no longer work.
    pub async fn make_reset_link(&self, actor: Actor, person: PersonId) -> Result<(Link, SecretToken), AccountError> {
        self.make_link_of(actor, person, LinkPurpose::Reset, caps::RESET_LINK_US, "person.reset_link").await
    }

    /// A link with which this person shows that their address is theirs; earlier ones no longer work.
    pub async fn make_verify_link(&self, person: PersonId) -> Result<(Link, SecretToken), AccountError> {
        self.make_link_of(Actor::Person(person), person, LinkPurpose::Verify, caps::VERIFY_LINK_US, "person.verify_link").await
    }

    async fn make_link_of(
        &self,
        actor: Actor,
        person: PersonId,
        purpose: LinkPurpose,
        lasts_us: i64,
        action: &'static str,
    ) -> Result<(Link, SecretToken), AccountError> {
        self.turn(move |inner| async move {
            let now = inner.now().wall;
            let (link, token) = inner.new_link(purpose, now, lasts_us);
            let link = Link { person: Some(person), ..link };
            let mut transaction = inner.database.begin().await?;
            sql::sessions::end_links(&mut transaction, purpose, Some(person)).await?;
            sql::sessions::insert_link(&mut transaction, &link, token.hash()).await?;
            note(&mut transaction, actor, action, &person.to_string(), json!({"link": link.id}), now).await?;
            Database::commit(transaction).await?;
            Ok((link, token))
        })
        .await
    }

    /// Whoever has such a link has shown that the address is theirs.
    pub async fn verify(&self, hash: TokenHash) -> Result<Person, LinkError> {
        self.turn(move |inner| async move {
            let now = inner.now().wall;
            let mut transaction = inner.database.begin().await?;
            let link = sql::sessions::link(&mut transaction, hash).await?;
            let link = link.filter(|link| link.purpose == LinkPurpose::Verify && now < link.expires).ok_or(LinkError::Spent)?;
            let id = link.person.ok_or(LinkError::Spent)?;
            let known = sql::people::get(&mut transaction, id).await?.ok_or(LinkError::Spent)?;
            sql::people::set_verified(&mut transaction, id).await?;
            sql::people::set_address_shown(&mut transaction, id).await?;
            sql::sessions::end_links(&mut transaction, LinkPurpose::Verify, Some(id)).await?;
            note(&mut transaction, Actor::Person(id), "person.verify", &id.to_string(), json!({"link": link.id}), now).await?;
            Database::commit(transaction).await?;
            Ok(Person { is_verified: true, ..known.person })
        })
        .await
    }

    /// Keeps the hash of the password that was chosen with such a link, and ends every session of theirs.
    pub async fn reset_password(&self, hash: TokenHash, password: SecretString) -> Result<Person, LinkError> {
        self.turn(move |inner| async move {
            let now = inner.now().wall;
            let mut transaction = inner.database.begin().await?;
            let link = sql::sessions::link(&mut transaction, hash).await?;
            let link = link.filter(|link| link.purpose == LinkPurpose::Reset && now < link.expires).ok_or(LinkError::Spent)?;
            let id = link.person.ok_or(LinkError::Spent)?;
            let known = sql::people::get(&mut transaction, id).await?.ok_or(LinkError::Spent)?;
            sql::people::set_password(&mut transaction, id, password.expose_secret()).await?;
            // Whoever has the link was sent it there, or has it from an operator.
            sql::people::set_verified(&mut transaction, id).await?;
            sql::sessions::end_all(&mut transaction, id).await?;
            sql::sessions::end_links(&mut transaction, LinkPurpose::Reset, Some(id)).await?;
            note(&mut transaction, Actor::Person(id), "person.password", &id.to_string(), json!({"link": link.id}), now).await?;
            Database::commit(transaction).await?;
            Ok(known.person)
        })
        .await
    }

    /// A link with which the first operator sets up their account; earlier ones no longer work. `None`: there is an operator.
    pub async fn make_setup_link(&self, actor: Actor) -> Result<Option<SecretToken>, AccountError> {
        self.turn(move |inner| async move {
            let now = inner.now().wall;
            let mut transaction = inner.database.begin().await?;
            if sql::people::has_operator(&mut transaction).await? {
                return Ok(None);
            }
            let (link, token) = inner.new_link(LinkPurpose::Setup, now, caps::SETUP_LINK_US);
            sql::sessions::end_links(&mut transaction, LinkPurpose::Setup, None).await?;
            sql::sessions::insert_link(&mut transaction, &link, token.hash()).await?;
            let details = json!({"link": link.id, "expires": link.expires});
            note(&mut transaction, actor, "person.setup_link", "installation", details, now).await?;
            Database::commit(transaction).await?;
            Ok(Some(token))
        })
        .await
    }

    /// Makes the account of the first operator with such a link.
    pub async fn set_up(&self, hash: TokenHash, email: Email, name: String, password: SecretString) -> Result<Person, LinkError> {
        self.turn(move |inner| async move {
            let now = inner.now().wall;
            let mut transaction = inner.database.begin().await?;
            let link = sql::sessions::link(&mut transaction, hash).await?;
            let is_valid = link.is_some_and(|link| link.purpose == LinkPurpose::Setup && now < link.expires);
            if !is_valid || sql::people::has_operator(&mut transaction).await? {
                return Err(LinkError::Spent);
            }
            if sql::people::by_email(&mut transaction, &email).await?.is_some() {
                return Err(LinkError::Taken);
            }
            let id = PersonId::generate(now, inner.entropy.as_ref());
            let person = Person { id, email, name, is_operator: true, is_verified: true, created: now };
            sql::people::insert(&mut transaction, &person, Some(password.expose_secret())).await?;
            sql::sessions::end_links(&mut transaction, LinkPurpose::Setup, None).await?;
            let details = json!({"email": person.email, "operator": true});
            note(&mut transaction, Actor::Person(id), "person.create", &id.to_string(), details, now).await?;
            Database::commit(transaction).await?;
            Ok(person)
        })
        .await
    }
}

impl Inner {
    fn new_link(&self, purpose: LinkPurpose, now: UnixMicros, lasts_us: i64) -> (Link, SecretToken) {
        let id = LinkId::generate(now, self.entropy.as_ref());
        let expires = UnixMicros(now.0 + lasts_us);
        let link = Link { id, purpose, person: None, org: None, email: None, role: None, created: now, expires };
        (link, SecretToken::generate(self.entropy.as_ref()))
    }
}
