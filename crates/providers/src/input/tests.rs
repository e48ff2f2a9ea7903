//! Tests of bounding and counting input.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::read_request;

const O200K: Tokenizer = Tokenizer::O200kBase;

fn chat(messages: Value) -> u64 {
    counted(Endpoint::ChatCompletions, &json!({"model": "m", "messages": messages}), O200K)
}

/// Counts, and checks that the bound holds.
fn counted(endpoint: Endpoint, body: &Value, tokenizer: Tokenizer) -> u64 {
    let body = body.to_string();
    let facts = read_request(endpoint, body.as_bytes()).unwrap();
    let count = count_input(endpoint, body.as_bytes(), tokenizer);
    assert!(count <= input_bound(&facts, body.len()), "{count} of {body}");
    count
}

/// The messages and counts of OpenAI's cookbook, "How to count tokens with tiktoken": 124 with gpt-4o, 129 with gpt-4.
#[test]
fn the_cookbooks_example_has_the_cookbooks_count() {
    let messages = json!([
        {"role": "system", "content": "You are a helpful, pattern-following assistant that translates corporate jargon into plain English."},
        {"role": "system", "name": "example_user", "content": "New synergies will help drive top-line growth."},
        {"role": "system", "name": "example_assistant", "content": "Things working well together will increase revenue."},
        {"role": "system", "name": "example_user", "content": "Let's circle back when we have more bandwidth to touch base on opportunities for increased leverage."},
        {"role": "system", "name": "example_assistant", "content": "Let's talk later when we're less busy about how to do better."},
        {"role": "user", "content": "This late pivot means we don't have time to boil the ocean for the client deliverable."},
    ]);
    let body = json!({"model": "m", "messages": messages});
    assert_eq!(counted(Endpoint::ChatCompletions, &body, O200K), 124);
    assert_eq!(counted(Endpoint::ChatCompletions, &body, Tokenizer::Cl100kBase), 129);
}

#[test]
fn everything_that_reaches_the_model_counts() {
    let hi = chat(json!([{"role": "user", "content": "hi"}]));
    assert_eq!(hi, 3 + 3 + 1 + 1);
    assert_eq!(chat(json!([{"role": "user", "content": [{"type": "text", "text": "hi"}]}])), hi);
    assert_eq!(chat(json!([{"role": "user", "content": [{"type": "text", "text": "hi"}, {"type": "text", "text": " there"}]}])), hi + 1);
    let image = json!({"type": "image_url", "image_url": {"url": "data:image/png;base64,".to_owned() + &"A".repeat(9_000)}});
    assert_eq!(chat(json!([{"role": "user", "content": [{"type": "text", "text": "hi"}, image]}])), hi + caps::TOKENS_PER_IMAGE);
    let call = json!({"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": "{\"in\":\"Rome\"}"}});
    let with_call = chat(json!([{"role": "assistant", "content": null, "tool_calls": [call]}]));
    assert_eq!(with_call, 3 + 3 + 1 + tokens::count(O200K, "weather") + tokens::count(O200K, "{\"in\":\"Rome\"}"));
}

#[test]
fn tools_and_schemas_count_as_json() {
    let tools = json!([{"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}]);
    let messages = json!([{"role": "user", "content": "hi"}]);
    let count = |body: Value| counted(Endpoint::ChatCompletions, &body, O200K);
    let plain = count(json!({"model": "m", "messages": messages}));
    assert_eq!(count(json!({"model": "m", "messages": messages, "tools": tools})), plain + tokens::count(O200K, &tools.to_string()));
    assert_eq!(count(json!({"model": "m", "messages": messages, "tools": null, "user": "a long name of a user"})), plain);
}

#[test]
fn texts_and_token_ids_count() {
    let count = |endpoint, name: &str, value: Value| counted(endpoint, &json!({"model": "m", name: value}), O200K);
    for (endpoint, name) in [(Endpoint::Completions, "prompt"), (Endpoint::Embeddings, "input")] {
        assert_eq!(count(endpoint, name, json!("hello world")), 2);
        assert_eq!(count(endpoint, name, json!(["hello world", "hello"])), 3);
        assert_eq!(count(endpoint, name, json!([1, 22, 333])), 3);
        assert_eq!(count(endpoint, name, json!([[1, 22], [333]])), 3);
    }
}

#[test]
fn escapes_are_read_before_they_are_counted() {
    let body = br#"{"model":"m","prompt":"\u0068ello\u0020w\u006frld"}"#;
    assert_eq!(count_input(Endpoint::Completions, body, O200K), 2);
    let halved = br#"{"model":"m","prompt":"\ud800 hello"}"#;
    assert!(count_input(Endpoint::Completions, halved, O200K) >= 2);
}

/// They would not end if the time grew with the square of the length.
#[test]
fn long_monotonous_texts_are_counted_in_bounded_time() {
    for text in ["a", " ", "\n", "é", "1", "=", "中", "aA", " \n", "\u{301}", "'s"] {
        let text = text.repeat(50_000 / text.len());
        assert!(counted(Endpoint::Completions, &json!({"model": "m", "prompt": text}), O200K) > 0);
    }
}

fn any_text() -> impl Strategy<Value = String> {
    prop_oneof![any::<String>(), "[ -~]{0,40}", "[0-9]{1,30}", "[中文字符日本語]{1,20}", "( |\n|\t){1,20}", "(🦀|é|\u{301}|'s| ){1,9}"]
}

fn any_part() -> impl Strategy<Value = Value> {
    prop_oneof![
        any_text().prop_map(|text| json!({"type": "text", "text": text})),
        any_text().prop_map(|text| json!({"type": "image_url", "image_url": {"url": text}})),
        any_text().prop_map(|text| json!({"type": "input_audio", "input_audio": {"data": text}})),
        any_text().prop_map(|text| json!({"type": "file", "file": {"file_data": text}})),
        any_text().prop_map(Value::from),
    ]
}

fn any_message() -> impl Strategy<Value = Value> {
    let content =
        prop_oneof![any_text().prop_map(Value::from), proptest::collection::vec(any_part(), 0..3).prop_map(Value::from), Just(Value::Null)];
    (content, proptest::option::of(any_text()), any_text(), any::<bool>()).prop_map(|(content, name, arguments, calls)| {
        let mut message = json!({"role": "user", "content": content});
        if let Some(name) = name {
            message["name"] = Value::from(name);
        }
        if calls {
            message["tool_calls"] = json!([{"id": "c", "function": {"name": "f", "arguments": arguments, "file": {"image": 1}}}]);
        }
        message
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn the_bound_is_never_below_the_count(messages in proptest::collection::vec(any_message(), 1..5), tool in any_text(), cl100k in any::<bool>()) {
        let tokenizer = if cl100k { Tokenizer::Cl100kBase } else { O200K };
        counted(Endpoint::ChatCompletions, &json!({"model": "m", "messages": messages, "tools": [{"function": {"name": tool}}]}), tokenizer);
        counted(Endpoint::Completions, &json!({"model": "m", "prompt": tool.clone() + "x"}), tokenizer);
        counted(Endpoint::Embeddings, &json!({"model": "m", "input": [tool, [1, 2]]}), tokenizer);
    }
}
