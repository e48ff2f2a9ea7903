//! What reading and simulating cost: `cargo run --release -p replay --example speed -- [ROWS]`. It measures rows that it makes up.
#![expect(clippy::print_stdout, reason = "an example tells what it measured")]

use std::error::Error;
use std::fmt::Write as _;
use std::time::Instant;

use domain::{Catalogue, PlanId, UnixMicros};
use replay::{Labels, Reader, Row, Settings, Simulation};

const WINDOW_US: u64 = 60_000_000;

fn main() -> Result<(), Box<dyn Error>> {
    let rows: u64 = std::env::args().nth(1).map_or(Ok(2_000_000), |rows| rows.parse())?;
    for (name, text) in [("CSV", csv(rows)?), ("JSON lines, each with 14 hashes", json(rows)?)] {
        let (seconds, read) = timed(|| read(&text));
        let (read, megabytes) = (read?, text.len() as f64 / 1e6);
        println!("reading {name}: {:.2} M rows/s, {:.0} MB/s", read as f64 / seconds / 1e6, megabytes / seconds);
    }
    for (name, output, n) in [("all admitted, 12 tokens each", 12, u64::MAX), ("all admitted, 200 tokens each", 200, u64::MAX)] {
        simulate(name, rows, output, [1 << 39, n.min(1 << 39)])?;
    }
    simulate("half refused, 200 tokens each", rows, 200, [30_000, 1 << 39])?;
    simulate("tokens scarce, 200 tokens each", rows.min(200_000), 200, [1 << 39, 10_000_000])
}

/// A mixture without much order.
fn mixed(n: u64) -> u64 {
    n.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40
}

fn csv(rows: u64) -> Result<String, std::fmt::Error> {
    let mut text = String::from("TIMESTAMP,ContextTokens,GeneratedTokens\n");
    for n in 0..rows {
        let (ms, tokens) = (n, mixed(n) % 4_000);
        let (hour, minute, second) = (ms / 3_600_000 % 24, ms / 60_000 % 60, ms / 1_000 % 60);
        writeln!(text, "2023-11-16 {hour:02}:{minute:02}:{second:02}.{:03}9600,{tokens},{}", ms % 1_000, tokens % 700)?;
    }
    Ok(text)
}

fn json(rows: u64) -> Result<String, std::fmt::Error> {
    let mut text = String::new();
    for n in 0..rows {
        let tokens = mixed(n) % 4_000;
        write!(text, "{{\"timestamp\": {n}, \"input_length\": {tokens}, \"output_length\": {}, \"hash_ids\": [", tokens % 700)?;
        (0..13).try_for_each(|hash| write!(text, "{}, ", n + hash))?;
        writeln!(text, "{n}]}}")?;
    }
    Ok(text)
}

fn read(text: &str) -> Result<u64, replay::TraceFault> {
    let mut reader = Reader::new(text.as_bytes())?;
    let mut rows = 0;
    while let Some(row) = reader.next_row()? {
        rows += u64::from(row.input < u32::MAX);
    }
    Ok(rows)
}

fn simulate(name: &str, rows: u64, output: u64, [rpm, tpm]: [u64; 2]) -> Result<(), Box<dyn Error>> {
    let plan = serde_json::from_value(serde_json::json!({ "id": "plan", "limits": [{ "any": true, "rpm": rpm, "tpm": tpm }] }))?;
    let catalogue = Catalogue::build(Vec::new(), Vec::new(), vec![plan], WINDOW_US);
    let labels = Labels::default();
    let (seconds, outcome) = timed(|| {
        let mut simulation = Simulation::new(&catalogue, &PlanId::from("plan"), &Settings { micro_wait_us: 0, ..Settings::default() }, ())?;
        for n in 0..rows {
            // 1,000 requests a second.
            let at = UnixMicros((n * 1_000 + mixed(n) % 900) as i64);
            let (input, output) = ((mixed(n) % 800) as u32, (mixed(n + 1) % (2 * output)) as u32);
            simulation.arrive(&Row { at, input, output, ..Row::EMPTY }, &labels);
        }
        Some(simulation.finish().0)
    });
    let pool = outcome.and_then(|outcome| outcome.pools.into_iter().next()).ok_or("nothing was asked")?;
    let (speed, paused) = (rows as f64 / seconds / 1e6, pool.paused.count());
    println!("simulating {name}: {speed:.2} M rows/s ({} of {rows} admitted, {paused} paused)", pool.admitted);
    Ok(())
}

/// Seconds this thread has computed, by the scheduler's count, so that a busy machine doesn't matter; none where it isn't Linux.
fn computed() -> Option<f64> {
    let ns: f64 = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?.split(' ').next()?.parse().ok()?;
    Some(ns / 1e9)
}

#[expect(clippy::disallowed_methods, reason = "it measures")]
fn timed<T>(act: impl FnOnce() -> T) -> (f64, T) {
    let (start, before) = (Instant::now(), computed());
    let result = act();
    let seconds = before.and_then(|before| Some(computed()? - before));
    (seconds.unwrap_or_else(|| start.elapsed().as_secs_f64()), result)
}
