//! Log-in with a provider of identities: who comes to which account, and who to none.

use axum::body::Body;
use axum::http::{Method, header};
use control::SignUpMode;
use serde_json::{Value, json};
use testkit::Lie;

use crate::support::{Answer, Api, Browser, PASSWORD, Visitor, request};

fn ada() -> Value {
    json!({"sub": "ada-1", "email": "ada@example.com", "email_verified": true, "name": "Ada Lovelace"})
}

fn somebody(subject: &str, email: &str) -> Value {
    json!({"sub": subject, "email": email, "email_verified": true})
}

/// The page of an answer with this status, which takes away what the browser kept.
#[track_caller]
fn page(answer: &Answer, status: u16) -> String {
    assert_eq!(answer.status, status, "{}", answer.body);
    if status == 400 {
        assert!(!answer.headers.contains_key(header::SET_COOKIE) || answer.body.as_str().unwrap().contains("Begin again"));
        return answer.body.as_str().unwrap().to_owned();
    }
    let cookies: Vec<_> = answer.headers.get_all(header::SET_COOKIE).iter().map(|value| value.to_str().unwrap()).collect();
    assert!(
        cookies.last().unwrap().starts_with("__Host-tidegate_log_in=; ") && cookies.last().unwrap().contains("Max-Age=0"),
        "{cookies:?}"
    );
    assert_eq!(cookies.len() == 2, status == 200 && answer.body.as_str().unwrap().contains("You are logged in"), "{cookies:?}");
    let policy = answer.headers[header::CONTENT_SECURITY_POLICY].to_str().unwrap();
    assert!(policy.starts_with("default-src 'none'") && answer.headers[header::REFERRER_POLICY] == "no-referrer");
    let html = answer.body.as_str().unwrap().to_owned();
    assert!(!html.contains("<script") && !html.contains("<sign-on>"), "{html}");
    html
}

/// The browser that has come back logged in.
#[track_caller]
fn logged_in(answer: &Answer) -> Browser {
    assert!(page(answer, 200).contains("You are logged in"));
    Browser::of(answer)
}

async fn me(api: &Api, browser: &Browser) -> Value {
    browser.get(api, "/auth/session").await.expect(200)
}

async fn password_log_in(api: &Api, email: &str) -> Answer {
    api.post_as_nobody("/auth/login", json!({"email": email, "password": PASSWORD})).await
}

#[tokio::test]
async fn who_comes_for_the_first_time_has_an_account_and_comes_to_it_again() {
    let api = Api::new().await;
    let first = logged_in(&api.comes(&ada()).await);
    let told = me(&api, &first).await;
    let person = &told["person"];
    assert_eq!((&person["email"], &person["verified"], &person["operator"]), (&json!("ada@example.com"), &json!(true), &json!(false)));
    assert_eq!((&told["organisations"][0]["name"], &told["organisations"][0]["role"]), (&json!("Ada Lovelace"), &json!("owner")));
    let org = told["organisations"][0]["id"].as_str().unwrap();
    first.post(&api, &format!("/orgs/{org}/keys"), json!({"name": "ci"})).await.expect(201);
    // Her address is another there meanwhile, and nobody confirms it. She is who she is.
    let again = logged_in(&api.comes(&json!({"sub": "ada-1", "email": "ada@example.org", "email_verified": true})).await);
    assert_ne!(again.cookie, first.cookie);
    assert_eq!(me(&api, &again).await["person"], *person);
    let audit = api.get("/audit").await.expect(200).to_string();
    assert!(audit.contains("person.link") && audit.contains("session.begin") && audit.contains("https://id.test/realm"), "{audit}");

    // She has no password, which looks as a wrong one does; with a link she chooses one.
    let wrong = password_log_in(&api, "ada@example.com").await;
    assert_eq!(wrong.body, password_log_in(&api, "eve@example.com").await.body);
    assert_eq!(wrong.fault(401).0, "wrong_credentials");
    let link = api.post("/people/reset-links", json!({"email": "ada@example.com"})).await.expect(201);
    api.post_as_nobody("/auth/reset", json!({"token": link["token"], "password": PASSWORD})).await.expect(200);
    password_log_in(&api, "ada@example.com").await.expect(200);
    assert_eq!(me(&api, &logged_in(&api.comes(&ada()).await)).await["person"], *person);
}

