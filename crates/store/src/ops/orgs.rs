//! Organisations: made, listed, changed, deleted.

use std::sync::Arc;

use domain::{CustomLimit, Org, OrgId, PlanId, UnixMicros};
use serde_json::json;

use super::input;
use crate::load::state_of;
use crate::sql::audit::NewEntry;
use crate::sql::orgs::Search;
use crate::sql::{self, Database, Transaction, facts};
use crate::store::Inner;
use crate::{Actor, DatabaseFault, ErrorClass, InvalidInput, ListError, OperationError, OrgEntry, OrgState, Page, PageRequest, Store};

/// A new organisation.
#[derive(Clone, Debug)]
pub struct NewOrg {
    /// What people call it.
    pub name: String,
    /// Its plan.
    pub plan: PlanId,
    /// Custom limits from the start.
    pub custom: Vec<CustomLimit>,
}

/// What to change of an organisation; `None` leaves it.
#[derive(Clone, Debug, Default)]
pub struct OrgPatch {
    /// A new name.
    pub name: Option<String>,
    /// A new plan, bought and in force.
    pub plan: Option<PlanId>,
    /// The plan in force, where it is another than that bought.
    pub effective_plan: Option<PlanId>,
    /// All custom limits anew.
    pub custom: Option<Vec<CustomLimit>>,
}

