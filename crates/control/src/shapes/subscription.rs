//! What an organisation is subscribed to, wishes for another plan, and what a plan would change, as the API writes them.

use domain::{Allowed, Limited};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::amount::Amount;
use super::choice::{DisputeState, LimitedBy, PlanDecision, PlanRequestState};
use super::password::Secret;
use super::time::Time;

/// What an organisation is subscribed to.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Subscription {
    /// The plan bought.
    pub(crate) plan: String,
    /// The plan in force: the same, but for late payment.
    pub(crate) effective_plan: String,
    /// How plans are paid here: `manual` (an operator grants them), `stripe`, or `test` (with cards that are none).
    pub(crate) billing: &'static str,
    /// When what was paid for is over; `null`: nothing was paid for here.
    #[schema(required)]
    pub(crate) paid_until: Option<Time>,
    /// The plan from then on; `null`: the same, which is charged again.
    #[schema(required)]
    pub(crate) next_plan: Option<String>,
    /// The renewal was not paid: until this moment the plan stays in force; `null`: nothing is late.
    #[schema(required)]
    pub(crate) past_due_until: Option<Time>,
    /// What is to be paid before another plan is in force; `null`: nothing.
    #[schema(required)]
    pub(crate) checkout: Option<Checkout>,
    /// The wish for another plan that nobody has decided; `null`: there is none.
    #[schema(required)]
    pub(crate) request: Option<PlanRequest>,
}

impl Subscription {
    /// The plans of an organisation, what it has paid for, what is to be paid, and what it wishes.
    pub(crate) fn of(
        org: &domain::Org,
        billing: &'static str,
        (paid, checkout): (Option<store::Subscription>, Option<store::Checkout>),
        request: Option<store::PlanRequest>,
    ) -> Self {
        let text = |plan: &domain::PlanId| plan.as_str().to_owned();
        Self {
            plan: text(&org.plan),
            effective_plan: text(&org.effective_plan),
            billing,
            paid_until: paid.as_ref().map(|paid| Time(paid.period.end)),
            next_plan: paid.as_ref().and_then(|paid| paid.next_plan.as_ref()).map(text),
            past_due_until: paid.as_ref().and_then(|paid| paid.grace_until).map(Time),
            checkout: checkout.map(Checkout::of),
            request: request.map(PlanRequest::of),
        }
    }
}

/// What is to be paid before a plan is in force.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Checkout {
    /// `checkout_` and a ULID.
    id: String,
    /// The plan.
    plan: String,
    /// What is left of what was paid before.
    credit: Amount,
    /// What was too little to be charged before.
    carried: Amount,
    /// What is to be paid, with that.
    due: Amount,
    /// It can be paid until before this moment.
    expires: Time,
    /// The page where it is paid; `null`: the card that is kept is being charged.
    #[schema(required)]
    url: Option<String>,
}

impl Checkout {
    /// Whether it is the one of this id.
    pub(crate) fn is(&self, id: &str) -> bool {
        self.id == id
    }

    /// What it is about, for people.
    pub(crate) fn sentence(&self) -> String {
        let Self { plan, due, credit, .. } = self;
        format!("The plan {plan} for a month: {} are due now, {} are left of what was paid before.", due.0, credit.0)
    }

    fn of(checkout: store::Checkout) -> Self {
        let store::Checkout { id, plan, credit, carried, due, expires, url, .. } = checkout;
        let (id, plan, credit, carried) = (id.to_string(), plan.as_str().into(), Amount(credit), Amount(carried));
        Self { id, plan, credit, carried, due: Amount(due), expires: Time(expires), url }
    }
}

/// A card that is none.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TestCard {
    /// `4242424242424242` pays, `4000000000000002` is declined, `4000000000000341` pays once and not for renewals.
    pub(crate) card: Secret,
}

/// What was charged.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Invoice {
    /// `invoice_` and a ULID.
    id: String,
    /// For which plan.
    plan: String,
    /// What was left of what was paid before.
    credit: Amount,
    /// What was too little to be charged before, and is charged here.
    carried: Amount,
    /// What was charged.
    amount: Amount,
    /// What is too little to be charged, and is charged with the next invoice.
    carried_on: Amount,
    /// Whether it was paid.
    paid: bool,
    /// What it is for begins at this moment.
    period_start: Time,
    /// And ends before this one.
    period_end: Time,
    /// When it was charged.
    created: Time,
    /// Where its receipt is seen; `null`: there is none, or not yet.
    #[schema(required)]
    receipt_url: Option<String>,
    /// What of it was given back where it was charged.
    refunded: Amount,
    /// How the dispute about its payment stands; `null`: there is none. What is lost is not paid.
    #[schema(required)]
    dispute: Option<DisputeState>,
}

/// Where an organisation sees to its card.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Portal {
    /// The page's address.
    pub(crate) url: String,
}

impl Invoice {
    pub(crate) fn of(invoice: store::Invoice) -> Self {
        Self {
            id: invoice.id.to_string(),
            plan: invoice.plan.as_str().into(),
            credit: Amount(invoice.credit),
            carried: Amount(invoice.carried),
            amount: Amount(invoice.amount),
            carried_on: Amount(invoice.carried_on),
            paid: invoice.is_paid,
            period_start: Time(invoice.period.start),
            period_end: Time(invoice.period.end),
            created: Time(invoice.created),
            receipt_url: invoice.receipt_url,
            refunded: Amount(invoice.refunded),
            dispute: invoice.dispute.map(Into::into),
        }
    }
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
    pub(crate) state: PlanDecision,
}

/// What a plan would change for an organisation.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Preview {
    /// The plan's id.
    pub(crate) plan: String,
    /// Every limit that rises or falls. Custom limits stay as they are, and are not among them.
    pub(crate) changes: Vec<LimitChange>,
    /// What would be left of what was paid for; `null`: an operator grants this plan.
    #[schema(required)]
    pub(crate) credit: Option<Amount>,
    /// What would be due now, with what was too little to be charged before; `null`: an operator grants this plan.
    #[schema(required)]
    pub(crate) due_now: Option<Amount>,
    /// When it would be in force; `null`: at once, when what is due is paid or an operator has granted it.
    #[schema(required)]
    pub(crate) from: Option<Time>,
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
