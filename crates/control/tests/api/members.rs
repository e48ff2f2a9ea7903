//! Members of organisations: roles, invitations, and organisations of one's own.

use axum::http::Method;
use control::SignUpMode;
use serde_json::{Value, json};

use crate::support::{Api, Browser};

async fn me(api: &Api, browser: &Browser) -> String {
    browser.get(api, "/auth/session").await.expect(200)["person"]["id"].as_str().unwrap().into()
}

async fn org_of(api: &Api, browser: &Browser) -> String {
    browser.get(api, "/auth/session").await.expect(200)["organisations"][0]["id"].as_str().unwrap().into()
}

#[tokio::test]
async fn somebody_with_an_account_takes_up_an_invitation_that_is_for_them() {
    let api = Api::new().await;
    let (ada, bob) = (api.sign_up("ada@example.com", "Analytical").await, api.sign_up("bob@example.com", "Other").await);
    let org = org_of(&api, &ada).await;
    let invite = json!({"email": "BOB@example.com", "role": "developer"});
    let link = ada.post(&api, &format!("/orgs/{org}/invitations"), invite).await.expect(201);
    let open = ada.get(&api, &format!("/orgs/{org}/invitations")).await.expect(200);
    assert_eq!((&open["data"][0]["email"], &open["data"][0]["role"]), (&json!("BOB@example.com"), &json!("developer")));
    assert!(open["data"][0].get("token").is_none());
    let eve = api.sign_up("eve@example.com", "Third").await;
    assert_eq!(eve.post(&api, "/auth/invitations", json!({"token": link["token"]})).await.status, 422, "it is for another");
    let joined = bob.post(&api, "/auth/invitations", json!({"token": link["token"]})).await.expect(200);
    assert_eq!((&joined["id"], &joined["role"]), (&json!(org), &json!("developer")));
    assert_eq!(bob.post(&api, "/auth/invitations", json!({"token": link["token"]})).await.status, 422, "it works once");
    let members = bob.get(&api, &format!("/orgs/{org}/members")).await.expect(200);
    let roles: Vec<_> = members["data"].as_array().unwrap().iter().map(|m| m["role"].as_str().unwrap()).collect();
    assert_eq!(roles, ["owner", "developer"]);
    let again = ada.post(&api, &format!("/orgs/{org}/invitations"), json!({"email": "bob@example.com", "role": "viewer"})).await;
    assert_eq!(again.status, 409, "they are a member");

    let link = ada.post(&api, &format!("/orgs/{org}/invitations"), json!({"email": "eve@example.com", "role": "viewer"})).await.expect(201);
    let path = format!("/orgs/{org}/invitations/{}", link["id"].as_str().unwrap());
    ada.call(&api, Method::DELETE, &path, None).await.expect(204);
    assert_eq!(eve.post(&api, "/auth/invitations", json!({"token": link["token"]})).await.status, 422, "it was withdrawn");
    assert_eq!(ada.call(&api, Method::DELETE, &path, None).await.status, 404);
}

#[tokio::test]
async fn only_owners_name_change_and_remove_owners_and_one_stays() {
    let api = Api::new().await;
    let ada = api.sign_up("ada@example.com", "Analytical").await;
    let org = org_of(&api, &ada).await;
    let admin = api.member(&org, "admin@example.com", "admin").await;
    let (owner, other) = (me(&api, &ada).await, me(&api, &admin).await);
    let member = |id: &str| format!("/orgs/{org}/members/{id}");
    let role = |role: &str| Some(json!({"role": role}));
    assert_eq!(admin.call(&api, Method::PATCH, &member(&other), role("owner")).await.fault(403).0, "role_too_low");
    assert_eq!(admin.call(&api, Method::PATCH, &member(&owner), role("viewer")).await.fault(403).0, "role_too_low");
    assert_eq!(admin.call(&api, Method::DELETE, &member(&owner), None).await.fault(403).0, "role_too_low");
    let invite = json!({"email": "x@example.com", "role": "owner"});
    assert_eq!(admin.post(&api, &format!("/orgs/{org}/invitations"), invite).await.fault(403).0, "role_too_low");
    assert_eq!(ada.call(&api, Method::DELETE, &member(&owner), None).await.status, 409, "the only owner");
    assert_eq!(ada.call(&api, Method::PATCH, &member(&owner), role("admin")).await.status, 409);
    ada.call(&api, Method::PATCH, &member(&other), role("owner")).await.expect(200);
    admin.call(&api, Method::DELETE, &member(&owner), None).await.expect(204);
    assert_eq!(ada.get(&api, &format!("/orgs/{org}")).await.status, 404, "from the next request on");
    let audit = api.get("/audit").await.expect(200);
    let last = &audit["data"][0];
    assert_eq!((last["action"].as_str(), last["subject"].as_str()), (Some("member.remove"), Some(org.as_str())));
    let change = audit["data"].as_array().unwrap().iter().find(|entry| entry["action"] == "member.change").unwrap();
    assert_eq!(change["details"]["role"], json!({"before": "admin", "after": "owner"}));
}

