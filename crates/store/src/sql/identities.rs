//! The table of identities: who people are to providers of them.

use domain::{Identity, IdentityId, Person, PersonId, UnixMicros};
use sqlx::Row as _;

use super::people;
use super::value::{self, IdBytes as _};
use super::{Connection, Pool, Row};
use crate::{DatabaseFault, LinkedIdentity};

pub(crate) async fn insert(connection: &mut Connection, person: PersonId, linked: &LinkedIdentity) -> Result<(), DatabaseFault> {
    sqlx::query("INSERT INTO identities (id, issuer, subject, person_id, created) VALUES ($1, $2, $3, $4, $5)")
        .bind(linked.id.bytes().to_vec())
        .bind(&linked.identity.issuer)
        .bind(&linked.identity.subject)
        .bind(person.bytes().to_vec())
        .bind(linked.created.0)
        .execute(connection)
        .await?;
    Ok(())
}

/// Who this is.
pub(crate) async fn person_of(connection: &mut Connection, identity: &Identity) -> Result<Option<Person>, DatabaseFault> {
    let text = format!(
        "SELECT {} FROM identities AS i JOIN people AS p ON p.id = i.person_id WHERE i.issuer = $1 AND i.subject = $2",
        people::PERSON
    );
    let query = sqlx::query(sqlx::AssertSqlSafe(text)).bind(&identity.issuer).bind(&identity.subject);
    query.fetch_optional(connection).await?.as_ref().map(people::person).transpose()
}

/// The identities of somebody, oldest first.
pub(crate) async fn of_person(pool: &Pool, person: PersonId) -> Result<Vec<LinkedIdentity>, DatabaseFault> {
    let query = sqlx::query("SELECT id, issuer, subject, created FROM identities WHERE person_id = $1 ORDER BY id");
    query.bind(person.bytes().to_vec()).fetch_all(pool).await?.iter().map(linked).collect()
}

pub(crate) async fn count(connection: &mut Connection, person: PersonId) -> Result<u64, DatabaseFault> {
    let query = sqlx::query("SELECT COUNT(*) AS n FROM identities WHERE person_id = $1").bind(person.bytes().to_vec());
    value::count(&query.fetch_one(connection).await?, "n")
}

/// One of this person.
pub(crate) async fn get(connection: &mut Connection, person: PersonId, id: IdentityId) -> Result<Option<LinkedIdentity>, DatabaseFault> {
    let query = sqlx::query("SELECT id, issuer, subject, created FROM identities WHERE id = $1 AND person_id = $2");
    query.bind(id.bytes().to_vec()).bind(person.bytes().to_vec()).fetch_optional(connection).await?.as_ref().map(linked).transpose()
}

pub(crate) async fn remove(connection: &mut Connection, id: IdentityId) -> Result<(), DatabaseFault> {
    sqlx::query("DELETE FROM identities WHERE id = $1").bind(id.bytes().to_vec()).execute(connection).await?;
    Ok(())
}

fn linked(row: &Row) -> Result<LinkedIdentity, DatabaseFault> {
    Ok(LinkedIdentity {
        id: IdentityId::from_bits(value::id_bits(row, "id")?),
        identity: Identity { issuer: row.try_get("issuer")?, subject: row.try_get("subject")? },
        created: UnixMicros(row.try_get("created")?),
    })
}
