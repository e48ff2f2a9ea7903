//! The binary where people log in with a provider of identities: nothing that is secret on the way is in its log, and the doctor says whether the
//! provider can be had.

use std::io::Read as _;
use std::sync::Arc;

use app::SystemClock;
use domain::Clock as _;
use serde_json::json;
use tempfile::TempDir;
use testkit::{Call, FakeOidc, Lie, Script, Upstream};

use crate::process::{run, serve, signal};

const SECRET: &str = "the-secret-of-the-client";

fn now_s() -> i64 {
    SystemClock.now().wall.0 / 1_000_000
}

async fn provider() -> (Arc<FakeOidc>, Upstream) {
    let server = Upstream::start().await;
    let oidc = Arc::new(FakeOidc::new(&format!("http://{}", server.addr()), "tidegate", SECRET));
    let behind = Arc::clone(&oidc);
    server.otherwise(move |request| {
        let header = |name: &str| request.headers.get(name).map(str::to_owned);
        let (status, answer) = behind.answer(&request.method, &request.path, header, &String::from_utf8_lossy(&request.body), now_s());
        Script::json(status, &answer)
    });
    (oidc, server)
}

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_of_a_log_in_is_logged_and_the_doctor_asks_the_provider() {
    let (oidc, server) = provider().await;
    let folder = TempDir::new().unwrap();
    std::fs::write(folder.path().join("secret"), format!("{SECRET}\n")).unwrap();
    let config = format!(
        "[signup]\nmode = \"open\"\n[oidc]\nissuer = \"http://{}\"\nclient_id = \"tidegate\"\nclient_secret_file = \"secret\"\n",
        server.addr()
    );
    std::fs::write(folder.path().join("tidegate.toml"), config).unwrap();
    let (mut child, said) = serve(folder.path(), &["--data-dir", "data"]);
    let addr = said["url"].as_str().unwrap().strip_prefix("http://").unwrap().parse().unwrap();

    let mut secrets = vec![SECRET.to_owned()];
    for lie in [Lie::None, Lie::Nonce, Lie::AlgNone, Lie::None] {
        oidc.lies(lie);
        let begun = Call::get("/api/v1/auth/oidc/login").send(addr).await;
        let cookie = begun.header("set-cookie").unwrap().split(';').next().unwrap().to_owned();
        let url = begun.header("location").unwrap();
        let claims = json!({"sub": "ada-1", "email": "ada@example.com", "email_verified": true, "name": "Ada"});
        let target = oidc.log_in(url, &claims);
        let answer = Call::get(&target).header("cookie", &cookie).send(addr).await;
        assert_eq!(answer.status, if lie == Lie::None { 200 } else { 502 }, "{}", answer.text());
        assert!(oidc.secrets().iter().all(|secret| !answer.text().contains(secret)), "{}", answer.text());
        if lie == Lie::None {
            secrets.push(answer.header("set-cookie").unwrap().split(['=', ';']).nth(1).unwrap().to_owned());
        }
        secrets.push(cookie.split_once('=').unwrap().1.to_owned());
        let values = url.split(['?', '&']).filter_map(|pair| pair.split_once('='));
        secrets.extend(values.filter(|(name, _)| ["state", "nonce"].contains(name)).map(|(_, value)| value.to_owned()));
    }
    secrets.extend(oidc.secrets());
    assert!(secrets.len() > 20, "{secrets:?}");

    let doctor = async || {
        let path = folder.path().to_owned();
        tokio::task::spawn_blocking(move || run(&path, &["doctor", "--data-dir", "data"])).await.unwrap()
    };
    let (_, out, _) = doctor().await;
    let line = |out: &str| out.lines().find(|line| line.contains("log-in")).unwrap_or_else(|| panic!("{out}")).to_owned();
    assert!(line(&out).starts_with("ok ") && line(&out).contains("it can be reached; signing keys that can be used: 1"), "{out}");
    oidc.lies(Lie::Down);
    let (code, out, _) = doctor().await;
    assert!(code == 1 && line(&out).starts_with("wrong ") && line(&out).contains("discovery: status 503"), "{out}");

    signal(&child.0, rustix::process::Signal::TERM);
    let mut logs = String::new();
    child.0.stderr.take().unwrap().read_to_string(&mut logs).unwrap();
    assert_eq!(child.0.wait().unwrap().code(), Some(0), "{logs}");
    for told in ["it was made for another log-in", "an algorithm that is not taken here", "/api/v1/auth/oidc/callback"] {
        assert!(logs.contains(told), "{told}: {logs}");
    }
    for secret in secrets {
        assert!(!logs.contains(&secret), "{secret}: {logs}");
    }
}
