//! How the installation stands, as the API writes it.

use serde::Serialize;
use utoipa::ToSchema;

use super::amount::Amount;
use super::choice::SpendLevel;
use super::pool::PoolLimit;
use super::time::Time;

/// How the installation stands: what `tidegate doctor` reads.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Status {
    /// Tidegate's version.
    version: &'static str,
    /// The server's time.
    now: Time,
    /// Whether what is recorded reaches the database, or there is room to wait for it.
    ready: bool,
    /// Records and refusals waiting for the database.
    records_queued: usize,
    /// Why the last batch could not be written, and what to do; `null`: it was.
    #[schema(required)]
    last_fault: Option<String>,
    /// Organisations.
    organisations: usize,
    /// API keys, revoked ones included.
    keys: usize,
    /// Providers.
    providers: usize,
    /// Models.
    models: usize,
    /// Plans.
    plans: usize,
    /// How the ceilings on provider spend stand in this UTC day; empty: there are none.
    spend: Vec<Spend>,
    /// How the pool stands that all organisations on the sign-up plan share; `null`: there is none.
    #[schema(required)]
    shared_pool: Option<PoolLimit>,
}

/// How a ceiling on provider spend stands in this UTC day.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Spend {
    /// `installation`, `provider:NAME` or `plan:ID`.
    #[schema(pattern = "^(installation|provider:.+|plan:.+)$")]
    scope: String,
    /// The ceiling.
    ceiling: Amount,
    /// What was spent, at the catalogue's prices.
    spent: Amount,
    /// What requests in progress may cost.
    held: Amount,
    /// Whether it was less than 80 %, 80 % or more, or was reached, today.
    level: SpendLevel,
}

impl Spend {
    fn of(standing: domain::SpendStanding) -> Self {
        let domain::SpendStanding { scope, ceiling, spent, held, level } = standing;
        Self { scope: scope.to_string(), ceiling: Amount(ceiling), spent: Amount(spent), held: Amount(held), level: level.into() }
    }
}

impl Status {
    /// The installation as its store sees it.
    pub(crate) fn of(store: &store::Store, spend: Vec<domain::SpendStanding>, now: domain::Now) -> Self {
        let (health, directory) = (store.health(), store.directory());
        let catalogue = directory.catalogue();
        Self {
            version: env!("CARGO_PKG_VERSION"),
            now: Time(now.wall),
            ready: health.is_ready(),
            records_queued: health.queued,
            last_fault: health.last_fault,
            organisations: directory.org_count(),
            keys: directory.key_count(),
            providers: catalogue.providers().len(),
            models: catalogue.models().count(),
            plans: catalogue.plans().count(),
            spend: spend.into_iter().map(Spend::of).collect(),
            shared_pool: store.pools().common_view(now).map(PoolLimit::of),
        }
    }
}
