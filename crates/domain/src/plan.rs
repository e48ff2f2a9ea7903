//! A plan: data that the operator edits, never code.

use serde::{Deserialize, Serialize};

use crate::{LimitRow, Money, PlanId};

/// How much output is held when a request is admitted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HoldPolicy {
    /// From what this organisation's requests to this model have needed.
    #[default]
    Learned,
    /// The request's `max_tokens`, or the catalogue's default where it states none.
    MaxTokens,
    /// The catalogue's default.
    Fixed,
}

/// What happens to a stream whose hold can't be extended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnExhausted {
    /// It pauses until room frees.
    #[default]
    Pace,
    /// It goes on, and the excess becomes debt.
    Overdraft,
    /// It ends with `finish_reason: "length"`.
    Cut,
}

/// A plan with its limit rows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// Unique id, such as `growth`.
    pub id: PlanId,
    /// What people read; absent: the id.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// Price per month; absent: not for sale by itself (Enterprise).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub price_month: Option<Money>,
    /// How much output is held at admission.
    #[serde(default)]
    pub hold: HoldPolicy,
    /// What happens when a hold can't be extended.
    #[serde(default)]
    pub on_exhausted: OnExhausted,
    /// What organisations on it may spend at providers in a UTC day, together, at the catalogue's prices; absent: no ceiling.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spend_per_day: Option<Money>,
    /// At most one row a selector. A model without any row is not in the plan.
    #[serde(default)]
    pub limits: Vec<LimitRow>,
}
