//! What is to be done once.

use domain::OrgId;
use store::{Actor, NewKey, OnceError, Store};

use crate::support::Bench;

const KEY: &str = "client-key";

/// Asks for a key of this organisation under `KEY`; the answer is kept where `keeps`.
async fn ask(store: &Store, org: OrgId, does: bool, keeps: bool) -> Result<Option<Vec<u8>>, OnceError> {
    let inner = store.clone();
    let work = async move {
        if let Some(answer) = inner.begin_once(Actor::Operator, KEY, &[b"/keys", b"{}"]).await? {
            return Ok(Some(answer));
        }
        if does {
            inner.create_key(Actor::Operator, org, NewKey { name: "n".into(), ..NewKey::default() }).await.unwrap();
        }
        if keeps {
            inner.keep_answer(b"the-secret-answer".to_vec()).await?;
        }
        Ok(None)
    };
    store.to_its_end(work).await.unwrap()
}

async fn keys(b: &Bench, org: OrgId) -> usize {
    b.store.list_keys(org, &store::PageRequest::default()).await.unwrap().data.len()
}

pub(crate) async fn an_answer_outlives_a_restart_and_is_kept_sealed_for_a_day(bench: Bench) {
    let mut b = bench.seeded().await;
    let org = b.org("free").await.id;
    assert!(ask(&b.store, org, true, true).await.unwrap().is_none());
    b.reopen().await;
    assert_eq!(ask(&b.store, org, true, true).await.unwrap().as_deref(), Some(&b"the-secret-answer"[..]));
    assert_eq!(keys(&b, org).await, 1);
    assert!(!b.is_on_disk(b"the-secret-answer"), "in clear");
    assert_eq!(b.store.forget_answers().await.unwrap(), 0);
    b.clock.advance_us(86_400_000_000);
    assert_eq!(b.store.forget_answers().await.unwrap(), 1);
    assert!(ask(&b.store, org, true, true).await.unwrap().is_none());
    assert_eq!(keys(&b, org).await, 2);
}

pub(crate) async fn what_was_done_before_a_crash_is_not_done_again_though_its_answer_is_lost(bench: Bench) {
    let mut b = bench.seeded().await;
    let org = b.org("free").await.id;
    // It ended after the deed and before the answer was kept.
    assert!(ask(&b.store, org, true, false).await.unwrap().is_none());
    b.reopen().await;
    assert!(matches!(ask(&b.store, org, true, true).await, Err(OnceError::Lost)));
    assert_eq!(keys(&b, org).await, 1);
}

pub(crate) async fn what_was_begun_and_not_done_before_a_crash_is_done(bench: Bench) {
    let mut b = bench.seeded().await;
    let org = b.org("free").await.id;
    assert!(ask(&b.store, org, false, false).await.unwrap().is_none());
    b.reopen().await;
    assert!(ask(&b.store, org, true, true).await.unwrap().is_none());
    assert_eq!(keys(&b, org).await, 1);
}

pub(crate) async fn one_at_a_time_and_nothing_else_under_the_same_key(bench: Bench) {
    let b = bench.seeded().await;
    let (store, other) = (b.store.clone(), b.store.clone());
    let work = async move {
        assert!(store.begin_once(Actor::Operator, KEY, &[b"a"]).await.unwrap().is_none());
        let second = other.clone();
        let meanwhile = other.to_its_end(async move { second.begin_once(Actor::Operator, KEY, &[b"a"]).await.map(drop) }).await.unwrap();
        assert!(matches!(meanwhile, Err(OnceError::UnderWay)));
        store.keep_answer(vec![7; 256 << 10]).await.unwrap();
    };
    b.store.to_its_end(work).await.unwrap();
    let begin = async |request: &'static [&'static [u8]]| {
        let store = b.store.clone();
        b.store.to_its_end(async move { store.begin_once(Actor::Operator, KEY, request).await }).await.unwrap()
    };
    assert_eq!(begin(&[b"a"]).await.unwrap().map(|answer| answer.len()), Some(256 << 10));
    for other in [&[b"b" as &[u8]] as &'static [&'static [u8]], &[b"a", b""], &[b""], &[]] {
        assert!(matches!(begin(other).await, Err(OnceError::Differs)));
    }
    let store = b.store.clone();
    let long = async move {
        store.begin_once(Actor::System, KEY, &[b"a"]).await.unwrap();
        store.keep_answer(vec![7; (256 << 10) + 1]).await.unwrap();
        store
    };
    let store = b.store.to_its_end(long).await.unwrap();
    let again = store.clone();
    let lost = store.to_its_end(async move { again.begin_once(Actor::System, KEY, &[b"a"]).await }).await.unwrap();
    assert!(matches!(lost, Err(OnceError::Lost)), "it was too long to be kept");
}
