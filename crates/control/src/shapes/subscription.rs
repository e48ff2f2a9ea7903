//! What an organisation is subscribed to, wishes for another plan, and what a plan would change, as the API writes them.

use domain::{Allowed, Limited};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::choice::{Decision, LimitedBy, PlanRequestState};
use super::time::Time;

/// What an organisation is subscribed to.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Subscription {
    /// The plan bought.
    pub(crate) plan: String,
    /// The plan in force: the same, but for late payment.
    pub(crate) effective_plan: String,
    /// How plans are paid here: `manual`, which is that an operator grants them.
    pub(crate) billing: &'static str,
    /// The wish for another plan that nobody has decided; `null`: there is none.
    #[schema(required)]
    pub(crate) request: Option<PlanRequest>,
}

/// The plan that an organisation is to be on.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SubscriptionInput {
    /// The plan's id.
    pub(crate) plan: String,
    /// What whoever grants it should know: at most 1000 characters.
    #[serde(default)]
    pub(crate) message: String,
}

/// A wish for another plan.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PlanRequest {
    /// `plan_request_` and a ULID.
    id: String,
    /// The organisation's id.
    org: String,
    /// The plan it wishes.
    plan: String,
    /// What its member wrote.
    message: String,
    /// Who made it: a person's id, or `operator`.
    by: String,
    /// How it stands.
    state: PlanRequestState,
    /// When it was made.
    created: Time,
    /// When it was decided; `null`: it is open.
    #[schema(required)]
    decided: Option<Time>,
    /// Who decided it; `null`: it is open.
    #[schema(required)]
    decided_by: Option<String>,
}

impl PlanRequest {
    pub(crate) fn of(request: store::PlanRequest) -> Self {
        let store::PlanRequest { id, org, plan, message, by, state, created, decided, decided_by } = request;
        Self {
            id: id.to_string(),
            org: org.to_string(),
            plan: plan.as_str().into(),
            message,
            by: by.to_string(),
            state: state.into(),
            created: Time(created),
            decided: decided.map(Time),
            decided_by: decided_by.map(|actor| actor.to_string()),
        }
    }
}

/// What becomes of a wish.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PlanRequestChange {
    /// `granted`: its plan is in force for the next request.
    pub(crate) state: Decision,
}

/// What a plan would change for an organisation.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Preview {
    /// The plan's id.
    pub(crate) plan: String,
    /// Every limit that rises or falls. Custom limits stay as they are, and are not among them.
    pub(crate) changes: Vec<LimitChange>,
}

/// One limit before and after.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct LimitChange {
    /// The models it is about: `model:ID`, `category:C` or `any`.
    pool: String,
    /// What is limited.
    limit: LimitedBy,
    /// How much until now; `null`: unlimited; 0: it can't be used.
    #[schema(required)]
    before: Option<u64>,
    /// How much from then on; `null`: unlimited; 0: it can't be used.
    #[schema(required)]
    after: Option<u64>,
    /// Whether it rises; else it falls.
    rises: bool,
}

impl LimitChange {
    pub(crate) fn of(change: &domain::LimitChange) -> Self {
        let number = |allowed: Allowed| match allowed {
            Allowed::Nothing => Some(0),
            Allowed::UpTo(n) => Some(n),
            Allowed::Unlimited => None,
        };
        let domain::LimitChange { selector, limited, before, after } = change;
        let limited: Limited = *limited;
        Self { pool: selector.to_string(), limit: limited.into(), before: number(*before), after: number(*after), rises: after > before }
    }
}
