//! What the pure computing in the gateway's path costs: one JSON object of figures, by name and unit. It knows the pure
//! crates and no network.

mod ledger;
mod texts;

use std::hint::black_box;
use std::time::{Duration, Instant};

use bytes::Bytes;
use domain::{Endpoint, Tokenizer};
use providers::{StreamReader, StreamSettings};
use serde_json::json;

/// As in the gateway.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() {
    // First, while nothing else has taken memory.
    let pool_kb = ledger::kb_per_pool();
    let request = texts::request(1024);
    let answer = texts::ANSWER.as_bytes();
    let event = texts::event();
    let prose = texts::long_request();
    let chat = Endpoint::ChatCompletions;
    let count_ns = time_ns(|| providers::count_input(chat, black_box(&prose), Tokenizer::O200kBase));
    let settings = StreamSettings { endpoint: chat, requested_model: "gpt-4o-mini", strip_usage: false, tokenizer: Tokenizer::O200kBase };
    let mut reader = StreamReader::new(settings);
    let figures = json!({
        "pool_kb": pool_kb,
        "count_mb_s": prose.len() as f64 / count_ns * 1e3,
        "count_1kb_ns": time_ns(|| providers::count_input(chat, black_box(&request), Tokenizer::O200kBase)),
        "ledger_two_limits_ns": ledger::ns_per_request(2),
        "ledger_six_limits_ns": ledger::ns_per_request(6),
        "refusal_ns": ledger::ns_per_refusal(),
        "read_request_ns": time_ns(|| providers::read_request(chat, black_box(&request)).is_ok()),
        "read_answer_ns": time_ns(|| providers::read_answer(chat, black_box(answer)).is_ok()),
        "relay_event_ns": time_ns(|| reader.push(black_box(Bytes::clone(&event)))),
    });
    println!("{figures}");
}

/// Nanoseconds of one call: the best of several rounds, since other work on the machine only adds.
pub(crate) fn time_ns<T>(mut call: impl FnMut() -> T) -> f64 {
    let start = Instant::now();
    let mut calls = 0_u32;
    while start.elapsed() < Duration::from_millis(5) {
        black_box(call());
        calls += 1;
    }
    let round = |_| {
        let start = Instant::now();
        for _ in 0..calls {
            black_box(call());
        }
        start.elapsed().as_nanos() as f64 / f64::from(calls)
    };
    (0..15).map(round).fold(f64::MAX, f64::min)
}
