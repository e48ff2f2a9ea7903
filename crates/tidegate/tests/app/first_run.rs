//! What a first start leaves behind, what a further one keeps, and what stops a start.

use std::os::unix::fs::PermissionsExt as _;
use std::sync::Arc;

use app::Settings;
use domain::ApiKey;
use serde_json::{Value, json};
use tempfile::TempDir;
use testkit::Call;

use crate::server::{Server, chat, provider, settings, try_start};

fn mode(path: &std::path::Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[tokio::test]
async fn the_data_folder_and_its_secrets_are_for_their_owner_alone() {
    let server = Server::start("").await;
    let data = server.running.data_dir.clone();
    assert_eq!(mode(&data), 0o700);
    for name in ["operator-token", "secret-key", "demo-key", "setup-link", "server-url", "tidegate.db"] {
        assert_eq!(mode(&data.join(name)), 0o600, "{name}");
    }
    assert_eq!(std::fs::read_to_string(data.join("operator-token")).unwrap().trim(), server.token());
    assert_eq!(std::fs::read_to_string(data.join("server-url")).unwrap().trim(), format!("http://{}", server.running.addr));
    server.running.shutdown().await;
    assert!(!data.join("server-url").exists());
}

#[tokio::test]
async fn the_demo_key_works_for_the_demo_and_nothing_else() {
    let server = Server::start("").await;
    let demo = server.running.demo.clone().unwrap();
    let line = std::fs::read_to_string(&demo.file).unwrap();
    assert_eq!(line.trim(), demo.curl());
    assert!(line.contains(&format!("http://{}/v1/chat/completions", server.running.addr)) && line.contains(demo.key.expose()));
    for model in ["demo-small", "demo-medium", "demo-large"] {
        let answer = server.chat(demo.key.expose(), model).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert!(answer.text().to_lowercase().contains("simulated"), "{}", answer.text());
    }
    assert_eq!(server.chat(demo.key.expose(), "llama-3.3-70b").await.status, 403);
    let models = Call::get("/v1/models").key(demo.key.expose()).send(server.running.addr).await.json();
    let ids: Vec<_> = models["data"].as_array().unwrap().iter().map(|m| m["id"].as_str().unwrap().to_owned()).collect();
    assert_eq!(ids, ["demo-small", "demo-medium", "demo-large"].map(String::from), "{models}");
    server.running.shutdown().await;
}

#[tokio::test]
async fn a_further_start_keeps_token_key_organisations_and_what_was_deleted_stays_so() {
    let first = Server::start("").await;
    let (token, demo) = (first.token(), first.running.demo.clone().unwrap());
    let (org, key) = first.org("growth").await;
    assert_eq!(first.operator("DELETE", "/plans/enterprise", Value::Null).await.status, 204);
    let folder = Arc::clone(&first.folder);
    first.running.shutdown().await;

    let second = Server::start_in(folder, "", 2).await;
    assert_eq!(second.token(), token);
    assert_eq!(second.running.demo.as_ref().map(|d| &d.key), Some(&demo.key));
    assert_eq!(second.operator("GET", &format!("/orgs/{org}"), Value::Null).await.json()["plan"], "growth");
    assert_eq!(second.chat(&key, "demo-large").await.status, 200);
    assert_eq!(second.operator("GET", "/plans/enterprise", Value::Null).await.status, 404);
    let orgs = second.operator("GET", "/orgs", Value::Null).await.json();
    assert_eq!(orgs["data"].as_array().unwrap().len(), 2, "the demo's organisation is made once: {orgs}");
    second.running.shutdown().await;
}

#[tokio::test]
async fn no_demo_key_works_on_a_listener_that_others_reach() {
    let local = Server::start("").await;
    let key = local.running.demo.clone().unwrap().key;
    let folder = Arc::clone(&local.folder);
    local.running.shutdown().await;

    let open = Server::start_in(Arc::clone(&folder), "[server]\nlisten = \"0.0.0.0:0\"", 2).await;
    assert!(open.running.demo.is_none());
    assert!(open.running.url.starts_with("http://127.0.0.1:"), "no link names any address: {}", open.running.url);
    let addr = format!("127.0.0.1:{}", open.running.addr.port()).parse().unwrap();
    assert_eq!(chat("demo-small").key(key.expose()).send(addr).await.status, 401);
    assert!(!open.running.data_dir.join("demo-key").exists());
    open.running.shutdown().await;

    let again = Server::start_in(folder, "", 3).await;
    let new: ApiKey = again.running.demo.clone().unwrap().key;
    assert_ne!(new.expose(), key.expose());
    assert_eq!(again.chat(new.expose(), "demo-small").await.status, 200);
    assert_eq!(again.chat(key.expose(), "demo-small").await.status, 401);
    again.running.shutdown().await;
}

#[tokio::test]
async fn configured_providers_take_the_place_of_the_demo_unless_it_is_asked_for() {
    let first = Server::start("").await;
    let key = first.running.demo.clone().unwrap().key;
    let folder = Arc::clone(&first.folder);
    first.running.shutdown().await;
    let text = provider("http://127.0.0.1:9/v1");

    let second = Server::start_in(Arc::clone(&folder), &text, 2).await;
    assert!(second.running.demo.is_none());
    assert_eq!(second.chat(key.expose(), "demo-small").await.status, 401);
    assert_eq!(second.operator("GET", "/providers/demo", Value::Null).await.status, 404);
    let (_, own) = second.org("starter").await;
    assert_eq!(second.chat(&own, "demo-small").await.status, 404);
    assert_eq!(second.operator("GET", "/models/m", Value::Null).await.json()["managed_by"], "file");
    second.running.shutdown().await;

    let third = try_start(settings(&text, &folder, true), 3).await.unwrap();
    let demo = third.demo.clone().unwrap();
    assert_eq!(chat("demo-small").key(demo.key.expose()).send(third.addr).await.status, 200);
    third.shutdown().await;
}

#[tokio::test]
async fn the_file_overrides_by_id_and_deletes_nothing() {
    let text = "[[plans]]\nid = \"free\"\nlimits = [{ any = true, rpm = 3 }]";
    let server = Server::start(text).await;
    let free = server.operator("GET", "/plans/free", Value::Null).await.json();
    assert_eq!((&free["managed_by"], &free["limits"][0]["any"], &free["limits"][0]["rpm"]), (&json!("file"), &json!(true), &json!(3)));
    assert_eq!(server.operator("GET", "/plans/growth", Value::Null).await.status, 200);
    let folder = Arc::clone(&server.folder);
    server.running.shutdown().await;
    let server = Server::start_in(folder, "", 2).await;
    assert_eq!(server.operator("GET", "/plans/free", Value::Null).await.json()["limits"][0]["rpm"], 3);
    server.running.shutdown().await;
}

#[tokio::test]
async fn a_given_operator_token_is_the_one_that_counts() {
    let folder = TempDir::new().unwrap();
    let given = Settings { operator_token: Some("a-token-from-the-environment".into()), ..settings("", &folder, false) };
    let running = try_start(given, 1).await.unwrap();
    let orgs = |token: &str| Call::get("/api/v1/orgs").key(token);
    assert_eq!(orgs("a-token-from-the-environment").send(running.addr).await.status, 200);
    assert_eq!(orgs("another").send(running.addr).await.status, 401);
    assert!(!running.data_dir.join("operator-token").exists());
    running.shutdown().await;
}

#[tokio::test]
async fn what_stops_a_start_is_said_in_one_line() {
    let folder = TempDir::new().unwrap();
    let first = try_start(settings("", &folder, false), 1).await.unwrap();

    let taken = format!("[server]\nlisten = \"{}\"", first.addr);
    let elsewhere = TempDir::new().unwrap();
    let error = try_start(settings(&taken, &elsewhere, false), 2).await.unwrap_err().to_string();
    assert!(error.contains("is taken") && error.contains("--listen") && !error.contains('\n'), "{error}");
    assert!(!elsewhere.path().join("data").exists(), "a taken port leaves no trace");

    let error = try_start(settings("", &folder, false), 2).await.unwrap_err().to_string();
    assert!(error.contains("in use by another server") && error.contains("--data-dir") && !error.contains('\n'), "{error}");
    first.shutdown().await;

    let foreign = "[server]\nlisten = \"192.0.2.1:80\"";
    let error = try_start(settings(foreign, &folder, false), 2).await.unwrap_err().to_string();
    assert!(error.contains("is not an address of this machine") && !error.contains('\n'), "{error}");

    let occupied = TempDir::new().unwrap();
    std::fs::write(occupied.path().join("data"), "a file where the folder would be").unwrap();
    let error = try_start(settings("", &occupied, false), 2).await.unwrap_err().to_string();
    assert!(error.contains("--data-dir") && !error.contains('\n'), "{error}");

    let no_cert = "[server]\ntls = { cert = \"/no/cert.pem\", key = \"/no/key.pem\" }";
    let error = try_start(settings(no_cert, &elsewhere, false), 2).await.unwrap_err().to_string();
    assert!(error.contains("/no/cert.pem") && error.contains("PEM") && !error.contains('\n'), "{error}");
}

#[tokio::test]
async fn the_link_of_a_start_leads_to_a_page_that_sets_up_the_first_operator() {
    let first = Server::start("").await;
    let link = |server: &Server| std::fs::read_to_string(server.running.data_dir.join("setup-link")).unwrap().trim().to_owned();
    let earlier = link(&first);
    let folder = Arc::clone(&first.folder);
    first.running.shutdown().await;

    let server = Server::start_in(folder, "", 2).await;
    let addr = server.running.addr;
    let url = link(&server);
    assert_eq!(server.running.setup.as_ref().map(|link| link.url.clone()), Some(url.clone()));
    let (page, token) = url.split_once("#token=").unwrap();
    assert_eq!(page, format!("http://{addr}/setup"));
    let shown = Call::get("/setup").send(addr).await;
    let policy = shown.headers.get("content-security-policy").unwrap().to_owned();
    assert!(policy.starts_with("default-src 'none'; script-src 'self'; style-src 'self'") && !policy.contains("unsafe"), "{policy}");
    let html = shown.text();
    assert!(html.contains("data-to=\"api/v1/auth/setup\"") && !html.contains(" style=") && !html.contains("onclick"), "{html}");
    for (file, kind) in [("pages/account.js", "text/javascript"), ("pages/pages.css", "text/css")] {
        assert!(html.contains(&format!("\"{file}\"")));
        let served = Call::get(&format!("/{file}")).send(addr).await;
        assert_eq!(served.status, 200);
        assert!(served.headers.get("content-type").unwrap().starts_with(kind));
    }
    let set_up = async |token: &str| {
        let body = json!({"token": token, "email": "root@example.com", "password": "correct horse battery"});
        Call::post("/api/v1/auth/setup", &body).send(addr).await.status
    };
    assert_eq!(set_up(earlier.split_once("#token=").unwrap().1).await, 422, "each start makes a new one");
    assert_eq!(set_up(token).await, 201);
    assert_eq!(set_up(token).await, 422, "it works once");
    let folder = Arc::clone(&server.folder);
    server.running.shutdown().await;

    let third = Server::start_in(folder, "", 3).await;
    assert!(third.running.setup.is_none() && !third.running.data_dir.join("setup-link").exists(), "there is an operator");
    third.running.shutdown().await;
}
