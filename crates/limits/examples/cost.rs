//! What the ledger costs: time of a request's whole life, and memory of a pool.
//! `cargo run -p limits --example cost --release`; it reads the clock of the machine, as nothing else here does.
#![expect(clippy::print_stdout, reason = "an example tells what it measured")]

use std::hint::black_box;
use std::sync::Barrier;
use std::thread;

use limits::{Ask, Kind, Ledger, LimitKey, Settlement, SharedLedger};

const MINUTE: u64 = 60_000_000;
const ROUNDS: u64 = 2_000_000;

fn ask(pool: u64, kind: Kind, window_us: u64) -> Ask {
    let (log, hold) = match kind {
        Kind::Requests => (1, 0),
        Kind::Tokens => (120, 300),
        Kind::Concurrent => (0, 1),
    };
    Ask { key: LimitKey { pool, kind, window_us }, n: 1 << 40, log, hold }
}

fn two() -> Vec<Ask> {
    vec![ask(1, Kind::Requests, MINUTE), ask(1, Kind::Tokens, MINUTE)]
}

fn six() -> Vec<Ask> {
    let hour = 60 * MINUTE;
    let mut asks = two();
    asks.extend([
        ask(1, Kind::Concurrent, 0),
        ask(1, Kind::Tokens, 24 * hour),
        ask(2, Kind::Requests, MINUTE),
        ask(2, Kind::Tokens, MINUTE),
    ]);
    asks
}

/// Nanoseconds this thread has computed, by the scheduler's count, so that a busy machine doesn't matter; none where it isn't Linux.
fn computed_ns() -> Option<f64> {
    std::fs::read_to_string("/proc/thread-self/schedstat").ok()?.split(' ').next()?.parse().ok()
}

#[expect(clippy::disallowed_methods, reason = "it measures")]
fn time_ns(act: impl FnOnce()) -> f64 {
    let (start, computed) = (std::time::Instant::now(), computed_ns());
    act();
    match (computed, computed_ns()) {
        (Some(before), Some(after)) => after - before,
        _ => start.elapsed().as_nanos() as f64,
    }
}

/// Nanoseconds a round, the median of five runs.
fn median_ns(rounds: u64, mut run: impl FnMut()) -> f64 {
    let mut runs: Vec<f64> = (0..5).map(|_| time_ns(&mut run) / rounds as f64).collect();
    runs.sort_by(f64::total_cmp);
    runs[2]
}

/// Requests `step_us` apart: admitted, charged once, released.
fn alone(asks: &[Ask], step_us: u64) -> f64 {
    let mut ledger = Ledger::new();
    let (mut now, mut request) = (1, 0u128);
    median_ns(ROUNDS, || {
        for _ in 0..ROUNDS {
            (now, request) = (now + step_us, request + 1);
            if let Ok(hold) = ledger.reserve(request, black_box(asks), now) {
                ledger.charge(hold, 180, now + 1);
                ledger.release(hold, now + 1);
            }
        }
    })
}

/// The same through guards, settled with the provider's figures, with a hundred others under way.
fn guarded(asks: &[Ask], step_us: u64) -> f64 {
    let ledger = SharedLedger::new();
    let others: Vec<_> = (0..100).filter_map(|other| ledger.reserve(1 << 100 | other, asks, 1).ok()).collect();
    let (mut now, mut request) = (1, 0u128);
    let cost = median_ns(ROUNDS, || {
        for _ in 0..ROUNDS {
            (now, request) = (now + step_us, request + 1);
            if let Ok(hold) = ledger.reserve(request, black_box(asks), now) {
                hold.settle(Settlement { input: Some(100), output: 180 }, now + 1);
            }
        }
    });
    others.into_iter().for_each(|hold| hold.release(now));
    cost
}

/// Two threads on one organisation: admissions a second, by the clock on the wall.
#[expect(clippy::disallowed_methods, reason = "it measures")]
fn contended(asks: &[Ask]) -> f64 {
    let ledger = SharedLedger::new();
    let start = Barrier::new(2);
    let begin = std::time::Instant::now();
    thread::scope(|scope| {
        for thread in 0..2u128 {
            let (ledger, start) = (&ledger, &start);
            scope.spawn(move || {
                start.wait();
                for round in 0..ROUNDS {
                    if let Ok(hold) = ledger.reserve(u128::from(round) << 1 | thread, black_box(asks), round) {
                        hold.settle(Settlement { input: None, output: 180 }, round);
                    }
                }
            });
        }
    });
    2.0 * ROUNDS as f64 / begin.elapsed().as_micros() as f64
}

/// A pool that is full, and asked again and again.
fn refused(asks: &[Ask]) -> f64 {
    let mut ledger = Ledger::new();
    let tight: Vec<Ask> = asks.iter().map(|ask| Ask { n: 1_000, ..*ask }).collect();
    let mut now = 1;
    for request in 0..10 {
        now += 1_000;
        if let Ok(hold) = ledger.reserve(request, &tight, now) {
            ledger.charge(hold, 180, now);
            ledger.release(hold, now);
        }
    }
    median_ns(ROUNDS / 10, || {
        for request in 0..u128::from(ROUNDS / 10) {
            black_box(ledger.reserve(1 << 90 | request, black_box(&tight), now)).ok();
        }
    })
}

/// Bytes of a pool after some minutes of `requests` a minute, each charged in `slices`.
fn memory(asks: &[Ask], requests: u64, slices: u64) -> usize {
    let mut ledger = Ledger::new();
    for request in 0..5 * requests {
        let now = request * MINUTE / requests;
        let Ok(hold) = ledger.reserve(u128::from(request), asks, now) else { continue };
        for slice in 1..=slices {
            ledger.charge(hold, slice * 100, now + slice * 1_000);
        }
        ledger.release(hold, now + slices * 1_000);
    }
    ledger.memory_bytes()
}

fn main() {
    for (name, asks) in [("two limits", two()), ("six limits", six())] {
        println!("{name}");
        println!("  reserve, charge, release, 10 ms apart     {:6.1} ns", alone(&asks, 10_000));
        println!("  the same, 1 us apart (logs full)          {:6.1} ns", alone(&asks, 1));
        println!("  guarded, settled, 100 others under way    {:6.1} ns", guarded(&asks, 10_000));
        println!("  refused                                   {:6.1} ns", refused(&asks));
        println!("  two threads, one organisation             {:6.2} million/s", contended(&asks));
    }
    println!("memory, bytes of the whole ledger");
    println!("  one limit, 60 events a minute             {:6}", memory(&two()[..1], 60, 0));
    println!("  two limits, 30 requests a minute, 1 slice {:6}", memory(&two(), 30, 1));
    println!("  two limits, 60 requests a minute, 1 slice {:6}", memory(&two(), 60, 1));
    println!("  two limits, 10,000 requests a minute      {:6}", memory(&two(), 10_000, 1));
    println!("  six limits, 60 requests a minute, 1 slice {:6}", memory(&six(), 60, 1));
    println!("  empty                                     {:6}", Ledger::new().memory_bytes());
}
