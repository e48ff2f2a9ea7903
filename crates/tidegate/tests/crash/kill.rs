//! `kill -9` under load, again and again over the same data folder: completed answers are written down to the token, streams that
//! were open with at least what was relayed, and no window is ever over its limit across the restarts.

use std::rc::Rc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use rustix::process::{Signal, kill_process};
use tempfile::TempDir;
use testkit::SeededEntropy;
use tokio::time::{sleep, timeout};

use crate::load::{Load, Mood, config, judge, new_org, on_one_thread, setting};
use crate::provider::Provider;
use crate::server::{Server, Start};
use crate::tell;
use crate::windows::Heartbeat;

const WINDOW: Duration = Duration::from_secs(3);

#[tokio::test]
async fn killed_again_and_again_nothing_is_lost_and_no_limit_is_passed() {
    on_one_thread(kill_again_and_again(setting("TIDEGATE_CRASH_TIMES", 3), setting("TIDEGATE_CRASH_SEED", 1))).await;
}

/// So few that all keys of their organisation fit into an answer.
const KILLS_OF_A_ROUND: u64 = 50;

async fn kill_again_and_again(times: u64, seed: u64) {
    let (folder, provider) = (TempDir::new().unwrap(), Rc::new(Provider::start().await));
    let start = Start::new(folder.path(), &config(&provider, WINDOW, ""));
    let (mut server, mut killed) = (start.server().await, 0);
    while killed < times {
        let now = KILLS_OF_A_ROUND.min(times - killed);
        server = kill_in_one_round(&start, server, &provider, now, seed.wrapping_add(killed)).await;
        killed += now;
    }
}

/// Kills one after the other, then judges; returns the last server.
async fn kill_in_one_round(start: &Start, mut server: Server, provider: &Rc<Provider>, times: u64, seed: u64) -> Server {
    let load = Rc::new(Load::new(Rc::clone(provider), new_org(&server).await, seed, Mood::Even));
    let (beat, random) = (Heartbeat::start(), SeededEntropy::new(seed));
    load.address.send_replace(Some(server.addr));
    let clients = load.begin(16);
    let mut starts = Vec::new();
    for number in 1..=times {
        wait_for_the_moment(&load, &random).await;
        kill_process(server.pid(), Signal::KILL).unwrap();
        load.address.send_replace(None);
        drop(server);
        provider.open_all();
        server = start.server().await;
        starts.push(server.took.as_millis());
        eprintln!("kill {number} of {times}: started again in {:?}, {} pieces received so far", server.took, load.received.load(Relaxed));
        load.address.send_replace(Some(server.addr));
    }
    // A window and a little, so that what came before the last kill is seen to have expired.
    sleep(WINDOW + Duration::from_millis(500)).await;
    let all = load.finish(clients).await;
    let sum = judge(&server, &load, &all, &beat, WINDOW).await;
    starts.sort_unstable();
    tell(&format!(
        "seed {seed}: killed {times} times; {} answers whole, {} cut open, {} cut before an answer, {} refusals, {} tokens received; \
         started again in {:?} ms (median), {:?} at most; tokens and requests of a window at most: {:?}; this thread late by {:?} at most",
        sum.whole,
        sum.cut_open,
        sum.cut_before,
        sum.refusals,
        sum.tokens,
        starts.get(starts.len() / 2),
        starts.last(),
        sum.peaks,
        beat.worst()
    ));
    let shown: Vec<_> = sum.faults.iter().take(20).collect();
    assert!(sum.faults.is_empty(), "seed {seed}: {} faults, among them {shown:#?}\n{}", sum.faults.len(), start.last_words());
    assert!(sum.whole as u64 > 10 * times && sum.cut_open > 0, "there was a load, and something was open: {sum:?}");
    server
}

/// A while, or so many pieces received, whichever the seed says.
async fn wait_for_the_moment(load: &Load, random: &SeededEntropy) {
    let below = |n: u64| random.next_u64() % n;
    if below(2) == 0 {
        sleep(Duration::from_micros(100_000 + below(1_500_000))).await;
        return;
    }
    let until = load.received.load(Relaxed) + 1 + below(400);
    let coming = async {
        while load.received.load(Relaxed) < until {
            sleep(Duration::from_millis(1)).await;
        }
    };
    drop(timeout(Duration::from_secs(3), coming).await);
}
