//! Single values about the database itself.

use super::Connection;
use crate::DatabaseFault;

pub(crate) async fn get(connection: &mut Connection, name: &str) -> Result<Option<Vec<u8>>, DatabaseFault> {
    Ok(sqlx::query_scalar("SELECT value FROM meta WHERE name = $1").bind(name).fetch_optional(connection).await?)
}

pub(crate) async fn put(connection: &mut Connection, name: &str, value: &[u8]) -> Result<(), DatabaseFault> {
    sqlx::query("INSERT INTO meta (name, value) VALUES ($1, $2)").bind(name).bind(value).execute(connection).await?;
    Ok(())
}

/// Puts it in the place of what is there.
pub(crate) async fn set(connection: &mut Connection, name: &str, value: &[u8]) -> Result<(), DatabaseFault> {
    sqlx::query("INSERT INTO meta (name, value) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET value = excluded.value")
        .bind(name)
        .bind(value)
        .execute(connection)
        .await?;
    Ok(())
}
