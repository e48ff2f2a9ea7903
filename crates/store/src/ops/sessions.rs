//! Sessions: begun at a log-in, found by the hash of their secret, ended one by one or all at once. It knows no cookie.

use domain::{Person, PersonId, SecretToken, SessionId, TokenHash, UnixMicros};
use serde_json::json;

use crate::sql::audit::NewEntry;
use crate::sql::{self, Database};
use crate::{Actor, DatabaseFault, ErrorClass, OperationError, Store, caps};

/// Somebody who is logged in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// Its public name.
    pub id: SessionId,
    /// Who.
    pub person: Person,
    /// What their browser calls itself.
    pub agent: String,
    /// When they logged in.
    pub created: UnixMicros,
    /// When it was last used, to within 5 minutes.
    pub used: UnixMicros,
    /// When it ends, if it isn't used again.
    pub expires: UnixMicros,
}

/// Why something about sessions or accounts can't be read or written.
#[derive(Debug, thiserror::Error)]
pub enum AccountError {
    /// The database failed.
    #[error(transparent)]
    Unavailable(#[from] DatabaseFault),
}

impl OperationError for AccountError {
    fn class(&self) -> ErrorClass<'_> {
        match self {
            Self::Unavailable(_) => ErrorClass::Unavailable,
        }
    }
}

/// Until when a session lasts that is used now.
fn expiry(created: UnixMicros, now: UnixMicros) -> UnixMicros {
    UnixMicros((created.0 + caps::SESSION_US).min(now.0 + caps::SESSION_IDLE_US))
}

impl Store {
    /// Until when a session lasts that begins now.
    pub fn session_end(now: UnixMicros) -> UnixMicros {
        expiry(now, now)
    }

    /// Begins a session of somebody whose password was right. The secret is returned this once and not kept.
    pub async fn begin_session(&self, person: Person, agent: &str) -> Result<(Session, SecretToken), AccountError> {
        let agent: String = agent.chars().filter(|c| !c.is_control()).take(caps::MAX_AGENT_CHARS).collect();
        self.turn(move |inner| async move {
            let now = inner.now().wall;
            let token = SecretToken::generate(inner.entropy.as_ref());
            let id = SessionId::generate(now, inner.entropy.as_ref());
            let session = Session { id, person, agent, created: now, used: now, expires: expiry(now, now) };
            let mut transaction = inner.database.begin().await?;
            sql::sessions::sweep(&mut transaction, now).await?;
            sql::sessions::insert(&mut transaction, &session, token.hash()).await?;
            sql::sessions::keep_newest(&mut transaction, session.person.id, caps::MAX_SESSIONS).await?;
            let actor = Actor::Person(session.person.id);
            let details = json!({"session": session.id});
            let entry = NewEntry { at: now, actor, action: "session.begin", org: None, subject: &session.person.id.to_string(), details };
            sql::audit::insert(&mut transaction, entry).await?;
            Database::commit(transaction).await?;
            Ok((session, token))
        })
        .await
    }

    /// The session of this secret; `None`: it was ended, has expired, or never was.
    pub async fn session(&self, hash: TokenHash) -> Result<Option<Session>, AccountError> {
        let now = self.inner.now().wall;
        let found = sql::sessions::by_hash(&self.inner.database.reads, hash).await?;
        let Some(mut session) = found.filter(|session| now < session.expires) else { return Ok(None) };
        if now.0 - session.used.0 >= caps::SESSION_NOTE_US {
            session.used = now;
            session.expires = expiry(session.created, now);
            let (id, expires) = (session.id, session.expires);
            self.turn(move |inner| async move {
                let mut transaction = inner.database.begin().await?;
                sql::sessions::touch(&mut transaction, id, now, expires).await?;
                Ok::<_, AccountError>(Database::commit(transaction).await?)
            })
            .await?;
        }
        Ok(Some(session))
    }

    /// The sessions of somebody, oldest first.
    pub async fn sessions_of(&self, person: PersonId) -> Result<Vec<Session>, AccountError> {
        Ok(sql::sessions::of_person(&self.inner.database.reads, person, self.inner.now().wall).await?)
    }

    /// Ends a session of this person; whether there was one.
    pub async fn end_session(&self, person: PersonId, id: SessionId) -> Result<bool, AccountError> {
        self.turn(move |inner| async move {
            let mut transaction = inner.database.begin().await?;
            let ended = sql::sessions::end(&mut transaction, person, id).await?;
            if ended {
                let (actor, details) = (Actor::Person(person), json!({"session": id}));
                let entry =
                    NewEntry { at: inner.now().wall, actor, action: "session.end", org: None, subject: &person.to_string(), details };
                sql::audit::insert(&mut transaction, entry).await?;
            }
            Database::commit(transaction).await?;
            Ok(ended)
        })
        .await
    }
}
