//! Who sells plans, as it is configured, and the minute in which what is due is done.

use std::sync::Arc;
use std::time::Duration;

use control::{Cashier, CashierParts, Charger, Manual, Stripe, StripeConfig, TestCards};
use domain::Clock;
use gateway::Gateway;
use http::Uri;
use store::Store;

use crate::config::{Billing, Config};
use crate::fetcher::Fetcher;

/// How often it is looked whether something is to be renewed, and what became of payments.
const BILLING_INTERVAL: Duration = Duration::from_secs(60);

/// Whoever sells plans, as it is configured.
pub(crate) fn cashier(config: &Config, own_url: Uri, store: &Store, gateway: &Arc<Gateway>, clock: &Arc<dyn Clock>) -> Cashier {
    let charger: Box<dyn Charger> = match config.billing.clone() {
        Billing::Manual => Box::new(Manual),
        Billing::Test => Box::new(TestCards::new(own_url)),
        Billing::Stripe { secret_key, webhook_secret, api_base, currency } => {
            let config = StripeConfig { secret_key, webhook_secret, api_base, currency, own_url };
            Box::new(Stripe::new(config, Box::new(Fetcher(Arc::clone(gateway)))))
        }
    };
    Cashier::new(CashierParts { store: store.clone(), charger, unpaid: config.sign_up.plan.clone(), clock: Arc::clone(clock) })
}

/// Does what is due, once a minute.
pub(crate) async fn bill(cashier: Cashier) {
    cashier.begin().await;
    let mut ticks = tokio::time::interval(BILLING_INTERVAL);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        cashier.run().await;
    }
}
