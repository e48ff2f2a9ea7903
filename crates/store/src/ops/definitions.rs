//! Writing changed definitions: rows, dated facts and audit entries in one transaction, then one publication.

use std::sync::Arc;

use domain::UnixMicros;
use secrecy::ExposeSecret as _;
use serde_json::json;

use super::diff::{self, ChangeAction, Diff, Side};
use super::input;
use crate::definitions::{Definitions, Entries, Entry, Named};
use crate::directory::Credentials;
use crate::load::{credential_place, headers_place};
use crate::seal::Sealer;
use crate::sql::audit::NewEntry;
use crate::sql::definitions::{Kept, KeptCredential, KeptProvider};
use crate::sql::{self, Connection, Database, facts, value};
use crate::store::Inner;
use crate::{Actor, CredentialKind, DatabaseFault, InvalidInput, caps};

/// A change under way: what is, and what is to be.
pub(crate) struct Draft {
    pub(crate) before: Arc<Definitions>,
    credentials_before: Arc<Credentials>,
    pub(crate) next: Definitions,
    pub(crate) credentials: Credentials,
    pub(crate) sealer: Sealer,
    pub(crate) now: UnixMicros,
}

impl Draft {
    pub(crate) fn begin(inner: &Inner) -> Self {
        let before = inner.definitions.load_full();
        let credentials_before = inner.directory.all_credentials();
        let (next, credentials) = (Definitions::clone(&before), Credentials::clone(&credentials_before));
        Self { before, credentials_before, next, credentials, sealer: inner.sealer.clone(), now: inner.now().wall }
    }

    pub(crate) fn check(&self) -> Result<(), InvalidInput> {
        let Definitions { providers, models, plans } = &self.next;
        for (what, count) in [("providers", providers.0.len()), ("models", models.0.len()), ("plans", plans.0.len())] {
            if count > caps::MAX_DEFINITIONS {
                return Err(input::fault("", format!("{count} {what} are more than the {} there may be", caps::MAX_DEFINITIONS)));
            }
        }
        input::definitions(&self.next, &self.before)
    }

    pub(crate) fn diff(&self) -> Diff {
        let before = Side { definitions: &self.before, credentials: &self.credentials_before };
        diff::between(before, Side { definitions: &self.next, credentials: &self.credentials })
    }

    /// Writes and publishes. What is the same as before is left as it is.
    pub(crate) async fn save(mut self, inner: &Inner, actor: Actor) -> Result<Diff, DatabaseFault> {
        let diff = self.diff();
        self.keep_what_is_the_same(&diff);
        if !diff.is_empty() {
            let mut transaction = inner.database.begin().await?;
            self.write(inner, &mut transaction).await?;
            for change in &diff.changes {
                let action = format!("{}.{}", change.kind, change.action.as_str());
                let details = match change.action {
                    ChangeAction::Create => json!({"after": presented(&self.next, change)}),
                    ChangeAction::Update => json!({"fields": change.fields}),
                    ChangeAction::Delete => json!({"before": presented(&self.before, change)}),
                };
                let entry = NewEntry { at: self.now, actor, action: &action, org: None, subject: &change.name, details };
                sql::audit::insert(&mut transaction, entry).await?;
            }
            Database::commit(transaction).await?;
        }
        let catalogue = self.next.catalogue(inner.window_us);
        inner.definitions.store(Arc::new(self.next));
        inner.directory.publish(catalogue, self.credentials);
        inner.pools.adopt_all(&inner.directory.catalogue_now(), self.now);
        Ok(diff)
    }

    fn keep_what_is_the_same(&mut self, diff: &Diff) {
        let changed = |kind: &str, name: &str| {
            let is = |change: &diff::Change| change.kind == kind && change.name == name && change.action != ChangeAction::Delete;
            diff.changes.iter().any(is)
        };
        restore(&mut self.next.providers, &self.before.providers, |name| !changed("provider", name));
        restore(&mut self.next.models, &self.before.models, |name| !changed("model", name));
        restore(&mut self.next.plans, &self.before.plans, |name| !changed("plan", name));
    }

