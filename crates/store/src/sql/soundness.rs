//! Whether a database file is sound, as far as SQLite can tell without comparing indexes. It knows no table of ours.

use std::path::Path;

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions as _};

use super::Connection;
use crate::caps;

/// Looks through the whole file; what is damaged in it first, if anything is.
pub(crate) async fn check(connection: &mut Connection) -> Result<Option<String>, sqlx::Error> {
    said(sqlx::query_scalar("PRAGMA quick_check(1)").fetch_one(connection).await)
}

/// The same, one table after the other, so that nobody who writes waits for long. On a connection of its own, which can be left.
pub(crate) async fn check_by_table(file: &Path) -> Result<Option<String>, sqlx::Error> {
    let options = SqliteConnectOptions::new().filename(file).create_if_missing(false).read_only(true).disable_statement_logging();
    // It comes by each page once.
    let options = options.pragma("cache_size", caps::CHECK_CACHE);
    let mut connection = match options.connect().await {
        Ok(connection) => connection,
        Err(fault) => return said(Err(fault)),
    };
    let tables = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name";
    let names: Vec<String> = match sqlx::query_scalar(tables).fetch_all(&mut connection).await {
        Ok(names) => names,
        Err(fault) => return said(Err(fault)),
    };
    for name in names {
        let quoted = name.replace('\'', "''");
        let pragma = AssertSqlSafe(format!("PRAGMA quick_check('{quoted}')"));
        if let Some(found) = said(sqlx::query_scalar(pragma).fetch_one(&mut connection).await)? {
            return Ok(Some(format!("table {name}: {found}")));
        }
    }
    Ok(None)
}

/// What SQLite answers, be it as a row or, where it can't even begin, as an error.
fn said(answer: Result<String, sqlx::Error>) -> Result<Option<String>, sqlx::Error> {
    match answer {
        Ok(text) if text == "ok" => Ok(None),
        Ok(text) => Ok(Some(text.lines().next_back().unwrap_or_default().trim().to_owned())),
        Err(fault) if super::is_damaged(&fault) => Ok(Some(fault.to_string())),
        Err(fault) => Err(fault),
    }
}

#[cfg(test)]
mod tests {
    use sqlx::Connection as _;

    use super::*;

    #[tokio::test]
    async fn the_damaged_table_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("test.db");
        let mut connection = SqliteConnectOptions::new().filename(&file).create_if_missing(true).connect().await.unwrap();
        let text = "CREATE TABLE \"o'k\" (x BIGINT); CREATE TABLE ruined (x BLOB); INSERT INTO ruined VALUES (zeroblob(100000))";
        sqlx::raw_sql(text).execute(&mut connection).await.unwrap();
        assert_eq!((check(&mut connection).await.unwrap(), check_by_table(&file).await.unwrap()), (None, None));
        connection.close().await.unwrap();
        let mut bytes = std::fs::read(&file).unwrap();
        bytes[50_000..60_000].fill(0xA5);
        std::fs::write(&file, bytes).unwrap();
        let said = check_by_table(&file).await.unwrap().unwrap();
        assert!(said.starts_with("table ruined: ") && said.lines().count() == 1, "{said}");
        std::fs::write(&file, [0xA5; 9_000]).unwrap();
        assert!(check_by_table(&file).await.unwrap().is_some());
    }
}
