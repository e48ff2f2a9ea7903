//! A load client for model gateways. It prints one JSON line a run and knows nothing of any gateway but its address, a
//! key and, for CPU and memory, its process.
//!
//! ```text
//! gwload closed --url URL --conns 64 --secs 5            as fast as answers come
//! gwload rate   --url URL --rate 200 --secs 5            open loop, fixed rate
//! gwload stream --url URL --conns 200 --chunks 100 --delay-us 50000
//! ```
//!
//! Other options: `--key KEY` or `--keys FILE` (one a line, taken in turn), `--pid PID` (the gateway: its CPU and memory,
//! with its descendants', are reported), `--model NAME`, `--path PATH`, `--header 'Name: value'` (repeatable), `--warm N`
//! (requests before the run), `--count N` (end a closed run after N requests), `--latency-us N` (the mock's time to
//! answer), `--body-bytes N`, `--expect STATUS` (what counts as an answer, 200), `--label TEXT`.

mod client;
mod drive;
mod options;
mod proc;
mod tally;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use drive::Caller;
use options::{Mode, Options};
use proc::Usage;
use tally::Tally;

fn main() -> std::process::ExitCode {
    let options = match Options::parse(std::env::args().skip(1)) {
        Ok(options) => Arc::new(options),
        Err(why) => {
            eprintln!("gwload: {why}\nusage: gwload closed|rate|stream --url http://HOST:PORT [options]");
            return 2.into();
        }
    };
    match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => println!("{}", runtime.block_on(run(&options))),
        Err(error) => {
            eprintln!("gwload: {error}");
            return 1.into();
        }
    }
    0.into()
}

async fn run(options: &Arc<Options>) -> Value {
    let mut first = Caller::new(options, 0);
    for _ in 0..options.warm {
        // What the warm-up sees is of no interest; a fault shows in the run.
        let _ = first.call().await;
    }
    drop(first);
    let pids = options.pid.map(proc::tree).unwrap_or_default();
    let idle = Usage::of(&pids);
    let callers = connect(options).await;
    proc::reset_peak(&pids);
    let before = Usage::of(&pids);
    let top_kb = Arc::new(AtomicU64::new(before.rss_kb));
    let sampler = tokio::spawn(sample(pids.clone(), top_kb.clone()));
    let (tally, wall) = load(options, callers).await;
    sampler.abort();
    let after = Usage::of(&pids);
    let cpu_us = after.cpu_us_since(&before);
    let each = |count: u64| (count > 0 && !pids.is_empty()).then(|| cpu_us / count as f64);
    json!({
        "label": options.label, "mode": options.mode.name(), "conns": options.conns,
        "rate": (options.mode == Mode::Rate).then_some(options.rate), "expect": options.expect, "wall_s": wall,
        "ok": tally.ok, "refused": tally.refused, "failed": tally.failed, "short": tally.short, "note": tally.note,
        "rps": tally.ok as f64 / wall, "lat_us": tally.latencies_us(), "first_us": tally.firsts_us(), "events": tally.events,
        "cpu_s": cpu_us / 1e6, "sys_s": after.system_us_since(&before) / 1e6,
        "cpu_us_per_req": each(tally.ok), "cpu_us_per_event": each(tally.events),
        "rss_idle_kb": idle.rss_kb, "rss_before_kb": before.rss_kb,
        "rss_top_kb": top_kb.load(Relaxed).max(after.rss_kb), "rss_after_kb": after.rss_kb, "peak_kb": after.peak_kb,
    })
}

/// Connections are opened first, a few at a time: a gateway's short queue of new ones would otherwise show as a second's
/// wait in the latencies.
async fn connect(options: &Arc<Options>) -> Vec<Caller> {
    let mut callers = Vec::new();
    for nth in 0..options.conns {
        let mut caller = Caller::new(options, nth);
        caller.connect().await;
        callers.push(caller);
        if nth % 16 == 15 {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }
    callers
}

/// Runs every caller to its end: what all saw, and the wall time in seconds.
async fn load(options: &Arc<Options>, callers: Vec<Caller>) -> (Tally, f64) {
    // Paced runs get a moment to start every task before the first is due.
    let lead = Duration::from_millis(if options.mode == Mode::Closed { 0 } else { 5 });
    let start = Instant::now() + lead;
    let end = start + Duration::from_secs_f64(options.secs);
    let sent = Arc::new(AtomicU64::new(0));
    let tasks: Vec<_> = (callers.into_iter().enumerate())
        .map(|(nth, caller)| match options.mode {
            Mode::Closed => tokio::spawn(drive::closed(caller, end, sent.clone())),
            Mode::Rate => tokio::spawn(drive::paced(caller, start, nth)),
            Mode::Stream => tokio::spawn(drive::stream(caller, start, nth)),
        })
        .collect();
    let mut tally = Tally::new();
    for task in tasks {
        match task.await {
            Ok(one) => tally.add(one),
            Err(error) => tally.fail(|| error.to_string()),
        }
    }
    (tally, start.elapsed().as_secs_f64().max(1e-6))
}

/// Keeps the highest memory seen, since not every kernel lets the peak be reset.
async fn sample(pids: Vec<u32>, top_kb: Arc<AtomicU64>) {
    loop {
        top_kb.fetch_max(Usage::of(&pids).rss_kb, Relaxed);
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
}
