//! Organisations.

use domain::{OrgId, UnixMicros};
use store::{Actor, ErrorClass, NewOrg, OperationError as _, OrgPatch, PageRequest};

use crate::support::{Bench, custom};

pub(crate) async fn an_organisation_is_made_changed_and_deleted(bench: Bench) {
    let b = bench.seeded().await;
    let org = b.org("free").await;
    assert_eq!(b.store.org(org.id).as_ref(), Some(&org));
    assert_eq!((org.plan.as_str(), org.effective_plan.as_str(), org.created), ("free", "free", b.now().wall));

    let patch = OrgPatch { name: Some("  Renamed ".into()), plan: Some("pro".into()), ..OrgPatch::default() };
    let changed = b.store.update_org(Actor::Operator, org.id, patch).await.unwrap();
    assert_eq!((changed.name.as_str(), changed.plan.as_str(), changed.effective_plan.as_str()), ("Renamed", "pro", "pro"));
    assert_eq!(b.store.org(org.id), Some(changed));

    b.store.delete_org(Actor::Operator, org.id).await.unwrap();
    b.store.delete_org(Actor::Operator, org.id).await.unwrap();
    assert_eq!(b.store.org(org.id), None);
    assert!(b.store.directory().org(org.id).unwrap().state().deleted);
    let gone = b.store.update_org(Actor::Operator, org.id, OrgPatch::default()).await.unwrap_err();
    assert_eq!(gone.class(), ErrorClass::NotFound);
    let unknown = b.store.delete_org(Actor::Operator, OrgId::from_bits(7)).await.unwrap_err();
    assert_eq!(unknown.class(), ErrorClass::NotFound);
    assert!(b.store.list_orgs(None, &PageRequest::default()).await.unwrap().data.is_empty());
}

