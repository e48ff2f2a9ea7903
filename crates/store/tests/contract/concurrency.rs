//! Many at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use domain::PlanId;
use store::{Actor, NewKey, NewOrg, OrgPatch, PageRequest, UsageQuery};

use crate::support::Bench;

pub(crate) async fn concurrent_writes_all_count(bench: Bench) {
    let b = Arc::new(bench.seeded().await);
    let org = b.org("free").await;
    let tasks: Vec<_> = (0..40)
        .map(|n| {
            let (b, org) = (Arc::clone(&b), org.clone());
            b.clone().tasks.spawn(async move {
                let (key, secret) =
                    b.store.create_key(Actor::Operator, org.id, NewKey { name: "n".into(), ..NewKey::default() }).await.unwrap();
                for _ in 0..100 {
                    b.store.recorder().usage(b.record(&org, key.id, b.now().wall));
                }
                let new = NewOrg { name: format!("org {n}"), plan: "free".into(), custom: Vec::new() };
                b.store.create_org(Actor::Operator, new).await.unwrap();
                if n % 2 == 0 {
                    b.store.revoke_key(Actor::Operator, org.id, key.id).await.unwrap();
                }
                (n % 2 == 1, secret)
            })
        })
        .collect();
    for task in tasks {
        let (valid, secret) = task.await.unwrap();
        assert_eq!(b.store.directory().caller(&secret.hash()).unwrap().is_valid_at(b.now().wall), valid);
    }
    b.store.recorder().flush().await;
    let all = PageRequest { cursor: None, limit: Some(200) };
    assert_eq!(b.store.list_orgs(None, &all).await.unwrap().data.len(), 41);
    assert_eq!(b.store.list_keys(org.id, &all).await.unwrap().data.len(), 40);
    assert_eq!((b.store.directory().org_count(), b.store.directory().key_count()), (41, 40));
    let query = UsageQuery::of(org.id);
    assert_eq!(b.store.usage(&query).await.unwrap().totals.counters.requests, 4_000);
}

pub(crate) async fn readers_see_whole_states(bench: Bench) {
    let b = Arc::new(bench.seeded().await);
    let org = b.org("free").await;
    let entry = b.store.directory().org(org.id).unwrap();
    let done = Arc::new(AtomicBool::new(false));
    let reader = std::thread::spawn({
        let (done, entry) = (Arc::clone(&done), Arc::clone(&entry));
        move || {
            while !done.load(Ordering::Relaxed) {
                let state = entry.state();
                assert_eq!((&state.plan, &*state.name), (&state.effective_plan, &*format!("on {}", state.plan)));
            }
        }
    });
    for plan in ["pro", "free"].into_iter().cycle().take(60) {
        let patch = OrgPatch { name: Some(format!("on {plan}")), plan: Some(PlanId::from(plan)), ..OrgPatch::default() };
        b.store.update_org(Actor::Operator, org.id, patch).await.unwrap();
    }
    done.store(true, Ordering::Relaxed);
    reader.join().unwrap();
}