#[tokio::test]
async fn the_ways_to_log_in_are_told_to_everybody() {
    let told = async |api: &Api| api.send(request(Method::GET, "/auth/methods").body(Body::empty()).unwrap()).await.expect(200);
    let api = Api::with_sign_up(SignUpMode::Closed).await;
    assert_eq!(told(&api).await, json!({"password": true, "oidc": {"name": "Our <sign-on>"}, "signup": "closed"}));
    assert_eq!(told(&Api::new().await).await["signup"], "open");
    let api = Api::without_oidc().await;
    assert_eq!(told(&api).await["oidc"], Value::Null);
    for path in ["/auth/oidc/login", "/auth/oidc/callback?code=a&state=b"] {
        let answer = api.send(request(Method::GET, path).body(Body::empty()).unwrap()).await;
        assert!(answer.status == 404 && answer.body.as_str().unwrap().contains("No provider of identities is configured"));
    }
    assert_eq!(api.call(Method::POST, "/oidc/test", None).await.status, 404);
}

#[tokio::test]
async fn what_comes_back_is_believed_once_and_from_the_browser_that_began() {
    let api = Api::new().await;
    let visitor = api.visitor().await;
    let target = api.oidc.log_in(&visitor.url, &ada());
    // Somebody gets a browser to come back with an answer of theirs: whoever it belongs to would be logged in as them (login CSRF).
    let other = api.visitor().await;
    assert!(page(&other.back(&api, &target).await, 400).contains("Begin again"), "the state of another browser");
    let nothing = Visitor { url: String::new(), cookie: "a=b".into() };
    let refused = nothing.back(&api, &target).await;
    assert!(!refused.headers.contains_key(header::SET_COOKIE), "another window may still come back");
    page(&refused, 400);
    logged_in(&visitor.back(&api, &target).await);
    page(&visitor.back(&api, &target).await, 400);
    let fresh = api.oidc.log_in(&visitor.url, &ada());
    page(&visitor.back(&api, &fresh).await, 400);
    assert_eq!(api.oidc.calls().iter().filter(|call| *call == "POST /realm/token").count(), 1, "none of them asked for anything");

    // Neither one that was changed nor one that is as old as that.
    let visitor = api.visitor().await;
    let target = api.oidc.log_in(&visitor.url, &ada());
    let changed = Visitor { url: String::new(), cookie: format!("{}AAAA", visitor.cookie) };
    page(&changed.back(&api, &target).await, 400);
    let twice = Visitor { url: String::new(), cookie: format!("{0}; {0}", visitor.cookie) };
    page(&twice.back(&api, &target).await, 400);
    for query in ["", "?code=x", "?state=x", "?state=", "?code=a&code=b&state=c", "?error=access_denied"] {
        page(&visitor.back(&api, &format!("/api/v1/auth/oidc/callback{query}")).await, 400);
    }
    api.clock.advance_s(599);
    logged_in(&visitor.back(&api, &target).await);
    let late = api.visitor().await;
    let target = api.oidc.log_in(&late.url, &ada());
    api.clock.advance_s(600);
    page(&late.back(&api, &target).await, 400);
}

#[tokio::test]
async fn the_code_is_of_no_use_to_whoever_else_gets_it() {
    let api = Api::new().await;
    let (victim, thief) = (api.visitor().await, api.visitor().await);
    let stolen = api.oidc.log_in(&victim.url, &ada());
    let own = api.oidc.log_in(&thief.url, &somebody("eve-1", "eve@example.com"));
    let of =
        |target: &str, name: &str| target.split(['?', '&']).find_map(|pair| pair.strip_prefix(&format!("{name}="))).unwrap().to_owned();
    // Her code with his state: the provider wants the verifier that her browser keeps.
    let target = format!("/api/v1/auth/oidc/callback?code={}&state={}&iss=https://id.test/realm", of(&stolen, "code"), of(&own, "state"));
    page(&thief.back(&api, &target).await, 400);
}

#[tokio::test]
async fn one_goes_on_at_a_path_of_this_server_and_nowhere_else() {
    let api = Api::new().await;
    let html = page(&api.visitor_for("?next=/orgs%3Ftab%3Dkeys%26x").await.logs_in(&api, &ada()).await, 200);
    assert!(html.contains("<meta http-equiv=\"refresh\" content=\"0; url=../../../../orgs?tab=keys&amp;x\">"), "{html}");
    assert!(page(&api.comes(&ada()).await, 200).contains("content=\"0; url=../../../../\">"));
    for next in
        ["https://evil.example.com", "//evil.example.com", "/%5Cevil.example.com", "javascript:alert(1)", "%22%3E", "", "/%0d%0ax:y"]
    {
        let answer = api.send(request(Method::GET, &format!("/auth/oidc/login?next={next}")).body(Body::empty()).unwrap()).await;
        assert!(answer.status == 400 && !answer.headers.contains_key(header::LOCATION), "{next}: {}", answer.status);
    }
}

