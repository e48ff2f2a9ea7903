//! One organisation as its members and operators reach it. What it gives can't be asked of another organisation: its id comes from the
//! proof that the caller belongs to it, and handlers have no other way to what is kept.

use std::marker::PhantomData;

use axum::extract::{FromRequestParts, RawPathParams};
use domain::{
    ApiKey, CheckoutId, Email, Key, KeyId, LinkId, Member, OrgId, PersonId, PlanId, PoolView, Quote, RequestId, Right, Role, SecretToken,
};
use http::StatusCode;
use http::request::Parts;
use store::{
    AccountError, Actor, AuditEntry, BillingError, ChangeKeyError, ChangeMemberError, CreateKeyError, DatabaseFault, DeleteOrgError,
    GroupBy, InviteError, Invoice, KeyInfo, Link, ListError, NewKey, OrgPatch, Page, PageRequest, PlanChange, PlanRequest,
    PlanRequestError, PoolUsage, PoolUsageQuery, RequestStory, RequestsError, RequestsQuery, Store, UpdateOrgError, Usage, UsageError,
    UsageQuery, WhyRefused,
};

use super::caller::Caller;
use crate::app::App;
use crate::billing::{Cashier, CashierError};
use crate::problem::Problem;
use crate::shapes::subscription::Subscription;

/// What an operation needs, as a type.
pub(crate) trait Needs: Send + Sync + 'static {
    /// The right.
    const RIGHT: Right;
}

macro_rules! needs {
    ($($name:ident)*) => {
        $(
            /// The right of this name.
            pub(crate) struct $name;

            impl Needs for $name {
                const RIGHT: Right = Right::$name;
            }
        )*
    };
}

needs! { See Keys Manage Billing Own }

/// Proof that the caller may do that to the organisation which the path names.
pub(crate) struct OrgAccess<N> {
    org: OrgId,
    actor: Actor,
    role: Role,
    is_operator: bool,
    is_verified: bool,
    cashier: Cashier,
    store: Store,
    needs: PhantomData<N>,
}

impl<N: Needs> FromRequestParts<App> for OrgAccess<N> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let caller = Caller::of(parts, app).await?;
        let params = RawPathParams::from_request_parts(parts, app).await.map_err(|fault| {
            Problem::new(StatusCode::BAD_REQUEST, "invalid_path", format!("The path can't be decoded: {}.", fault.body_text()))
        })?;
        let segment = params.iter().find(|(name, _)| *name == "id").map(|(_, value)| value).unwrap_or_default();
        let nothing = || Problem::not_found("organisation", segment);
        let org: OrgId = segment.parse().map_err(|_| nothing())?;
        let store = app.vault().store().clone();
        let is_verified = match &caller {
            Caller::Token => true,
            Caller::Person(session) => session.person.is_verified,
        };
        let (actor, role, is_operator) = match caller {
            Caller::Token => (Actor::Operator, Role::Owner, true),
            Caller::Person(session) if session.person.is_operator => (Actor::Person(session.person.id), Role::Owner, true),
            Caller::Person(session) => {
                // Another's organisation is as absent as one that isn't there.
                let role = store.role_of(session.person.id, org).await?.ok_or_else(nothing)?;
                (Actor::Person(session.person.id), role, false)
            }
        };
        if !role.has(N::RIGHT) {
            let message = format!("This needs the role {}; you are {} of this organisation.", N::RIGHT.least().as_str(), role.as_str());
            return Err(Problem::new(StatusCode::FORBIDDEN, "role_too_low", message));
        }
        Ok(Self { org, actor, role, is_operator, is_verified, cashier: app.vault().cashier().clone(), store, needs: PhantomData })
    }
}

impl OrgAccess<See> {
    pub(crate) fn org(&self) -> Option<domain::Org> {
        self.store.org(self.org)
    }

    /// Every limit of every pool.
    pub(crate) fn pools(&self, now: domain::Now) -> Option<Vec<PoolView>> {
        let org = self.store.directory().org(self.org).filter(|org| !org.state().deleted)?;
        Some(self.store.pools().views(&org, now))
    }

    pub(crate) async fn usage(
        &self,
        query: impl FnOnce(OrgId) -> Result<UsageQuery, Problem>,
    ) -> Result<(Result<Usage, UsageError>, Option<GroupBy>), Problem> {
        let query = query(self.org)?;
        Ok((self.store.usage(&query).await, query.group_by))
    }

    pub(crate) async fn pool_usage(
        &self,
        query: impl FnOnce(OrgId) -> Result<PoolUsageQuery, Problem>,
    ) -> Result<Result<PoolUsage, UsageError>, Problem> {
        Ok(self.store.pool_usage(&query(self.org)?).await)
    }

    pub(crate) async fn why_refused(
        &self,
        query: impl FnOnce(OrgId) -> Result<UsageQuery, Problem>,
    ) -> Result<Result<WhyRefused, UsageError>, Problem> {
        Ok(self.store.why_refused(&query(self.org)?).await)
    }

    pub(crate) async fn requests(
        &self,
        query: impl FnOnce(OrgId) -> Result<RequestsQuery, Problem>,
    ) -> Result<Result<Page<RequestStory>, RequestsError>, Problem> {
        Ok(self.store.requests(&query(self.org)?).await)
    }

    pub(crate) async fn request(&self, id: RequestId) -> Result<Option<RequestStory>, DatabaseFault> {
        self.store.request_of(self.org, id).await
    }

    pub(crate) async fn keys(&self, page: &PageRequest) -> Result<Page<KeyInfo>, ListError> {
        self.store.list_keys(self.org, page).await
    }

    pub(crate) async fn quote(&self, plan: &PlanId) -> Result<Quote, BillingError> {
        self.store.quote(self.org, plan).await
    }

