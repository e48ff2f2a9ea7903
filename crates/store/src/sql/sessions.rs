//! The tables of sessions and of links that work once: found by the hash of their secret.

use domain::{Email, LinkId, OrgId, PersonId, Role, SessionId, TokenHash, UnixMicros};
use sqlx::Row as _;

use super::people::{self, email_of};
use super::value::{self, IdBytes as _};
use super::{Connection, Pool, Row};
use crate::{DatabaseFault, Link, LinkPurpose, Session};

const SESSION: &str =
    "s.id, s.agent, s.created AS begun, s.used, s.expires, p.id AS person, p.email, p.name, p.operator, p.verified, p.created";

pub(crate) async fn insert(connection: &mut Connection, session: &Session, hash: TokenHash) -> Result<(), DatabaseFault> {
    sqlx::query("INSERT INTO sessions (id, hash, person_id, agent, created, used, expires) VALUES ($1, $2, $3, $4, $5, $6, $7)")
        .bind(session.id.bytes().to_vec())
        .bind(hash.0.to_vec())
        .bind(session.person.id.bytes().to_vec())
        .bind(&session.agent)
        .bind(session.created.0)
        .bind(session.used.0)
        .bind(session.expires.0)
        .execute(connection)
        .await?;
    Ok(())
}

pub(crate) async fn by_hash(pool: &Pool, hash: TokenHash) -> Result<Option<Session>, DatabaseFault> {
    let text = format!("SELECT {SESSION} FROM sessions AS s JOIN people AS p ON p.id = s.person_id WHERE s.hash = $1");
    let row = sqlx::query(sqlx::AssertSqlSafe(text)).bind(hash.0.to_vec()).fetch_optional(pool).await?;
    row.as_ref().map(session).transpose()
}

pub(crate) async fn of_person(pool: &Pool, person: PersonId, now: UnixMicros) -> Result<Vec<Session>, DatabaseFault> {
    let text = format!(
        "SELECT {SESSION} FROM sessions AS s JOIN people AS p ON p.id = s.person_id WHERE s.person_id = $1 AND s.expires > $2 ORDER BY s.id"
    );
    let query = sqlx::query(sqlx::AssertSqlSafe(text)).bind(person.bytes().to_vec()).bind(now.0);
    query.fetch_all(pool).await?.iter().map(session).collect()
}

pub(crate) async fn touch(connection: &mut Connection, id: SessionId, used: UnixMicros, expires: UnixMicros) -> Result<(), DatabaseFault> {
    sqlx::query("UPDATE sessions SET used = $2, expires = $3 WHERE id = $1")
        .bind(id.bytes().to_vec())
        .bind(used.0)
        .bind(expires.0)
        .execute(connection)
        .await?;
    Ok(())
}

/// Ends one session of this person; whether there was one.
pub(crate) async fn end(connection: &mut Connection, person: PersonId, id: SessionId) -> Result<bool, DatabaseFault> {
    let query =
        sqlx::query("DELETE FROM sessions WHERE id = $1 AND person_id = $2").bind(id.bytes().to_vec()).bind(person.bytes().to_vec());
    Ok(query.execute(connection).await?.rows_affected() > 0)
}

/// Ends all sessions of this person.
pub(crate) async fn end_all(connection: &mut Connection, person: PersonId) -> Result<(), DatabaseFault> {
    sqlx::query("DELETE FROM sessions WHERE person_id = $1").bind(person.bytes().to_vec()).execute(connection).await?;
    Ok(())
}

/// Ends the oldest sessions of this person beyond the newest `most`.
pub(crate) async fn keep_newest(connection: &mut Connection, person: PersonId, most: usize) -> Result<(), DatabaseFault> {
    sqlx::query(
        "DELETE FROM sessions WHERE person_id = $1 AND id NOT IN (SELECT id FROM sessions WHERE person_id = $1 ORDER BY id DESC LIMIT $2)",
    )
    .bind(person.bytes().to_vec())
    .bind(value::int(most as u64))
    .execute(connection)
    .await?;
    Ok(())
}

/// Forgets what has expired.
pub(crate) async fn sweep(connection: &mut Connection, now: UnixMicros) -> Result<(), DatabaseFault> {
    for text in ["DELETE FROM sessions WHERE expires <= $1", "DELETE FROM links WHERE expires <= $1"] {
        sqlx::query(text).bind(now.0).execute(&mut *connection).await?;
    }
    Ok(())
}

fn session(row: &Row) -> Result<Session, DatabaseFault> {
    Ok(Session {
        id: SessionId::from_bits(value::id_bits(row, "id")?),
        person: people::person(row)?,
        agent: row.try_get("agent")?,
        created: value::time(row, "begun")?,
        used: value::time(row, "used")?,
        expires: value::time(row, "expires")?,
    })
}