    async fn write(&self, inner: &Inner, connection: &mut Connection) -> Result<(), DatabaseFault> {
        for entry in written(&self.next.providers, &self.before.providers) {
            sql::definitions::put_provider(connection, entry.item.name(), &self.kept_provider(inner, entry)).await?;
        }
        for name in deleted(&self.next.providers, &self.before.providers) {
            sql::definitions::delete_provider(connection, name).await?;
        }
        for entry in written(&self.next.models, &self.before.models) {
            sql::definitions::put_model(connection, entry.item.name(), &kept(entry)).await?;
        }
        for name in deleted(&self.next.models, &self.before.models) {
            sql::definitions::delete_model(connection, name).await?;
        }
        for entry in written(&self.next.plans, &self.before.plans) {
            let kept = kept(entry);
            sql::definitions::put_plan(connection, entry.item.name(), &kept).await?;
            facts::change_plan_fact(connection, entry.item.name(), Some(&kept.item), self.now).await?;
        }
        for name in deleted(&self.next.plans, &self.before.plans) {
            sql::definitions::delete_plan(connection, name).await?;
            facts::change_plan_fact(connection, name, None, self.now).await?;
        }
        Ok(())
    }

    fn kept_provider(&self, inner: &Inner, entry: &Entry<domain::Provider>) -> KeptProvider {
        let name = entry.item.name.as_str();
        let mut body = domain::Provider::clone(&entry.item);
        let headers = std::mem::take(&mut body.headers);
        let seal = |place: String, secret: &[u8]| inner.sealer.seal(&place, secret, inner.entropy.as_ref());
        let all = self.credentials.get(&entry.item.name).into_iter().flatten();
        let stored = all.filter(|credential| credential.kind == CredentialKind::Stored);
        KeptProvider {
            body: value::to_json(&body),
            headers: (!headers.is_empty()).then(|| seal(headers_place(name), value::to_json(&headers).as_bytes())),
            credentials: stored
                .map(|credential| KeptCredential {
                    sealed: seal(credential_place(name), credential.secret.expose_secret().as_bytes()),
                    added: credential.added,
                })
                .collect(),
            origin: entry.origin,
            place: entry.place,
            updated: entry.updated,
        }
    }
}

/// A definition as the audit log shows it: without what is secret.
fn presented(of: &Definitions, change: &diff::Change) -> serde_json::Value {
    let (name, nothing) = (change.name.as_str(), json!(null));
    match change.kind {
        "provider" => of.providers.get(name).map_or(nothing, |entry| {
            let mut provider = domain::Provider::clone(&entry.item);
            provider.headers.clear();
            json!(provider)
        }),
        "model" => of.models.get(name).map_or(nothing, |entry| json!(*entry.item)),
        _ => of.plans.get(name).map_or(nothing, |entry| json!(*entry.item)),
    }
}

fn kept<T: serde::Serialize>(entry: &Entry<T>) -> Kept<String> {
    Kept { item: value::to_json(&*entry.item), origin: entry.origin, place: entry.place, updated: entry.updated }
}

/// Takes back entries that were made anew without a difference.
fn restore<T: Named + Clone>(next: &mut Entries<T>, before: &Entries<T>, is_same: impl Fn(&str) -> bool) {
    for entry in next.0.iter_mut().filter(|entry| is_same(entry.item.name())) {
        if let Some(was) = before.get(entry.item.name()) {
            *entry = was.clone();
        }
    }
}

fn written<'a, T: Named + Clone>(next: &'a Entries<T>, before: &'a Entries<T>) -> impl Iterator<Item = &'a Entry<T>> {
    next.0.iter().filter(|entry| before.get(entry.item.name()).is_none_or(|was| !was.is(entry)))
}

fn deleted<'a, T: Named + Clone>(next: &'a Entries<T>, before: &'a Entries<T>) -> impl Iterator<Item = &'a str> {
    before.0.iter().map(|entry| entry.item.name()).filter(|name| next.get(name).is_none())
}