    pub(crate) async fn members(&self, page: &PageRequest) -> Result<Page<Member>, ListError> {
        self.store.members(self.org, page).await
    }

    /// Somebody leaves; whoever may only see may do that for themselves.
    pub(crate) async fn remove_member(&self, person: PersonId) -> Result<Result<(), ChangeMemberError>, Problem> {
        let is_self = self.actor == Actor::Person(person);
        if !is_self && !self.role.has(Right::Manage) {
            let message = format!("To remove others needs the role {}.", Right::Manage.least().as_str());
            return Err(Problem::new(StatusCode::FORBIDDEN, "role_too_low", message));
        }
        Ok(self.store.remove_member(self.actor, self.role, self.org, person).await)
    }
}

impl OrgAccess<Keys> {
    /// Whoever has not shown that their address is theirs makes no keys.
    pub(crate) fn verified(&self) -> Result<(), Problem> {
        if self.is_verified {
            return Ok(());
        }
        let message =
            "Confirm your address first, with the link that was sent to you; POST /api/v1/auth/verification-mails sends it again.";
        Err(Problem::new(StatusCode::FORBIDDEN, "email_unverified", message))
    }

    pub(crate) async fn create_key(&self, new: NewKey) -> Result<(Key, ApiKey), CreateKeyError> {
        self.store.create_key(self.actor, self.org, new).await
    }

    pub(crate) async fn rotate_key(&self, key: KeyId, overlap_s: u64) -> Result<(Key, ApiKey), ChangeKeyError> {
        self.store.rotate_key(self.actor, self.org, key, overlap_s).await
    }

    pub(crate) async fn change_key(&self, key: KeyId, disabled: bool) -> Result<KeyInfo, ChangeKeyError> {
        self.store.set_key_disabled(self.actor, self.org, key, disabled).await
    }

    pub(crate) async fn revoke_key(&self, key: KeyId) -> Result<Key, ChangeKeyError> {
        self.store.revoke_key(self.actor, self.org, key).await
    }
}

impl OrgAccess<Manage> {
    /// Changes it. What only an operator changes is refused to others.
    pub(crate) async fn update(&self, patch: OrgPatch) -> Result<Result<domain::Org, UpdateOrgError>, Problem> {
        let is_operators = patch.plan.is_some() || patch.custom.is_some();
        if is_operators && !self.is_operator {
            let message = "Members change the plan through its subscription; custom limits are agreed with the operator.";
            return Err(Problem::new(StatusCode::FORBIDDEN, "operator_only", message));
        }
        Ok(self.store.update_org(self.actor, self.org, patch).await)
    }

    pub(crate) async fn audit(&self, page: &PageRequest) -> Result<Page<AuditEntry>, ListError> {
        self.store.audit_of(self.org, page).await
    }

    pub(crate) async fn set_role(&self, person: PersonId, role: Role) -> Result<Member, ChangeMemberError> {
        self.store.set_role(self.actor, self.role, self.org, person, role).await
    }

    pub(crate) async fn invite(&self, email: Email, role: Role) -> Result<(Link, SecretToken), InviteError> {
        self.store.invite(self.actor, self.role, Some(self.org), email, role).await
    }

    pub(crate) async fn invitations(&self) -> Result<Vec<Link>, AccountError> {
        self.store.invitations(self.org).await
    }

    pub(crate) async fn withdraw_invitation(&self, id: LinkId) -> Result<bool, AccountError> {
        self.store.withdraw_invitation(self.actor, self.org, id).await
    }
}

impl OrgAccess<Billing> {
    pub(crate) async fn request_plan(&self, plan: PlanId, message: String) -> Result<PlanRequest, PlanRequestError> {
        self.store.request_plan(self.actor, self.org, plan, message).await
    }

    pub(crate) async fn buy_plan(&self, plan: PlanId) -> Result<PlanChange, CashierError> {
        self.cashier.choose(self.actor, self.org, plan).await
    }

    /// Somebody is back from where a checkout is paid.
    pub(crate) async fn returned_from(&self, id: CheckoutId) -> Result<(), CashierError> {
        self.cashier.returned(self.org, id).await
    }

    /// Where the card that is kept is seen to.
    pub(crate) async fn portal(&self) -> Result<String, CashierError> {
        self.cashier.portal(self.org).await
    }

    /// It was paid with a card that is none.
    pub(crate) async fn checkout_paid(&self, id: CheckoutId, renews: bool) -> Result<Invoice, BillingError> {
        self.store.checkout_paid(self.actor, self.org, id, renews).await
    }

    pub(crate) async fn invoices(&self, page: &PageRequest) -> Result<Page<Invoice>, ListError> {
        self.store.invoices(self.org, page).await
    }

    pub(crate) async fn withdraw_plan_request(&self) -> Result<bool, AccountError> {
        self.store.withdraw_plan_request(self.actor, self.org).await
    }
}

impl OrgAccess<Own> {
    pub(crate) async fn delete(&self) -> Result<(), DeleteOrgError> {
        self.store.delete_org(self.actor, self.org).await
    }
}

impl<N> OrgAccess<N> {
    pub(crate) async fn subscription(&self) -> Result<Subscription, Problem> {
        let org = self.store.org(self.org).ok_or_else(|| Problem::not_found("organisation", &self.id()))?;
        let request = self.store.open_plan_request(self.org).await?;
        Ok(Subscription::of(&org, self.cashier.name(), self.store.billing_of(self.org).await?, request))
    }

    /// What people call the organisation.
    pub(crate) fn name(&self) -> Option<String> {
        self.store.org(self.org).map(|org| org.name)
    }

    /// The organisation's id, as text for paths.
    pub(crate) fn id(&self) -> String {
        self.org.to_string()
    }
}
