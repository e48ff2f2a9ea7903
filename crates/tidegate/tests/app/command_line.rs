//! The management commands against a running server, for people and as JSON.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};

use app::cli::{self, Cli, Exit, Surroundings};
use serde_json::{Value, json};
use testkit::{Call, Gate, Reply, Script, Upstream};

use crate::server::{Server, provider};

/// What a command wrote and how it ended; `Err`: the line on standard error.
type Ran = Result<(Exit, String), String>;

struct Shell {
    data_dir: String,
    surroundings: Surroundings,
}

impl Shell {
    fn of(server: &Server) -> Self {
        Self { data_dir: server.running.data_dir.display().to_string(), surroundings: Surroundings::default() }
    }

    async fn run(&self, line: &[&str]) -> Ran {
        let args = ["tidegate", "--data-dir", &self.data_dir].into_iter().chain(line.iter().copied()).map(OsString::from);
        let cli = Cli::read(args).map_err(|e| format!("usage: {e}"))?;
        let mut out = Vec::new();
        let exit = cli::run(cli, &self.surroundings, &mut out).await.map_err(|e| format!("{e:#}"))?;
        Ok((exit, String::from_utf8(out).unwrap()))
    }

    async fn said(&self, line: &[&str]) -> String {
        let (exit, said) = self.run(line).await.unwrap_or_else(|e| panic!("{line:?}: {e}"));
        assert_eq!(exit, Exit::Done, "{line:?}: {said}");
        said
    }

    async fn json(&self, line: &[&str]) -> Value {
        let said = self.said(&[line, &["--json"]].concat()).await;
        serde_json::from_str(&said).unwrap_or_else(|e| panic!("{line:?}: {e}\n{said}"))
    }
}

#[tokio::test]
async fn organisations_from_making_to_custom_limits() {
    let server = Server::start("").await;
    let shell = Shell::of(&server);
    let org = shell.json(&["org", "create", "acme", "--plan", "starter"]).await;
    let id = org["id"].as_str().unwrap();
    assert!(shell.said(&["org", "create", "other", "--plan", "free"]).await.contains("on plan free"));
    let listed = shell.said(&["org", "list", "-q", "acme"]).await;
    assert!(listed.starts_with("ID ") && listed.contains(id) && !listed.contains("other"), "{listed}");
    assert_eq!(shell.json(&["org", "list"]).await["data"].as_array().unwrap().len(), 3);
    let shown = shell.said(&["org", "show", "acme"]).await;
    assert!(shown.contains("category:large") && shown.contains("rpm 45, tpm 30000"), "{shown}");
    assert!(shell.said(&["org", "set-plan", id, "growth"]).await.contains("is on plan growth from the next request on"));

    let pools = shell.json(&["org", "limits", id]).await;
    let large = pools["data"].as_array().unwrap().iter().find(|p| p["pool"] == "category:large" && p["kind"] == "requests").unwrap();
    assert_eq!((&large["limit"], &large["source"]), (&json!(150), &json!("plan")));
    let custom = ["org", "limits", id, "--row", "category=large,rpm=7,reason=agreed", "--row", "any=true,tpm=1000"];
    let table = shell.said(&custom).await;
    assert!(table.contains("custom") && table.contains("any"), "{table}");
    assert!(!shell.said(&["org", "limits", id, "--clear"]).await.contains("custom"));
    for (line, part) in [
        (&["org", "show", "nobody"][..], "there is no organisation named \"nobody\""),
        (&["org", "create", "x", "--plan", "platinum"], "platinum"),
        (&["org", "limits", id, "--row", "rpn=1"], "unknown key \"rpn\""),
        (&["org", "show", "org_01J9Z3K8M2Q4R6T8V0W2X4Y6Z8"], "organisation"),
    ] {
        let error = shell.run(line).await.unwrap_err();
        assert!(error.contains(part) && !error.contains('\n'), "{line:?}: {error}");
    }
    server.running.shutdown().await;
}

#[tokio::test]
async fn keys_are_made_shown_once_listed_and_revoked() {
    let server = Server::start("").await;
    let shell = Shell::of(&server);
    shell.said(&["org", "create", "acme", "--plan", "starter"]).await;
    let key = shell.json(&["key", "create", "--org", "acme", "--name", "prod", "--model", "demo-small", "--rpm", "5"]).await;
    let (id, secret) = (key["id"].as_str().unwrap(), key["key"].as_str().unwrap());
    assert_eq!(server.chat(secret, "demo-small").await.status, 200);
    assert_eq!(server.chat(secret, "demo-large").await.status, 403);
    let made = shell.said(&["key", "create", "--org", "acme"]).await;
    assert!(made.starts_with("tg_") && made.contains("shown this once"), "{made}");
    let listed = shell.said(&["key", "list", "--org", "acme"]).await;
    assert!(listed.contains("prod") && listed.contains(&secret[..7]) && !listed.contains(secret), "{listed}");
    assert!(shell.said(&["key", "revoke", id, "--org", "acme"]).await.contains("refused from the next request on"));
    assert_eq!(server.chat(secret, "demo-small").await.status, 401);
    server.running.shutdown().await;
}

