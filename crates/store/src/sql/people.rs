//! The tables of people and of who is a member where.

use domain::{Email, Member, OrgId, Person, PersonId, Role, UnixMicros};
use sqlx::Row as _;

use super::value::{self, IdBytes as _};
use super::{Connection, Pool, Row};
use crate::DatabaseFault;

pub(crate) const PERSON: &str = "p.id AS person, p.email, p.name, p.operator, p.verified, p.created";

/// Somebody with the hash of their password.
pub(crate) struct Known {
    pub(crate) person: Person,
    pub(crate) password: Option<String>,
}

/// `password`: `None`: they can't log in with one.
pub(crate) async fn insert(connection: &mut Connection, person: &Person, password: Option<&str>) -> Result<(), DatabaseFault> {
    sqlx::query(
        "INSERT INTO people (id, email, email_folded, name, password, operator, verified, created) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
    )
    .bind(person.id.bytes().as_slice())
    .bind(person.email.as_str())
    .bind(person.email.folded())
    .bind(&person.name)
    .bind(password)
    .bind(i64::from(person.is_operator))
    .bind(i64::from(person.is_verified))
    .bind(person.created.0)
    .execute(connection)
    .await?;
    Ok(())
}

pub(crate) async fn by_email(connection: &mut Connection, email: &Email) -> Result<Option<Known>, DatabaseFault> {
    let text = format!("SELECT {PERSON}, p.password FROM people AS p WHERE p.email_folded = $1");
    let row = sqlx::query(sqlx::AssertSqlSafe(text)).bind(email.folded()).fetch_optional(connection).await?;
    row.as_ref().map(known).transpose()
}

pub(crate) async fn get(connection: &mut Connection, id: PersonId) -> Result<Option<Known>, DatabaseFault> {
    let text = format!("SELECT {PERSON}, p.password FROM people AS p WHERE p.id = $1");
    let row = sqlx::query(sqlx::AssertSqlSafe(text)).bind(id.bytes().as_slice()).fetch_optional(connection).await?;
    row.as_ref().map(known).transpose()
}

pub(crate) async fn set_password(connection: &mut Connection, id: PersonId, password: &str) -> Result<(), DatabaseFault> {
    sqlx::query("UPDATE people SET password = $2 WHERE id = $1").bind(id.bytes().as_slice()).bind(password).execute(connection).await?;
    Ok(())
}

/// The address is theirs.
pub(crate) async fn set_verified(connection: &mut Connection, id: PersonId) -> Result<(), DatabaseFault> {
    sqlx::query("UPDATE people SET verified = 1 WHERE id = $1").bind(id.bytes().as_slice()).execute(connection).await?;
    Ok(())
}

/// They read what is sent to their address.
pub(crate) async fn set_address_shown(connection: &mut Connection, id: PersonId) -> Result<(), DatabaseFault> {
    sqlx::query("UPDATE people SET address_shown = 1 WHERE id = $1").bind(id.bytes().as_slice()).execute(connection).await?;
    Ok(())
}

/// Whether it was shown that they read what is sent to their address.
pub(crate) async fn is_address_shown(connection: &mut Connection, id: PersonId) -> Result<bool, DatabaseFault> {
    let query = sqlx::query("SELECT COUNT(*) AS n FROM people WHERE id = $1 AND address_shown = 1").bind(id.bytes().to_vec());
    Ok(value::count(&query.fetch_one(connection).await?, "n")? > 0)
}

/// Whether anybody runs the installation.
pub(crate) async fn has_operator(connection: &mut Connection) -> Result<bool, DatabaseFault> {
    let row = sqlx::query("SELECT COUNT(*) AS n FROM people WHERE operator = 1").fetch_one(connection).await?;
    Ok(value::count(&row, "n")? > 0)
}

pub(crate) async fn join(
    connection: &mut Connection,
    org: OrgId,
    person: PersonId,
    role: Role,
    at: UnixMicros,
) -> Result<(), DatabaseFault> {
    sqlx::query("INSERT INTO members (org_id, person_id, role, since) VALUES ($1, $2, $3, $4)")
        .bind(org.bytes().as_slice())
        .bind(person.bytes().as_slice())
        .bind(role.as_str())
        .bind(at.0)
        .execute(connection)
        .await?;
    Ok(())
}

pub(crate) async fn set_role(connection: &mut Connection, org: OrgId, person: PersonId, role: Role) -> Result<(), DatabaseFault> {
    sqlx::query("UPDATE members SET role = $3 WHERE org_id = $1 AND person_id = $2")
        .bind(org.bytes().as_slice())
        .bind(person.bytes().as_slice())
        .bind(role.as_str())
        .execute(connection)
        .await?;
    Ok(())
}

