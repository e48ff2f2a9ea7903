//! Wishes for another plan: made by members, granted or declined by operators. No money is moved here.

use domain::{OrgId, PlanId, PlanRequestId, UnixMicros};
use serde_json::json;

use super::input;
use super::people::note;
use crate::sql::{self, Database};
use crate::{
    AccountError, Actor, DatabaseFault, ErrorClass, InvalidInput, ListError, OperationError, OrgPatch, Page, PageRequest, Store,
    UpdateOrgError, caps,
};

/// How a wish stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlanRequestState {
    /// Nobody has decided it.
    Open,
    /// The plan is in force.
    Granted,
    /// An operator said no.
    Declined,
    /// A later wish has taken its place, or it was taken back.
    Withdrawn,
}

impl PlanRequestState {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Granted => "granted",
            Self::Declined => "declined",
            Self::Withdrawn => "withdrawn",
        }
    }

    pub(crate) fn of_str(text: &str) -> Option<Self> {
        [Self::Open, Self::Granted, Self::Declined, Self::Withdrawn].into_iter().find(|state| state.as_str() == text)
    }
}

/// A wish for another plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlanRequest {
    /// Its id.
    pub id: PlanRequestId,
    /// The organisation.
    pub org: OrgId,
    /// The plan it wishes.
    pub plan: PlanId,
    /// What its member wrote.
    pub message: String,
    /// Who made it.
    pub by: Actor,
    /// How it stands.
    pub state: PlanRequestState,
    /// When it was made.
    pub created: UnixMicros,
    /// When it was decided.
    pub decided: Option<UnixMicros>,
    /// Who decided it.
    pub decided_by: Option<Actor>,
}

/// Why a wish can't be made or decided.
#[derive(Debug, thiserror::Error)]
pub enum PlanRequestError {
    /// There is no organisation of this id.
    #[error("there is no organisation {0}")]
    NoOrg(OrgId),
    /// There is no such wish.
    #[error("there is no request {0}")]
    NotFound(PlanRequestId),
    /// It was decided before, or has been replaced.
    #[error("the request is {state} already", state = .0.as_str())]
    Decided(PlanRequestState),
    /// The organisation has that plan.
    #[error("the organisation is on the plan \"{0}\" already")]
    Same(PlanId),
    /// The input is wrong.
    #[error(transparent)]
    Invalid(#[from] InvalidInput),
    /// The database failed.
    #[error(transparent)]
    Unavailable(#[from] DatabaseFault),
}

impl OperationError for PlanRequestError {
    fn class(&self) -> ErrorClass<'_> {
        match self {
            Self::NoOrg(_) | Self::NotFound(_) => ErrorClass::NotFound,
            Self::Decided(_) | Self::Same(_) => ErrorClass::Conflict,
            Self::Invalid(fault) => ErrorClass::Invalid { param: &fault.param },
            Self::Unavailable(_) => ErrorClass::Unavailable,
        }
    }
}

impl Store {
    /// Makes a wish; one that is open is replaced.
    pub async fn request_plan(&self, actor: Actor, org: OrgId, plan: PlanId, message: String) -> Result<PlanRequest, PlanRequestError> {
        self.turn(move |inner| async move {
            let now = inner.now().wall;
            let entry = inner.live_org(org).ok_or(PlanRequestError::NoOrg(org))?;
            input::plan(&inner.directory.catalogue_now(), &plan)?;
            if entry.to_org().plan == plan {
                return Err(PlanRequestError::Same(plan));
            }
            let message = message.trim().to_owned();
            if message.chars().count() > caps::MAX_REASON_CHARS {
                return Err(input::fault("message", format!("message may have {} characters at most", caps::MAX_REASON_CHARS)).into());
            }
            let mut transaction = inner.database.begin().await?;
            if let Some(open) = sql::plan_requests::open_of(&mut transaction, org).await? {
                sql::plan_requests::decide(&mut transaction, open.id, PlanRequestState::Withdrawn, actor, now).await?;
            }
            let id = PlanRequestId::generate(now, inner.entropy.as_ref());
            let state = PlanRequestState::Open;
            let request = PlanRequest { id, org, plan, message, by: actor, state, created: now, decided: None, decided_by: None };
            sql::plan_requests::insert(&mut transaction, &request).await?;
            let details = json!({"request": id, "plan": request.plan, "message": request.message});
            note(&mut transaction, actor, "plan.request", &org.to_string(), details, now).await?;
            Database::commit(transaction).await?;
            Ok(request)
        })
        .await
    }