/// Adds, lists, tests and removes keys of the provider `up`, whose first is `a-credential`.
async fn several_keys(shell: &mut Shell, upstream: &Upstream) {
    shell.surroundings.environment.insert("OTHER_KEY".into(), "another-credential".into());
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "third-credential\n").unwrap();
    let path = file.path().display().to_string();
    let added = shell.said(&["provider", "key", "add", "up", "--api-key-env", "OTHER_KEY"]).await;
    assert!(added.starts_with("up has the key cred_") && added.trim_end().ends_with("from the next request on"), "{added}");
    let third = shell.json(&["provider", "key", "add", "up", "--api-key-file", &path]).await;
    let id = third["id"].as_str().unwrap();
    let listed = shell.said(&["provider", "key", "list", "up"]).await;
    assert!(listed.matches("stored").count() == 3 && listed.contains(id) && !listed.contains("-credential"), "{listed}");
    assert_eq!(shell.json(&["provider", "key", "list", "up"]).await["data"].as_array().unwrap().len(), 3);

    // Each is answered only once all are there: they are asked at the same time.
    let (all_there, count, refused) = (Gate::new(), AtomicUsize::new(0), Arc::new(AtomicBool::new(false)));
    let is_refused = Arc::clone(&refused);
    upstream.otherwise(move |received| {
        if count.fetch_add(1, SeqCst) == 2 {
            all_there.open();
        }
        let is_third = received.headers.get("authorization") == Some("Bearer third-credential");
        let models = json!({ "object": "list", "data": [{ "id": "one" }] });
        let script = if is_third && is_refused.load(SeqCst) { Script::error(401, "no") } else { Script::json(200, &models) };
        script.after(&all_there)
    });
    let tested = shell.said(&["provider", "test", "up"]).await;
    assert!(tested.contains("up: fine") && tested.contains("with each of its 3 keys"), "{tested}");
    let received = upstream.received();
    let sent: BTreeSet<_> = received.iter().rev().take(3).map(|r| r.headers.get("authorization").unwrap()).collect();
    assert_eq!(sent.into_iter().collect::<Vec<_>>(), ["Bearer a-credential", "Bearer another-credential", "Bearer third-credential"]);
    refused.store(true, SeqCst);
    let (exit, tested) = shell.run(&["provider", "test", "up"]).await.unwrap();
    assert!(exit == Exit::Failed && tested.contains(id) && tested.contains("check the API key") && tested.contains("one"), "{tested}");

    assert!(shell.said(&["provider", "key", "remove", "up", id]).await.contains("is called without cred_"));
    assert!(!shell.said(&["provider", "key", "list", "up"]).await.contains(id));
    for (line, part) in [
        (&["provider", "key", "remove", "up", id][..], "has no key cred_"),
        (&["provider", "key", "add", "up", "--api-key-env", "OTHER_KEY"], "has this key already, as cred_"),
        (&["provider", "key", "add", "nobody", "--api-key-env", "OTHER_KEY"], "here is no provider \"nobody\""),
        (&["provider", "key", "add", "up"], "usage"),
        (&["provider", "key", "list", "nobody"], "here is no provider \"nobody\""),
    ] {
        let error = shell.run(line).await.unwrap_err();
        assert!(error.contains(part), "{line:?}: {error}");
    }
}