pub(crate) async fn names_plans_and_custom_limits_are_checked(bench: Bench) {
    let b = bench.seeded().await;
    let t = |us| Some(UnixMicros(us));
    let large = r#"{"category":"large","rpm":1}"#;
    let cases = [
        ("", "free", vec![], "name", "1 to 200"),
        ("a\nb", "free", vec![], "name", "printable"),
        ("a", "gold", vec![], "plan", "the plans are: free, pro"),
        ("a", "free", vec![custom(r#"{"model":"hugo","rpm":1}"#, None, None)], "limits[0].model", "did you mean \"huge\"?"),
        ("a", "free", vec![custom(large, t(5), t(5))], "limits[0].until", "must lie after"),
        ("a", "free", vec![custom(large, None, t(5)), custom(large, t(4), None)], "limits[1]", "rows 0 and 1 for category:large"),
        ("a", "free", vec![custom(large, None, None), custom(large, None, None)], "limits[1]", "valid at the same time"),
        ("a", "free", vec![custom(large, t(1), t(9)), custom(large, t(3), t(4))], "limits[1]", "valid at the same time"),
    ];
    for (name, plan, custom, param, part) in cases {
        let error = b.store.create_org(Actor::Operator, NewOrg { name: name.into(), plan: plan.into(), custom }).await.unwrap_err();
        assert_eq!(error.class(), ErrorClass::Invalid { param }, "{error}");
        assert!(error.to_string().contains(part), "{error}");
    }
    let fits = vec![
        custom(large, None, t(5)),
        custom(large, t(5), t(7)),
        custom(large, t(9), None),
        custom(r#"{"category":"small","rpm":1}"#, None, None),
        custom(r#"{"model":"t","rpm":1}"#, None, None),
    ];
    let org = b.store.create_org(Actor::Operator, NewOrg { name: "é".repeat(200), plan: "pro".into(), custom: fits }).await.unwrap();
    assert_eq!(org.custom[4].row.selector.to_string(), "model:tiny");
    let error = b.store.set_custom_limits(Actor::Operator, org.id, vec![custom(large, t(5), t(4))]).await.unwrap_err();
    assert_eq!(error.class(), ErrorClass::Invalid { param: "[0].until" });
    assert_eq!(b.store.org(org.id), Some(org));
}

pub(crate) async fn lists_page_and_search(bench: Bench) {
    let b = bench.seeded().await;
    let mut made = Vec::new();
    for name in ["Ärzte_100%", "beta", "Beta two", "gamma"] {
        b.clock.advance_us(1_000);
        made.push(b.store.create_org(Actor::Operator, NewOrg { name: name.into(), plan: "free".into(), custom: vec![] }).await.unwrap());
    }
    let mut cursor = None;
    let mut seen = Vec::new();
    loop {
        let page = b.store.list_orgs(None, &PageRequest { cursor, limit: Some(3) }).await.unwrap();
        seen.extend(page.data);
        cursor = page.next_cursor;
        if cursor.is_none() {
            break;
        }
    }
    assert_eq!(seen, made);
    let id = made[3].id.to_string();
    for (q, expected) in [("BETA", 2), ("ärz", 1), ("_", 1), ("%", 1), ("a\\", 0), ("zz", 0), (id.as_str(), 1), (&id[..8], 4), ("org_!", 0)]
    {
        let page = b.store.list_orgs(Some(q), &PageRequest::default()).await.unwrap();
        assert_eq!(page.data.len(), expected, "{q}");
    }
    let bad = b.store.list_orgs(None, &PageRequest { cursor: Some("x".into()), limit: None }).await.unwrap_err();
    assert_eq!(bad.class(), ErrorClass::Invalid { param: "cursor" });
}

pub(crate) async fn history_is_kept_as_dated_facts(bench: Bench) {
    let b = bench.seeded().await;
    let org = b.org("free").await;
    let made = b.now().wall;
    b.clock.advance_us(10);
    b.store.update_org(Actor::Operator, org.id, OrgPatch { plan: Some("pro".into()), ..OrgPatch::default() }).await.unwrap();
    b.clock.advance_us(10);
    b.store.update_org(Actor::Operator, org.id, OrgPatch { name: Some("only a name".into()), ..OrgPatch::default() }).await.unwrap();
    b.clock.advance_us(10);
    let limits = vec![custom(r#"{"category":"large","rpm":9}"#, None, Some(b.wall(99)))];
    b.store.set_custom_limits(Actor::Operator, org.id, limits.clone()).await.unwrap();
    b.clock.advance_us(10);
    b.store.delete_org(Actor::Operator, org.id).await.unwrap();
    let facts = b.store.limit_facts(org.id).await.unwrap();
    let at = |us: i64| UnixMicros(made.0 + us);
    let seen: Vec<_> = facts.iter().map(|f| (f.from, f.until, f.plan.as_str(), f.custom.len())).collect();
    assert_eq!(seen, [(at(30), Some(at(40)), "pro", 1), (at(10), Some(at(30)), "pro", 0), (made, Some(at(10)), "free", 0)]);
    assert_eq!(facts[0].custom, limits);
}

pub(crate) async fn the_audit_log_tells_who_did_what(bench: Bench) {
    let b = bench.seeded().await;
    let org = b.org("free").await;
    let (key, secret) = b.key(&org).await;
    b.store.update_org(Actor::System, org.id, OrgPatch { plan: Some("pro".into()), ..OrgPatch::default() }).await.unwrap();
    b.store.update_org(Actor::Operator, org.id, OrgPatch { plan: Some("pro".into()), ..OrgPatch::default() }).await.unwrap();
    b.store.revoke_key(Actor::Operator, org.id, key.id).await.unwrap();
    b.store.note(Actor::Operator, "provider.clear_cooldown", "main", serde_json::json!({"was": 5})).await.unwrap();
    let noted = b.store.audit(&PageRequest { cursor: None, limit: Some(1) }).await.unwrap();
    assert_eq!((noted.data[0].action.as_str(), &noted.data[0].details["was"]), ("provider.clear_cooldown", &serde_json::json!(5)));
    let first = b.store.audit(&PageRequest { cursor: noted.next_cursor, limit: Some(3) }).await.unwrap();
    let told: Vec<_> = first.data.iter().map(|e| (e.action.as_str(), e.subject.as_str(), e.actor)).collect();
    let (org_id, key_id) = (org.id.to_string(), key.id.to_string());
    assert_eq!(
        told,
        [
            ("key.revoke", key_id.as_str(), Actor::Operator),
            ("org.update", &org_id, Actor::System),
            ("key.create", &key_id, Actor::Operator)
        ]
    );
    assert_eq!(first.data[1].details, serde_json::json!({"plan": {"before": "free", "after": "pro"}}));
    assert!(!format!("{first:?}").contains(&secret.expose()[7..]));
    let rest = b.store.audit(&PageRequest { cursor: first.next_cursor, limit: Some(200) }).await.unwrap();
    let actions: Vec<_> = rest.data.iter().map(|e| e.action.as_str()).collect();
    assert_eq!(actions, ["org.create", "plan.create", "plan.create", "model.create", "model.create"]);
    assert_eq!(rest.next_cursor, None);
    assert!(b.store.audit(&PageRequest { cursor: Some("x".into()), limit: None }).await.is_err());
}
