//! Mixed load for long: streams, clients that leave, refusals, waits, plans that change, keys that come and go, providers that break,
//! fail, hang or are busy. It goes in rounds, each with an organisation of its own, and every round is judged.

use std::rc::Rc;
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;
use testkit::SeededEntropy;
use tokio::time::{Instant, sleep, timeout};

use crate::client::End;
use crate::load::{Load, Mood, Sum, config, judge, new_org, on_one_thread, setting};
use crate::provider::Provider;
use crate::server::{Server, Start, until};
use crate::tell;
use crate::windows::Heartbeat;

const WINDOW: Duration = Duration::from_secs(2);
/// Of memory, at most.
const BYTES_OF_A_KEY: u64 = 200;

#[tokio::test]
async fn under_mixed_load_memory_stays_flat_and_counters_are_what_clients_saw() {
    let seconds = setting("TIDEGATE_SOAK_SECONDS", 16);
    on_one_thread(soak(Duration::from_secs(seconds), setting("TIDEGATE_SOAK_SEED", 1))).await;
}

async fn soak(length: Duration, seed: u64) {
    let (folder, provider) = (TempDir::new().unwrap(), Rc::new(Provider::start().await));
    let start = Start::new(folder.path(), &config(&provider, WINDOW, ""));
    let server = start.server().await;
    // Rounds are short enough that all keys of one fit into an answer, and there are some of them even in a short soak.
    let round = Duration::from_secs(60).min(length / 4);
    let (end, mut memory, mut all) = (Instant::now() + length, Vec::new(), Sum::default());
    let (at_start, mut keys) = (resident_kb(&server), Vec::new());
    for number in 0.. {
        if Instant::now() >= end {
            break;
        }
        let sum = one_round(&server, &provider, round, seed.wrapping_add(number)).await;
        memory.push(resident_kb(&server));
        keys.push((sum.whole + sum.others) as u64);
        eprintln!("round {number}: {} answers whole, {} refusals, {} kB, nothing held", sum.whole, sum.refusals, resident_kb(&server));
        let shown: Vec<_> = sum.faults.iter().take(20).collect();
        assert!(sum.faults.is_empty(), "seed {seed}, round {number}: {shown:#?}\n{}", start.last_words());
        assert!(sum.whole > 0, "there was a load: {sum:?}");
        all.whole += sum.whole;
        all.refusals += sum.refusals;
        all.tokens += sum.tokens;
        all.others += sum.others;
        all.clients.add(sum.clients);
        all.written.add(sum.written);
    }
    until("no request is open", async || server.metric("tidegate_journal_open_requests").await == 0).await;
    let (warm, last) = (memory[memory.len() / 4], memory[memory.len() - 1]);
    // Each request has its own key, and a server remembers keys until it ends, so that it can say that their organisation was deleted.
    let of_keys = keys[keys.len() / 4 + 1..].iter().sum::<u64>() * BYTES_OF_A_KEY / 1_024;
    let most = warm + warm / 5 + 8_192 + of_keys;
    tell(&format!(
        "seed {seed}: {length:?} in {} rounds: {} answers whole, {} ended otherwise, {} tokens received; memory {at_start} kB at the start, \
         {} in the middle, {last} at the end (at most {most}: a fifth, 8 MiB and the keys above that of a quarter of the time); no hold and no request \
         is left; clients saw {:?}, written down {:?}",
        memory.len(),
        all.whole,
        all.others,
        all.tokens,
        memory[memory.len() / 2],
        all.clients,
        all.written
    ));
    assert_eq!(all.clients, all.written);
    assert!(last <= most, "memory grew from {warm} kB to {last} kB: {memory:?}");
}

async fn one_round(server: &Server, provider: &Rc<Provider>, length: Duration, seed: u64) -> Sum {
    let org = new_org(server).await;
    let load = Rc::new(Load::new(Rc::clone(provider), org, seed, Mood::Rough));
    let (beat, random) = (Heartbeat::start(), SeededEntropy::new(seed));
    load.address.send_replace(Some(server.addr));
    let clients = load.begin(16);
    drop(timeout(length, change_plans(server, &load.org, &random)).await);
    let seen = load.finish(clients).await;
    let cut: Vec<_> = seen.iter().filter(|seen| seen.end == End::Cut).collect();
    assert!(cut.is_empty(), "no connection breaks: {cut:?}");
    let sum = judge(server, &load, &seen, &beat, WINDOW).await;
    server.operator("DELETE", &format!("/orgs/{}", load.org), &Value::Null).await;
    sum
}

/// Changes the plan now and then, for ever.
async fn change_plans(server: &Server, org: &str, random: &SeededEntropy) {
    for plan in ["half", "p"].into_iter().cycle() {
        sleep(Duration::from_millis(200 + random.next_u64() % 3_000)).await;
        server.operator("PATCH", &format!("/orgs/{org}"), &json!({"plan": plan})).await;
    }
}

/// The server's resident memory in kB.
fn resident_kb(server: &Server) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.pid().as_raw_nonzero())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim_matches(|c: char| !c.is_ascii_digit()).parse().unwrap()
}
