//! People as a browser would be them: from signing up to the first refusal, and on after the plan was granted.

use serde_json::{Value, json};
use testkit::{Answer, Call, MailServer};

use crate::world::{LARGE, World, chat, until};

const OPEN: &str = "[signup]\nmode = \"open\"\n";
const PASSWORD: &str = "correct horse battery staple";

/// A browser on this world: its cookie, and where it says it comes from.
pub(crate) struct Browser<'a> {
    pub(crate) world: &'a World,
    pub(crate) cookie: String,
}

impl<'a> Browser<'a> {
    pub(crate) async fn sign_up(world: &'a World, email: &str) -> Self {
        let body = json!({"email": email, "password": PASSWORD, "organisation": "Analytical"});
        let answer = Call::post("/api/v1/auth/signup", &body).send(world.addr()).await;
        assert_eq!(answer.status, 201, "{}", answer.text());
        Self { world, cookie: cookie_of(&answer) }
    }

    pub(crate) async fn call(&self, method: &str, path: &str, body: Value) -> Answer {
        let call = Call::new(method, &format!("/api/v1{path}")).header("cookie", &self.cookie);
        let call = call.header("origin", "http://gateway.test");
        let call = if body.is_null() { call } else { call.json(&body) };
        call.send(self.world.addr()).await
    }

    pub(crate) async fn org(&self) -> String {
        let me = self.call("GET", "/auth/session", Value::Null).await.json();
        me["organisations"][0]["id"].as_str().unwrap().to_owned()
    }
}

fn cookie_of(answer: &Answer) -> String {
    let given = answer.header("set-cookie").expect("a cookie");
    assert!(given.starts_with("tidegate_session=") && !given.contains("Secure"), "plain http: {given}");
    given.split(';').next().unwrap().to_owned()
}

#[tokio::test]
async fn from_signing_up_to_the_first_refusal_and_on_once_the_plan_is_granted() {
    let world = World::with("", OPEN).await;
    let ada = Browser::sign_up(&world, "ada@example.com").await;
    let org = ada.org().await;
    let made = ada.call("POST", &format!("/orgs/{org}/keys"), json!({"name": "first"})).await;
    assert_eq!(made.status, 201, "{}", made.text());
    let key = made.json();
    let key = key["key"].as_str().unwrap();
    for _ in 0..50 {
        assert_eq!(world.send(key, &chat("coder", 1)).await.status, 200);
    }
    assert_eq!(world.send(key, &chat("coder", 1)).await.status, 429);

    let path = format!("/orgs/{org}/subscription");
    let asked = ada.call("POST", &path, json!({"plan": "starter"})).await;
    assert_eq!(asked.status, 202, "{}", asked.text());
    assert_eq!(world.send(key, &chat("coder", 1)).await.status, 429, "it is only a wish");
    let request = asked.json()["request"]["id"].as_str().unwrap().to_owned();
    world.operator("PATCH", &format!("/plan-requests/{request}"), json!({"state": "granted"})).await;
    assert_eq!(world.send(key, &chat("coder", 1)).await.status, 200, "on the very next request");
    assert_eq!(ada.call("GET", &path, Value::Null).await.json()["effective_plan"], "starter");
}

#[tokio::test]
async fn a_plan_that_is_paid_is_in_force_on_the_very_next_request() {
    let world = World::with("", "[signup]\nmode = \"open\"\n[billing]\nprovider = \"test\"\n").await;
    for (plan, price) in [("starter", "20"), ("growth", "100")] {
        let mut body = world.operator("GET", &format!("/plans/{plan}"), Value::Null).await;
        let rows = body["limits"].take();
        world.operator("PUT", &format!("/plans/{plan}"), json!({"name": plan, "price_month": price, "limits": rows})).await;
    }
    let ada = Browser::sign_up(&world, "ada@example.com").await;
    let org = ada.org().await;
    let key = ada.call("POST", &format!("/orgs/{org}/keys"), json!({"name": "first"})).await.json();
    let key = key["key"].as_str().unwrap();
    for (plan, admitted) in [("starter", 45), ("growth", 105)] {
        assert_ne!(world.send(key, &chat(LARGE, 1)).await.status, 200);
        let chosen = ada.call("POST", &format!("/orgs/{org}/subscription"), json!({ "plan": plan })).await.json();
        let checkout = chosen["checkout"]["id"].as_str().unwrap();
        assert_ne!(world.send(key, &chat(LARGE, 1)).await.status, 200, "it isn't paid");
        let path = format!("/orgs/{org}/subscription/checkouts/{checkout}/test-payment");
        let paid = ada.call("POST", &path, json!({"card": "4242424242424242"})).await;
        assert_eq!(paid.status, 200, "{}", paid.text());
        for n in 0..admitted {
            assert_eq!(world.send(key, &chat(LARGE, 1)).await.status, 200, "{n} on {plan}");
        }
    }
    assert_eq!(world.send(key, &chat(LARGE, 1)).await.status, 429);
}

