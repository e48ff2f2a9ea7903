//! Money and prices as integers. Currency is the installation's; nothing here converts it.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

const NANOS: i64 = 1_000_000_000;

/// The text is not a decimal amount with at most nine places.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected a decimal amount such as \"0.15\" with at most nine places")]
pub struct ParseMoneyError;

/// An amount in billionths of the currency unit. Written as a decimal string.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Money(pub i64);

/// A price per million tokens, in billionths of the currency unit.
pub type Price = Money;

impl Money {
    /// What `tokens` cost at this price per million, rounded half up, saturating.
    pub fn for_tokens(self, tokens: u64) -> Money {
        let nanos = (i128::from(self.0) * i128::from(tokens) + 500_000).div_euclid(1_000_000);
        Money(i64::try_from(nanos).unwrap_or(i64::MAX))
    }

    /// Whether it is nothing.
    pub const fn is_zero(&self) -> bool {
        self.0 == 0
    }

    /// The sum, saturating.
    pub fn plus(self, other: Money) -> Money {
        Money(self.0.saturating_add(other.0))
    }
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, nanos) = (self.0.unsigned_abs() / NANOS.unsigned_abs(), self.0.unsigned_abs() % NANOS.unsigned_abs());
        if self.0 < 0 {
            f.write_str("-")?;
        }
        let places = format!("{nanos:09}");
        let places = places.trim_end_matches('0');
        if places.is_empty() { write!(f, "{whole}") } else { write!(f, "{whole}.{places}") }
    }
}

impl FromStr for Money {
    type Err = ParseMoneyError;

    fn from_str(text: &str) -> Result<Self, ParseMoneyError> {
        let (negative, digits) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
        let (whole, places) = digits.split_once('.').unwrap_or((digits, "0"));
        let plain = |s: &str| !s.is_empty() && s.bytes().all(|b| b.is_ascii_digit());
        if !plain(whole) || !plain(places) || places.len() > 9 {
            return Err(ParseMoneyError);
        }
        let whole: i64 = whole.parse().map_err(|_| ParseMoneyError)?;
        let places: i64 = format!("{places:0<9}").parse().map_err(|_| ParseMoneyError)?;
        let nanos = whole.checked_mul(NANOS).and_then(|n| n.checked_add(places)).ok_or(ParseMoneyError)?;
        Ok(Money(if negative { -nanos } else { nanos }))
    }
}

impl Serialize for Money {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Money {
    /// A decimal string; a bare number is taken as well, since people write prices so.
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Written {
            Text(String),
            Whole(i64),
            Float(f64),
        }
        let text = match Written::deserialize(d)? {
            Written::Text(text) => text,
            Written::Whole(n) => n.to_string(),
            Written::Float(x) => x.to_string(),
        };
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_round_trip() {
        for text in ["0", "0.15", "12.000000001", "-3.5"] {
            assert_eq!(text.parse::<Money>().unwrap().to_string(), text);
        }
        for text in ["", ".", "1.", ".5", "1e3", "1.0000000001", "99999999999999999999", "1,5"] {
            assert!(text.parse::<Money>().is_err(), "{text}");
        }
    }

    #[test]
    fn tokens_are_priced_per_million() {
        let price: Price = "0.15".parse().unwrap();
        assert_eq!(price.for_tokens(1_000_000), price);
        assert_eq!(price.for_tokens(7).to_string(), "0.00000105");
        assert_eq!(Money(1).for_tokens(500_000), Money(1));
        assert_eq!(Money(1).for_tokens(499_999), Money(0));
    }
}