/// Why an organisation can't be made.
#[derive(Debug, thiserror::Error)]
pub enum CreateOrgError {
    /// The input is wrong.
    #[error(transparent)]
    Invalid(#[from] InvalidInput),
    /// The database failed.
    #[error(transparent)]
    Unavailable(#[from] DatabaseFault),
}

/// Why an organisation can't be changed.
#[derive(Debug, thiserror::Error)]
pub enum UpdateOrgError {
    /// There is none of this id.
    #[error("there is no organisation {0}")]
    NotFound(OrgId),
    /// The input is wrong.
    #[error(transparent)]
    Invalid(#[from] InvalidInput),
    /// The database failed.
    #[error(transparent)]
    Unavailable(#[from] DatabaseFault),
}

/// Why an organisation can't be deleted.
#[derive(Debug, thiserror::Error)]
pub enum DeleteOrgError {
    /// There is none of this id.
    #[error("there is no organisation {0}")]
    NotFound(OrgId),
    /// The database failed.
    #[error(transparent)]
    Unavailable(#[from] DatabaseFault),
}

impl OperationError for CreateOrgError {
    fn class(&self) -> ErrorClass<'_> {
        match self {
            Self::Invalid(fault) => ErrorClass::Invalid { param: &fault.param },
            Self::Unavailable(_) => ErrorClass::Unavailable,
        }
    }
}

impl OperationError for UpdateOrgError {
    fn class(&self) -> ErrorClass<'_> {
        match self {
            Self::NotFound(_) => ErrorClass::NotFound,
            Self::Invalid(fault) => ErrorClass::Invalid { param: &fault.param },
            Self::Unavailable(_) => ErrorClass::Unavailable,
        }
    }
}

impl OperationError for DeleteOrgError {
    fn class(&self) -> ErrorClass<'_> {
        match self {
            Self::NotFound(_) => ErrorClass::NotFound,
            Self::Unavailable(_) => ErrorClass::Unavailable,
        }
    }
}

impl Store {
    /// Makes an organisation.
    pub async fn create_org(&self, actor: Actor, new: NewOrg) -> Result<Org, CreateOrgError> {
        self.turn(move |inner| async move {
            let now = inner.now().wall;
            let catalogue = inner.directory.catalogue_now();
            let name = input::name("name", &new.name)?;
            input::plan(&catalogue, &new.plan)?;
            let custom = input::custom_limits(&catalogue, "limits", new.custom)?;
            let id = OrgId::generate(now, inner.entropy.as_ref());
            let org = Org { id, name, plan: new.plan.clone(), effective_plan: new.plan, custom, created: now };
            let mut transaction = inner.database.begin().await?;
            sql::orgs::insert(&mut transaction, &org).await?;
            facts::begin_org_fact(&mut transaction, &org, now).await?;
            let details = json!({"name": org.name, "plan": org.plan, "limits": presented(&org.custom)});
            note(&mut transaction, actor, "org.create", id, now, details).await?;
            Database::commit(transaction).await?;
            inner.directory.put_org(Arc::new(OrgEntry::new(id, state_of(&org, Arc::from([]), inner.window_us), inner.window_us)));
            Ok(org)
        })
        .await
    }

    /// The organisation, from memory; `None`: there is none, or it was deleted.
    pub fn org(&self, id: OrgId) -> Option<Org> {
        self.inner.live_org(id).map(|entry| entry.to_org())
    }

    /// A page of the organisations whose name contains `q`, in any case, or whose id begins with it, oldest first.
    pub async fn list_orgs(&self, q: Option<&str>, page: &PageRequest) -> Result<Page<Org>, ListError> {
        let after = page.position()?;
        let search = search(q.unwrap_or_default());
        let found = sql::orgs::page(&self.inner.database.reads, &search, after, page.size() + 1).await?;
        Ok(Page::of(found, page, |org| org.id.to_string()))
    }

    /// Changes an organisation. What is in progress goes on under the new limits. A plan that is set so is no longer what was paid for:
    /// nothing is renewed any more.
    pub async fn update_org(&self, actor: Actor, id: OrgId, patch: OrgPatch) -> Result<Org, UpdateOrgError> {
        self.turn(move |inner| async move {
            let mut begun = None;
            if patch.plan.is_some() {
                let mut transaction = inner.database.begin().await?;
                sql::billing::forget(&mut transaction, id).await?;
                begun = Some(transaction);
            }
            inner.change_org(actor, id, patch, begun).await
        })
        .await
    }

    /// Deletes an organisation: its keys are refused at once, its usage is kept. Deleting it again changes nothing.
    pub async fn delete_org(&self, actor: Actor, id: OrgId) -> Result<(), DeleteOrgError> {
        self.turn(move |inner| async move {
            let entry = inner.directory.org(id).ok_or(DeleteOrgError::NotFound(id))?;
            if entry.state().deleted {
                return Ok(());
            }
            let now = inner.now().wall;
            let mut transaction = inner.database.begin().await?;
            sql::orgs::delete(&mut transaction, id, now).await?;
            facts::end_org_fact(&mut transaction, id, now).await?;
            sql::billing::forget(&mut transaction, id).await?;
            let name = entry.state().name.to_string();
            note(&mut transaction, actor, "org.delete", id, now, json!({"name": name})).await?;
            Database::commit(transaction).await?;
            let state = OrgState::clone(&entry.state());
            entry.set_state(OrgState { deleted: true, limited: Arc::from([]), ..state });
            Ok(())
        })
        .await
    }
}

impl Inner {
    /// The organisation, unless it was deleted.
    pub(crate) fn live_org(&self, id: OrgId) -> Option<Arc<OrgEntry>> {
        self.directory.org(id).filter(|entry| !entry.state().deleted)
    }

    /// Changes an organisation, in a transaction that has begun or in one of its own.
    pub(crate) async fn change_org(
        &self,
        actor: Actor,
        id: OrgId,
        patch: OrgPatch,
        begun: Option<Transaction>,
    ) -> Result<Org, UpdateOrgError> {
        let entry = self.live_org(id).ok_or(UpdateOrgError::NotFound(id))?;
        let before = entry.to_org();
        let catalogue = self.directory.catalogue_now();
        let mut org = before.clone();
        if let Some(name) = patch.name {
            org.name = input::name("name", &name)?;
        }
        if let Some(plan) = patch.plan {
            input::plan(&catalogue, &plan)?;
            org.plan = plan.clone();
            org.effective_plan = plan;
        }
        if let Some(effective) = patch.effective_plan {
            input::plan(&catalogue, &effective)?;
            org.effective_plan = effective;
        }
        if let Some(custom) = patch.custom {
            org.custom = input::custom_limits(&catalogue, "limits", custom)?;
        }
        self.save_org(actor, "org.update", &before, &org, begun).await?;
        Ok(org)
    }

    /// Writes an organisation that changed and puts it in force, with what else a transaction that has begun holds.
    pub(crate) async fn save_org(
        &self,
        actor: Actor,
        action: &str,
        before: &Org,
        org: &Org,
        begun: Option<Transaction>,
    ) -> Result<(), DatabaseFault> {
        let now = self.now().wall;
        let mut transaction = match begun {
            Some(begun) if before == org => return Database::commit(begun).await,
            Some(begun) => begun,
            None if before == org => return Ok(()),
            None => self.database.begin().await?,
        };
        sql::orgs::update(&mut transaction, org).await?;
        if (&before.plan, &before.effective_plan, &before.custom) != (&org.plan, &org.effective_plan, &org.custom) {
            facts::begin_org_fact(&mut transaction, org, now).await?;
        }
        note(&mut transaction, actor, action, org.id, now, changes(before, org)).await?;
        Database::commit(transaction).await?;
        if let Some(entry) = self.directory.org(org.id) {
            let limited = Arc::clone(&entry.state().limited);
            entry.set_state(state_of(org, limited, self.window_us));
            self.pools.adopt(&entry, &self.directory.catalogue_now(), now);
        }
        Ok(())
    }
}

async fn note(
    connection: &mut sql::Connection,
    actor: Actor,
    action: &str,
    org: OrgId,
    at: UnixMicros,
    details: serde_json::Value,
) -> Result<(), DatabaseFault> {
    sql::audit::insert(connection, NewEntry { at, actor, action, org: None, subject: &org.to_string(), details }).await
}

/// What changed, each as before and after.
fn changes(before: &Org, org: &Org) -> serde_json::Value {
    let mut changed = serde_json::Map::new();
    if before.name != org.name {
        changed.insert("name".into(), json!({"before": before.name, "after": org.name}));
    }
    if before.plan != org.plan {
        changed.insert("plan".into(), json!({"before": before.plan, "after": org.plan}));
    }
    if before.effective_plan != org.effective_plan && org.effective_plan != org.plan {
        changed.insert("effective_plan".into(), json!({"before": before.effective_plan, "after": org.effective_plan}));
    }
    if before.custom != org.custom {
        changed.insert("limits".into(), json!({"before": presented(&before.custom), "after": presented(&org.custom)}));
    }
    changed.into()
}

/// Custom limits as the audit log shows them.
fn presented(custom: &[CustomLimit]) -> serde_json::Value {
    let one = |limit: &CustomLimit| json!({"row": limit.row, "from": limit.from, "until": limit.until, "reason": limit.reason});
    custom.iter().map(one).collect()
}

/// A part of a name, or the beginning of an id.
fn search(q: &str) -> Search {
    let fill = |digit: char| -> Option<u128> {
        let begun = q.strip_prefix("org_").filter(|begun| !begun.is_empty() && begun.len() <= 26)?;
        format!("org_{}{}", begun.to_uppercase(), digit.to_string().repeat(26 - begun.len())).parse().ok().map(OrgId::bits)
    };
    Search { name: q.to_lowercase(), ids: fill('0').zip(fill('Z')) }
}
