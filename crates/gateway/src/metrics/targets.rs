//! How targets stand at the moment somebody scrapes. Labels are the provider and the model's name there.

use std::sync::Weak;

use domain::Standing;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric as _};
use prometheus_client::metrics::gauge::ConstGauge;

use crate::Gateway;
use crate::health::level;

/// The standing of all targets that some model has.
pub(crate) struct Targets(pub(crate) Weak<Gateway>);

impl std::fmt::Debug for Targets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Targets")
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Labels {
    provider: String,
    model: String,
}

/// A figure of a target, where there is one.
type Figure = fn(&Standing) -> Option<f64>;

const FIGURES: [(&str, &str, Figure); 4] = [
    ("target_state", "0 healthy, 1 cooling, 2 half open, 3 open, 4 alarm", |standing| Some(level(standing.state) as f64)),
    ("target_success_ratio", "Answers among what came of attempts in the last 5 minutes", |standing| {
        standing.success_percent.map(|percent| percent / 100.0)
    }),
    ("target_first_byte_p95_seconds", "Time below which 95 of 100 first bytes came in the last 5 minutes", |standing| {
        standing.p95_us.map(|us| us as f64 / 1e6)
    }),
    ("target_failures_in_a_row", "Failures since it last answered", |standing| Some(f64::from(standing.failures_in_a_row))),
];

impl Collector for Targets {
    fn encode(&self, mut encoder: DescriptorEncoder) -> Result<(), std::fmt::Error> {
        let Some(gateway) = self.0.upgrade() else { return Ok(()) };
        let targets = gateway.slots.targets(gateway.clock.now().mono_us);
        for (name, help, figure) in FIGURES {
            let mut family = encoder.encode_descriptor(name, help, None, prometheus_client::metrics::MetricType::Gauge)?;
            for (provider, model, standing) in &targets {
                let Some(value) = figure(standing) else { continue };
                let labels = Labels { provider: provider.as_str().into(), model: model.clone() };
                ConstGauge::new(value).encode(family.encode_family(&labels)?)?;
            }
        }
        Ok(())
    }
}
