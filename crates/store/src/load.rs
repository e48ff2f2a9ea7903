//! Loading the directory from the database at start: a million keys in a few seconds.

use std::collections::BTreeSet;
use std::sync::Arc;

use domain::{CustomLimit, CustomPool, Org, PlanId, Provider};
use futures_util::TryStreamExt as _;
use sqlx::Row as _;

use crate::definitions::{Definitions, Entries, Entry};
use crate::directory::{Credentials, Filling, KeyParts, Limited, Shards};
use crate::ops::credentials::{NewCredential, made};
use crate::seal::{CannotUnseal, Sealer};
use crate::sql::{self, Connection, definitions, keys, value};
use crate::{DatabaseFault, Directory, KeyEntry, OrgEntry, OrgState};

/// What is loaded at start.
pub(crate) struct Loaded {
    pub(crate) directory: Directory,
    pub(crate) definitions: Definitions,
}

/// Why it can't be loaded.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LoadFault {
    #[error(transparent)]
    Unseal(#[from] CannotUnseal),
    #[error(transparent)]
    Database(#[from] sqlx::Error),
}

impl From<DatabaseFault> for LoadFault {
    fn from(fault: DatabaseFault) -> Self {
        Self::Database(fault.into_sqlx())
    }
}

pub(crate) async fn load(connection: &mut Connection, sealer: &Sealer, window_us: u64) -> Result<Loaded, LoadFault> {
    let (providers, credentials) = load_providers(connection, sealer).await?;
    let definitions = Definitions {
        providers,
        models: entries(definitions::models(connection).await?),
        plans: entries(definitions::plans(connection).await?),
    };
    let orgs = load_orgs(connection, window_us).await?;
    let keys = load_keys(connection, &orgs).await?;
    let directory = Directory::new(keys, orgs, definitions.catalogue(window_us), credentials);
    Ok(Loaded { directory, definitions })
}

fn entries<T>(kept: Vec<definitions::Kept<T>>) -> Entries<T> {
    let entry =
        |kept: definitions::Kept<T>| Entry { item: Arc::new(kept.item), origin: kept.origin, place: kept.place, updated: kept.updated };
    Entries(kept.into_iter().map(entry).collect())
}

/// Where a provider's headers are sealed for.
pub(crate) fn headers_place(provider: &str) -> String {
    format!("provider:{provider}:headers")
}

/// Where a provider's credentials are sealed for.
pub(crate) fn credential_place(provider: &str) -> String {
    format!("provider:{provider}:credential")
}

async fn load_providers(connection: &mut Connection, sealer: &Sealer) -> Result<(Entries<Provider>, Credentials), LoadFault> {
    let mut credentials = Credentials::new();
    let mut entries = Vec::new();
    for kept in definitions::providers(connection).await? {
        let mut provider: Provider = serde_json::from_str(&kept.body).map_err(|fault| value::unreadable("providers.body", fault))?;
        let name = provider.name.clone();
        if let Some(sealed) = kept.headers {
            let text = sealer.unseal(&headers_place(name.as_str()), &sealed)?;
            provider.headers = serde_json::from_slice(&text).map_err(|fault| value::unreadable("providers.headers", fault))?;
        }
        for kept in kept.credentials {
            let secret = sealer.unseal(&credential_place(name.as_str()), &kept.sealed)?;
            let secret = String::from_utf8(secret).map_err(|fault| value::unreadable("provider_credentials.sealed", fault))?;
            let credential = made(sealer, &name, NewCredential::stored(secret), kept.added);
            credentials.entry(name.clone()).or_default().push(credential);
        }
        entries.push(Entry { item: Arc::new(provider), origin: kept.origin, place: kept.place, updated: kept.updated });
    }
    Ok((Entries(entries), credentials))
}

/// Gives equal plan ids one memory.
#[derive(Default)]
struct PlanIds(BTreeSet<PlanId>);

impl PlanIds {
    fn shared(&mut self, id: PlanId) -> PlanId {
        if let Some(known) = self.0.get(&id) {
            return known.clone();
        }
        self.0.insert(id.clone());
        id
    }
}

async fn load_orgs(connection: &mut Connection, window_us: u64) -> Result<Shards<Arc<OrgEntry>>, LoadFault> {
    let mut filling = Filling::new(0);
    let mut plans = PlanIds::default();
    let nothing = (Arc::from([]), Arc::from([]), Arc::from([]));
    let mut rows = sqlx::query(sql::orgs::ALL).fetch(connection);
    while let Some(row) = rows.try_next().await? {
        let org = sql::orgs::org(&row)?;
        let mut state = if org.custom.is_empty() {
            let (custom, custom_pools, limited) = nothing.clone();
            state_with(&org, custom, custom_pools, limited)
        } else {
            state_of(&org, Arc::clone(&nothing.2), window_us)
        };
        state.plan = plans.shared(state.plan);
        state.effective_plan = plans.shared(state.effective_plan);
        state.deleted = row.try_get::<Option<i64>, _>("deleted")?.is_some();
        filling.add(Arc::new(OrgEntry::new(org.id, state, window_us)));
    }
    Ok(filling.share())
}

/// The state of an organisation that is not deleted.
pub(crate) fn state_of(org: &Org, limited: Arc<[Limited]>, window_us: u64) -> OrgState {
    let custom_pools = org.custom.iter().map(|limit| CustomPool::of(limit, window_us)).collect();
    state_with(org, org.custom.clone().into(), custom_pools, limited)
}

fn state_with(org: &Org, custom: Arc<[CustomLimit]>, custom_pools: Arc<[CustomPool]>, limited: Arc<[Limited]>) -> OrgState {
    OrgState {
        name: org.name.as_str().into(),
        plan: org.plan.clone(),
        effective_plan: org.effective_plan.clone(),
        custom,
        custom_pools,
        created: org.created,
        deleted: false,
        limited,
    }
}

async fn load_keys(connection: &mut Connection, orgs: &Shards<Arc<OrgEntry>>) -> Result<Shards<KeyEntry>, LoadFault> {
    let mut filling = Filling::new(keys::count(connection).await?);
    let mut of_org = OfOrg::default();
    keys::for_each(connection, |key| {
        if of_org.org.as_ref().is_none_or(|org| org.id() != key.org) {
            of_org.settle();
            of_org.org = orgs.get(&key.org).filter(|org| !org.state().deleted);
        }
        // A deleted organisation's keys are as good as unknown.
        let Some(org) = &of_org.org else { return };
        let options = key.options.unwrap_or_default();
        let parts = KeyParts {
            id: key.id,
            hash: key.hash,
            expires: key.expires,
            revoked: key.revoked,
            limits: options.limits(),
            disabled: options.disabled,
            models: options.models,
            rate_limit_body: options.rate_limit_body,
        };
        let entry = KeyEntry::of(parts, Arc::clone(org));
        of_org.limited.extend(entry.limited());
        filling.add(entry);
    })
    .await?;
    of_org.settle();
    Ok(filling.share())
}

/// The organisation whose keys come, and those that came and have limits.
#[derive(Default)]
struct OfOrg {
    org: Option<Arc<OrgEntry>>,
    limited: Vec<Limited>,
}

impl OfOrg {
    /// All of its keys came; or of those with limits, as they come one organisation after the other.
    fn settle(&mut self) {
        let Some(org) = self.org.take() else { return };
        if !self.limited.is_empty() {
            let state = OrgState::clone(&org.state());
            org.set_state(OrgState { limited: self.limited.drain(..).collect(), ..state });
        }
    }
}
