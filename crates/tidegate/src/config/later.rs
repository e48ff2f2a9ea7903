//! Sections whose feature this version doesn't have: their keys are known and checked, and what was set to something
//! else than its default is named in a warning, so that nobody relies on it.

use secrecy::SecretString;
use serde::Deserialize;

use super::table::Table;
use super::written::Word;

#[derive(Clone, Copy, PartialEq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum BillingProvider {
    Manual,
    Stripe,
    Test,
}

pub(super) fn billing(table: Table<'_>) {
    table.without_effect("provider", |Word(p): &Word<BillingProvider>| *p == BillingProvider::Manual, "plans are set by the operator");
    let stripe = table.section("stripe");
    for key in ["secret_key", "webhook_secret"] {
        stripe.without_effect(key, |_: &SecretString| false, "plans are set by the operator");
    }
    stripe.without_effect("api_base", |_: &String| false, "plans are set by the operator");
    stripe.close();
    table.close();
}

/// A section that no key is known of yet.
pub(super) fn empty(table: Table<'_>, name: &str) {
    if table.is_present() {
        table.warn(table.place(), format!("[{name}] has no effect in this version"));
    }
    table.close();
}
