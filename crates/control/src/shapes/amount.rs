//! Money and prices as decimal strings.

use std::fmt;

use domain::Money;
use serde::de::{Deserialize, Deserializer, Error, Visitor};
use serde::{Serialize, Serializer};
use utoipa::ToSchema;

/// An amount of 0 or more with at most nine places, written as a decimal string. A bare number is taken as well.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ToSchema)]
#[schema(value_type = String, pattern = r"^[0-9]+(\.[0-9]{1,9})?$", example = "0.15")]
pub(crate) struct Amount(pub(crate) Money);

impl Serialize for Amount {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Amount {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        d.deserialize_any(Decimal)
    }
}

struct Decimal;

impl Visitor<'_> for Decimal {
    type Value = Amount;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an amount of 0 or more as a decimal string with at most nine places, such as \"0.15\"")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Amount, E> {
        let amount = text.parse::<Money>().ok().filter(|amount| amount.0 >= 0);
        amount.map(Amount).ok_or_else(|| E::invalid_value(serde::de::Unexpected::Str(text), &self))
    }

    fn visit_u64<E: Error>(self, n: u64) -> Result<Amount, E> {
        self.visit_str(&n.to_string())
    }

    fn visit_f64<E: Error>(self, x: f64) -> Result<Amount, E> {
        self.visit_str(&x.to_string())
    }
}