#[tokio::test]
async fn no_id_token_is_believed_that_is_not_for_this_log_in() {
    let api = Api::new().await;
    let lies = [
        Lie::Nonce,
        Lie::Expired,
        Lie::Audience,
        Lie::Issuer,
        Lie::AlgNone,
        Lie::PublicKeyAsSecret,
        Lie::ForeignKey,
        Lie::UnpublishedKey,
        Lie::MixedUp,
    ];
    for lie in lies {
        api.oidc.lies(lie);
        let html = page(&api.comes(&ada()).await, 502);
        assert!(html.contains("can&#39;t be believed") && html.contains("log in with your password"), "{lie:?} {html}");
        // A key that is not known is looked for once a minute.
        api.clock.advance_s(61);
    }
    api.oidc.lies(Lie::OtherSubject);
    api.oidc.is_thin();
    page(&api.comes(&ada()).await, 502);
    let audit = api.get("/audit").await.expect(200);
    assert_eq!(audit["data"].as_array().unwrap().iter().filter(|entry| entry["action"] == "person.create").count(), 0);
    api.oidc.lies(Lie::None);
    logged_in(&api.comes(&ada()).await);
}

#[tokio::test]
async fn either_kind_of_key_will_do_and_a_new_one_is_looked_for_once_a_minute() {
    let api = Api::new().await;
    let looks = || api.oidc.calls().iter().filter(|call| *call == "GET /realm/keys").count();
    for _ in 0..3 {
        logged_in(&api.comes(&ada()).await);
    }
    assert_eq!((looks(), api.oidc.calls().iter().filter(|call| call.contains("well-known")).count()), (1, 1));
    api.oidc.rotate();
    page(&api.comes(&ada()).await, 502);
    assert_eq!(looks(), 1, "they were looked for less than a minute ago");
    api.clock.advance_s(60);
    logged_in(&api.comes(&ada()).await);
    assert_eq!(looks(), 2);
    api.oidc.signs_with_rsa();
    api.clock.advance_s(60);
    logged_in(&api.comes(&ada()).await);
    // What was published once isn't believed for ever.
    api.oidc.lies(Lie::UnpublishedKey);
    api.clock.advance_s(3_600);
    page(&api.comes(&ada()).await, 502);
    assert_eq!(looks(), 4);
    for _ in 0..5 {
        page(&api.comes(&ada()).await, 502);
    }
    assert_eq!(looks(), 4, "whatever names are made up");
}

#[tokio::test]
async fn a_provider_that_is_down_is_told_soon_and_keeps_nobody_from_their_password() {
    let api = Api::new().await;
    api.sign_up("ada@example.com", "Analytical").await;
    api.oidc.lies(Lie::Down);
    let try_it = async || api.send(request(Method::GET, "/auth/oidc/login").body(Body::empty()).unwrap()).await;
    for _ in 0..60 {
        let answer = try_it().await;
        assert!(answer.status == 502 && answer.body.as_str().unwrap().contains("Try again in a minute"), "{}", answer.body);
    }
    assert_eq!(api.oidc.calls().len(), 1, "it isn't asked again at once");
    password_log_in(&api, "ada@example.com").await.expect(200);
    api.oidc.lies(Lie::None);
    assert_eq!(try_it().await.status, 502);
    api.clock.advance_s(5);
    let visitor = api.visitor().await;
    let target = api.oidc.log_in(&visitor.url, &somebody("bob-1", "bob@example.com"));
    api.oidc.lies(Lie::Down);
    page(&visitor.back(&api, &target).await, 502);
    page(&visitor.back(&api, &target).await, 400);
    for _ in 0..60 {
        let visitor = api.visitor().await;
        let target = api.oidc.log_in(&visitor.url, &ada());
        page(&visitor.back(&api, &target).await, 502);
    }
    password_log_in(&api, "ada@example.com").await.expect(200);
}

#[tokio::test]
async fn what_is_refused_at_the_provider_is_told_and_changes_nothing() {
    let api = Api::new().await;
    for (error, status, part) in [
        ("access_denied", 403, "Our &lt;sign-on&gt; did not let you in"),
        ("login_required", 403, "did not let you in"),
        ("server_error", 502, "can&#39;t be asked at this moment"),
        ("%3Cscript%3E", 502, "can&#39;t be asked"),
    ] {
        let visitor = api.visitor().await;
        let target = api.oidc.refuse(&visitor.url, error);
        let html = page(&visitor.back(&api, &target).await, status);
        assert!(html.contains(part) && !html.contains("No way"), "{error}: {html}");
        page(&visitor.back(&api, &target).await, 400);
    }
}

