//! `[store]`: where state is kept.

use super::table::Table;

/// SQLite in the data folder and limits in memory are what this version has; anything else is a fault, since running
/// without the shared store that was asked for would break the limits' promise.
pub(super) fn read(table: Table<'_>) {
    table.checked("database", |text: String| match text.as_str() {
        "sqlite" => Ok(()),
        url if url.starts_with("postgres://") || url.starts_with("postgresql://") => {
            Err("PostgreSQL is not in this version; use \"sqlite\", which keeps tidegate.db in the data folder".into())
        }
        _ => Err("expected \"sqlite\", which keeps tidegate.db in the data folder".into()),
    });
    table.checked("limits", |text: String| match text.as_str() {
        "memory" => Ok(()),
        url if url.starts_with("redis://") || url.starts_with("rediss://") || url.starts_with("valkey://") => {
            Err("limits shared over Redis or Valkey are not in this version; use \"memory\" and run one node".into())
        }
        _ => Err("expected \"memory\"".into()),
    });
    table.close();
}