pub(crate) async fn insert_link(connection: &mut Connection, link: &Link, hash: TokenHash) -> Result<(), DatabaseFault> {
    sqlx::query(
        "INSERT INTO links (id, hash, purpose, person_id, org_id, email, role, created, expires, email_folded) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
    )
    .bind(link.id.bytes().to_vec())
    .bind(hash.0.to_vec())
    .bind(link.purpose.as_str())
    .bind(link.person.map(|id| id.bytes().to_vec()))
    .bind(link.org.map(|id| id.bytes().to_vec()))
    .bind(link.email.as_ref().map(Email::as_str))
    .bind(link.role.map(Role::as_str))
    .bind(link.created.0)
    .bind(link.expires.0)
    .bind(link.email.as_ref().map(Email::folded))
    .execute(connection)
    .await?;
    Ok(())
}

pub(crate) async fn link(connection: &mut Connection, hash: TokenHash) -> Result<Option<Link>, DatabaseFault> {
    let query = sqlx::query("SELECT id, purpose, person_id, org_id, email, role, created, expires FROM links WHERE hash = $1");
    query.bind(hash.0.to_vec()).fetch_optional(connection).await?.as_ref().map(link_of).transpose()
}

/// Invitations to an organisation that nobody has taken up, oldest first.
pub(crate) async fn links_to(pool: &Pool, org: OrgId, now: UnixMicros) -> Result<Vec<Link>, DatabaseFault> {
    let query = sqlx::query(
        "SELECT id, purpose, person_id, org_id, email, role, created, expires FROM links \
         WHERE org_id = $1 AND purpose = 'invitation' AND expires > $2 ORDER BY id",
    );
    query.bind(org.bytes().to_vec()).bind(now.0).fetch_all(pool).await?.iter().map(link_of).collect()
}

/// The newest invitations for this address that nobody has taken up.
pub(crate) async fn invitations_for(
    connection: &mut Connection,
    email: &Email,
    now: UnixMicros,
    most: usize,
) -> Result<Vec<Link>, DatabaseFault> {
    let query = sqlx::query(
        "SELECT id, purpose, person_id, org_id, email, role, created, expires FROM links \
         WHERE email_folded = $1 AND purpose = 'invitation' AND expires > $2 ORDER BY id DESC LIMIT $3",
    );
    let query = query.bind(email.folded()).bind(now.0).bind(value::int(most as u64));
    query.fetch_all(connection).await?.iter().map(link_of).collect()
}

pub(crate) async fn end_link(connection: &mut Connection, id: LinkId) -> Result<(), DatabaseFault> {
    sqlx::query("DELETE FROM links WHERE id = $1").bind(id.bytes().to_vec()).execute(connection).await?;
    Ok(())
}

/// Withdraws an invitation to this organisation; whether there was one.
pub(crate) async fn withdraw(connection: &mut Connection, org: OrgId, id: LinkId) -> Result<bool, DatabaseFault> {
    let query = sqlx::query("DELETE FROM links WHERE id = $1 AND org_id = $2").bind(id.bytes().to_vec()).bind(org.bytes().to_vec());
    Ok(query.execute(connection).await?.rows_affected() > 0)
}

/// Ends all links of this purpose that are for this person, or for nobody yet.
pub(crate) async fn end_links(connection: &mut Connection, purpose: LinkPurpose, person: Option<PersonId>) -> Result<(), DatabaseFault> {
    sqlx::query("DELETE FROM links WHERE purpose = $1 AND (person_id = $2 OR (person_id IS NULL AND $2 IS NULL))")
        .bind(purpose.as_str())
        .bind(person.map(|id| id.bytes().to_vec()))
        .execute(connection)
        .await?;
    Ok(())
}

fn link_of(row: &Row) -> Result<Link, DatabaseFault> {
    let bits = |column: &str| -> Result<Option<u128>, DatabaseFault> {
        let bytes: Option<&[u8]> = row.try_get(column)?;
        bytes.map(|_| value::id_bits(row, column)).transpose()
    };
    let purpose: &str = row.try_get("purpose")?;
    let role: Option<&str> = row.try_get("role")?;
    Ok(Link {
        id: LinkId::from_bits(value::id_bits(row, "id")?),
        purpose: LinkPurpose::of_str(purpose).ok_or_else(|| value::unreadable("purpose", purpose))?,
        person: bits("person_id")?.map(PersonId::from_bits),
        org: bits("org_id")?.map(OrgId::from_bits),
        email: row.try_get::<Option<&str>, _>("email")?.map(email_of).transpose()?,
        role: role.map(|text| Role::of_str(text).ok_or_else(|| value::unreadable("role", text))).transpose()?,
        created: value::time(row, "created")?,
        expires: value::time(row, "expires")?,
    })
}