#[tokio::test]
async fn everybody_may_leave_and_viewers_remove_nobody_else() {
    let api = Api::new().await;
    let ada = api.sign_up("ada@example.com", "Analytical").await;
    let org = org_of(&api, &ada).await;
    let (vera, dev) = (api.member(&org, "vera@example.com", "viewer").await, api.member(&org, "dev@example.com", "developer").await);
    let (vera_id, dev_id) = (me(&api, &vera).await, me(&api, &dev).await);
    assert_eq!(vera.call(&api, Method::DELETE, &format!("/orgs/{org}/members/{dev_id}"), None).await.fault(403).0, "role_too_low");
    vera.call(&api, Method::DELETE, &format!("/orgs/{org}/members/{vera_id}"), None).await.expect(204);
    assert_eq!(vera.get(&api, &format!("/orgs/{org}")).await.status, 404);
}

#[tokio::test]
async fn one_person_owns_so_many_organisations_and_no_more_on_no_other_plan() {
    let api = Api::new().await;
    let ada = api.sign_up("ada@example.com", "First").await;
    let second = ada.post(&api, "/orgs", json!({"name": "Second"})).await.expect(201);
    assert_eq!(second["plan"], "free");
    assert_eq!(ada.post(&api, "/orgs", json!({"name": "Third"})).await.status, 409);
    for more in [json!({"name": "X", "plan": "enterprise"}), json!({"name": "X", "limits": [{"category": "large", "rpm": 5}]})] {
        assert_eq!(ada.post(&api, "/orgs", more).await.fault(403).0, "operator_only");
    }
    let org = second["id"].as_str().unwrap();
    for (change, status) in [(json!({"name": "Renamed"}), 200), (json!({"plan": "enterprise"}), 403), (json!({"limits": []}), 403)] {
        assert_eq!(ada.call(&api, Method::PATCH, &format!("/orgs/{org}"), Some(change)).await.status, status);
    }
    let closed = Api::with_sign_up(SignUpMode::Closed).await;
    let org = closed.org("Acme").await;
    let link = closed.post(&format!("/orgs/{org}/invitations"), json!({"email": "ada@example.com", "role": "admin"})).await.expect(201);
    let body = json!({"password": crate::support::PASSWORD, "invitation": link["token"]});
    assert_eq!(closed.post_as_nobody("/auth/signup", body).await.fault(403).0, "signup_closed");
}

#[tokio::test]
async fn members_of_a_deleted_organisation_reach_it_no_more() {
    let api = Api::new().await;
    let ada = api.sign_up("ada@example.com", "Analytical").await;
    let org = org_of(&api, &ada).await;
    let vera = api.member(&org, "vera@example.com", "viewer").await;
    assert_eq!(vera.call(&api, Method::DELETE, &format!("/orgs/{org}"), None).await.status, 403);
    ada.call(&api, Method::DELETE, &format!("/orgs/{org}"), None).await.expect(204);
    for browser in [&ada, &vera] {
        assert_eq!(browser.get(&api, &format!("/orgs/{org}")).await.status, 404);
        assert_eq!(browser.get(&api, "/auth/session").await.expect(200)["organisations"], Value::Array(Vec::new()));
    }
}
