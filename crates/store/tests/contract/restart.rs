//! Closing and opening again.

use std::task::Poll;

use domain::KeyLimits;
use store::{Actor, CredentialChange, NewKey, NewOrg, OpenError, OrgPatch, PageRequest, Store};

use crate::support::{Bench, custom};

pub(crate) async fn a_reopened_store_is_the_same(bench: Bench) {
    let mut b = bench.seeded().await;
    assert!(b.store.is_new());
    b.provider(r#"{"name":"main","kind":"openai","headers":{"x-team":"blue"}}"#, CredentialChange::stored("sk-kept")).await;
    let limits = vec![custom(r#"{"category":"large","rpm":9,"enforce":false}"#, Some(b.wall(-5)), Some(b.wall(500)))];
    let new = NewOrg { name: "Ünï \u{1F980}".into(), plan: "pro".into(), custom: limits };
    let org = b.store.create_org(Actor::Operator, new).await.unwrap();
    let gone = b.org("free").await;
    let (_, gone_secret) = b.key(&gone).await;
    b.store.delete_org(Actor::Operator, gone.id).await.unwrap();
    let new = NewKey {
        name: "k".into(),
        expires: Some(b.wall(77)),
        models: Some(vec!["tiny".into()]),
        limits: KeyLimits { rpm: Some(3), tpm: Some(4) },
        rate_limit_body: Some(domain::RateLimitBody::Openai),
    };
    let (_, secret) = b.store.create_key(Actor::Operator, org.id, new).await.unwrap();
    let (revoked, revoked_secret) = b.key(&org).await;
    b.store.revoke_key(Actor::Operator, org.id, revoked.id).await.unwrap();

    let page = PageRequest::default();
    let before = (b.store.providers(&page), b.store.models(&page), b.store.plans(&page), b.store.org(org.id), describe(&b, &secret));
    let views = b.store.pools().views(&b.store.directory().org(org.id).unwrap(), b.now());
    b.reopen().await;
    assert!(!b.store.is_new());
    let after = (b.store.providers(&page), b.store.models(&page), b.store.plans(&page), b.store.org(org.id), describe(&b, &secret));
    assert_eq!(before, after);
    assert_eq!(b.store.pools().views(&b.store.directory().org(org.id).unwrap(), b.now()), views);
    assert_eq!(b.secrets("main"), ["sk-kept"]);
    assert!(!b.store.directory().caller(&revoked_secret.hash()).unwrap().is_valid_at(b.now().wall));
    assert!(b.store.directory().caller(&gone_secret.hash()).is_none());
    assert!(b.store.org(gone.id).is_none());
    b.store.delete_org(Actor::Operator, gone.id).await.unwrap();
    assert_eq!(b.store.list_keys(org.id, &page).await.unwrap().data.len(), 2);
}

fn describe(b: &Bench, secret: &domain::ApiKey) -> String {
    let key = b.store.directory().caller(&secret.hash()).unwrap();
    let (models, pool) = (key.models(), key.pool().unwrap());
    format!("{:?} {:?} {:?} {models:?} {pool:?} {:?} {:?}", key.id(), key.expires(), key.revoked(), key.rate_limit_body(), key.org().id())
}

pub(crate) async fn a_second_server_is_kept_out(b: Bench) {
    let open = async || Store::open(b.config.clone(), b.clock.clone(), b.entropy.clone(), &b.tasks).await;
    let error = open().await.err().unwrap();
    assert!(matches!(error, OpenError::Locked { .. }), "{error}");
    assert!(error.to_string().contains(&format!("(process {})", std::process::id())), "{error}");
    b.store.flush_and_close().await;
    open().await.unwrap();
}

/// Polls the future so many times, then lets go of it, wherever it is.
async fn leave_after<F: Future>(polls: usize, future: F) {
    let mut future = std::pin::pin!(future);
    let mut left = polls;
    std::future::poll_fn(|context| {
        if left == 0 {
            return Poll::Ready(());
        }
        left -= 1;
        future.as_mut().poll(context).map(drop)
    })
    .await;
}

pub(crate) async fn work_goes_on_when_the_caller_leaves(bench: Bench) {
    let b = bench.seeded().await;
    let org = b.org("free").await;
    for polls in 0..30 {
        let plan = if polls % 2 == 0 { "pro" } else { "free" };
        let patch = OrgPatch { plan: Some(plan.into()), ..OrgPatch::default() };
        leave_after(polls, b.store.update_org(Actor::Operator, org.id, patch)).await;
        // Its turn comes after whatever was left behind.
        b.store.note(Actor::System, "test.turn", "", serde_json::Value::Null).await.unwrap();
        let written = b.store.list_orgs(None, &PageRequest::default()).await.unwrap().data;
        assert_eq!(written, [b.store.org(org.id).unwrap()], "left after {polls} polls");
    }
}