#[tokio::test]
async fn failures_are_limited_by_address_together_with_those_of_passwords() {
    let api = Api::new().await;
    api.oidc.lies(Lie::Nonce);
    for _ in 0..50 {
        page(&api.comes(&ada()).await, 502);
    }
    let refused = api.send(request(Method::GET, "/auth/oidc/login").body(Body::empty()).unwrap()).await;
    assert_eq!((refused.status.as_u16(), &refused.headers[header::RETRY_AFTER]), (429, &"900".parse().unwrap()));
    assert!(refused.body.as_str().unwrap().contains("Too many attempts"));
    assert_eq!(password_log_in(&api, "ada@example.com").await.status, 429);
    api.clock.advance_s(900);
    api.oidc.lies(Lie::None);
    for _ in 0..60 {
        logged_in(&api.comes(&ada()).await);
    }
    for n in 0..9 {
        logged_in(&api.comes(&somebody(&format!("n{n}"), &format!("n{n}@example.com"))).await);
    }
    assert!(
        page(&api.comes(&somebody("last", "last@example.com")).await, 429).contains("Too many attempts"),
        "sign-ups are limited as well"
    );
}

#[tokio::test]
async fn an_address_that_nobody_vouches_for_makes_no_account() {
    let api = Api::new().await;
    for claims in [
        json!({"sub": "1", "email": "ada@example.com", "email_verified": false}),
        json!({"sub": "1", "email": "ada@example.com"}),
        json!({"sub": "1", "email": "ada@example.com", "email_verified": "no"}),
        json!({"sub": "1", "email": "no address", "email_verified": true}),
        json!({"sub": "1"}),
    ] {
        let html = page(&api.comes(&claims).await, 403);
        assert!(html.contains("does not say that you have an address"), "{claims} {html}");
    }
    for domain in ["example.net", "sub.example.com", "notexample.com", "example.com.evil.net"] {
        page(&api.comes(&somebody("1", &format!("ada@{domain}"))).await, 403);
    }
    logged_in(&api.comes(&somebody("1", "ada@EXAMPLE.org")).await);
}

#[tokio::test]
async fn what_an_id_token_leaves_out_is_asked_for() {
    let api = Api::new().await;
    api.oidc.is_thin();
    let browser = logged_in(&api.comes(&ada()).await);
    assert_eq!(me(&api, &browser).await["person"]["name"], "Ada Lovelace");
    assert!(api.oidc.calls().contains(&"GET /realm/userinfo".into()));
}

#[tokio::test]
async fn who_may_have_an_account_made_is_who_may_sign_up() {
    let closed = Api::with_sign_up(SignUpMode::Closed).await;
    assert!(page(&closed.comes(&ada()).await, 403).contains("Nobody can sign up here"));
    let api = Api::with_sign_up(SignUpMode::Invite).await;
    assert!(page(&api.comes(&ada()).await, 403).contains("you need an invitation"));
    let org = api.org("Acme").await;
    api.post(&format!("/orgs/{org}/invitations"), json!({"email": "Ada@example.com", "role": "developer"})).await.expect(201);
    assert!(page(&api.comes(&somebody("2", "bob@example.com")).await, 403).contains("you need an invitation"));
    let browser = logged_in(&api.comes(&ada()).await);
    let told = me(&api, &browser).await;
    assert_eq!((&told["organisations"][0]["id"], &told["organisations"][0]["role"]), (&json!(org), &json!("developer")));
    assert_eq!(api.get(&format!("/orgs/{org}/invitations")).await.expect(200)["data"], json!([]));
}

#[tokio::test]
async fn an_account_with_a_password_is_linked_by_itself_only_where_its_address_was_shown() {
    let api = Api::with_mail().await;
    // Somebody signs up with her address and waits for her.
    let thief = api.sign_up("ada@example.com", "Trap").await;
    let link = api.mailbox.take().remove(0).text;
    let html = page(&api.comes(&ada()).await, 409);
    assert!(html.contains("log in with its password, and link it then"), "{html}");
    assert_eq!(me(&api, &thief).await["person"]["verified"], false);
    // What was sent to her was followed: it is hers.
    let token: String = link.split_once("#token=").unwrap().1.chars().take_while(char::is_ascii_hexdigit).collect();
    api.post_as_nobody("/auth/verify", json!({ "token": token })).await.expect(200);
    let browser = logged_in(&api.comes(&ada()).await);
    assert_eq!(me(&api, &browser).await["organisations"][0]["name"], "Trap");
    assert_eq!(api.mailbox.take().remove(0).subject, "There is another way to log in");

    // Where no mail is sent nothing is shown.
    let api = Api::new().await;
    let browser = api.sign_up("ada@example.com", "Analytical").await;
    assert_eq!(me(&api, &browser).await["person"]["verified"], true);
    page(&api.comes(&ada()).await, 409);
}

