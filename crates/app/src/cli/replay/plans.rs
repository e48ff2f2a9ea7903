//! Which plans a workload is run on, and the catalogue they stand in. It runs nothing.

use anyhow::bail;
use domain::{Catalogue, LimitRow, Plan, PlanId, Selector};

use super::args::ReplayArgs;
use crate::cli::args::{Common, ServeArgs};
use crate::cli::{Surroundings, file};
use crate::config::Config;
use crate::seed;

/// The plan without limits that shows how much a workload needs. No configured plan can have this id.
const DEMAND: &str = "\u{1}demand";
const MOST: u64 = 1_000_000_000_000;

pub(crate) struct Plans {
    pub(crate) catalogue: Catalogue,
    /// The plans to run, in the order asked.
    pub(crate) ids: Vec<PlanId>,
    pub(crate) demand: PlanId,
    /// The configured waits of requests and of streams, in microseconds.
    pub(crate) micro_wait_us: u64,
    pub(crate) max_pause_us: u64,
}

impl Plans {
    /// # Errors
    /// The configuration can't be read, or has no such plan.
    pub(crate) fn find(args: &ReplayArgs, common: &Common, surroundings: &Surroundings) -> anyhow::Result<Self> {
        let config = Config::read(&file::sources(common, &ServeArgs::default(), surroundings)?)?;
        let window_us = config.limits.window_us();
        let [micro_wait_us, max_pause_us] =
            [config.limits.micro_wait, config.limits.max_pause].map(|wait| u64::try_from(wait.as_micros()).unwrap_or(u64::MAX));
        let seed = seed::seed()?;
        let mut models = config.models;
        models.extend(seed.models);
        let described = if config.plans.is_empty() { seed.plans } else { config.plans };
        let made_up = args.limits.iter().map(|limit| plan(&limit.text, limit.row.clone()));
        let mut ids = chosen(args, &described)?;
        ids.extend(args.limits.iter().map(|limit| PlanId::from(limit.text.as_str())));
        let all = described.into_iter().chain(made_up).chain([demand()]).collect();
        let catalogue = Catalogue::build(Vec::new(), models, all, window_us);
        Ok(Self { catalogue, ids, demand: PlanId::from(DEMAND), micro_wait_us, max_pause_us })
    }

    /// Whether one of the plans has a row for a model of which nothing is known.
    pub(crate) fn take_any_model(&self) -> bool {
        let plans = self.ids.iter().filter_map(|id| self.catalogue.plan(id.as_str()));
        plans.flat_map(|plan| &plan.limits).any(|row| row.selector == Selector::Any)
    }
}

fn chosen(args: &ReplayArgs, described: &[Plan]) -> anyhow::Result<Vec<PlanId>> {
    if args.plans.is_empty() {
        let all = described.iter().filter(|plan| !plan.limits.is_empty()).map(|plan| plan.id.clone());
        return Ok(if args.limits.is_empty() { all.collect() } else { Vec::new() });
    }
    let mut ids = Vec::new();
    for name in &args.plans {
        match described.iter().find(|plan| plan.id.as_str() == name) {
            Some(plan) if ids.contains(&plan.id) => {}
            Some(plan) => ids.push(plan.id.clone()),
            None => {
                let known: Vec<_> = described.iter().map(|plan| plan.id.as_str()).collect();
                bail!("there is no plan \"{name}\"; there are {}", known.join(", "));
            }
        }
    }
    Ok(ids)
}

fn plan(id: &str, row: LimitRow) -> Plan {
    let (hold, on_exhausted) = Default::default();
    Plan { id: PlanId::from(id), name: String::new(), price_month: None, hold, on_exhausted, spend_per_day: None, limits: vec![row] }
}

fn demand() -> Plan {
    let (rpd, tpd, concurrent, window_seconds) = (None, None, Some(MOST), None);
    plan(
        DEMAND,
        LimitRow { selector: Selector::Any, rpm: Some(MOST), tpm: Some(MOST), rpd, tpd, concurrent, window_seconds, enforce: false },
    )
}
