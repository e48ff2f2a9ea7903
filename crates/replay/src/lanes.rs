//! Which pool of a plan a model draws from, and what each request asks of it. It counts nothing.

use std::sync::Arc;

use domain::{Catalogue, Category, Entitlement, Kind, Model, ModelId, PlanId, PoolLimits, Price, Tokenizer, UnixMicros};
use hashbrown::HashMap;
use limits::{Ask, LimitKey};

use crate::row::{Label, Labels, Row};
use crate::settings::Settings;

/// Most limits of a pool.
pub(crate) const ASKS: usize = 5;

/// A pool of the plan.
#[derive(Clone, Debug)]
pub(crate) struct Lane {
    pub(crate) pool: Arc<PoolLimits>,
    /// What is asked of each limit, but for the tokens.
    asks: [Ask; ASKS],
    len: usize,
    /// The lowest enforced number of tokens.
    pub(crate) least_tokens: Option<u64>,
    /// Whether tokens are counted at all.
    pub(crate) counts_tokens: bool,
}

/// What is known of a row's model.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Choice {
    /// None: the plan has no row for it.
    pub(crate) lane: Option<u32>,
    /// Which of the models.
    pub(crate) model: u32,
}

/// The pools that were needed so far.
pub(crate) struct Lanes<'a> {
    catalogue: &'a Catalogue,
    plan: PlanId,
    pub(crate) lanes: Vec<Lane>,
    pub(crate) models: Vec<Arc<Model>>,
    choices: HashMap<(Label, Option<Category>), Choice>,
    last: Option<((Label, Option<Category>), Choice)>,
}

impl<'a> Lanes<'a> {
    pub(crate) fn new(catalogue: &'a Catalogue, plan: PlanId) -> Self {
        Self { catalogue, plan, lanes: Vec::new(), models: Vec::new(), choices: HashMap::new(), last: None }
    }

    pub(crate) fn of(&mut self, row: &Row, models: &Labels, settings: &Settings) -> Choice {
        let key = (row.model, row.category);
        if let Some((_, choice)) = self.last.filter(|(last, _)| *last == key) {
            return choice;
        }
        let choice = match self.choices.get(&key) {
            Some(choice) => *choice,
            None => {
                let choice = self.choose(models.name(row.model).or(settings.model.as_deref()), row.category.or(settings.category));
                self.choices.insert(key, choice);
                choice
            }
        };
        self.last = Some((key, choice));
        choice
    }

    fn choose(&mut self, name: Option<&str>, category: Option<Category>) -> Choice {
        let known = name.and_then(|name| self.catalogue.find(name)).and_then(|index| self.catalogue.model(index));
        let model = known.map_or_else(|| Arc::new(unknown(name.unwrap_or("unknown"), category)), Arc::clone);
        let lane = match self.catalogue.entitlement(&self.plan, &[], &model, UnixMicros(0)) {
            Entitlement::Pool(pool) => Some(self.lane(&pool)),
            Entitlement::NotInPlan => None,
        };
        self.models.push(model);
        Choice { lane, model: (self.models.len() - 1) as u32 }
    }

    fn lane(&mut self, pool: &Arc<PoolLimits>) -> u32 {
        if let Some(lane) = self.lanes.iter().position(|lane| lane.pool.id == pool.id) {
            return lane as u32;
        }
        self.lanes.push(Lane::of(Arc::clone(pool)));
        (self.lanes.len() - 1) as u32
    }
}

/// A model of which the catalogue knows nothing.
fn unknown(name: &str, category: Option<Category>) -> Model {
    Model {
        id: ModelId::from(name),
        aliases: Vec::new(),
        parameters_b: None,
        category,
        context_window: None,
        max_output_tokens: None,
        default_output_tokens: None,
        input_price: Price::default(),
        output_price: Price::default(),
        tokenizer: Tokenizer::default(),
        features: None,
        hedge_after_ms: None,
        targets: Vec::new(),
    }
}

impl Lane {
    fn of(pool: Arc<PoolLimits>) -> Self {
        let nothing = Ask { key: LimitKey { pool: 0, kind: limits::Kind::Requests, window_us: 0 }, n: 0, log: 0, hold: 0 };
        let mut asks = [nothing; ASKS];
        let mut len = 0;
        for (ask, limit) in asks.iter_mut().zip(&pool.limits) {
            let (kind, log, hold) = match limit.kind {
                Kind::Requests => (limits::Kind::Requests, 1, 0),
                Kind::Tokens => (limits::Kind::Tokens, 0, 0),
                Kind::Concurrent => (limits::Kind::Concurrent, 0, 1),
            };
            let key = LimitKey { pool: pool.id.0, kind, window_us: limit.window_us };
            // What is only recorded refuses nothing.
            *ask = Ask { key, n: if pool.enforce { limit.n } else { u64::MAX }, log, hold };
            len += 1;
        }
        let tokens = pool.limits.iter().filter(|limit| limit.kind == Kind::Tokens).map(|limit| limit.n).min();
        Self { least_tokens: tokens.filter(|_| pool.enforce), counts_tokens: tokens.is_some(), pool, asks, len }
    }

    /// What a request asks of each limit.
    pub(crate) fn asks(&self, input: u64, hold: u64) -> ([Ask; ASKS], usize) {
        let mut asks = self.asks;
        for ask in &mut asks {
            if ask.key.kind == limits::Kind::Tokens {
                (ask.log, ask.hold) = (input, hold);
            }
        }
        (asks, self.len)
    }
}
