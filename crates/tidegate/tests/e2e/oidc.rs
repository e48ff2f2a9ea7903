//! Log-in with a provider of identities, over the wire: from the first visit to the first request of a key, over restarts, and past a provider
//! that fails.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use testkit::{Answer, Call, FakeOidc, Lie, Script, Upstream};

use crate::people::Browser;
use crate::world::{World, chat};

/// The manual clock's start, in seconds since 1970.
const NOW: i64 = 1_770_305_400;

/// A provider on a port of its own.
struct Provider {
    oidc: Arc<FakeOidc>,
    server: Upstream,
}

impl Provider {
    async fn start() -> Self {
        let server = Upstream::start().await;
        let oidc = Arc::new(FakeOidc::new(&format!("http://{}/realm", server.addr()), "tidegate", "client-secret"));
        let this = Self { oidc, server };
        this.answers();
        this
    }

    /// It does what it is there for.
    fn answers(&self) {
        let behind = Arc::clone(&self.oidc);
        self.server.otherwise(move |request| {
            let header = |name: &str| request.headers.get(name).map(str::to_owned);
            let body = String::from_utf8_lossy(&request.body);
            let (status, answer) = behind.answer(&request.method, &request.path, header, &body, NOW);
            Script::json(status, &answer)
        });
    }

    /// The sections of a configuration that names it.
    fn sections(&self, mode: &str) -> String {
        let issuer = format!("http://{}/realm", self.server.addr());
        format!(
            "[signup]\nmode = \"{mode}\"\n[oidc]\nissuer = \"{issuer}\"\nclient_id = \"tidegate\"\nclient_secret = \"client-secret\"\n\
             name = \"Acme\"\n"
        )
    }
}

fn ada() -> Value {
    json!({"sub": "ada-1", "email": "ada@example.com", "email_verified": true, "name": "Ada Lovelace"})
}

/// Where a browser was sent, and the cookie that it keeps.
async fn begin(world: &World, query: &str) -> (String, String) {
    let answer = Call::get(&format!("/api/v1/auth/oidc/login{query}")).send(world.addr()).await;
    assert_eq!(answer.status, 303, "{}", answer.text());
    let cookie = answer.header("set-cookie").unwrap();
    assert!(cookie.starts_with("tidegate_log_in=") && cookie.contains("HttpOnly; SameSite=Lax; Max-Age=600"), "{cookie}");
    assert!(!cookie.contains("Secure"), "plain http: {cookie}");
    (answer.header("location").unwrap().to_owned(), cookie.split(';').next().unwrap().to_owned())
}

async fn back(world: &World, cookie: &str, target: &str) -> Answer {
    Call::get(target).header("cookie", cookie).send(world.addr()).await
}

async fn logs_in<'a>(world: &'a World, provider: &Provider, claims: &Value) -> Browser<'a> {
    let (url, cookie) = begin(world, "").await;
    let answer = back(world, &cookie, &provider.oidc.log_in(&url, claims)).await;
    assert!(answer.status == 200 && answer.text().contains("You are logged in"), "{}", answer.text());
    let given = answer.header("set-cookie").unwrap();
    assert!(given.starts_with("tidegate_session=") && given.contains("SameSite=Strict"), "{given}");
    Browser { world, cookie: given.split(';').next().unwrap().to_owned() }
}

#[tokio::test]
async fn from_the_first_visit_to_the_first_request_and_back_after_a_restart() {
    let provider = Provider::start().await;
    // Another start has another port, which is no matter to whoever is sent to this address.
    let world = World::with("public_url = \"http://gateway.test\"", &provider.sections("open")).await;
    let methods = Call::get("/api/v1/auth/methods").send(world.addr()).await.json();
    assert_eq!(methods, json!({"password": true, "oidc": {"name": "Acme"}, "signup": "open"}));
    let first = logs_in(&world, &provider, &ada()).await;
    let org = first.org().await;
    let key = first.call("POST", &format!("/orgs/{org}/keys"), json!({"name": "first"})).await.json();
    assert_eq!(world.send(key["key"].as_str().unwrap(), &chat("coder", 1)).await.status, 200);

    // The server is another one when the browser comes back: what it brings is sealed with the data folder's key.
    let (url, cookie) = begin(&world, "?next=/orgs").await;
    let first = first.cookie.clone();
    let world = world.restart().await;
    let target = provider.oidc.log_in(&url, &ada());
    let answer = back(&world, &cookie, &target).await;
    assert!(answer.status == 200 && answer.text().contains("url=../../../../orgs"), "{}", answer.text());
    let again = Browser { world: &world, cookie: answer.header("set-cookie").unwrap().split(';').next().unwrap().to_owned() };
    assert_eq!(again.org().await, org);
    assert_ne!(again.cookie, first);
    let twice = back(&world, &cookie, &target).await;
    assert!(twice.status == 400 && twice.text().contains("Begin again"), "{}", twice.text());
    // Yet another server remembers nothing of it; the provider knows its code.
    let world = world.restart().await;
    let thrice = back(&world, &cookie, &target).await;
    assert!(thrice.status == 400 && thrice.header("set-cookie").unwrap().starts_with("tidegate_log_in=;"), "{}", thrice.text());
}