#[tokio::test]
async fn providers_and_models() {
    let upstream = Upstream::start().await;
    let server = Server::start("").await;
    let mut shell = Shell::of(&server);
    shell.surroundings.environment.insert("UP_KEY".into(), "a-credential".into());
    let base_url = upstream.base_url();
    let added = shell.json(&["provider", "add", "up", "--kind", "openai", "--base-url", &base_url, "--api-key-env", "UP_KEY"]).await;
    assert_eq!((&added["name"], &added["credential"]), (&json!("up"), &json!("stored")));
    let listed = shell.said(&["provider", "list"]).await;
    assert!(listed.contains("up") && listed.contains("demo") && !listed.contains("a-credential"), "{listed}");
    upstream.push(Script::json(200, &json!({ "object": "list", "data": [{ "id": "one" }, { "id": "two" }] })));
    let tested = shell.said(&["provider", "test", "up"]).await;
    assert!(tested.contains("up: fine") && tested.contains("one") && tested.contains("two"), "{tested}");
    let asked = upstream.received().pop().unwrap();
    assert_eq!((asked.path.as_str(), asked.headers.get("authorization")), ("/v1/models", Some("Bearer a-credential")));
    upstream.push(Script::error(401, "no"));
    let (exit, tested) = shell.run(&["provider", "test", "up", "--json"]).await.unwrap();
    assert!(exit == Exit::Failed && tested.contains("check the API key") && !tested.contains("a-credential"), "{tested}");
    several_keys(&mut shell, &upstream).await;
    let models = shell.said(&["model", "list"]).await;
    assert!(models.contains("llama-3.3-70b") && models.contains("medium") && models.contains("demo"), "{models}");
    assert!(shell.json(&["model", "list"]).await["data"].as_array().unwrap().len() >= 11);
    let state = shell.said(&["provider", "state", "demo"]).await;
    assert!(state.starts_with("demo is enabled") && state.contains("(no key)") && state.contains("healthy"), "{state}");
    assert!(shell.json(&["provider", "state", "demo"]).await["targets"].as_array().unwrap().len() > 1);
    let way = shell.said(&["model", "route", "demo-small", "--input", "100", "--needs", "tools,vision"]).await;
    assert!(way.contains("demo") && way.contains("try"), "{way}");
    assert!(shell.said(&["model", "route", "llama-3.3-70b"]).await.contains("no provider has llama-3.3-70b"));
    let error = shell.run(&["model", "route", "llama-3.3-70b", "--needs", "telepathy"]).await.unwrap_err();
    assert!(error.contains("telepathy") || error.contains("tools"), "{error}");
    let error = shell.run(&["provider", "add", "x", "--kind", "openai", "--api-key-env", "NOT_SET"]).await.unwrap_err();
    assert!(error.contains("NOT_SET is not set"), "{error}");
    server.running.shutdown().await;
}

#[tokio::test]
async fn apply_shows_a_difference_and_prunes_only_when_asked() {
    let upstream = Upstream::start().await;
    let server = Server::start("").await;
    let shell = Shell::of(&server);
    let file = server.folder.path().join("wanted.toml");
    let path = file.display().to_string();
    std::fs::write(&file, format!("{}[[plans]]\nid = \"free\"\nlimits = [{{ any = true, rpm = 9 }}]\n", provider(&upstream.base_url())))
        .unwrap();

    let would = shell.said(&["apply", &path, "--dry-run"]).await;
    assert!(
        would.contains("+ provider up") && would.contains("+ model m") && would.contains("~ plan free") && would.contains("would change"),
        "{would}"
    );
    assert_eq!(server.operator("GET", "/models/m", Value::Null).await.status, 404);
    let done = shell.json(&["apply", &path]).await;
    assert_eq!(done["changes"].as_array().unwrap().len(), 3, "{done}");
    upstream.reply(Reply::of(3, 2));
    let (_, key) = server.org("free").await;
    assert_eq!(server.chat(&key, "m").await.status, 200);
    assert!(shell.said(&["apply", &path]).await.contains("nothing to change"));

    assert_eq!(server.operator("GET", "/models/gpt-oss-120b", Value::Null).await.status, 200);
    let error = shell.run(&["apply", &path, "--prune"]).await.unwrap_err();
    assert!(error.contains("starter"), "the demo's organisation is on a plan that would go: {error}");
    std::fs::write(&file, "[[plans]]\nid = \"free\"\nlimit = []").unwrap();
    let error = shell.run(&["apply", &path]).await.unwrap_err();
    assert!(error.contains("wanted.toml:3:1: unknown key \"limit\"; did you mean \"limits\"?"), "{error}");
    server.running.shutdown().await;
}

#[tokio::test]
async fn explain_tells_what_was_decided_about_a_request() {
    let upstream = Upstream::start().await;
    let server = Server::start(&provider(&upstream.base_url())).await;
    let shell = Shell::of(&server);
    let (_, key) = server.org("growth").await;
    upstream.push(Script::error(503, "overloaded"));
    let answer = server.chat(&key, "m").await;
    assert_eq!(answer.status, 502, "{}", answer.text());
    let id = answer.header("x-request-id").unwrap();
    let told = until_told(&shell, id).await;
    assert!(told.contains("admitted by ") && told.contains("failed by up with status 502; 1 attempt at providers"), "{told}");
    assert!(told.contains("ATTEMPT AT") && told.contains("overloaded"), "{told}");
    assert_eq!(shell.json(&["explain", id]).await["attempts"][0]["end"], "overloaded");
    let error = shell.run(&["explain", "req_01J9Z3K8M2Q4R6T8V0W2X4Y6Z8"]).await.unwrap_err();
    assert!(error.contains("Nothing is known of the request"), "{error}");
    server.running.shutdown().await;
}

