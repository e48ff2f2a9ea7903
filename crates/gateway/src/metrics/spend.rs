//! How the ceilings on provider spend stand when somebody scrapes. Nothing is there where there is no ceiling.

use std::fmt::Error;
use std::sync::Weak;

use domain::{Money, SpendScope, SpendStanding};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric as _, MetricEncoder};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::gauge::ConstGauge;

use crate::Gateway;

/// The ceilings, and what of them is spent and held.
pub(crate) struct SpendSizes(pub(crate) Weak<Gateway>);

impl std::fmt::Debug for SpendSizes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SpendSizes")
    }
}

type Figure = (&'static str, &'static str, fn(&SpendStanding) -> f64);

const FIGURES: [Figure; 4] = [
    ("spend_ceiling", "What may be spent at providers in a UTC day", |standing| units(standing.ceiling)),
    ("spend_today", "What was spent at providers in this UTC day, at the catalogue's prices", |standing| units(standing.spent)),
    ("spend_held", "What requests in progress may cost at providers", |standing| units(standing.held)),
    ("spend_level", "Whether in this UTC day 80 % of the ceiling were used (1) or it was reached (2)", |standing| {
        f64::from(standing.level as u8)
    }),
];

fn units(money: Money) -> f64 {
    money.0 as f64 / 1e9
}

impl Collector for SpendSizes {
    fn encode(&self, mut encoder: DescriptorEncoder) -> Result<(), Error> {
        let standings = self.0.upgrade().map(|gateway| gateway.spend.standings()).unwrap_or_default();
        if standings.is_empty() {
            return Ok(());
        }
        for (name, help, figure) in FIGURES {
            let mut family = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
            for standing in &standings {
                encode_one(&mut family, &standing.scope, figure(standing))?;
            }
        }
        Ok(())
    }
}

fn encode_one(family: &mut MetricEncoder<'_>, scope: &SpendScope, value: f64) -> Result<(), Error> {
    let gauge = ConstGauge::new(value);
    match scope {
        SpendScope::Installation => gauge.encode(family.encode_family(&[("scope", "installation")])?),
        SpendScope::Provider(name) => gauge.encode(family.encode_family(&[("scope", "provider"), ("provider", name.as_str())])?),
        SpendScope::Plan(id) => gauge.encode(family.encode_family(&[("scope", "plan"), ("plan", id.as_str())])?),
    }
}
