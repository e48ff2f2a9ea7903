//! `[billing]`: how plans are paid.

use control::BillingProvider;
use secrecy::SecretString;
use serde::Deserialize;

use super::table::Table;
use super::written::Word;

#[derive(Clone, Copy, PartialEq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Written {
    Manual,
    Stripe,
    Test,
}

const INSTEAD: &str = "plans are granted by operators";

pub(super) fn read(table: Table<'_>) -> BillingProvider {
    table.without_effect("provider", |Word(written): &Word<Written>| *written != Written::Stripe, INSTEAD);
    let provider = match table.get("provider") {
        Some(Word(Written::Test)) => BillingProvider::Test,
        None | Some(Word(Written::Manual | Written::Stripe)) => BillingProvider::Manual,
    };
    let stripe = table.section("stripe");
    for key in ["secret_key", "webhook_secret"] {
        stripe.without_effect(key, |_: &SecretString| false, INSTEAD);
    }
    stripe.without_effect("api_base", |_: &String| false, INSTEAD);
    stripe.close();
    table.close();
    provider
}