async fn begins_to_link(api: &Api, browser: &Browser) -> Visitor {
    let answer = browser.call(api, Method::POST, "/auth/oidc/links?next=/profile", None).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    Visitor::of(&answer, answer.body["url"].as_str().unwrap())
}

#[tokio::test]
async fn who_is_logged_in_links_it_with_their_account_and_takes_it_away() {
    let api = Api::new().await;
    let root = api.operator().await;
    let visitor = begins_to_link(&api, &root).await;
    let other_address = json!({"sub": "root-1", "email": "other@example.com", "email_verified": true});
    let answer = visitor.logs_in(&api, &other_address).await;
    let html = page(&answer, 200);
    assert!(html.contains("It is linked") && html.contains("url=../../../../profile"), "{html}");
    let again = logged_in(&api.comes(&other_address).await);
    assert_eq!(me(&api, &again).await["person"]["email"], "root@example.com");

    // What belongs to another stays theirs.
    logged_in(&api.comes(&ada()).await);
    let visitor = begins_to_link(&api, &root).await;
    assert!(page(&visitor.logs_in(&api, &ada()).await, 409).contains("belongs to another account"));
    // Who has logged out meanwhile links nothing.
    let visitor = begins_to_link(&api, &again).await;
    again.call(&api, Method::POST, "/auth/logout", None).await.expect(204);
    assert!(page(&visitor.logs_in(&api, &somebody("new", "new@example.com")).await, 403).contains("has ended"));

    let all = root.get(&api, "/auth/identities").await.expect(200);
    let entry = &all["data"][0];
    assert_eq!((all["data"].as_array().unwrap().len(), &entry["subject"]), (1, &json!("root-1")));
    let path = format!("/auth/identities/{}", entry["id"].as_str().unwrap());
    root.call(&api, Method::DELETE, &path, None).await.expect(204);
    assert_eq!(root.call(&api, Method::DELETE, &path, None).await.status, 404);
    assert_eq!(root.call(&api, Method::DELETE, "/auth/identities/nonsense", None).await.status, 404);
    let stranger = logged_in(&api.comes(&other_address).await);
    assert_eq!(me(&api, &stranger).await["person"]["operator"], false, "it is nobody's any more, and signs up");
    let own = stranger.get(&api, "/auth/identities").await.expect(200)["data"][0]["id"].as_str().unwrap().to_owned();
    let last = stranger.call(&api, Method::DELETE, &format!("/auth/identities/{own}"), None).await;
    assert!(last.message(409).contains("the only way in which you log in"));
}

#[tokio::test]
async fn to_link_is_a_write_that_no_other_page_makes() {
    let api = Api::new().await;
    let browser = api.sign_up("ada@example.com", "Analytical").await;
    for origin in [None, Some("https://evil.example.com")] {
        let builder = request(Method::POST, "/auth/oidc/links").header(header::COOKIE, &browser.cookie);
        let builder = origin.into_iter().fold(builder, |builder, origin| builder.header(header::ORIGIN, origin));
        assert_eq!(api.send(builder.body(Body::empty()).unwrap()).await.status, 403);
    }
    let wrong = browser.call(&api, Method::POST, "/auth/oidc/links?next=//evil.example.com", None).await;
    assert_eq!(wrong.fault(422).1.as_deref(), Some("next"));
    api.oidc.lies(Lie::Down);
    assert_eq!(browser.call(&api, Method::POST, "/auth/oidc/links", None).await.fault(502).0, "oidc_unreachable");
}

#[tokio::test]
async fn operators_see_whether_the_provider_can_be_had() {
    let api = Api::new().await;
    let test = async || api.call(Method::POST, "/oidc/test", None).await.expect(200);
    let told = test().await;
    assert_eq!((&told["ok"], &told["issuer"]), (&json!(true), &json!("https://id.test/realm")));
    assert_eq!(told["message"], "it can be reached; signing keys that can be used: 1");
    api.oidc.lies(Lie::OtherName);
    let message = test().await["message"].as_str().unwrap().to_owned();
    assert_eq!(message, "discovery: it calls itself https://other.example.com; if that is right, set issuer in [oidc] to just that");
    api.oidc.lies(Lie::Down);
    assert_eq!(test().await["message"], "discovery: status 503");
    api.oidc.lies(Lie::None);
    assert_eq!(test().await["ok"], true);
}
