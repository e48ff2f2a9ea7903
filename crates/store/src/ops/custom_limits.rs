//! Custom limits of an organisation, and the dated facts that explain what was in force when.

use domain::{CustomLimit, Org, OrgId, PlanId, UnixMicros};

use super::input;
use crate::sql::facts;
use crate::{Actor, DatabaseFault, ErrorClass, InvalidInput, OperationError, Store, caps};

/// What an organisation was entitled to in a span of time.
#[derive(Clone, Debug, PartialEq)]
pub struct LimitFact {
    /// From this moment.
    pub from: UnixMicros,
    /// Until before this moment; `None`: still.
    pub until: Option<UnixMicros>,
    /// The plan bought.
    pub plan: PlanId,
    /// The plan in force.
    pub effective_plan: PlanId,
    /// Custom limits, with dates of their own.
    pub custom: Vec<CustomLimit>,
}

/// Why custom limits can't be set.
#[derive(Debug, thiserror::Error)]
pub enum SetCustomLimitsError {
    /// There is no organisation of this id.
    #[error("there is no organisation {0}")]
    NotFound(OrgId),
    /// The input is wrong.
    #[error(transparent)]
    Invalid(#[from] InvalidInput),
    /// The database failed.
    #[error(transparent)]
    Unavailable(#[from] DatabaseFault),
}

/// Why the dated facts can't be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadLimitFactsError {
    /// The database failed.
    #[error(transparent)]
    Unavailable(#[from] DatabaseFault),
}

impl OperationError for SetCustomLimitsError {
    fn class(&self) -> ErrorClass<'_> {
        match self {
            Self::NotFound(_) => ErrorClass::NotFound,
            Self::Invalid(fault) => ErrorClass::Invalid { param: &fault.param },
            Self::Unavailable(_) => ErrorClass::Unavailable,
        }
    }
}

impl OperationError for ReadLimitFactsError {
    fn class(&self) -> ErrorClass<'_> {
        match self {
            Self::Unavailable(_) => ErrorClass::Unavailable,
        }
    }
}

impl Store {
    /// Replaces all custom limits of an organisation.
    pub async fn set_custom_limits(&self, actor: Actor, org: OrgId, limits: Vec<CustomLimit>) -> Result<Org, SetCustomLimitsError> {
        self.turn(move |inner| async move {
            let entry = inner.live_org(org).ok_or(SetCustomLimitsError::NotFound(org))?;
            let before = entry.to_org();
            let custom = input::custom_limits(&inner.directory.catalogue_now(), "", limits)?;
            let after = Org { custom, ..before.clone() };
            inner.save_org(actor, "org.limits", &before, &after, None).await?;
            Ok(after)
        })
        .await
    }

    /// What the organisation was entitled to, newest first, at most 200 spans.
    pub async fn limit_facts(&self, org: OrgId) -> Result<Vec<LimitFact>, ReadLimitFactsError> {
        Ok(facts::of_org(&self.inner.database.reads, org, caps::MAX_FACTS).await?)
    }
}
