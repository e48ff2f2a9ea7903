//! Plans as the API writes them.

use domain::PlanId;
use serde::{Deserialize, Serialize};
use store::Managed;
use utoipa::ToSchema;

use super::amount::Amount;
use super::choice::{HoldPolicy, ManagedBy, OnExhausted};
use super::limit_row::LimitRow;
use super::text::{Invalid, each, printable};
use super::time::Time;

/// A plan as it is written. A model without any row is not in the plan.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PlanInput {
    /// Unique id, such as `growth`; where the path names it, it may be left out.
    #[serde(default)]
    pub(crate) id: Option<String>,
    /// What people read; absent: the id.
    #[serde(default)]
    name: Option<String>,
    /// Price per month; absent: not for sale by itself.
    #[serde(default)]
    price_month: Option<Amount>,
    /// How much output is held at admission; absent: `learned`.
    #[serde(default)]
    hold: Option<HoldPolicy>,
    /// What happens when a hold can't be extended; absent: `pace`.
    #[serde(default)]
    on_exhausted: Option<OnExhausted>,
    /// What organisations on it may spend at providers in a UTC day, together; absent: no ceiling.
    #[serde(default)]
    spend_per_day: Option<Amount>,
    /// At most one row a selector.
    #[serde(default)]
    limits: Vec<LimitRow>,
}

impl PlanInput {
    /// The plan under `id`.
    pub(crate) fn into_plan(self, id: PlanId) -> Result<domain::Plan, Invalid> {
        self.name.as_deref().map_or(Ok(()), |name| printable("name", name))?;
        Ok(domain::Plan {
            id,
            name: self.name.unwrap_or_default(),
            price_month: self.price_month.map(|amount| amount.0),
            hold: self.hold.map_or_else(Default::default, Into::into),
            on_exhausted: self.on_exhausted.map_or_else(Default::default, Into::into),
            spend_per_day: self.spend_per_day.map(|amount| amount.0),
            limits: each("limits", self.limits, LimitRow::into_plan_row)?,
        })
    }
}

/// A plan.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Plan {
    /// Unique id.
    id: String,
    /// What people read.
    name: String,
    /// Price per month; `null`: not for sale by itself.
    #[schema(required)]
    price_month: Option<Amount>,
    /// How much output is held at admission.
    hold: HoldPolicy,
    /// What happens when a hold can't be extended.
    on_exhausted: OnExhausted,
    /// What organisations on it may spend at providers in a UTC day, together; `null`: no ceiling.
    #[schema(required)]
    spend_per_day: Option<Amount>,
    /// At most one row a selector. A model without any row is not in the plan.
    limits: Vec<LimitRow>,
    /// Who manages it. What the file manages is applied anew at each start.
    managed_by: ManagedBy,
    /// When it was last changed.
    updated: Time,
}

impl Plan {
    /// The plan as it is kept.
    pub(crate) fn of(kept: &Managed<domain::Plan>) -> Self {
        let plan = &kept.item;
        Self {
            id: plan.id.as_str().into(),
            name: if plan.name.is_empty() { plan.id.as_str().into() } else { plan.name.clone() },
            price_month: plan.price_month.map(Amount),
            hold: plan.hold.into(),
            on_exhausted: plan.on_exhausted.into(),
            spend_per_day: plan.spend_per_day.map(Amount),
            limits: plan.limits.iter().map(LimitRow::of_plan).collect(),
            managed_by: kept.origin.into(),
            updated: Time(kept.updated),
        }
    }
}