#[tokio::test]
async fn an_account_is_linked_while_its_owner_is_logged_in() {
    let provider = Provider::start().await;
    let world = World::with("", &provider.sections("open")).await;
    let ada_by_password = Browser::sign_up(&world, "ada@example.com").await;
    let (url, cookie) = begin(&world, "").await;
    let refused = back(&world, &cookie, &provider.oidc.log_in(&url, &ada())).await;
    assert!(refused.status == 409 && refused.text().contains("Log in with your password first"), "{}", refused.text());
    let begun = ada_by_password.call("POST", "/auth/oidc/links", Value::Null).await;
    assert_eq!(begun.status, 200, "{}", begun.text());
    let cookie = begun.header("set-cookie").unwrap().split(';').next().unwrap().to_owned();
    let linked = back(&world, &cookie, &provider.oidc.log_in(begun.json()["url"].as_str().unwrap(), &ada())).await;
    assert!(linked.status == 200 && linked.text().contains("It is linked"), "{}", linked.text());
    assert!(!linked.header("set-cookie").unwrap().starts_with("tidegate_session"), "the session that there is goes on");
    assert_eq!(logs_in(&world, &provider, &ada()).await.org().await, ada_by_password.org().await);
}

#[tokio::test]
async fn each_refusal_is_a_page_and_changes_nothing() {
    let provider = Provider::start().await;
    let world = World::with("", &provider.sections("invite")).await;
    let (url, cookie) = begin(&world, "").await;
    let uninvited = back(&world, &cookie, &provider.oidc.log_in(&url, &ada())).await;
    assert!(uninvited.status == 403 && uninvited.text().contains("You need an invitation"), "{}", uninvited.text());
    let (url, cookie) = begin(&world, "").await;
    let unconfirmed = json!({"sub": "ada-1", "email": "ada@example.com", "email_verified": false});
    let unconfirmed = back(&world, &cookie, &provider.oidc.log_in(&url, &unconfirmed)).await;
    assert!(unconfirmed.status == 403 && unconfirmed.text().contains("Your address is not confirmed"), "{}", unconfirmed.text());
    let (url, cookie) = begin(&world, "").await;
    let denied = back(&world, &cookie, &provider.oidc.refuse(&url, "access_denied")).await;
    assert!(denied.status == 403 && denied.text().contains("did not let you in"), "{}", denied.text());
    let (url, _) = begin(&world, "").await;
    let (_, other) = begin(&world, "").await;
    let foreign = back(&world, &other, &provider.oidc.log_in(&url, &ada())).await;
    assert_eq!(foreign.status, 400, "{}", foreign.text());
    for lie in [Lie::Nonce, Lie::Expired, Lie::Audience, Lie::AlgNone, Lie::PublicKeyAsSecret, Lie::ForeignKey] {
        provider.oidc.lies(lie);
        let (url, cookie) = begin(&world, "").await;
        let answer = back(&world, &cookie, &provider.oidc.log_in(&url, &ada())).await;
        assert!(answer.status == 502 && answer.header("content-type") == Some("text/html; charset=utf-8"), "{lie:?}: {}", answer.text());
    }
    let open = Call::get("/api/v1/auth/oidc/login?next=//evil.example.com").send(world.addr()).await;
    assert!(open.status == 400 && open.header("location").is_none());
    let people = world.operator("GET", "/audit", Value::Null).await;
    assert!(!people.to_string().contains("person.create") && !people.to_string().contains("person.link"), "{people}");
}

#[tokio::test]
async fn a_provider_that_fails_is_told_and_passwords_go_on() {
    let provider = Provider::start().await;
    let world = World::with("", &provider.sections("open")).await;
    Browser::sign_up(&world, "ada@example.com").await;
    let log_in = async || {
        let body = json!({"email": "ada@example.com", "password": "correct horse battery staple"});
        Call::post("/api/v1/auth/login", &body).send(world.addr()).await.status
    };
    let mut asked = 0;
    for fails in [
        Script::reset(),
        Script::html(),
        Script::answer(200, &[], "x".repeat(300_000)),
        Script::answer(302, &[("location", "https://elsewhere.example.com/")], ""),
        Script::json(200, &json!({"issuer": "https://elsewhere.example.com"})),
    ] {
        provider.server.otherwise(move |_| fails.clone());
        for _ in 0..3 {
            let answer = Call::get("/api/v1/auth/oidc/login").send(world.addr()).await;
            assert!(answer.status == 502 && answer.text().contains("Try again in a minute"), "{}", answer.text());
        }
        asked += 1;
        assert_eq!(provider.server.count(), asked, "it isn't asked again for five seconds");
        assert_eq!(log_in().await, 200);
        world.clock.advance_s(5);
    }
    provider.answers();
    let (url, cookie) = begin(&world, "").await;
    let target = provider.oidc.log_in(&url, &ada());
    provider.server.stop().await;
    let gone = back(&world, &cookie, &target).await;
    assert!(gone.status == 502 && gone.text().contains("log in with your password"), "{}", gone.text());
    assert_eq!(log_in().await, 200);
}

#[tokio::test]
async fn a_provider_that_does_not_answer_is_waited_for_ten_seconds() {
    let provider = Provider::start().await;
    let world = World::with("", &provider.sections("open")).await;
    provider.server.otherwise(|_| Script::hang());
    let call = Call::get("/api/v1/auth/oidc/login");
    let ten_seconds = async {
        provider.server.arrived(1).await;
        tokio::time::pause();
        tokio::time::advance(Duration::from_secs(10)).await;
        tokio::time::resume();
    };
    let (answer, ()) = tokio::join!(call.send(world.addr()), ten_seconds);
    assert!(answer.status == 502 && answer.text().contains("Try again in a minute"), "{}", answer.text());
    provider.server.abandoned(1).await;
}
