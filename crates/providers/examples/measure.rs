//! Measures the hot path of this crate: nanoseconds per call on this machine, the best of many interleaved rounds, because the
//! machine's other work only adds. Run with `cargo run --release -p providers --example measure [-- PART OF A NAME]`.
#![expect(clippy::print_stdout, clippy::disallowed_methods, reason = "an example that measures reads a clock and prints")]

use std::hint::black_box;
use std::time::{Duration, Instant};

use bytes::Bytes;
use domain::{Endpoint, Tokenizer};
use providers::{StreamReader, StreamSettings};

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
    answer_cases(&mut case);
    stream_cases(&mut case, "gpt-4o-mini-2024-07-18", "stream, a 300-byte event, unchanged");
    stream_cases(&mut case, "gpt-4o-mini", "stream, a 300-byte event, model replaced");
    count_cases(&mut case, &body);
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
            // Reading the clock costs as much as a short case.
            let batch = if self.bytes < 50_000 { 32 } else { 1 };
            (0..batch).for_each(|_| (self.work)());
            runs += batch;
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

fn answer_cases(case: &mut impl FnMut(&'static str, usize, Box<dyn FnMut()>)) {
    let text = "The tide rises because the moon pulls at the sea. ".repeat(4);
    let answer = Bytes::from(format!(
        r#"{{"id":"chatcmpl-B9MBs8CjcvOU2jLn4n570S5qMJKcT","object":"chat.completion","created":1741569952,"model":"gpt-4o-mini-2024-07-18","choices":[{{"index":0,"message":{{"role":"assistant","content":"{text}","refusal":null}},"logprobs":null,"finish_reason":"stop"}}],"usage":{{"prompt_tokens":19,"completion_tokens":44,"total_tokens":63,"prompt_tokens_details":{{"cached_tokens":0,"audio_tokens":0}},"completion_tokens_details":{{"reasoning_tokens":0,"audio_tokens":0}}}},"system_fingerprint":"fp_a1102cf978"}}"#
    ));
    let read = answer.clone();
    case(
        "read_answer",
        answer.len(),
        Box::new(move || {
            black_box(providers::read_answer(Endpoint::ChatCompletions, black_box(&read)).is_ok());
        }),
    );
    let numbers = vec!["-0.0093272920"; 1_536].join(",");
    let embeddings = Bytes::from(format!(
        r#"{{"object":"list","data":[{{"object":"embedding","index":0,"embedding":[{numbers}]}}],"model":"m","usage":{{"prompt_tokens":8,"total_tokens":8}}}}"#
    ));
    case(
        "read_answer, one embedding",
        embeddings.len(),
        Box::new(move || {
            black_box(providers::read_answer(Endpoint::Embeddings, black_box(&embeddings)).is_ok());
        }),
    );
}

/// One event a read, as token streams come.
fn stream_cases(case: &mut impl FnMut(&'static str, usize, Box<dyn FnMut()>), requested: &'static str, name: &'static str) {
    let event = Bytes::from_static(
        br#"data: {"id":"chatcmpl-B9MBs8CjcvOU2jLn4n570S5qMJKcT","object":"chat.completion.chunk","created":1741569952,"model":"gpt-4o-mini-2024-07-18","service_tier":"default","system_fingerprint":"fp_a1102cf978","choices":[{"index":0,"delta":{"content":" tide"},"logprobs":null,"finish_reason":null}],"usage":null}

"#,
    );
    let settings = StreamSettings {
        endpoint: Endpoint::ChatCompletions,
        requested_model: requested,
        strip_usage: true,
        tokenizer: Tokenizer::O200kBase,
    };
    let mut reader = StreamReader::new(settings);
    let mut events = 0;
    case(
        name,
        event.len(),
        Box::new(move || {
            events += 1;
            // A stream of 200 tokens, whose usage comes at the end.
            if events % 200 == 0 {
                reader = StreamReader::new(settings);
            }
            black_box(reader.push(black_box(event.clone())));
        }),
    );
}

fn count_cases(case: &mut impl FnMut(&'static str, usize, Box<dyn FnMut()>), small: &Bytes) {
    let prose = "Explain why the sky is blue, and say it so that a child of ten understands. ".repeat(1_300);
    let code = "fn main() { let total: u64 = items.iter().map(|item| item.price_cents).sum(); println!(\"{total}\"); }\n".repeat(1_000);
    let chinese = "潮水每天涨落两次，因为月亮和太阳的引力牵动着海洋。".repeat(1_300);
    for (name, text) in
        [("count_input, 100 KB of prose", prose), ("count_input, 100 KB of code", code), ("count_input, 100 KB of Chinese", chinese)]
    {
        count_case(case, name, Bytes::from(serde_json::json!({"model": "m", "prompt": text}).to_string()), Endpoint::Completions);
    }
    for (name, letter) in
        [("count_input, 1 MB of one letter", "a"), ("count_input, 1 MB of spaces", " "), ("count_input, 1 MB of one mark", "=")]
    {
        count_case(
            case,
            name,
            Bytes::from(serde_json::json!({"model": "m", "prompt": letter.repeat(1_000_000)}).to_string()),
            Endpoint::Completions,
        );
    }
    count_case(case, "count_input, chat of 1 KB", small.clone(), Endpoint::ChatCompletions);
}

fn count_case(case: &mut impl FnMut(&'static str, usize, Box<dyn FnMut()>), name: &'static str, body: Bytes, endpoint: Endpoint) {
    case(
        name,
        body.len(),
        Box::new(move || {
            black_box(providers::count_input(endpoint, black_box(&body), Tokenizer::O200kBase));
        }),
    );
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
