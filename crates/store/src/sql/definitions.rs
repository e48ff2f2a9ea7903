//! The tables of providers, models and plans: a body in JSON, where it comes from, and its place in the order.

use domain::{Model, Plan, UnixMicros};
use sqlx::Row as _;

use super::{Connection, Pool, Row, value};
use crate::{DatabaseFault, Origin};

/// A model or plan as it is kept.
pub(crate) struct Kept<T> {
    pub(crate) item: T,
    pub(crate) origin: Origin,
    pub(crate) place: i64,
    pub(crate) updated: UnixMicros,
}

/// A provider as it is kept: its headers and its credential are sealed.
pub(crate) struct KeptProvider {
    /// `Provider` in JSON without headers.
    pub(crate) body: String,
    pub(crate) headers: Option<Vec<u8>>,
    pub(crate) credential: Option<Vec<u8>>,
    pub(crate) origin: Origin,
    pub(crate) place: i64,
    pub(crate) updated: UnixMicros,
}

fn origin(row: &Row) -> Result<Origin, DatabaseFault> {
    let text: &str = row.try_get("origin")?;
    Origin::of_str(text).ok_or_else(|| value::unreadable("origin", text))
}

fn kept<T: serde::de::DeserializeOwned>(row: &Row) -> Result<Kept<T>, DatabaseFault> {
    Ok(Kept { item: value::json(row, "body")?, origin: origin(row)?, place: row.try_get("place")?, updated: value::time(row, "updated")? })
}

pub(crate) async fn models(pool: &Pool) -> Result<Vec<Kept<Model>>, DatabaseFault> {
    let rows = sqlx::query("SELECT body, origin, place, updated FROM models ORDER BY place").fetch_all(pool).await?;
    rows.iter().map(kept).collect()
}

pub(crate) async fn plans(pool: &Pool) -> Result<Vec<Kept<Plan>>, DatabaseFault> {
    let rows = sqlx::query("SELECT body, origin, place, updated FROM plans ORDER BY place").fetch_all(pool).await?;
    rows.iter().map(kept).collect()
}

pub(crate) async fn providers(pool: &Pool) -> Result<Vec<KeptProvider>, DatabaseFault> {
    let rows =
        sqlx::query("SELECT body, headers, credential, origin, place, updated FROM providers ORDER BY place").fetch_all(pool).await?;
    let provider = |row: &Row| {
        Ok(KeptProvider {
            body: row.try_get("body")?,
            headers: row.try_get("headers")?,
            credential: row.try_get("credential")?,
            origin: origin(row)?,
            place: row.try_get("place")?,
            updated: value::time(row, "updated")?,
        })
    };
    rows.iter().map(provider).collect()
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
        "INSERT INTO providers (name, body, headers, credential, origin, place, updated) VALUES ($1, $2, $3, $4, $5, $6, $7) \
         ON CONFLICT (name) DO UPDATE SET body = excluded.body, headers = excluded.headers, credential = excluded.credential, \
         origin = excluded.origin, updated = excluded.updated",
    )
    .bind(name)
    .bind(&kept.body)
    .bind(kept.headers.as_deref())
    .bind(kept.credential.as_deref())
    .bind(kept.origin.as_str())
    .bind(kept.place)
    .bind(kept.updated.0)
    .execute(connection)
    .await?;
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
    sqlx::query("DELETE FROM providers WHERE name = $1").bind(name).execute(connection).await?;
    Ok(())
}
