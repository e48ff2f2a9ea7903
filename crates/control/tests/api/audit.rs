//! `GET /audit` and `GET /orgs/{id}/audit`: no read and no refused write leaves an entry; an organisation sees its own.

use serde_json::{Value, json};

use crate::support::{Api, Browser};

async fn actions(api: &Api) -> Vec<String> {
    let log = api.get("/audit?limit=200").await.expect(200);
    log["data"].as_array().unwrap().iter().map(|entry| entry["action"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn entries_say_who_what_and_when_newest_first() {
    let api = Api::new().await;
    let org = api.org("Acme").await;
    api.clock.advance_s(5);
    api.patch(&format!("/orgs/{org}"), json!({"plan": "free"})).await.expect(200);
    let log = api.get("/audit?limit=2").await.expect(200);
    insta::assert_json_snapshot!("audit", log["data"]);
}

#[tokio::test]
async fn what_changes_nothing_leaves_nothing() {
    let api = Api::new().await;
    let org = api.org("Acme").await;
    let before = actions(&api).await;
    api.patch(&format!("/orgs/{org}"), json!({"plan": "starter"})).await.expect(200);
    api.patch(&format!("/orgs/{org}"), json!({"plan": "gold"})).await.expect(422);
    api.post("/plans", json!({"id": "free"})).await.expect(409);
    api.post("/apply", json!({"plans": [{"id": "new"}], "dry_run": true})).await.expect(200);
    api.get(&format!("/orgs/{org}")).await.expect(200);
    assert_eq!(actions(&api).await, before);
}

#[tokio::test]
async fn an_organisation_sees_what_was_changed_of_it_and_nothing_else() {
    let api = Api::new().await;
    let (ours, theirs) = (api.org("Ours").await, api.org("Theirs").await);
    let admin = api.member(&ours, "admin@example.com", "admin").await;
    let other = api.member(&theirs, "other@example.com", "owner").await;
    for org in [&ours, &theirs] {
        let (key, _) = api.key(org, "ci").await;
        api.patch(&format!("/orgs/{org}"), json!({"plan": "free"})).await.expect(200);
        api.delete(&format!("/orgs/{org}/keys/{key}")).await.expect(204);
    }
    api.post("/plans", json!({"id": "gold"})).await.expect(201);
    let path = |org: &str| format!("/orgs/{org}/audit");
    let read = async |browser: &Browser, org: &str| browser.get(&api, &path(org)).await.expect(200)["data"].as_array().unwrap().clone();
    let seen = read(&admin, &ours).await;
    let actions: Vec<_> = seen.iter().map(|entry| entry["action"].as_str().unwrap()).collect();
    assert_eq!(actions, ["key.revoke", "org.update", "key.create", "member.join", "member.invite", "org.create"]);
    assert_eq!(seen[1]["details"]["plan"], json!({"before": "starter", "after": "free"}));
    let all = api.get("/audit?limit=200").await.expect(200);
    let ids = |entries: &[Value]| entries.iter().map(|entry| entry["id"].as_i64().unwrap()).collect::<Vec<_>>();
    let about =
        |org: &str| all["data"].as_array().unwrap().iter().filter(|entry| entry.to_string().contains(org)).cloned().collect::<Vec<_>>();
    assert_eq!(ids(&seen), ids(&about(&ours)), "all that names it");
    assert_eq!(ids(&read(&other, &theirs).await), ids(&about(&theirs)));
    assert_eq!(other.get(&api, &path(&ours)).await.status, 404);
    assert_eq!(api.get(&path(&ours)).await.expect(200)["data"], json!(seen), "operators as well");

    let mut paged = Vec::new();
    let mut query = String::from("?limit=4");
    loop {
        let page = admin.get(&api, &format!("{}{query}", path(&ours))).await.expect(200);
        paged.extend(page["data"].as_array().unwrap().clone());
        let Some(cursor) = page["next_cursor"].as_str() else { break };
        query = format!("?limit=4&cursor={cursor}");
    }
    assert_eq!(paged, seen);
    assert_eq!(admin.get(&api, &format!("{}?cursor=x", path(&ours))).await.fault(422).1.as_deref(), Some("cursor"));
}
