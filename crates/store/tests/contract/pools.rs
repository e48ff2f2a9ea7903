//! Pools of organisations.

use std::sync::Arc;

use domain::{Entitlement, KeyLimits, Kind, PoolLimits, PoolView, Source};
use limits::{Cover, Retry, Settlement};
use store::pools::{Demand, End, Hold, Refused, Standing, least_left};
use store::{Actor, NewKey, OrgPatch};

use crate::support::{Bench, MINUTE, custom};

/// The pool that a request for the model draws from now.
fn pool(b: &Bench, org: domain::OrgId, model: &str) -> Option<Arc<PoolLimits>> {
    let entry = b.store.directory().org(org).unwrap();
    let (state, catalogue) = (entry.state(), b.store.directory().catalogue());
    let model = catalogue.model(catalogue.find(model).unwrap()).unwrap();
    match catalogue.entitlement(&state.effective_plan, &state.custom_pools, model, b.now().wall) {
        Entitlement::Pool(pool) => Some(pool),
        Entitlement::NotInPlan => None,
    }
}

const RELEASED: End = End::Settled(Settlement { input: None, output: 0 });

fn ask(b: &Bench, org: domain::OrgId, pools: &[&PoolLimits], input: u64, output: u64) -> Result<Hold, Box<Refused>> {
    let entry = b.store.directory().org(org).unwrap();
    b.store.pools().reserve(&entry, pools, None, Demand { request: b.request(), input, output }, b.now().mono_us)
}

fn views(b: &Bench, org: domain::OrgId) -> Vec<PoolView> {
    b.store.pools().views(&b.store.directory().org(org).unwrap(), b.now())
}

pub(crate) async fn a_pool_refuses_at_its_limit_and_explains(bench: Bench) {
    let b = bench.seeded().await;
    let org = b.org("free").await.id;
    let small = pool(&b, org, "t").unwrap();
    let first = ask(&b, org, &[&small], 100, 50).unwrap();
    let refused = ask(&b, org, &[&small], 800, 60).unwrap_err();
    let blocked = &refused.blocked[0];
    assert_eq!(
        (&*blocked.pool, blocked.source, blocked.kind, blocked.window_us),
        ("category:small", Source::Plan, Kind::Tokens, 60_000_000)
    );
    assert_eq!((blocked.n, blocked.used, blocked.held, blocked.requested, refused.blocked.len()), (1_000, 100, 50, 860, 1));
    first.end(End::Settled(Settlement { input: None, output: 20 }), b.now().mono_us);
    b.clock.advance_us(10);
    ask(&b, org, &[&small], 1, 1).unwrap().end(RELEASED, b.now().mono_us);
    let refused = ask(&b, org, &[&small], 1, 1).unwrap_err();
    assert_eq!((refused.blocked[0].kind, refused.blocked[0].used), (Kind::Requests, 2));
    let Retry::At { at, estimate: false } = refused.retry else { panic!("{refused:?}") };
    assert_eq!(at, b.now().mono_us - 10 + 60_000_000);

    let entry = b.store.directory().org(org).unwrap();
    let mut standing = Vec::new();
    b.store.pools().standing(&entry, &[&small], b.now().mono_us, &mut standing);
    let tokens = least_left(&standing, Kind::Tokens).unwrap();
    assert_eq!((tokens.n, tokens.used, tokens.held, tokens.remaining), (1_000, 121, 0, 879));
    assert_eq!(tokens.resets_at, Some(b.now().mono_us + 60_000_000));
    assert_eq!(least_left(&standing, Kind::Requests).unwrap().remaining, 0);
    assert_eq!(least_left(&standing, Kind::Concurrent), None);
    let of = |remaining, resets_at| Standing { remaining, resets_at, ..*tokens };
    let several = [of(5, Some(1)), of(3, Some(1)), of(3, Some(2)), of(4, None)];
    assert_eq!(least_left(&several, Kind::Tokens), Some(&several[2]));
}

