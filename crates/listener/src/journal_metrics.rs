//! What `/metrics` says of the journal. It knows no journal, only its health.

use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use store::{JournalHealth, JournalRefuses};

/// Gauges, each set when the metrics are read.
pub(crate) struct JournalMetrics {
    admits: Gauge,
    writable: Gauge,
    bytes: Gauge,
    capacity_bytes: Gauge,
    files: Gauge,
    pending_bytes: Gauge,
    open_requests: Gauge,
    write_failures: Gauge,
    fsync_failures: Gauge,
    rotation_failures: Gauge,
}

impl JournalMetrics {
    pub(crate) fn register(registry: &mut Registry) -> Self {
        let mut gauge = |name: &str, help: &str| {
            let gauge = Gauge::default();
            registry.register(name, help, gauge.clone());
            gauge
        };
        Self {
            admits: gauge("journal_admits", "Whether the journal lets new requests begin"),
            writable: gauge("journal_writable", "Whether the journal can be written"),
            bytes: gauge("journal_bytes", "Bytes of the journal's files"),
            capacity_bytes: gauge("journal_capacity_bytes", "How many bytes the journal may have before requests are refused"),
            files: gauge("journal_files", "The journal's files"),
            pending_bytes: gauge("journal_pending_bytes", "Bytes that wait in memory because the journal can't be written"),
            open_requests: gauge("journal_open_requests", "Requests in progress that the journal knows"),
            write_failures: gauge("journal_write_failures", "Failed writes to the journal since the start"),
            fsync_failures: gauge("journal_fsync_failures", "Failed calls of fsync on the journal since the start"),
            rotation_failures: gauge("journal_rotation_failures", "Files of the journal that could not be begun since the start"),
        }
    }

    pub(crate) fn set(&self, health: &JournalHealth) {
        let signed = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
        self.admits.set(i64::from(health.refuses == JournalRefuses::Nothing));
        self.writable.set(i64::from(health.is_writable()));
        self.bytes.set(signed(health.bytes));
        self.capacity_bytes.set(signed(health.capacity_bytes));
        self.files.set(signed(health.segments as u64));
        self.pending_bytes.set(signed(health.pending_bytes as u64));
        self.open_requests.set(signed(health.open_requests as u64));
        self.write_failures.set(signed(health.write_failures));
        self.fsync_failures.set(signed(health.fsync_failures));
        self.rotation_failures.set(signed(health.rotation_failures));
    }
}
