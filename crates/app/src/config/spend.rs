//! `[spend]`: what may be spent at all providers together.

use domain::Money;

use super::table::Table;

/// `[spend]`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Spend {
    /// In a UTC day, at the catalogue's prices; `None`: no ceiling.
    pub per_day: Option<Money>,
}

impl Spend {
    pub(super) fn read(table: Table<'_>) -> Self {
        let per_day = table.get("per_day");
        table.close();
        Self { per_day }
    }
}
