//! A process that stands still for several windows, and a wall clock that jumps by an hour: limits stay exact, what is announced stays
//! right, streams go on.

use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

use rustix::process::{Signal, kill_process};
use serde_json::{Value, json};
use tempfile::TempDir;
use testkit::{Answer, Call, SeededEntropy};
use tokio::time::{Instant, sleep, sleep_until};

use crate::load::{Load, Mood, config, judge, new_org, on_one_thread};
use crate::provider::{Errand, Provider, Way};
use crate::server::{Server, Start};
use crate::tell;
use crate::windows::Heartbeat;

const WINDOW: Duration = Duration::from_secs(2);

#[tokio::test]
async fn stopped_for_several_windows_it_goes_on_without_passing_any_limit() {
    on_one_thread(stop_and_go_on()).await;
}

async fn stop_and_go_on() {
    let (folder, provider) = (TempDir::new().unwrap(), Rc::new(Provider::start().await));
    let start = Start::new(folder.path(), &config(&provider, WINDOW, ""));
    let server = start.server().await;
    let load = Rc::new(Load::new(Rc::clone(&provider), new_org(&server).await, 7, Mood::Even));
    let (beat, random) = (Heartbeat::start(), SeededEntropy::new(7));
    load.address.send_replace(Some(server.addr));
    let clients = load.begin(16);
    for windows in [0, 1, 3] {
        sleep(Duration::from_millis(700 + random.next_u64() % 800)).await;
        kill_process(server.pid(), Signal::STOP).unwrap();
        sleep(WINDOW * windows + Duration::from_millis(300)).await;
        kill_process(server.pid(), Signal::CONT).unwrap();
    }
    sleep(WINDOW).await;
    let all = load.finish(clients).await;
    let sum = judge(&server, &load, &all, &beat, WINDOW).await;
    tell(&format!("stopped three times: {} answers whole, {} refusals, at most {:?}", sum.whole, sum.refusals, sum.peaks));
    assert!(sum.faults.is_empty(), "{:#?}\n{}", sum.faults, start.last_words());
    assert_eq!((sum.cut_open, sum.cut_before), (0, 0), "every stream went on");
}

/// A server with one pool of one request a window.
async fn one_a_window(start: &Start) -> (Server, String) {
    let server = start.server().await;
    let org = new_org(&server).await;
    let row = json!([{"any": true, "rpm": 1}]);
    server.operator("PATCH", &format!("/orgs/{org}"), &json!({"plan": "none"})).await;
    server.operator("PUT", &format!("/orgs/{org}/limits"), &row).await;
    let made = server.operator("POST", &format!("/orgs/{org}/keys"), &json!({"name": "k"})).await;
    (server, made["key"].as_str().unwrap().to_owned())
}

fn start_for_one(folder: &TempDir, provider: &Provider, window: Duration) -> Start {
    let text = config(provider, window, "micro_wait_ms = 0\n") + "[[plans]]\nid = \"none\"\nlimits = []\n";
    Start::new(folder.path(), &text)
}

async fn ask(server: &Server, key: &str) -> Answer {
    let errand = Errand { id: 1, input: 10, words: 3, stride: 1, way: Way::Answer };
    let body = json!({"model": "a-small", "user": errand.written(), "messages": [{"role": "user", "content": "x"}]});
    Call::post("/v1/chat/completions", &body).key(key).send(server.addr).await
}

/// The wait that a refusal tells.
fn told(refusal: &Answer) -> Duration {
    assert_eq!(refusal.status, 429, "{}", refusal.text());
    Duration::from_millis(refusal.json()["retry_after_ms"].as_u64().unwrap())
}

#[tokio::test]
async fn what_is_announced_stays_right_while_the_process_stands_still() {
    let (folder, provider) = (TempDir::new().unwrap(), Provider::start().await);
    let (server, key) = one_a_window(&start_for_one(&folder, &provider, Duration::from_secs(3))).await;
    assert_eq!(ask(&server, &key).await.status, 200);
    let refusal = ask(&server, &key).await;
    let opens = Instant::now() + told(&refusal);
    kill_process(server.pid(), Signal::STOP).unwrap();
    sleep(Duration::from_secs(1)).await;
    kill_process(server.pid(), Signal::CONT).unwrap();
    let before = Instant::now();
    let again = told(&ask(&server, &key).await);
    assert!(before + again <= opens && Instant::now() + again + Duration::from_millis(1) >= opens, "it opens when it was said to");
    sleep_until(opens).await;
    assert_eq!(ask(&server, &key).await.status, 200);
}

/// A library that puts another wall clock in a program's place, if this machine has it.
fn libfaketime() -> Option<PathBuf> {
    let named = std::env::var_os("TIDEGATE_LIBFAKETIME").map(PathBuf::from);
    let folders = std::fs::read_dir("/usr/lib").into_iter().flatten().flatten().map(|entry| entry.path());
    let usual = folders.flat_map(|folder| [folder.join("faketime"), folder.clone()]).map(|folder| folder.join("libfaketimeMT.so.1"));
    named.into_iter().chain(usual).find(|path| path.exists())
}

#[tokio::test]
async fn an_hour_s_step_of_the_wall_clock_changes_texts_and_nothing_else() {
    let Some(library) = libfaketime() else {
        eprintln!("skipped: no libfaketime (Debian: apt install libfaketime), so the wall clock can't be stepped for one process");
        return;
    };
    let (folder, provider) = (TempDir::new().unwrap(), Provider::start().await);
    let mut start = start_for_one(&folder, &provider, WINDOW);
    let clock = folder.path().join("clock");
    std::fs::write(&clock, "+0").unwrap();
    for (name, value) in [
        ("LD_PRELOAD", library.to_str().unwrap()),
        ("FAKETIME_TIMESTAMP_FILE", clock.to_str().unwrap()),
        ("FAKETIME_NO_CACHE", "1"),
        ("FAKETIME_DONT_FAKE_MONOTONIC", "1"),
        ("DONT_FAKE_MONOTONIC", "1"),
    ] {
        start.environment.push((name.into(), value.into()));
    }
    let (server, key) = one_a_window(&start).await;
    for step_s in [3_600, -3_600, 0] {
        assert_eq!(ask(&server, &key).await.status, 200);
        let first = ask(&server, &key).await;
        let opens = Instant::now() + told(&first);
        std::fs::write(&clock, format!("{step_s:+}")).unwrap();
        let refusal = ask(&server, &key).await;
        let until = until_of(&refusal);
        assert!(Instant::now() + told(&refusal) <= opens + Duration::from_millis(50), "the wait is as before");
        let machine = std::time::UNIX_EPOCH.elapsed().unwrap() + told(&refusal);
        let expected = i64::try_from(machine.as_secs()).unwrap() + step_s;
        assert!((until - expected).abs() <= 2, "the text follows the wall clock: {until}, not {expected}: {}", refusal.text());
        sleep_until(opens).await;
        assert_eq!(ask(&server, &key).await.status, 200, "admitted when it was said, whatever the wall clock says");
        sleep(WINDOW).await;
    }
}

/// The time in a refusal's text, in seconds since 1970.
fn until_of(refusal: &Answer) -> i64 {
    let body: Value = refusal.json();
    let text = body["error"].as_str().unwrap();
    let time = text.rsplit(' ').next().unwrap();
    time.parse::<domain::UnixMicros>().unwrap().0 / 1_000_000
}
