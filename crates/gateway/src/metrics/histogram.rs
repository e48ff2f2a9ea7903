//! A histogram of microseconds whose observation is three additions to atomics. It is read only when somebody scrapes.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;

/// Upper bounds in microseconds; the last bucket has none.
const BOUNDS_US: [u64; 16] =
    [10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 50_000, 250_000, 1_000_000, 5_000_000, 30_000_000, 300_000_000];

#[derive(Debug, Default)]
struct Cells {
    buckets: [AtomicU64; BOUNDS_US.len() + 1],
    sum_us: AtomicU64,
}

/// Durations in microseconds. Clones share it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Histogram(Arc<Cells>);

impl Histogram {
    pub(crate) fn observe(&self, us: u64) {
        let bucket = BOUNDS_US.iter().position(|bound| us <= *bound).unwrap_or(BOUNDS_US.len());
        if let Some(cell) = self.0.buckets.get(bucket) {
            cell.fetch_add(1, Relaxed);
        }
        self.0.sum_us.fetch_add(us, Relaxed);
    }

    /// What a registry asks at each scrape.
    pub(crate) fn collector(&self, name: &'static str, help: &'static str) -> HistogramCollector {
        HistogramCollector { histogram: self.clone(), name, help }
    }
}

#[derive(Debug)]
pub(crate) struct HistogramCollector {
    histogram: Histogram,
    name: &'static str,
    help: &'static str,
}

impl Collector for HistogramCollector {
    fn encode(&self, mut encoder: DescriptorEncoder) -> Result<(), std::fmt::Error> {
        let counts: Vec<u64> = self.histogram.0.buckets.iter().map(|cell| cell.load(Relaxed)).collect();
        let bounds = BOUNDS_US.iter().map(|us| *us as f64 / 1e6).chain([f64::MAX]);
        let buckets: Vec<(f64, u64)> = bounds.zip(counts.iter().copied()).collect();
        let sum = self.histogram.0.sum_us.load(Relaxed) as f64 / 1e6;
        let mut metric = encoder.encode_descriptor(self.name, self.help, None, MetricType::Histogram)?;
        metric.encode_histogram::<NoLabelSet>(sum, counts.iter().sum(), &buckets, None)
    }
}