#[tokio::test]
async fn what_was_recorded_is_replayed() {
    let upstream = Upstream::start().await;
    let server = Server::start(&provider(&upstream.base_url())).await;
    let shell = Shell::of(&server);
    let (org, key) = server.org("growth").await;
    for _ in 0..3 {
        assert_eq!(server.chat(&key, "m").await.status, 200);
    }
    let mut lines = String::new();
    for _ in 0..10_000 {
        lines =
            server.operator("GET", &format!("/orgs/{org}/requests?format=jsonl&order=oldest&status=answered"), Value::Null).await.text();
        if lines.lines().count() == 3 {
            break;
        }
    }
    let file = server.folder.path().join("requests.jsonl");
    std::fs::write(&file, &lines).unwrap();
    let result = shell.json(&["replay", file.to_str().unwrap(), "--limit", "rpm=2"]).await;
    let pool = &result["plans"][0]["pools"][0];
    assert_eq!((&pool["requests"], &pool["admitted"], &pool["refused"]), (&json!(3), &json!(2), &json!(1)), "{result:#}\n{lines}");
    server.running.shutdown().await;
}

async fn until_told(shell: &Shell, id: &str) -> String {
    for _ in 0..10_000 {
        if let Ok((_, said)) = shell.run(&["explain", id]).await {
            return said;
        }
    }
    panic!("{id} is not told")
}

#[tokio::test]
async fn errors_say_what_to_do() {
    let server = Server::start("").await;
    let mut shell = Shell::of(&server);
    shell.surroundings.environment.insert("TIDEGATE_OPERATOR_TOKEN".into(), "wrong".into());
    let error = shell.run(&["org", "list"]).await.unwrap_err();
    assert!(error.contains("does not take the operator token from TIDEGATE_OPERATOR_TOKEN"), "{error}");
    shell.surroundings.environment.insert("TIDEGATE_OPERATOR_TOKEN".into(), server.token());
    let url = format!("http://{}", server.running.addr);
    shell.data_dir = "/no/such/folder".into();
    assert!(shell.said(&["org", "list", "--url", &url]).await.contains("Demo"));
    server.running.shutdown().await;
    let error = shell.run(&["org", "list", "--url", &url]).await.unwrap_err();
    assert!(error.contains("no server answers at") && error.contains("tidegate serve"), "{error}");
    shell.surroundings.environment.clear();
    let error = shell.run(&["org", "list", "--url", &url]).await.unwrap_err();
    assert!(error.contains("there is no operator token in /no/such/folder"), "{error}");
}

#[tokio::test]
async fn doctor_finds_what_is_wrong() {
    let server = Server::start("").await;
    let shell = Shell::of(&server);
    let healthy = shell.said(&["doctor"]).await;
    assert!(healthy.contains("takes the operator token") && healthy.contains("none but the simulated demo"), "{healthy}");
    assert_eq!(shell.json(&["doctor"]).await["ok"], true);
    let token = server.running.data_dir.join("operator-token");
    open_to_all(&token);
    let (exit, said) = shell.run(&["doctor"]).await.unwrap();
    assert_eq!(exit, Exit::Failed);
    assert!(said.contains("others can read") && said.contains("chmod 600"), "{said}");
    server.running.shutdown().await;
    let (exit, said) = shell.run(&["doctor", "--json"]).await.unwrap();
    assert_eq!(exit, Exit::Failed);
    assert!(said.contains("no server answers"), "{said}");
}

fn open_to_all(path: &Path) {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o644)).unwrap();
}

#[tokio::test]
async fn the_openapi_document_needs_no_server() {
    let shell = Shell { data_dir: "/no/such/folder".into(), surroundings: Surroundings::default() };
    let document = shell.json(&["openapi"]).await;
    assert!(document["openapi"].as_str().unwrap().starts_with("3."));
    assert!(document["paths"]["/api/v1/orgs"].is_object());
}

#[tokio::test]
async fn the_server_is_found_by_its_data_folder() {
    let server = Server::start("").await;
    assert_eq!(Call::get("/healthz").send(server.running.addr).await.status, 200);
    assert!(Shell::of(&server).said(&["doctor"]).await.contains(&format!("answers at http://{}", server.running.addr)));
    server.running.shutdown().await;
}
