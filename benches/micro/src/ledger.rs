//! The limiter alone: time per request and per refusal, and memory per active pool.

use std::hint::black_box;

use limits::{Ask, Kind, LimitKey, Micros, Settlement, SharedLedger};

const SECOND_US: Micros = 1_000_000;
const MINUTE_US: Micros = 60 * SECOND_US;
const DAY_US: Micros = 1_440 * MINUTE_US;
/// Pools whose memory is measured, each an organisation's only one.
const POOLS: u64 = 100_000;
/// Requests of each of them in the last minute.
const EVENTS: u64 = 60;

fn ask(pool: u64, kind: Kind, window_us: Micros, n: u64) -> Ask {
    let (log, hold) = match kind {
        Kind::Requests => (1, 0),
        Kind::Tokens => (300, 256),
        Kind::Concurrent => (0, 1),
    };
    Ask { key: LimitKey { pool, kind, window_us }, n, log, hold }
}

/// The first `count` of the limits that the gateway is measured with, with room for everything.
fn roomy(count: usize) -> Vec<Ask> {
    let n = 1_000_000_000_000;
    let mut asks = vec![
        ask(1, Kind::Requests, MINUTE_US, n),
        ask(1, Kind::Tokens, MINUTE_US, n),
        ask(1, Kind::Requests, DAY_US, n),
        ask(1, Kind::Tokens, DAY_US, n),
        ask(1, Kind::Concurrent, 0, 9_000),
        ask(2, Kind::Requests, MINUTE_US, n),
    ];
    asks.truncate(count);
    asks
}

/// Check, hold, charge and release of one request, 25 us after the one before, in nanoseconds.
pub(crate) fn ns_per_request(limits: usize) -> f64 {
    let (ledger, asks) = (SharedLedger::new(), roomy(limits));
    let (mut request, mut now) = (0_u128, MINUTE_US);
    crate::time_ns(|| {
        request += 1;
        now += 25;
        let hold = ledger.reserve(request, black_box(&asks), now);
        hold.map(|hold| hold.settle(Settlement { input: Some(190), output: 27 }, now + 10))
    })
}

/// A refusal by one of six limits, in nanoseconds.
pub(crate) fn ns_per_refusal() -> f64 {
    let (ledger, mut asks) = (SharedLedger::new(), roomy(6));
    asks[0].n = 1;
    let first = ledger.reserve(1, &asks, MINUTE_US).map(|hold| hold.settle(Settlement { input: None, output: 27 }, MINUTE_US));
    let (mut request, mut now) = (1_u128, MINUTE_US);
    black_box(first.is_ok());
    crate::time_ns(|| {
        request += 1;
        // Slow enough for the window not to pass while this is measured.
        now += u64::from(request.is_multiple_of(1_000));
        ledger.reserve(request, black_box(&asks), now).is_err()
    })
}

/// Resident memory of a pool with two limits and a request a second, in units of 1,000 bytes.
pub(crate) fn kb_per_pool() -> f64 {
    let before = resident_bytes();
    let ledgers: Vec<SharedLedger> = (0..POOLS).map(|_| SharedLedger::new()).collect();
    for second in 0..EVENTS {
        for (pool, ledger) in (0..).zip(&ledgers) {
            let asks = [ask(pool, Kind::Requests, MINUTE_US, 90), ask(pool, Kind::Tokens, MINUTE_US, 60_000)];
            let now = MINUTE_US + second * SECOND_US + pool;
            if let Ok(hold) = ledger.reserve(u128::from(second), &asks, now) {
                hold.settle(Settlement { input: Some(190), output: 27 }, now + 900_000);
            }
        }
    }
    let grown = resident_bytes().saturating_sub(before) as f64;
    black_box(ledgers);
    grown / POOLS as f64 / 1e3
}

fn resident_bytes() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    statm.split(' ').nth(1).and_then(|pages| pages.parse::<u64>().ok()).unwrap_or(0) * 4096
}
