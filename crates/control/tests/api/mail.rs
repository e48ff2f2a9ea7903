//! What people are sent: links that open what they should, to the right address, and nothing that tells who has an account.

use serde_json::json;

use crate::support::{Api, PASSWORD};

/// The secret of the link in the only mail that was sent, and to whom.
#[track_caller]
fn the_link(api: &Api, page: &str) -> (String, String) {
    let [mail] = api.mailbox.take().try_into().unwrap_or_else(|all| panic!("one mail expected: {all:?}"));
    let (_, token) = mail.text.split_once(&format!("https://gateway.example.com/{page}#token=")).unwrap_or_default();
    let token = token.lines().next().unwrap().to_owned();
    assert!(!token.is_empty() && !format!("{mail:?}").contains(&token), "{mail:?}");
    (mail.to.to_string(), token)
}

#[tokio::test]
async fn who_signs_up_confirms_the_address_before_making_keys() {
    let api = Api::with_mail().await;
    let ada = api.sign_up("Ada@example.com", "Analytical Engines").await;
    let (to, token) = the_link(&api, "verify");
    assert_eq!(to, "Ada@example.com");
    let me = ada.get(&api, "/auth/session").await.expect(200);
    assert_eq!(me["person"]["verified"], false);
    let keys = format!("/orgs/{}/keys", me["organisations"][0]["id"].as_str().unwrap());
    assert_eq!(ada.post(&api, &keys, json!({"name": "k"})).await.fault(403).0, "email_unverified");
    // Once more: the first link no longer works.
    ada.call(&api, http::Method::POST, "/auth/verification-mails", None).await.expect(202);
    let (_, again) = the_link(&api, "verify");
    assert_eq!(api.post_as_nobody("/auth/verify", json!({"token": token})).await.fault(422).1.as_deref(), Some("token"));
    api.post_as_nobody("/auth/verify", json!({"token": again})).await.expect(200);
    assert_eq!(ada.get(&api, "/auth/session").await.expect(200)["person"]["verified"], true);
    let key = ada.post(&api, &keys, json!({"name": "k"})).await.expect(201);
    api.is_secret(key["key"].as_str().unwrap());
    api.post_as_nobody("/auth/verify", json!({"token": again})).await.fault(422);
    ada.call(&api, http::Method::POST, "/auth/verification-mails", None).await.expect(202);
    assert!(api.mailbox.take().is_empty(), "it is confirmed already");
}

#[tokio::test]
async fn a_link_for_a_new_password_goes_to_the_account_s_address_only() {
    let api = Api::with_mail().await;
    let ada = api.sign_up("ada@example.com", "Analytical Engines").await;
    api.mailbox.take();
    let known = api.post_as_nobody("/auth/reset-requests", json!({"email": "ADA@example.com"})).await.expect(202);
    api.afterwards().await;
    let (to, token) = the_link(&api, "reset");
    assert_eq!(to, "ada@example.com");
    let unknown = api.post_as_nobody("/auth/reset-requests", json!({"email": "bob@example.com"})).await.expect(202);
    api.afterwards().await;
    assert_eq!((known, api.mailbox.take()), (unknown, Vec::new()), "nobody learns who has an account");
    api.post_as_nobody("/auth/reset", json!({"token": token, "password": "another battery staple"})).await.expect(200);
    ada.get(&api, "/auth/session").await.fault(401);
    let wrong = json!({"email": "ada@example.com", "password": PASSWORD});
    assert_eq!(api.post_as_nobody("/auth/login", wrong).await.fault(401).0, "wrong_credentials");
    let right = json!({"email": "ada@example.com", "password": "another battery staple"});
    let person = api.post_as_nobody("/auth/login", right).await.expect(200);
    assert_eq!(person["verified"], true, "the link was sent there");
    for _ in 0..4 {
        api.post_as_nobody("/auth/reset-requests", json!({"email": "ada@example.com"})).await.expect(202);
    }
    let flood = api.post_as_nobody("/auth/reset-requests", json!({"email": "ada@example.com"})).await;
    assert_eq!(flood.status, 429, "five an hour");
}

#[tokio::test]
async fn whoever_is_invited_is_sent_the_link_and_is_taken_at_their_word() {
    let api = Api::with_mail().await;
    let org = api.org("Acme \"Labs\"").await;
    let link = api.post(&format!("/orgs/{org}/invitations"), json!({"email": "eve@example.com", "role": "developer"})).await.expect(201);
    assert_eq!(link["mailed"], true);
    let (to, token) = the_link(&api, "invitation");
    assert_eq!((to.as_str(), &json!(token)), ("eve@example.com", &link["token"]));
    let answer = api.post_as_nobody("/auth/signup", json!({"password": PASSWORD, "invitation": token})).await;
    let eve = crate::support::Browser::of(&answer);
    answer.expect(201);
    assert_eq!(eve.get(&api, "/auth/session").await.expect(200)["person"]["verified"], true);
    assert!(api.mailbox.take().is_empty());
    api.post("/people/reset-links", json!({"email": "eve@example.com"})).await.expect(201);
    assert_eq!(the_link(&api, "reset").0, "eve@example.com");
    api.post("/people/invitations", json!({"email": "new@example.com"})).await.expect(201);
    assert_eq!(the_link(&api, "invitation").0, "new@example.com");
}

#[tokio::test]
async fn signing_up_twice_tells_the_owner_of_the_address_and_nobody_else() {
    let api = Api::with_mail().await;
    api.sign_up("ada@example.com", "Analytical Engines").await;
    api.mailbox.take();
    let body = json!({"email": "ada@example.com", "password": "mallory mallory mallory", "organisation": "Mallory"});
    let again = api.post_as_nobody("/auth/signup", body).await.expect(201);
    let told = api.mailbox.take();
    assert_eq!((told.len(), told[0].to.as_str(), told[0].subject.as_str()), (1, "ada@example.com", "You have an account already"));
    let other = json!({"email": "carl@example.com", "password": "mallory mallory mallory", "organisation": "Mallory"});
    assert_eq!(api.post_as_nobody("/auth/signup", other).await.expect(201), again);
}

#[tokio::test]
async fn where_nobody_sends_mail_addresses_are_taken_as_given_and_links_come_from_operators() {
    let api = Api::new().await;
    let ada = api.sign_up("ada@example.com", "Analytical Engines").await;
    assert_eq!(ada.get(&api, "/auth/session").await.expect(200)["person"]["verified"], true);
    let asked = api.post_as_nobody("/auth/reset-requests", json!({"email": "ada@example.com"})).await;
    assert_eq!(asked.fault(403).0, "email_not_configured");
    let link = api.post("/people/reset-links", json!({"email": "ada@example.com"})).await.expect(201);
    assert_eq!(link["mailed"], false);
}