    /// Takes the open wish of an organisation back; whether there was one.
    pub async fn withdraw_plan_request(&self, actor: Actor, org: OrgId) -> Result<bool, AccountError> {
        self.turn(move |inner| async move {
            let now = inner.now().wall;
            let mut transaction = inner.database.begin().await?;
            let Some(open) = sql::plan_requests::open_of(&mut transaction, org).await? else { return Ok(false) };
            sql::plan_requests::decide(&mut transaction, open.id, PlanRequestState::Withdrawn, actor, now).await?;
            note(&mut transaction, actor, "plan.withdraw", &org.to_string(), json!({"request": open.id}), now).await?;
            Database::commit(transaction).await?;
            Ok(true)
        })
        .await
    }

    /// The open wish of an organisation.
    pub async fn open_plan_request(&self, org: OrgId) -> Result<Option<PlanRequest>, AccountError> {
        let mut connection = self.inner.database.reads.acquire().await.map_err(DatabaseFault::from)?;
        Ok(sql::plan_requests::open_of(&mut connection, org).await?)
    }

    /// A page of wishes of all organisations, oldest first; of one state, or all.
    pub async fn plan_requests(&self, state: Option<PlanRequestState>, page: &PageRequest) -> Result<Page<PlanRequest>, ListError> {
        let after = page.position()?;
        let found = sql::plan_requests::page(&self.inner.database.reads, state, after, page.size() + 1).await?;
        Ok(Page::of(found, page, |request| request.id.to_string()))
    }

    /// Grants a wish, so that its plan is in force for the next request, or declines it. Decided twice at once it is decided once.
    pub async fn decide_plan_request(&self, actor: Actor, id: PlanRequestId, grants: bool) -> Result<PlanRequest, PlanRequestError> {
        self.turn(move |inner| async move {
            let now = inner.now().wall;
            let mut transaction = inner.database.begin().await?;
            let request = sql::plan_requests::get(&mut transaction, id).await?.ok_or(PlanRequestError::NotFound(id))?;
            if request.state != PlanRequestState::Open {
                return Err(PlanRequestError::Decided(request.state));
            }
            let state = if grants { PlanRequestState::Granted } else { PlanRequestState::Declined };
            sql::plan_requests::decide(&mut transaction, id, state, actor, now).await?;
            let details = json!({"request": id, "plan": request.plan, "state": state.as_str()});
            note(&mut transaction, actor, "plan.decide", &request.org.to_string(), details, now).await?;
            let decided = PlanRequest { state, decided: Some(now), decided_by: Some(actor), ..request };
            if grants {
                sql::billing::forget(&mut transaction, decided.org).await?;
                let patch = OrgPatch { plan: Some(decided.plan.clone()), ..OrgPatch::default() };
                inner.change_org(actor, decided.org, patch, Some(transaction)).await.map_err(|error| match error {
                    UpdateOrgError::NotFound(org) => PlanRequestError::NoOrg(org),
                    UpdateOrgError::Invalid(fault) => PlanRequestError::Invalid(fault),
                    UpdateOrgError::Unavailable(fault) => PlanRequestError::Unavailable(fault),
                })?;
            } else {
                Database::commit(transaction).await?;
            }
            Ok(decided)
        })
        .await
    }
}
