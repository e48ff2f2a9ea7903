//! `[billing]`: how plans are paid.

use std::collections::BTreeMap;

use http::Uri;
use secrecy::SecretString;
use serde::Deserialize;

use super::secret::secret;
use super::table::Table;
use super::written::Word;

/// How plans are paid.
#[derive(Clone, Debug, Default)]
pub enum Billing {
    /// Operators grant them.
    #[default]
    Manual,
    /// With cards that are none.
    Test,
    /// With Stripe.
    Stripe {
        /// Its secret key.
        secret_key: SecretString,
        /// The signing secret of its webhook.
        webhook_secret: SecretString,
        /// Where its API is.
        api_base: Uri,
        /// The currency of all prices.
        currency: String,
    },
}

#[derive(Clone, Copy, PartialEq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Written {
    Manual,
    Stripe,
    Test,
}

const API_BASE: &str = "https://api.stripe.com";

/// Currencies without hundredths, or with thousandths (docs.stripe.com/currencies).
const OTHER_PARTS: &str = "bif clp djf gnf isk jpy kmf krw mga pyg rwf ugx vnd vuv xaf xof xpf bhd jod kwd omr tnd";

pub(super) fn read(table: Table<'_>, environment: &BTreeMap<String, String>) -> Billing {
    let provider = table.get("provider").map_or(Written::Manual, |Word(provider)| provider);
    let stripe = table.section("stripe");
    let needed = (provider == Written::Stripe).then_some("provider = \"stripe\" in [billing]");
    let secret_key = secret(&stripe, ["secret_key", "secret_key_env", "secret_key_file"], environment, needed);
    let webhook_secret = secret(&stripe, ["webhook_secret", "webhook_secret_env", "webhook_secret_file"], environment, needed);
    let api_base = stripe.checked("api_base", |text: String| api_base(&text)).unwrap_or_else(|| Uri::from_static(API_BASE));
    let currency = stripe.checked("currency", |text: String| currency(&text)).unwrap_or_else(|| "usd".into());
    stripe.close();
    table.close();
    match (provider, secret_key, webhook_secret) {
        (Written::Stripe, Some(secret_key), Some(webhook_secret)) => Billing::Stripe { secret_key, webhook_secret, api_base, currency },
        // What lacks is a fault already.
        (Written::Manual, _, _) | (Written::Stripe, _, _) => Billing::Manual,
        (Written::Test, _, _) => Billing::Test,
    }
}

fn api_base(text: &str) -> Result<Uri, String> {
    domain::checked_base_url(text)?.parse().map_err(|_| "is no address".into())
}

fn currency(text: &str) -> Result<String, String> {
    let is_code = text.len() == 3 && text.bytes().all(|letter| letter.is_ascii_lowercase());
    if !is_code {
        return Err("expected three small letters, such as \"usd\"".into());
    }
    if OTHER_PARTS.split(' ').any(|other| other == text) {
        return Err(format!("\"{text}\" has no hundredths, which prices here are charged in"));
    }
    Ok(text.into())
}
