//! Organisations as the API writes them.

use domain::{Catalogue, RowInForce, Source, UnixMicros};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use store::{NewOrg, OrgPatch};
use utoipa::ToSchema;

use crate::app::{SignUpConfig, SignUpMode};
use crate::problem::Problem;

use super::limit_row::LimitRow;
use super::text::{Invalid, each};
use super::time::Time;

/// An organisation to make.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct OrgInput {
    /// What people call it.
    name: String,
    /// Its plan's id; left out by those who make one of their own.
    #[serde(default)]
    plan: Option<String>,
    /// Custom limit rows; each replaces the plan's row of its selector.
    #[serde(default)]
    limits: Vec<LimitRow>,
}

impl OrgInput {
    /// What the store is to make.
    pub(crate) fn into_new(self) -> Result<NewOrg, Problem> {
        let missing = || Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "missing_member", "plan: this member is missing.").at("plan");
        let plan = self.plan.ok_or_else(missing)?;
        Ok(NewOrg { name: self.name, plan: plan.into(), custom: custom("limits", self.limits)? })
    }

    /// The name of somebody's own, which begins as the installation has it.
    pub(crate) fn into_own(self, config: &SignUpConfig) -> Result<String, Problem> {
        let is_own = self.plan.is_none_or(|plan| plan == config.plan.as_str()) && self.limits.is_empty();
        let refuse = |code, message: String| Err(Problem::new(StatusCode::FORBIDDEN, code, message));
        match config.mode {
            SignUpMode::Closed => refuse("signup_closed", "Only operators make organisations here.".into()),
            SignUpMode::Open | SignUpMode::Invite if !is_own => refuse(
                "operator_only",
                format!("An organisation of your own begins on the plan \"{}\"; only operators choose another, or limits.", config.plan),
            ),
            SignUpMode::Open | SignUpMode::Invite => Ok(self.name),
        }
    }
}

/// What to change of an organisation; what is left out stays.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct OrgChange {
    /// What people call it.
    #[serde(default)]
    name: Option<String>,
    /// Its plan's id: in force for the next request.
    #[serde(default)]
    plan: Option<String>,
    /// All custom limit rows anew.
    #[serde(default)]
    limits: Option<Vec<LimitRow>>,
}

impl OrgChange {
    /// What the store is to change.
    pub(crate) fn into_patch(self) -> Result<OrgPatch, Invalid> {
        let custom = self.limits.map(|rows| custom("limits", rows)).transpose()?;
        Ok(OrgPatch { name: self.name, plan: self.plan.map(Into::into), effective_plan: None, custom })
    }
}

/// Custom limit rows as the store takes them; `param` is where they stand.
pub(crate) fn custom(param: &str, rows: Vec<LimitRow>) -> Result<Vec<domain::CustomLimit>, Invalid> {
    each(param, rows, LimitRow::into_custom)
}

/// An organisation.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Org {
    /// `org_` and a ULID.
    id: String,
    /// What people call it.
    name: String,
    /// The plan bought.
    plan: String,
    /// The plan in force: the same, but for late payment.
    effective_plan: String,
    /// The limit rows in force now: the plan's, and custom ones in their place or beside them.
    limits: Vec<LimitRow>,
    /// All custom limit rows, also those that are not valid yet or no longer.
    custom_limits: Vec<LimitRow>,
    /// When it was made.
    created: Time,
}

impl Org {
    /// The organisation as it stands at `now`.
    pub(crate) fn of(org: &domain::Org, catalogue: &Catalogue, now: UnixMicros) -> Self {
        let rows = catalogue.rows_in_force(&org.effective_plan, &org.custom, now).into_iter();
        Self {
            id: org.id.to_string(),
            name: org.name.clone(),
            plan: org.plan.as_str().into(),
            effective_plan: org.effective_plan.as_str().into(),
            limits: rows.map(in_force).collect(),
            custom_limits: org.custom.iter().map(LimitRow::of_custom).collect(),
            created: Time(org.created),
        }
    }
}

fn in_force(row: RowInForce<'_>) -> LimitRow {
    match row {
        RowInForce::Plan(row) => LimitRow::of_plan(row).with_source(Source::Plan),
        RowInForce::Custom(limit) => LimitRow::of_custom(limit).with_source(Source::Custom),
    }
}