#[tokio::test]
async fn sessions_outlive_a_restart_and_reach_no_model() {
    let world = World::with("", OPEN).await;
    let cookie = Browser::sign_up(&world, "ada@example.com").await.cookie;
    let world = world.restart().await;
    let ada = Browser { world: &world, cookie };
    let org = ada.org().await;
    assert_eq!(ada.call("GET", &format!("/orgs/{org}"), Value::Null).await.status, 200);
    let model = Call::post("/v1/chat/completions", &chat("coder", 1)).header("cookie", &ada.cookie).send(world.addr()).await;
    assert_eq!(model.status, 401, "cookies are no keys");
}

#[tokio::test]
async fn addresses_that_a_trusted_proxy_tells_are_counted_apart() {
    let world = World::with("trusted_proxies = [\"127.0.0.1\"]", OPEN).await;
    let body = json!({"email": "ada@example.com", "password": "a wrong password"});
    let try_from = async |address: &str, n: u64| {
        let body = json!({"email": format!("n{n}@example.com"), "password": body["password"]});
        Call::post("/api/v1/auth/login", &body).header("x-forwarded-for", address).send(world.addr()).await.status
    };
    for n in 0..50 {
        assert_eq!(try_from("192.0.2.1", n).await, 401);
    }
    assert_eq!(try_from("192.0.2.1", 50).await, 429);
    assert_eq!(try_from("192.0.2.2", 51).await, 401);
}

#[tokio::test]
async fn a_mail_that_must_be_tried_again_keeps_no_other_waiting() {
    let server = MailServer::too_busy_for("eve@example.com").await;
    let (host, port) = (server.addr.ip(), server.addr.port());
    let email = format!("[email]\nhost = \"{host}\"\nport = {port}\nsecurity = \"none\"\nfrom = \"Tidegate <tide@example.com>\"\n");
    let world = World::with("", &format!("{OPEN}{email}")).await;
    // More than are tried at once; each would be tried again for more than a minute.
    for n in 0..9 {
        let invited = json!({"email": if n % 3 == 2 { format!("n{n}@example.com") } else { "eve@example.com".into() }});
        world.operator("POST", "/people/invitations", invited).await;
    }
    until("the others have come", || async {
        tokio::task::yield_now().await;
        server.mails().len() == 3
    })
    .await;
    let mut to: Vec<_> = server.mails().into_iter().flat_map(|mail| mail.to).collect();
    to.sort();
    assert_eq!(to, ["n2@example.com", "n5@example.com", "n8@example.com"]);
}

#[tokio::test]
async fn who_signs_up_is_sent_a_link_also_by_a_server_that_is_busy_at_first() {
    let server = MailServer::start(1).await;
    let (host, port) = (server.addr.ip(), server.addr.port());
    let email = format!("[email]\nhost = \"{host}\"\nport = {port}\nsecurity = \"none\"\nfrom = \"Tidegate <tide@example.com>\"\n");
    let world = World::with("", &format!("{OPEN}{email}")).await;
    let ada = Browser::sign_up(&world, "ada@example.com").await;
    let keys = format!("/orgs/{}/keys", ada.org().await);
    assert_eq!(ada.call("POST", &keys, json!({"name": "first"})).await.status, 403);
    until("a mail has come", || async {
        tokio::task::yield_now().await;
        !server.mails().is_empty()
    })
    .await;
    let mail = server.mails().remove(0);
    assert_eq!(mail.to, ["ada@example.com"]);
    assert!(
        mail.text.contains("From: Tidegate <tide@example.com>") && mail.text.contains("Subject: Confirm your address"),
        "{}",
        mail.text
    );
    // Long lines may be folded as quoted-printable (RFC 2045, 6.7).
    let text = mail.text.replace("=\n", "").replace("=3D", "=");
    let token: String = text.split_once("#token=").unwrap().1.chars().take_while(char::is_ascii_hexdigit).collect();
    let confirmed = Call::post("/api/v1/auth/verify", &json!({ "token": token })).send(world.addr()).await;
    assert_eq!(confirmed.status, 200, "{}", confirmed.text());
    assert_eq!(ada.call("POST", &keys, json!({"name": "first"})).await.status, 201);
}
