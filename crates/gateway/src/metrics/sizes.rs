//! How large things are at the moment somebody scrapes. Nothing is counted between scrapes.

use std::sync::Weak;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric as _};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::gauge::ConstGauge;

use crate::Gateway;

/// Sizes of queues and tables.
pub(crate) struct Sizes(pub(crate) Weak<Gateway>);

impl std::fmt::Debug for Sizes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Sizes")
    }
}

impl Collector for Sizes {
    fn encode(&self, mut encoder: DescriptorEncoder) -> Result<(), std::fmt::Error> {
        let Some(gateway) = self.0.upgrade() else { return Ok(()) };
        let (uncounted, uncounted_bytes) = gateway.uncounted.size();
        let directory = gateway.store.directory();
        let sizes = [
            ("uncounted_inputs", "Inputs of open requests that were not tokenized", uncounted),
            ("uncounted_input_bytes", "Their bytes", uncounted_bytes),
            ("records_queued", "Usage records and refusals that wait for the database", gateway.recorder().queued()),
            ("waiting_requests", "Requests that wait for room before they are decided", gateway.waiters.count()),
            ("keys", "API keys in memory, revoked ones included", directory.key_count()),
            ("organisations", "Organisations in memory", directory.org_count()),
        ];
        for (name, help, size) in sizes {
            let gauge = ConstGauge::new(i64::try_from(size).unwrap_or(i64::MAX));
            gauge.encode(encoder.encode_descriptor(name, help, None, gauge.metric_type())?)?;
        }
        let Some(shared) = gateway.store.pools().common_view(gateway.clock.now()) else { return Ok(()) };
        let figures = [
            ("shared_pool_limit", "What the organisations that share a pool may use together in a window", shared.limit),
            ("shared_pool_used", "What they have used in the window that ends now", shared.used),
            ("shared_pool_held", "What is held for their requests in progress", shared.held),
        ];
        for (name, help, figure) in figures {
            let mut family = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
            let labels = [("selector", &*shared.pool), ("kind", shared.kind.as_str())];
            ConstGauge::new(i64::try_from(figure).unwrap_or(i64::MAX)).encode(family.encode_family(&labels)?)?;
        }
        Ok(())
    }
}
