//! A limit row: what a plan or a custom agreement allows for a model, a category, or any other model.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{Category, ModelId, PoolLimit};

/// What a row is about. A model row beats a category row beats `any`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Selector {
    /// One model.
    Model(ModelId),
    /// All models of a size category that have no row of their own.
    Category(Category),
    /// Every other model.
    Any,
}

impl std::fmt::Display for Selector {
    /// `model:ID`, `category:C` or `any`: the pool's name.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Model(id) => write!(f, "model:{id}"),
            Self::Category(category) => write!(f, "category:{category}"),
            Self::Any => f.write_str("any"),
        }
    }
}

/// One row. An absent number is unlimited. The one shape in configuration, plans, POST, PUT and PATCH:
/// `{"category":"large","rpm":45,"tpm":30000}`.
#[derive(Clone, Debug, PartialEq)]
pub struct LimitRow {
    /// What the row is about.
    pub selector: Selector,
    /// Requests admitted in any window of `window_seconds`.
    pub rpm: Option<u64>,
    /// Input and output tokens processed in any window of `window_seconds`.
    pub tpm: Option<u64>,
    /// Requests admitted in any 24 hours.
    pub rpd: Option<u64>,
    /// Tokens processed in any 24 hours.
    pub tpd: Option<u64>,
    /// Requests in progress at once.
    pub concurrent: Option<u64>,
    /// The window of `rpm` and `tpm` in seconds; absent: the installation's (60).
    pub window_seconds: Option<f64>,
    /// Whether the row refuses. `false` only records what it would have refused ("shadow").
    pub enforce: bool,
}

impl LimitRow {
    /// The row's limits, each a kind, a window and a number. `default_window_us` is the installation's.
    pub fn limits(&self, default_window_us: u64) -> Vec<PoolLimit> {
        let window_us = self.window_seconds.map_or(default_window_us, |s| (s * 1e6).round() as u64);
        PoolLimit::list(self.rpm, self.tpm, self.rpd, self.tpd, self.concurrent, window_us)
    }

    /// Says what is wrong with the row, if anything.
    pub fn fault(&self) -> Option<String> {
        let numbers = [("rpm", self.rpm), ("tpm", self.tpm), ("rpd", self.rpd), ("tpd", self.tpd), ("concurrent", self.concurrent)];
        if let Some((name, n)) = numbers.iter().find(|(_, n)| n.is_some_and(|n| n > MAX_LIMIT)) {
            return Some(format!("{name} = {} is above the highest limit, {MAX_LIMIT}", n.unwrap_or(0)));
        }
        match self.window_seconds {
            Some(s) if !(0.001..=31.0 * 86_400.0).contains(&s) => {
                Some(format!("window_seconds = {s} must lie between 0.001 and 2678400 (31 days)"))
            }
            _ => None,
        }
    }
}

/// The highest number a limit may have: a million million.
const MAX_LIMIT: u64 = 1_000_000_000_000;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    model: Option<ModelId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    category: Option<Category>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    any: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    rpm: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tpm: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    rpd: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tpd: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    concurrent: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    window_seconds: Option<f64>,
    #[serde(default = "yes")]
    enforce: bool,
}

fn yes() -> bool {
    true
}

impl Written {
    fn selector(&self) -> Result<Selector, &'static str> {
        match (&self.model, self.category, self.any) {
            (Some(id), None, None) => Ok(Selector::Model(id.clone())),
            (None, Some(category), None) => Ok(Selector::Category(category)),
            (None, None, Some(true)) => Ok(Selector::Any),
            _ => Err("a limit row names exactly one of model = \"…\", category = \"small\" | \"medium\" | \"large\", or any = true"),
        }
    }
}

impl<'de> Deserialize<'de> for LimitRow {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let w = Written::deserialize(d)?;
        let selector = w.selector().map_err(serde::de::Error::custom)?;
        let Written { rpm, tpm, rpd, tpd, concurrent, window_seconds, enforce, .. } = w;
        let row = Self { selector, rpm, tpm, rpd, tpd, concurrent, window_seconds, enforce };
        row.fault().map_or(Ok(row), |fault| Err(serde::de::Error::custom(fault)))
    }
}

impl Serialize for LimitRow {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        let (model, category, any) = match &self.selector {
            Selector::Model(id) => (Some(id.clone()), None, None),
            Selector::Category(category) => (None, Some(*category), None),
            Selector::Any => (None, None, Some(true)),
        };
        let Self { rpm, tpm, rpd, tpd, concurrent, window_seconds, enforce, .. } = *self;
        Written { model, category, any, rpm, tpm, rpd, tpd, concurrent, window_seconds, enforce }.serialize(s)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_one_shape_round_trips() {
        let text = r#"{"category":"large","rpm":45,"tpm":30000,"enforce":true}"#;
        let row: LimitRow = serde_json::from_str(text).unwrap();
        assert_eq!(row.selector, Selector::Category(Category::Large));
        assert_eq!(serde_json::to_string(&row).unwrap(), text);
    }

    #[test]
    fn a_row_names_exactly_one_selector() {
        for text in [r#"{"rpm":1}"#, r#"{"model":"m","any":true}"#, r#"{"any":false}"#, r#"{"any":true,"rpn":1}"#] {
            assert!(serde_json::from_str::<LimitRow>(text).is_err(), "{text}");
        }
    }

    #[test]
    fn windows_and_numbers_are_bounded() {
        for text in [r#"{"any":true,"window_seconds":0}"#, r#"{"any":true,"rpm":1000000000001}"#, r#"{"any":true,"rpm":-1}"#] {
            assert!(serde_json::from_str::<LimitRow>(text).is_err(), "{text}");
        }
    }
}
