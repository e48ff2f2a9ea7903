//! API keys.

use domain::{ApiKeyHash, KeyLimits, ModelId, OrgId, RateLimitBody};
use store::{Actor, ErrorClass, NewKey, OperationError as _, PageRequest};

use crate::support::Bench;

pub(crate) async fn a_key_is_shown_once_and_found_by_its_hash(bench: Bench) {
    let b = bench.seeded().await;
    let org = b.org("free").await;
    let new = NewKey {
        name: "ci".into(),
        expires: Some(b.wall(1_000)),
        models: Some(vec!["t".into(), "huge".into(), "tiny".into()]),
        limits: KeyLimits { rpm: Some(3), tpm: None },
        rate_limit_body: Some(RateLimitBody::Openai),
    };
    let (key, secret) = b.store.create_key(Actor::Operator, org.id, new).await.unwrap();
    let entry = b.store.directory().caller(&ApiKeyHash::of(secret.expose().as_bytes())).unwrap();
    assert_eq!((entry.id(), entry.org().id(), entry.expires()), (key.id, org.id, key.expires));
    assert_eq!(entry.models(), Some(["tiny", "huge"].map(ModelId::from).as_slice()));
    assert_eq!(entry.rate_limit_body(), Some(RateLimitBody::Openai));
    let pool = entry.pool().unwrap();
    assert_eq!((&*pool.name.text(), pool.limits.len(), pool.limits[0].n), (format!("key:{}", key.id).as_str(), 1, 3));
    assert!(entry.is_valid_at(b.wall(999)));
    assert!(!entry.is_valid_at(b.wall(1_000)));
    assert!(secret.expose().starts_with(&key.prefix));

    let (_, plain) = b.key(&org).await;
    let entry = b.store.directory().caller(&plain.hash()).unwrap();
    assert!(entry.models().is_none() && entry.pool().is_none() && entry.rate_limit_body().is_none() && entry.expires().is_none());
    assert!(b.store.directory().caller(&ApiKeyHash::of(b"tg_unknown")).is_none());
    assert_eq!(b.store.directory().key_count(), 2);
}

pub(crate) async fn a_revoked_key_and_a_deleted_organisation_are_refused_at_once(bench: Bench) {
    let b = bench.seeded().await;
    let (org, other) = (b.org("free").await, b.org("free").await);
    let (key, secret) = b.key(&org).await;
    let (_, second) = b.key(&org).await;
    let wrong_org = b.store.revoke_key(Actor::Operator, other.id, key.id).await.unwrap_err();
    assert_eq!(wrong_org.class(), ErrorClass::NotFound);
    assert!(b.store.directory().caller(&secret.hash()).unwrap().is_valid_at(b.now().wall));

    let revoked = b.store.revoke_key(Actor::Operator, org.id, key.id).await.unwrap();
    assert_eq!(revoked.revoked, Some(b.now().wall));
    let entry = b.store.directory().caller(&secret.hash()).unwrap();
    assert_eq!(entry.revoked(), revoked.revoked);
    assert!(!entry.is_valid_at(b.now().wall));
    b.clock.advance_us(5);
    assert_eq!(b.store.revoke_key(Actor::Operator, org.id, key.id).await.unwrap(), revoked);

    assert!(b.store.directory().caller(&second.hash()).unwrap().is_valid_at(b.now().wall));
    b.store.delete_org(Actor::Operator, org.id).await.unwrap();
    assert!(!b.store.directory().caller(&second.hash()).unwrap().is_valid_at(b.now().wall));
    let gone = b.store.create_key(Actor::Operator, org.id, NewKey { name: "n".into(), ..NewKey::default() }).await.unwrap_err();
    assert_eq!(gone.class(), ErrorClass::NotFound);
}

pub(crate) async fn wishes_are_checked(bench: Bench) {
    let b = bench.seeded().await;
    let org = b.org("free").await;
    let plain = || NewKey { name: "n".into(), ..NewKey::default() };
    let cases = [
        (NewKey { name: " ".into(), ..plain() }, "name"),
        (NewKey { expires: Some(b.now().wall), ..plain() }, "expires"),
        (NewKey { models: Some(vec![]), ..plain() }, "models"),
        (NewKey { models: Some(vec!["tiny".into(), "tinny".into()]), ..plain() }, "models[1]"),
        (NewKey { models: Some(vec!["tiny".into(); 201]), ..plain() }, "models"),
        (NewKey { limits: KeyLimits { rpm: None, tpm: Some(u64::MAX) }, ..plain() }, "tpm"),
    ];
    for (new, param) in cases {
        let error = b.store.create_key(Actor::Operator, org.id, new).await.unwrap_err();
        assert_eq!(error.class(), ErrorClass::Invalid { param }, "{error}");
    }
    let unknown = b.store.create_key(Actor::Operator, OrgId::from_bits(1), plain()).await.unwrap_err();
    assert_eq!(unknown.class(), ErrorClass::NotFound);
    assert!(b.store.list_keys(org.id, &PageRequest::default()).await.unwrap().data.is_empty());
}

pub(crate) async fn lists_page_and_tell_revoked_ones(bench: Bench) {
    let b = bench.seeded().await;
    let (org, other) = (b.org("free").await, b.org("free").await);
    b.key(&other).await;
    let mut made = Vec::new();
    for _ in 0..5 {
        b.clock.advance_us(1_000);
        made.push(b.key(&org).await.0);
    }
    made[1] = b.store.revoke_key(Actor::Operator, org.id, made[1].id).await.unwrap();
    let first = b.store.list_keys(org.id, &PageRequest { cursor: None, limit: Some(3) }).await.unwrap();
    let second = b.store.list_keys(org.id, &PageRequest { cursor: first.next_cursor.clone(), limit: Some(3) }).await.unwrap();
    assert_eq!((first.data.len(), second.next_cursor), (3, None));
    assert_eq!(first.data.into_iter().chain(second.data).map(|info| info.key).collect::<Vec<_>>(), made);
    let bad = PageRequest { cursor: Some("org_".into()), limit: None };
    assert_eq!(b.store.list_keys(org.id, &bad).await.unwrap_err().class(), ErrorClass::Invalid { param: "cursor" });
    let unknown = b.store.list_keys(OrgId::from_bits(1), &PageRequest::default()).await.unwrap_err();
    assert_eq!(unknown.class(), ErrorClass::NotFound);
}
