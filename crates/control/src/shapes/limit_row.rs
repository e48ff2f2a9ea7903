//! The limit row: one shape for plans, custom agreements and an organisation's rows in force.

use domain::{CustomLimit, Selector};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::choice::{Category, Source};
use super::text::Invalid;
use super::time::Time;

/// What is allowed for one model, for a size category, or for any other model: exactly one of `model`, `category` and
/// `any` is named. An absent number is unlimited.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct LimitRow {
    /// One model's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    model: Option<String>,
    /// All models of a size category that have no row of their own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    category: Option<Category>,
    /// `true`: every other model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    any: Option<bool>,
    /// Requests admitted in any window of `window_seconds`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    rpm: Option<u64>,
    /// Input and output tokens processed in any window of `window_seconds`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tpm: Option<u64>,
    /// Requests admitted in any 24 hours.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    rpd: Option<u64>,
    /// Tokens processed in any 24 hours.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tpd: Option<u64>,
    /// Requests in progress at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    concurrent: Option<u64>,
    /// The window of `rpm` and `tpm` in seconds; absent: the installation's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    window_seconds: Option<f64>,
    /// Whether the row refuses; `false`: it only records what it would have refused.
    #[serde(default = "yes")]
    enforce: bool,
    /// Custom rows only: valid from this moment; absent: at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    from: Option<Time>,
    /// Custom rows only: valid until before this moment; absent: for good.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    until: Option<Time>,
    /// Custom rows only: why it was agreed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    /// Where the row comes from: told of an organisation's rows in force, without effect where it is sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(read_only)]
    source: Option<Source>,
}

const fn yes() -> bool {
    true
}

impl LimitRow {
    /// A plan's row.
    pub(crate) fn of_plan(row: &domain::LimitRow) -> Self {
        let (model, category, any) = match &row.selector {
            Selector::Model(id) => (Some(id.as_str().into()), None, None),
            Selector::Category(category) => (None, Some((*category).into()), None),
            Selector::Any => (None, None, Some(true)),
        };
        let domain::LimitRow { selector: _, rpm, tpm, rpd, tpd, concurrent, window_seconds, enforce } = *row;
        let (from, until, reason, source) = (None, None, None, None);
        Self { model, category, any, rpm, tpm, rpd, tpd, concurrent, window_seconds, enforce, from, until, reason, source }
    }

    /// A custom agreement's row.
    pub(crate) fn of_custom(limit: &CustomLimit) -> Self {
        Self { from: limit.from.map(Time), until: limit.until.map(Time), reason: limit.reason.clone(), ..Self::of_plan(&limit.row) }
    }

    /// The same row, saying where it comes from.
    pub(crate) fn with_source(self, source: domain::Source) -> Self {
        Self { source: Some(source.into()), ..self }
    }

    /// The row as a plan may carry it.
    pub(crate) fn into_plan_row(self) -> Result<domain::LimitRow, Invalid> {
        let custom = [("from", self.from.is_some()), ("until", self.until.is_some()), ("reason", self.reason.is_some())];
        match custom.iter().find(|(_, given)| *given) {
            Some((member, _)) => Err(Invalid::new(*member, "only custom rows of an organisation have this member, not a plan's")),
            None => self.into_row(),
        }
    }

    /// The row as a custom agreement may carry it.
    pub(crate) fn into_custom(self) -> Result<CustomLimit, Invalid> {
        let (from, until, reason) = (self.from.map(|t| t.0), self.until.map(|t| t.0), self.reason.clone());
        Ok(CustomLimit { row: self.into_row()?, from, until, reason })
    }

    fn into_row(self) -> Result<domain::LimitRow, Invalid> {
        let selector = match (self.model, self.category, self.any) {
            (Some(id), None, None) => Selector::Model(id.into()),
            (None, Some(category), None) => Selector::Category(category.into()),
            (None, None, Some(true)) => Selector::Any,
            (None, None, Some(false)) => return Err(Invalid::new("any", "only true has a meaning here")),
            (None, None, None) => return Err(Invalid::new("", "name one of model, category and any, to say what the row is about")),
            _ => return Err(Invalid::new("", "name only one of model, category and any")),
        };
        let Self { rpm, tpm, rpd, tpd, concurrent, window_seconds, enforce, .. } = self;
        Ok(domain::LimitRow { selector, rpm, tpm, rpd, tpd, concurrent, window_seconds, enforce })
    }
}
