//! `[metrics]`: where `/metrics` is served.

use std::net::SocketAddr;

use super::table::Table;

/// `[metrics]`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MetricsSection {
    /// A listener of its own, which asks for no token; absent: on the main listener, for the operator token.
    pub listen: Option<SocketAddr>,
}

impl MetricsSection {
    pub(super) fn read(table: Table<'_>) -> Self {
        let section = Self { listen: table.get("listen") };
        table.close();
        section
    }
}