pub(crate) async fn leave(connection: &mut Connection, org: OrgId, person: PersonId) -> Result<(), DatabaseFault> {
    sqlx::query("DELETE FROM members WHERE org_id = $1 AND person_id = $2")
        .bind(org.bytes().as_slice())
        .bind(person.bytes().as_slice())
        .execute(connection)
        .await?;
    Ok(())
}

pub(crate) async fn member(connection: &mut Connection, org: OrgId, person: PersonId) -> Result<Option<Member>, DatabaseFault> {
    let text = format!(
        "SELECT {PERSON}, m.org_id, m.role, m.since FROM members AS m JOIN people AS p ON p.id = m.person_id \
         WHERE m.org_id = $1 AND m.person_id = $2"
    );
    let query = sqlx::query(sqlx::AssertSqlSafe(text)).bind(org.bytes().to_vec()).bind(person.bytes().to_vec());
    query.fetch_optional(connection).await?.as_ref().map(member_of).transpose()
}

/// Members in the order of their accounts, after `after`.
pub(crate) async fn members(pool: &Pool, org: OrgId, after: Option<PersonId>, most: usize) -> Result<Vec<Member>, DatabaseFault> {
    let text = format!(
        "SELECT {PERSON}, m.org_id, m.role, m.since FROM members AS m JOIN people AS p ON p.id = m.person_id \
         WHERE m.org_id = $1 AND m.person_id > $2 ORDER BY m.person_id LIMIT $3"
    );
    let query = sqlx::query(sqlx::AssertSqlSafe(text))
        .bind(org.bytes().to_vec())
        .bind(after.map(|id| id.bytes().to_vec()).unwrap_or_default())
        .bind(value::int(most as u64));
    query.fetch_all(pool).await?.iter().map(member_of).collect()
}

pub(crate) async fn count_owners(connection: &mut Connection, org: OrgId) -> Result<u64, DatabaseFault> {
    let query = sqlx::query("SELECT COUNT(*) AS n FROM members WHERE org_id = $1 AND role = 'owner'").bind(org.bytes().to_vec());
    value::count(&query.fetch_one(connection).await?, "n")
}

pub(crate) async fn count_members(connection: &mut Connection, org: OrgId) -> Result<u64, DatabaseFault> {
    let query = sqlx::query("SELECT COUNT(*) AS n FROM members WHERE org_id = $1").bind(org.bytes().to_vec());
    value::count(&query.fetch_one(connection).await?, "n")
}

/// The organisations of somebody, with what they are there, but for deleted ones.
pub(crate) async fn orgs_of(connection: &mut Connection, person: PersonId) -> Result<Vec<(OrgId, Role)>, DatabaseFault> {
    let query = sqlx::query(
        "SELECT m.org_id, m.role FROM members AS m JOIN orgs AS o ON o.id = m.org_id \
         WHERE m.person_id = $1 AND o.deleted IS NULL ORDER BY m.org_id",
    )
    .bind(person.bytes().to_vec());
    query.fetch_all(connection).await?.iter().map(|row| Ok((org_of(row)?, role_of(row)?))).collect()
}

fn known(row: &Row) -> Result<Known, DatabaseFault> {
    Ok(Known { person: person(row)?, password: row.try_get("password")? })
}

pub(crate) fn person(row: &Row) -> Result<Person, DatabaseFault> {
    Ok(Person {
        id: PersonId::from_bits(value::id_bits(row, "person")?),
        email: email_of(row.try_get("email")?)?,
        name: row.try_get("name")?,
        is_operator: row.try_get::<i64, _>("operator")? != 0,
        is_verified: row.try_get::<i64, _>("verified")? != 0,
        created: value::time(row, "created")?,
    })
}

pub(crate) fn email_of(text: &str) -> Result<Email, DatabaseFault> {
    text.parse().map_err(|fault| value::unreadable("email", fault))
}

fn org_of(row: &Row) -> Result<OrgId, DatabaseFault> {
    Ok(OrgId::from_bits(value::id_bits(row, "org_id")?))
}

fn role_of(row: &Row) -> Result<Role, DatabaseFault> {
    let text: &str = row.try_get("role")?;
    Role::of_str(text).ok_or_else(|| value::unreadable("role", text))
}

fn member_of(row: &Row) -> Result<Member, DatabaseFault> {
    Ok(Member { org: org_of(row)?, person: person(row)?, role: role_of(row)?, since: value::time(row, "since")? })
}
