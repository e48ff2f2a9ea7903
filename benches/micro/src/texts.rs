//! Requests, answers and events of realistic shapes and lengths.

use bytes::Bytes;
use serde_json::json;

pub(crate) const ANSWER: &str = r#"{"id":"chatcmpl-B9MBs8CjcvOU2jLn4n570S5qMJKcT","object":"chat.completion","created":1741569952,"model":"gpt-4o-mini-2024-07-18","choices":[{"index":0,"message":{"role":"assistant","content":"Hello! How can I assist you today? I am a mock reply of a realistic length, so that a gateway has some text to copy.","refusal":null,"annotations":[]},"logprobs":null,"finish_reason":"stop"}],"usage":{"prompt_tokens":190,"completion_tokens":27,"total_tokens":217,"prompt_tokens_details":{"cached_tokens":0,"audio_tokens":0},"completion_tokens_details":{"reasoning_tokens":0,"audio_tokens":0}},"service_tier":"default","system_fingerprint":"fp_06737a9306"}"#;

/// Prose and code of this project: text that does not repeat itself.
const PROSE: [&str; 4] = [
    include_str!("../../../LICENSE"),
    include_str!("../../../README.md"),
    include_str!("../../../ARCHITECTURE.md"),
    include_str!("../../../crates/domain/src/limit_row.rs"),
];

/// A chat of `length` bytes.
pub(crate) fn request(length: usize) -> Bytes {
    let with = |text: &str| {
        let messages = json!([{"role": "system", "content": "You are a helpful assistant."}, {"role": "user", "content": text}]);
        json!({"model": "gpt-4o-mini", "messages": messages, "temperature": 0.7, "max_tokens": 256}).to_string()
    };
    let room = length.saturating_sub(with("").len());
    let text = "Please summarise the following report for a busy reader, and say what should be done next. ";
    with(&text.chars().cycle().take(room).collect::<String>()).into()
}

/// A chat about all of the prose, some 30 KB.
pub(crate) fn long_request() -> Bytes {
    let messages: Vec<_> = PROSE.iter().map(|text| json!({"role": "user", "content": text})).collect();
    json!({"model": "gpt-4o-mini", "messages": messages}).to_string().into()
}

/// One event of a stream, with one token.
pub(crate) fn event() -> Bytes {
    let head = r#"data: {"id":"chatcmpl-B9MBs8CjcvOU2jLn4n570S5qMJKcT","object":"chat.completion.chunk","created":1741569952,"model":"gpt-4o-mini-2024-07-18","service_tier":"default","system_fingerprint":"fp_06737a9306","choices":"#;
    format!("{head}[{{\"index\":0,\"delta\":{{\"content\":\" token\"}},\"logprobs\":null,\"finish_reason\":null}}],\"usage\":null}}\n\n")
        .into()
}
