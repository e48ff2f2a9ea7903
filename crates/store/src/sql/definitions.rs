//! The tables of providers, models and plans: a body in JSON, where it comes from, and its place in the order.

use domain::{Model, Plan, UnixMicros};
use hashbrown::HashMap;
use sqlx::Row as _;

use super::{Connection, Row, value};
use crate::{DatabaseFault, Origin};

/// A model or plan as it is kept.
pub(crate) struct Kept<T> {
    pub(crate) item: T,
    pub(crate) origin: Origin,
    pub(crate) place: i64,
    pub(crate) updated: UnixMicros,
}

/// A provider as it is kept: its headers and its credentials are sealed.
pub(crate) struct KeptProvider {
    /// `Provider` in JSON without headers.
    pub(crate) body: String,
    pub(crate) headers: Option<Vec<u8>>,
    pub(crate) credentials: Vec<KeptCredential>,
    pub(crate) origin: Origin,
    pub(crate) place: i64,
    pub(crate) updated: UnixMicros,
}

/// A credential as it is kept.
pub(crate) struct KeptCredential {
    pub(crate) sealed: Vec<u8>,
    pub(crate) added: UnixMicros,
}

fn origin(row: &Row) -> Result<Origin, DatabaseFault> {
    let text: &str = row.try_get("origin")?;
    Origin::of_str(text).ok_or_else(|| value::unreadable("origin", text))
}

fn kept<T: serde::de::DeserializeOwned>(row: &Row) -> Result<Kept<T>, DatabaseFault> {
    Ok(Kept { item: value::json(row, "body")?, origin: origin(row)?, place: row.try_get("place")?, updated: value::time(row, "updated")? })
}

pub(crate) async fn models(connection: &mut Connection) -> Result<Vec<Kept<Model>>, DatabaseFault> {
    let rows = sqlx::query("SELECT body, origin, place, updated FROM models ORDER BY place").fetch_all(connection).await?;
    rows.iter().map(kept).collect()
}

pub(crate) async fn plans(connection: &mut Connection) -> Result<Vec<Kept<Plan>>, DatabaseFault> {
    let rows = sqlx::query("SELECT body, origin, place, updated FROM plans ORDER BY place").fetch_all(connection).await?;
    rows.iter().map(kept).collect()
}

pub(crate) async fn providers(connection: &mut Connection) -> Result<Vec<KeptProvider>, DatabaseFault> {
    let mut credentials = credentials(connection).await?;
    let rows =
        sqlx::query("SELECT name, body, headers, origin, place, updated FROM providers ORDER BY place").fetch_all(connection).await?;
    let provider = |row: &Row| {
        let name: &str = row.try_get("name")?;
        Ok(KeptProvider {
            body: row.try_get("body")?,
            headers: row.try_get("headers")?,
            credentials: credentials.remove(name).unwrap_or_default(),
            origin: origin(row)?,
            place: row.try_get("place")?,
            updated: value::time(row, "updated")?,
        })
    };
    rows.iter().map(provider).collect()
}

/// All credentials by provider, each provider's in their order.
async fn credentials(connection: &mut Connection) -> Result<HashMap<String, Vec<KeptCredential>>, DatabaseFault> {
    let rows =
        sqlx::query("SELECT provider, sealed, added FROM provider_credentials ORDER BY provider, place").fetch_all(connection).await?;
    let mut all: HashMap<String, Vec<KeptCredential>> = HashMap::new();
    for row in &rows {
        let kept = KeptCredential { sealed: row.try_get("sealed")?, added: value::time(row, "added")? };
        all.entry(row.try_get("provider")?).or_default().push(kept);
    }
    Ok(all)
}

pub(crate) async fn put_model(connection: &mut Connection, id: &str, kept: &Kept<String>) -> Result<(), DatabaseFault> {
    let sql = "INSERT INTO models (id, body, origin, place, updated) VALUES ($1, $2, $3, $4, $5) \
               ON CONFLICT (id) DO UPDATE SET body = excluded.body, origin = excluded.origin, updated = excluded.updated";
    put(connection, sql, id, kept).await
}

pub(crate) async fn put_plan(connection: &mut Connection, id: &str, kept: &Kept<String>) -> Result<(), DatabaseFault> {
    let sql = "INSERT INTO plans (id, body, origin, place, updated) VALUES ($1, $2, $3, $4, $5) \
               ON CONFLICT (id) DO UPDATE SET body = excluded.body, origin = excluded.origin, updated = excluded.updated";
    put(connection, sql, id, kept).await
}

async fn put(connection: &mut Connection, sql: &'static str, id: &str, kept: &Kept<String>) -> Result<(), DatabaseFault> {
    let query = sqlx::query(sql).bind(id).bind(&kept.item).bind(kept.origin.as_str()).bind(kept.place).bind(kept.updated.0);
    query.execute(connection).await?;
    Ok(())
}

pub(crate) async fn put_provider(connection: &mut Connection, name: &str, kept: &KeptProvider) -> Result<(), DatabaseFault> {
    sqlx::query(
        "INSERT INTO providers (name, body, headers, origin, place, updated) VALUES ($1, $2, $3, $4, $5, $6) \
         ON CONFLICT (name) DO UPDATE SET body = excluded.body, headers = excluded.headers, origin = excluded.origin, \
         updated = excluded.updated",
    )
    .bind(name)
    .bind(&kept.body)
    .bind(kept.headers.as_deref())
    .bind(kept.origin.as_str())
    .bind(kept.place)
    .bind(kept.updated.0)
    .execute(&mut *connection)
    .await?;
    delete_credentials(connection, name).await?;
    for (place, credential) in (0_i64..).zip(&kept.credentials) {
        sqlx::query("INSERT INTO provider_credentials (provider, place, sealed, added) VALUES ($1, $2, $3, $4)")
            .bind(name)
            .bind(place)
            .bind(credential.sealed.as_slice())
            .bind(credential.added.0)
            .execute(&mut *connection)
            .await?;
    }
    Ok(())
}

async fn delete_credentials(connection: &mut Connection, provider: &str) -> Result<(), DatabaseFault> {
    sqlx::query("DELETE FROM provider_credentials WHERE provider = $1").bind(provider).execute(connection).await?;
    Ok(())
}

pub(crate) async fn delete_model(connection: &mut Connection, id: &str) -> Result<(), DatabaseFault> {
    sqlx::query("DELETE FROM models WHERE id = $1").bind(id).execute(connection).await?;
    Ok(())
}

pub(crate) async fn delete_plan(connection: &mut Connection, id: &str) -> Result<(), DatabaseFault> {
    sqlx::query("DELETE FROM plans WHERE id = $1").bind(id).execute(connection).await?;
    Ok(())
}

pub(crate) async fn delete_provider(connection: &mut Connection, name: &str) -> Result<(), DatabaseFault> {
    delete_credentials(connection, name).await?;
    sqlx::query("DELETE FROM providers WHERE name = $1").bind(name).execute(connection).await?;
    Ok(())
}
