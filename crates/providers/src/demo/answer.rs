//! The simulated server's answers as JSON: whole ones, and a stream's events.

use domain::{Endpoint, TokenUsage};
use serde_json::{Value, json};

use super::Settings;
use super::text::Said;

/// What every answer and every event of a stream begins with.
#[derive(Clone, Debug)]
pub(super) struct Envelope {
    endpoint: Endpoint,
    id: String,
    created_s: i64,
    model: String,
}

impl Envelope {
    pub(super) fn new(endpoint: Endpoint, settings: &Settings<'_>) -> Self {
        let prefix = match endpoint {
            Endpoint::ChatCompletions => "chatcmpl",
            Endpoint::Completions | Endpoint::Embeddings => "cmpl",
        };
        Self {
            endpoint,
            id: format!("{prefix}-demo-{:016x}", settings.seed),
            created_s: settings.created_s,
            model: settings.model.to_owned(),
        }
    }

    pub(super) fn whole(&self, said: &[Said], usage: TokenUsage) -> Value {
        let choices: Vec<Value> = said.iter().enumerate().map(|(index, said)| self.choice(index, said)).collect();
        let object = if self.is_chat() { "chat.completion" } else { "text_completion" };
        self.around(object, &choices, Some(usage))
    }

    fn choice(&self, index: usize, said: &Said) -> Value {
        let (text, finish_reason) = (&said.text, said.finish_reason());
        if self.is_chat() {
            let message = json!({"role": "assistant", "content": text, "refusal": null});
            json!({"index": index, "message": message, "logprobs": null, "finish_reason": finish_reason})
        } else {
            json!({"text": text, "index": index, "logprobs": null, "finish_reason": finish_reason})
        }
    }

    /// The event that only says who speaks; chat alone has it.
    pub(super) fn role(&self, index: usize) -> Value {
        self.chunk(&json!({"index": index, "delta": {"role": "assistant", "content": ""}, "logprobs": null, "finish_reason": null}))
    }

    pub(super) fn token(&self, index: usize, text: &str) -> Value {
        if self.is_chat() {
            self.chunk(&json!({"index": index, "delta": {"content": text}, "logprobs": null, "finish_reason": null}))
        } else {
            self.chunk(&json!({"text": text, "index": index, "logprobs": null, "finish_reason": null}))
        }
    }

    pub(super) fn finish(&self, index: usize, reason: &str) -> Value {
        if self.is_chat() {
            self.chunk(&json!({"index": index, "delta": {}, "logprobs": null, "finish_reason": reason}))
        } else {
            self.chunk(&json!({"text": "", "index": index, "logprobs": null, "finish_reason": reason}))
        }
    }

    pub(super) fn usage(&self, usage: TokenUsage) -> Value {
        self.around(self.chunk_object(), &[], Some(usage))
    }

    pub(super) fn is_chat(&self) -> bool {
        self.endpoint == Endpoint::ChatCompletions
    }

    fn chunk(&self, choice: &Value) -> Value {
        self.around(self.chunk_object(), std::slice::from_ref(choice), None)
    }

    fn chunk_object(&self) -> &'static str {
        if self.is_chat() { "chat.completion.chunk" } else { "text_completion" }
    }

    fn around(&self, object: &str, choices: &[Value], usage: Option<TokenUsage>) -> Value {
        json!({
            "id": self.id,
            "object": object,
            "created": self.created_s,
            "model": self.model,
            "system_fingerprint": "tidegate-demo",
            "choices": choices,
            "usage": usage.map(usage_json),
        })
    }
}

fn usage_json(usage: TokenUsage) -> Value {
    json!({
        "prompt_tokens": usage.input,
        "completion_tokens": usage.output,
        "total_tokens": usage.total(),
        "prompt_tokens_details": {"cached_tokens": usage.cached},
    })
}
