//! Tests of the simulated server: it speaks the language that this crate reads.

use base64::Engine as _;
use serde_json::Value;

use super::*;
use crate::{Ending, StreamReader, StreamSettings, count_output, read_answer, read_request};

const SETTINGS: Settings<'static> =
    Settings { model: "demo/small", category: Category::Small, seed: 7, created_s: 1_770_000_000, speed: Speed::Believable };

fn ask(endpoint: Endpoint, body: &str, settings: &Settings<'_>) -> Reply {
    let facts = read_request(endpoint, body.as_bytes()).unwrap();
    reply(&facts, body.as_bytes(), settings)
}

fn chat(members: &str, settings: &Settings<'_>) -> Reply {
    ask(Endpoint::ChatCompletions, &format!(r#"{{"model":"demo/small","messages":[{{"role":"user","content":"hi"}}]{members}}}"#), settings)
}

fn whole(reply: Reply) -> (u64, Value) {
    match reply {
        Reply::Whole(timed) => (timed.due_us, serde_json::from_slice(&timed.bytes).unwrap()),
        Reply::Stream(_) => panic!("a stream"),
    }
}

fn events(reply: Reply) -> Vec<Timed> {
    match reply {
        Reply::Stream(schedule) => schedule.collect(),
        Reply::Whole(_) => panic!("a whole answer"),
    }
}

#[test]
fn an_answer_says_that_it_is_simulated_and_has_true_usage() {
    let (due_us, answer) = whole(chat("", &SETTINGS));
    let body = answer.to_string();
    let facts = read_answer(Endpoint::ChatCompletions, body.as_bytes()).unwrap();
    let output = count_output(Endpoint::ChatCompletions, body.as_bytes(), Tokenizer::O200kBase);
    assert_eq!(facts.usage, Some(TokenUsage { input: 8, output, cached: 0, reasoning: 0 }));
    assert_eq!((&answer["model"], &answer["system_fingerprint"]), (&json!("demo/small"), &json!("tidegate-demo")));
    let choice = &answer["choices"][0];
    assert_eq!((&choice["finish_reason"], &choice["message"]["role"]), (&json!("stop"), &json!("assistant")));
    assert!(choice["message"]["content"].as_str().unwrap().starts_with("This is a simulated answer"));
    assert!((150_000..2_000_000).contains(&due_us) && (20..120).contains(&output), "{due_us} {output}");
}

#[test]
fn the_same_seed_gives_the_same_bytes_and_another_seed_others() {
    assert_eq!(whole(chat("", &SETTINGS)), whole(chat("", &SETTINGS)));
    assert_ne!(whole(chat("", &SETTINGS)).1["choices"], whole(chat("", &Settings { seed: 8, ..SETTINGS })).1["choices"]);
}

#[test]
fn a_stream_says_the_same_as_the_whole_answer() {
    let answer = whole(chat(r#","n":2"#, &SETTINGS)).1;
    let events = events(chat(r#","n":2,"stream":true"#, &SETTINGS));
    let settings = StreamSettings {
        endpoint: Endpoint::ChatCompletions,
        requested_model: "demo/small",
        strip_usage: false,
        tokenizer: Tokenizer::O200kBase,
    };
    let mut reader = StreamReader::new(settings);
    let mut said = [String::new(), String::new()];
    for event in &events {
        assert_eq!(reader.push(event.bytes.clone()).out, event.bytes);
        if let Ok(chunk) = serde_json::from_slice::<Value>(&event.bytes[6..]) {
            for choice in chunk["choices"].as_array().unwrap() {
                said[choice["index"].as_u64().unwrap() as usize] += choice["delta"]["content"].as_str().unwrap_or_default();
            }
        }
    }
    assert_eq!(said.each_ref().map(|text| json!(text)), [0, 1].map(|index| answer["choices"][index]["message"]["content"].clone()));
    let output = reader.output_tokens();
    let end = reader.finish(Ending::Whole);
    assert!(end.saw_done && end.saw_finish && end.fault.is_none());
    assert_eq!((end.usage.unwrap().output, json!(end.usage.unwrap().output)), (output, answer["usage"]["completion_tokens"].clone()));
}

#[test]
fn the_maximum_is_kept() {
    for most in [0, 1, 5] {
        let (_, answer) = whole(chat(&format!(r#","max_tokens":{most}"#), &SETTINGS));
        assert_eq!((&answer["usage"]["completion_tokens"], &answer["choices"][0]["finish_reason"]), (&json!(most), &json!("length")));
        let events = events(chat(&format!(r#","max_tokens":{most},"stream":true"#), &SETTINGS));
        assert_eq!(events.len(), 4 + most, "role, tokens, finish, usage, [DONE]");
    }
}

#[test]
fn speed_is_that_of_the_size_and_can_be_changed() {
    let pace = |category, speed| {
        let due: Vec<u64> =
            events(chat(r#","stream":true"#, &Settings { category, speed, ..SETTINGS })).iter().map(|event| event.due_us).collect();
        assert!(due.is_sorted());
        let (first, last) = (due[0], due[due.len() - 1]);
        (first, (due.len() - 3) as f64 * 1e6 / ((last - first) as f64).max(1.0))
    };
    for (category, tokens_per_second) in [(Category::Small, 120.0), (Category::Medium, 60.0), (Category::Large, 30.0)] {
        let (first_us, speed) = pace(category, Speed::Believable);
        assert!((150_000..=500_000).contains(&first_us) && (speed - tokens_per_second).abs() < 6.0, "{category} {first_us} {speed}");
        let (ten_times_us, ten_times) = pace(category, Speed::Times(10.0));
        assert!(ten_times_us <= first_us / 10 + 1 && (ten_times / speed - 10.0).abs() < 0.1);
        assert_eq!(pace(category, Speed::Instant).0, 0);
    }
    assert!(events(chat(r#","stream":true"#, &Settings { speed: Speed::Instant, ..SETTINGS })).iter().all(|event| event.due_us == 0));
}

#[test]
fn completions_answer_each_prompt() {
    let body = r#"{"model":"m","prompt":["a","b"],"n":2}"#;
    let (_, answer) = whole(ask(Endpoint::Completions, body, &SETTINGS));
    assert_eq!((answer["object"].as_str(), answer["choices"].as_array().unwrap().len()), (Some("text_completion"), 4));
    assert!(read_answer(Endpoint::Completions, answer.to_string().as_bytes()).unwrap().usage.is_some());
    let stream = events(ask(Endpoint::Completions, r#"{"model":"m","prompt":"a","stream":true}"#, &SETTINGS));
    assert!(stream.iter().all(|event| event.bytes.starts_with(b"data: ") && event.bytes.ends_with(b"\n\n")));
    assert!(stream[0].bytes.windows(6).any(|window| window == b"\"text\""));
}

#[test]
fn absurd_numbers_of_choices_are_bounded() {
    let (_, answer) = whole(chat(r#","n":18446744073709551615,"max_tokens":1"#, &SETTINGS));
    assert_eq!(answer["choices"].as_array().unwrap().len() as u64, caps::MAX_DEMO_CHOICES);
}

fn vectors(input: &str, format: &str) -> Vec<Value> {
    let body = format!(r#"{{"model":"m","input":{input},"encoding_format":"{format}"}}"#);
    let (_, answer) = whole(ask(Endpoint::Embeddings, &body, &SETTINGS));
    assert_eq!(read_answer(Endpoint::Embeddings, answer.to_string().as_bytes()).unwrap().usage.unwrap().output, 0);
    answer["data"].as_array().unwrap().iter().map(|one| one["embedding"].clone()).collect()
}

fn numbers(vector: &Value) -> Vec<f64> {
    vector.as_array().unwrap().iter().map(|number| number.as_f64().unwrap()).collect()
}

#[test]
fn embeddings_are_unit_vectors_that_follow_from_the_words() {
    let all = vectors(r#"["the tide rises","The tide falls","quarterly revenue","the tide rises",""]"#, "float");
    let all: Vec<Vec<f64>> = all.iter().map(numbers).collect();
    let likeness = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(x, y)| x * y).sum::<f64>();
    for vector in &all {
        assert_eq!(vector.len(), 256);
        assert!((likeness(vector, vector) - 1.0).abs() < 1e-5);
    }
    assert_eq!(all[0], all[3]);
    assert!(likeness(&all[0], &all[1]) > 0.4 && likeness(&all[0], &all[2]) < 0.3);
    assert_eq!(vectors(r#""the tide rises""#, "float").iter().map(numbers).collect::<Vec<_>>(), all[..1]);
    assert_eq!(vectors("[1,2,3]", "float").len(), 1);
    assert_eq!(vectors("[[1,2],[3]]", "float").len(), 2);
}

#[test]
fn base64_carries_the_same_numbers() {
    let floats = numbers(&vectors(r#""tide""#, "float")[0]);
    let text = vectors(r#""tide""#, "base64")[0].as_str().unwrap().to_owned();
    let bytes = base64::engine::general_purpose::STANDARD.decode(text).unwrap();
    let decoded: Vec<f32> = bytes.as_chunks::<4>().0.iter().map(|four| f32::from_le_bytes(*four)).collect();
    assert_eq!(decoded, floats.iter().map(|number| *number as f32).collect::<Vec<_>>());
}
