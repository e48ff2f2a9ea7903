//! Taking out what was discovered once and is there no more.

use domain::{Model, ProviderName};
use store::{Actor, Managed, Origin, PageRequest, PutMode, Store};

/// Withdraws the discovered providers that are not expected to be found again.
pub(crate) async fn withdraw_all_but(store: &Store, expected: &[&str]) {
    let all = pages(|page| store.providers(page));
    for info in all.into_iter().filter(|info| info.origin == Origin::Discovered) {
        let name = &info.provider.name;
        if !expected.contains(&name.as_str()) {
            withdraw(store, name).await;
        }
    }
}

/// Takes out a discovered provider with its targets and the entries that had no other.
pub(super) async fn withdraw(store: &Store, name: &ProviderName) {
    if store.provider(name.as_str()).is_none_or(|there| there.origin != Origin::Discovered) {
        return;
    }
    for there in pages(|page| store.models(page)) {
        let is_ours = matches!(there.origin, Origin::Seed | Origin::Discovered);
        if is_ours && there.item.targets.iter().any(|t| t.provider == *name) {
            take_target(store, there, name).await;
        }
    }
    match store.delete_provider(Actor::System, name).await {
        Ok(()) => tracing::info!(provider = %name, "a discovered provider is gone and was taken out"),
        Err(error) => tracing::warn!(provider = %name, %error, "a discovered provider is gone, but something needs it"),
    }
}

async fn take_target(store: &Store, there: Managed<Model>, provider: &ProviderName) {
    let mut model = (*there.item).clone();
    model.targets.retain(|t| t.provider != *provider);
    let id = model.id.clone();
    let is_over = model.targets.is_empty() && there.origin == Origin::Discovered;
    let done = if is_over {
        store.delete_model(Actor::System, &id).await.map_err(|e| e.to_string())
    } else {
        store.put_model(Actor::System, model, there.origin, PutMode::Upsert).await.map(drop).map_err(|e| e.to_string())
    };
    if let Err(error) = done {
        tracing::warn!(model = %id, %provider, error, "a target at a provider that is gone stays");
    }
}

fn pages<T>(read: impl Fn(&PageRequest) -> store::Page<T>) -> Vec<T> {
    let mut all = Vec::new();
    let mut request = PageRequest { cursor: None, limit: Some(200) };
    loop {
        let page = read(&request);
        all.extend(page.data);
        match page.next_cursor {
            Some(cursor) => request.cursor = Some(cursor),
            None => return all,
        }
    }
}
