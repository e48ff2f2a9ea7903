//! Measures the hot path of this crate: nanoseconds per call on this machine, the best of many interleaved rounds, because the
//! machine's other work only adds. Run with `cargo run --release -p providers --example measure [-- PART OF A NAME]`.
#![expect(clippy::print_stdout, clippy::disallowed_methods, reason = "an example that measures reads a clock and prints")]

use std::hint::black_box;
use std::time::{Duration, Instant};

use bytes::Bytes;
use domain::Endpoint;

const ROUNDS: usize = 60;
const ROUND: Duration = Duration::from_millis(4);

struct Case<'a> {
    name: &'static str,
    bytes: usize,
    work: Box<dyn FnMut() + 'a>,
    best_ns: f64,
}

fn main() {
    let wanted = std::env::args().nth(1).unwrap_or_default();
    let body = chat_body(1024);
    let many = chat_body_of_many_messages();
    let mut cases = Vec::new();
    let mut case = |name: &'static str, bytes: usize, work: Box<dyn FnMut()>| {
        if name.contains(&wanted) {
            cases.push(Case { name, bytes, work, best_ns: f64::INFINITY });
        }
    };
    request_cases(&mut case, &body, &many);
    for _ in 0..ROUNDS {
        cases.iter_mut().for_each(Case::run);
    }
    for Case { name, bytes, best_ns, .. } in &cases {
        println!("{name:<50} {bytes:>9} B {best_ns:>12.0} ns {:>8.0} MB/s", *bytes as f64 / best_ns * 1e3);
    }
}

impl Case<'_> {
    fn run(&mut self) {
        let (start, mut runs) = (Instant::now(), 0_u32);
        while start.elapsed() < ROUND {
            (0..16).for_each(|_| (self.work)());
            runs += 16;
        }
        let ns = start.elapsed().as_secs_f64() * 1e9 / f64::from(runs);
        self.best_ns = self.best_ns.min(ns);
    }
}

fn request_cases(case: &mut impl FnMut(&'static str, usize, Box<dyn FnMut()>), body: &Bytes, many: &Bytes) {
    for (name, body) in [("read_request, chat of 1 KB", body), ("read_request, 200 short messages", many)] {
        let body = body.clone();
        case(
            name,
            body.len(),
            Box::new(move || {
                black_box(providers::read_request(Endpoint::ChatCompletions, black_box(&body)).is_ok());
            }),
        );
    }
    for (name, body) in [("  for comparison: serde_json RawValue, 1 KB", body), ("  serde_json RawValue, 200 short messages", many)] {
        let body = body.clone();
        case(
            name,
            body.len(),
            Box::new(move || {
                black_box(serde_json::from_slice::<&serde_json::value::RawValue>(black_box(&body)).is_ok());
            }),
        );
    }
    if let Ok(facts) = providers::read_request(Endpoint::ChatCompletions, body) {
        let body = body.clone();
        case(
            "upstream_body, model and usage spliced",
            body.len(),
            Box::new(move || {
                black_box(providers::upstream_body(black_box(&body), &facts, "another-model"));
            }),
        );
    }
}

fn chat_body(length: usize) -> Bytes {
    let frame = |text: &str| {
        format!(
            r#"{{"model":"gpt-4o-mini","messages":[{{"role":"system","content":"You are a helpful assistant."}},{{"role":"user","content":"{text}"}}],"temperature":0.7,"max_tokens":256,"stream":true,"user":"someone"}}"#
        )
    };
    let room = length - frame("").len();
    let text: String = "Explain why the sky is blue, and say it so that a child of ten understands. ".chars().cycle().take(room).collect();
    Bytes::from(frame(&text))
}

fn chat_body_of_many_messages() -> Bytes {
    let message = r#"{"role":"user","content":"And then?"},{"role":"assistant","content":"Then it rained\nfor a day."}"#;
    Bytes::from(format!(r#"{{"model":"gpt-4o-mini","messages":[{}]}}"#, vec![message; 100].join(",")))
}