pub(crate) async fn a_plan_change_is_in_force_at_once_and_history_stays(bench: Bench) {
    let b = bench.seeded().await;
    let org = b.org("free").await.id;
    for _ in 0..2 {
        ask(&b, org, &[&pool(&b, org, "tiny").unwrap()], 1, 0).unwrap().end(RELEASED, b.now().mono_us);
    }
    assert!(ask(&b, org, &[&pool(&b, org, "tiny").unwrap()], 1, 0).is_err());
    assert!(pool(&b, org, "huge").is_none());
    b.store.update_org(Actor::Operator, org, OrgPatch { plan: Some("pro".into()), ..OrgPatch::default() }).await.unwrap();
    assert!(pool(&b, org, "huge").is_some());
    let view = views(&b, org);
    assert_eq!((&*view[0].pool, view[0].limit, view[0].used, view[0].remaining), ("category:small", 10, 2, 8));
    for _ in 0..8 {
        ask(&b, org, &[&pool(&b, org, "tiny").unwrap()], 1, 0).unwrap().end(RELEASED, b.now().mono_us);
    }
    assert!(ask(&b, org, &[&pool(&b, org, "tiny").unwrap()], 1, 0).is_err());
    b.plan(r#"{"id":"pro","limits":[{"category":"small","rpm":11}]}"#).await;
    ask(&b, org, &[&pool(&b, org, "tiny").unwrap()], 1, 0).unwrap().end(RELEASED, b.now().mono_us);
    assert!(ask(&b, org, &[&pool(&b, org, "tiny").unwrap()], 1, 0).is_err());
    b.store.update_org(Actor::Operator, org, OrgPatch { plan: Some("free".into()), ..OrgPatch::default() }).await.unwrap();
    assert_eq!((views(&b, org)[0].limit, views(&b, org)[0].used, views(&b, org)[0].remaining), (2, 11, 0));
}

pub(crate) async fn what_is_in_progress_feels_a_change_of_plan(bench: Bench) {
    let b = bench.seeded().await;
    let org = b.org("pro").await.id;
    let small = pool(&b, org, "tiny").unwrap();
    let mut hold = ask(&b, org, &[&small], 1_000, 0).unwrap();
    let plan = |plan: &str| OrgPatch { plan: Some(plan.into()), ..OrgPatch::default() };
    b.store.update_org(Actor::Operator, org, plan("free")).await.unwrap();
    assert_eq!(hold.cover(500, 500, b.now().mono_us), Cover::Waiting);
    b.store.update_org(Actor::Operator, org, plan("pro")).await.unwrap();
    assert_eq!(hold.cover(500, 500, b.now().mono_us), Cover::Covered(500));
    b.plan(r#"{"id":"pro","limits":[{"category":"small","tpm":1500}]}"#).await;
    assert_eq!(hold.cover(600, 600, b.now().mono_us), Cover::Waiting);
    b.plan(r#"{"id":"pro","limits":[{"category":"small","tpm":1600}]}"#).await;
    assert_eq!(hold.cover(600, 600, b.now().mono_us), Cover::Covered(600));
    hold.end(RELEASED, b.now().mono_us);
}

pub(crate) async fn custom_limits_hold_from_until_without_a_timer(bench: Bench) {
    let b = bench.seeded().await;
    let org = b.org("free").await.id;
    let limits = vec![custom(r#"{"category":"large","rpm":7}"#, Some(b.wall(100)), Some(b.wall(200)))];
    b.store.set_custom_limits(Actor::Operator, org, limits).await.unwrap();
    assert!(pool(&b, org, "huge").is_none());
    b.clock.advance_us(100);
    let large = pool(&b, org, "huge").unwrap();
    assert_eq!((large.source, large.limits[0].n), (Source::Custom, 7));
    let names: Vec<_> = views(&b, org).iter().map(|v| format!("{} {:?}", v.pool, v.source)).collect();
    assert_eq!(names, ["category:small Plan", "category:small Plan", "category:large Custom"]);
    b.store.update_org(Actor::Operator, org, OrgPatch { plan: Some("pro".into()), ..OrgPatch::default() }).await.unwrap();
    assert_eq!(pool(&b, org, "huge").unwrap().limits[0].n, 7);
    b.clock.advance_us(100);
    assert_eq!(pool(&b, org, "huge").unwrap().limits[0].n, 5);
}

pub(crate) async fn a_keys_own_limits_are_pools_too(bench: Bench) {
    let b = bench.seeded().await;
    let org = b.org("pro").await;
    let new =
        |rpm, expires| NewKey { name: "k".into(), limits: KeyLimits { rpm: Some(rpm), tpm: Some(500) }, expires, ..NewKey::default() };
    let (key, secret) = b.store.create_key(Actor::Operator, org.id, new(1, None)).await.unwrap();
    let (_, other) = b.store.create_key(Actor::Operator, org.id, new(9, Some(b.wall(5)))).await.unwrap();
    let entry = b.store.directory().caller(&secret.hash()).unwrap();
    let small = pool(&b, org.id, "tiny").unwrap();
    ask(&b, org.id, &[&small, &entry.pool().unwrap()], 1, 0).unwrap().end(RELEASED, b.now().mono_us);
    let refused = ask(&b, org.id, &[&small, &entry.pool().unwrap()], 1, 0).unwrap_err();
    assert_eq!((&*refused.blocked[0].pool, refused.blocked[0].source), (format!("key:{}", key.id).as_str(), Source::Key));
    let second = b.store.directory().caller(&other.hash()).unwrap();
    ask(&b, org.id, &[&small, &second.pool().unwrap()], 1, 0).unwrap().end(RELEASED, b.now().mono_us);

    let of_keys = |b: &Bench| views(b, org.id).iter().filter(|v| v.source == Source::Key).count();
    assert_eq!((views(&b, org.id).len(), of_keys(&b)), (7, 4));
    let mine = b.store.pools().views_of_key(&entry, b.now());
    assert_eq!((mine.len(), mine[3].used, mine[3].remaining), (5, 1, 0));
    b.clock.advance_us(5);
    assert_eq!(of_keys(&b), 2);
    b.store.revoke_key(Actor::Operator, org.id, key.id).await.unwrap();
    assert_eq!(of_keys(&b), 0);
}

pub(crate) async fn shadow_pools_count_and_never_refuse(bench: Bench) {
    let b = bench.seeded().await;
    b.plan(r#"{"id":"shadow","limits":[{"any":true,"rpm":1,"tpm":10,"enforce":false}]}"#).await;
    let org = b.org("shadow").await.id;
    let any = pool(&b, org, "huge").unwrap();
    for _ in 0..3 {
        ask(&b, org, &[&any], 100, 5).unwrap().end(End::Settled(Settlement { input: None, output: 5 }), b.now().mono_us);
        views(&b, org);
    }
    let mut longer = ask(&b, org, &[&any], 100, 5).unwrap();
    views(&b, org);
    assert_eq!(longer.cover(55, 55, b.now().mono_us), Cover::Covered(55));
    longer.end(End::AllBack, b.now().mono_us);
    let view = views(&b, org);
    assert_eq!((view[0].used, view[0].limit, view[0].remaining, view[0].enforce), (3, 1, 0, false));
    assert_eq!((view[1].used, view[1].limit, view[1].remaining), (315, 10, 0));
    let mut standing = Vec::new();
    b.store.pools().standing(&b.store.directory().org(org).unwrap(), &[&any], b.now().mono_us, &mut standing);
    assert!(standing.is_empty());
    b.plan(r#"{"id":"shadow","limits":[{"any":true,"rpm":1,"tpm":10}]}"#).await;
    assert!(ask(&b, org, &[&pool(&b, org, "huge").unwrap()], 1, 0).is_err());
}

pub(crate) async fn views_show_untouched_pools(bench: Bench) {
    let b = bench.seeded().await;
    b.plan(r#"{"id":"wide","limits":[{"model":"huge","rpm":4,"rpd":9,"concurrent":2},{"any":true}]}"#).await;
    let org = b.org("wide").await.id;
    let seen: Vec<_> =
        views(&b, org).iter().map(|v| (v.kind, v.window_seconds, v.limit, v.used, v.held, v.remaining, v.resets_at)).collect();
    let expected = [
        (Kind::Requests, Some(60.0), 4, 0, 0, 4, None),
        (Kind::Requests, Some(86_400.0), 9, 0, 0, 9, None),
        (Kind::Concurrent, None, 2, 0, 0, 2, None),
    ];
    assert_eq!(seen, expected);
    let huge = pool(&b, org, "huge").unwrap();
    let hold = ask(&b, org, &[&huge], 1, 0).unwrap();
    let view = &views(&b, org)[2];
    assert_eq!((view.held, view.remaining), (1, 1));
    assert_eq!(views(&b, org)[0].resets_at, Some(b.wall(MINUTE)));
    hold.end(RELEASED, b.now().mono_us);
    assert_eq!(views(&b, org)[2].held, 0);
}

pub(crate) async fn what_is_idle_is_given_back(bench: Bench) {
    let b = bench.seeded().await;
    let orgs = [b.org("free").await.id, b.org("free").await.id, b.org("free").await.id];
    let small = pool(&b, orgs[0], "tiny").unwrap();
    ask(&b, orgs[0], &[&small], 1, 0).unwrap().end(RELEASED, b.now().mono_us);
    let held = ask(&b, orgs[1], &[&small], 1, 5).unwrap();
    assert_eq!(b.store.pools().sweep(b.now().mono_us), 2);
    b.clock.advance_us(60_000_000);
    assert_eq!(b.store.pools().sweep(b.now().mono_us), 1);
    held.end(RELEASED, b.now().mono_us);
    b.clock.advance_us(60_000_000);
    assert_eq!(b.store.pools().sweep(b.now().mono_us), 0);
    for _ in 0..2 {
        ask(&b, orgs[1], &[&small], 1, 0).unwrap().end(RELEASED, b.now().mono_us);
    }
    assert!(ask(&b, orgs[1], &[&small], 1, 0).is_err());
}
