//! `tidegate backup` beside a server under load, and `tidegate restore` of it: what was answered before the backup is in it to the
//! token, what came after is not, and nothing that is there is overwritten unasked.

use std::os::unix::fs::PermissionsExt as _;
use std::rc::Rc;
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::time::{Instant, sleep};

use crate::account::call;
use crate::client::{End, Seen};
use crate::load::{Load, Mood, config, new_org, on_one_thread};
use crate::provider::{Errand, Provider, Way};
use crate::server::{Server, Start};
use crate::tell;
use crate::usage;

const WINDOW: Duration = Duration::from_secs(2);

#[tokio::test]
async fn a_backup_under_load_holds_everything_up_to_its_moment() {
    on_one_thread(back_up_under_load()).await;
}

async fn back_up_under_load() {
    let (folder, provider) = (TempDir::new().unwrap(), Rc::new(Provider::start().await));
    let start = Start::new(folder.path(), &config(&provider, WINDOW, ""));
    let server = start.server().await;
    let load = Rc::new(Load::new(Rc::clone(&provider), new_org(&server).await, 5, Mood::Even));
    let made = server.operator("POST", &format!("/orgs/{}/keys", load.org), &json!({"name": "kept"})).await;
    load.address.send_replace(Some(server.addr));
    let clients = load.begin(12);
    sleep(Duration::from_millis(1_500)).await;
    let file = folder.path().join("kept.backup");
    let file = file.to_str().unwrap();
    let began = Instant::now();
    let (code, said) = start.run(&["backup", file]).await;
    let ended = Instant::now();
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("It holds the secret key"), "{said}");
    assert_eq!(std::fs::metadata(file).unwrap().permissions().mode() & 0o777, 0o600);
    sleep(Duration::from_millis(500)).await;
    let elsewhere = Start { data: folder.path().join("elsewhere"), ..start.clone() };
    refuses(&start, &elsewhere, file).await;
    let all = load.finish(clients).await;

    // The original stops before the copy of it begins: both would be the same organisation.
    let orgs = server.operator("GET", "/orgs", &Value::Null).await;
    assert_eq!(server.stop().await.code(), Some(0));
    let (code, said) = elsewhere.run(&["restore", file]).await;
    assert_eq!(code, 0, "{said}");
    let (code, said) = elsewhere.run(&["restore", file]).await;
    assert!(code == 1 && said.contains("has a database already; with --force"), "{code} {said}");
    let restored = elsewhere.server().await;
    assert_eq!(restored.operator("GET", "/orgs", &Value::Null).await, orgs);
    holds(&restored, &load.org, &all, (began, ended)).await;
    let errand = Errand { id: u64::MAX, input: 10, words: 3, stride: 1, way: Way::Answer };
    sleep(WINDOW).await;
    let answer = call(made["key"].as_str().unwrap(), &errand, false).send(restored.addr).await;
    assert_eq!(answer.status, 200, "a key of the backup works: {}", answer.text());
}

/// What must not be done is refused in one line.
async fn refuses(running: &Start, elsewhere: &Start, file: &str) {
    let nowhere = elsewhere.folder.join("nowhere/b");
    for (start, line, code, part) in [
        (running, &["backup", file][..], 1, "exists already"),
        (elsewhere, &["backup", "other"], 1, "there is no database in"),
        (running, &["backup", nowhere.to_str().unwrap()], 1, "No such file"),
        (running, &["restore", file, "--force"], 1, "in use by another server"),
        (running, &["restore", file], 1, "in use by another server"),
        (elsewhere, &["restore", "tidegate.toml"], 1, "is not a sound backup"),
        (elsewhere, &["restore", "nothing"], 1, "No such file"),
        (running, &["backup"], 2, "FILE"),
        (running, &["restore"], 2, "FILE"),
    ] {
        let (got, said) = start.run(line).await;
        assert!(got == code && said.contains(part), "{line:?}: {got} {said}");
        assert!(code == 2 || said.trim_end().lines().count() == 1, "{line:?}: {said}");
    }
    assert!(!elsewhere.data.join("tidegate.db").exists());
}

/// Compares the restored usage with what clients saw: before the backup began, while it was made, and after.
async fn holds(restored: &Server, org: &str, all: &[Seen], (began, ended): (Instant, Instant)) {
    let before: Vec<_> = all.iter().filter(|seen| seen.ended < began && matches!(seen.end, End::Whole { .. })).collect();
    let keys: Vec<_> = before.iter().map(|seen| seen.key.as_str()).collect();
    let (counted, _) = usage::by_key(restored, org, &keys, 0).await;
    let of = |seen: &Seen| counted.get(&seen.key).copied().unwrap_or_default();
    let faults: Vec<_> = before.iter().flat_map(|seen| usage::faults(seen, of(seen), true)).collect();
    assert!(faults.is_empty(), "{faults:#?}");
    let (mut there, mut after) = (0, 0);
    for seen in all.iter().filter(|seen| seen.ended >= began) {
        let written = of(seen);
        let records = written.requests + written.failed;
        assert!(records <= 1, "{seen:?}: {written:?}");
        if seen.sent > ended {
            assert_eq!(records, 0, "it came after the backup: {seen:?}");
            after += 1;
        }
        there += records;
    }
    let took = ended - began;
    tell(&format!("{} answers before a backup of {took:?}, {there} records of others then, none of {after} after it", before.len()));
    assert!(before.len() > 10 && after > 10, "there was a load");
}
