//! Sections whose feature this version doesn't have: what was set is named in a warning, so that nobody relies on it.

use super::table::Table;

/// A section that no key is known of yet.
pub(super) fn empty(table: Table<'_>, name: &str) {
    if table.is_present() {
        table.warn(table.place(), format!("[{name}] has no effect in this version"));
    }
    table.close();
}
