//! OpenAI's shapes as scripts: what a provider of that language answers to a request, whole or streamed.

use serde_json::{Value, json};

use crate::script::{Gate, Script, Sse};
use crate::upstream::Received;

/// The answer of a well-behaved provider: a text of so many words and the usage it reports.
#[derive(Clone, Debug)]
pub struct Reply {
    /// Input tokens that its usage reports.
    pub input: u64,
    /// Output tokens that its usage reports; 0 for embeddings.
    pub output: u64,
    /// Words of the text, each an event when it is streamed.
    pub words: u64,
    /// Whether it reports usage at all.
    pub reports_usage: bool,
    /// In a stream: stops after its first event until this gate opens.
    pub gate: Option<Gate>,
}

impl Default for Reply {
    fn default() -> Self {
        Self::of(10, 5)
    }
}

impl Reply {
    /// So many input and output tokens, and as many words, but not more than ten.
    pub fn of(input: u64, output: u64) -> Self {
        Self { input, output, words: output.min(10), reports_usage: true, gate: None }
    }

    /// The same with a gate after a stream's first event.
    pub fn gated(mut self, gate: &Gate) -> Self {
        self.gate = Some(gate.clone());
        self
    }

    /// The same from a provider that reports no usage.
    pub fn without_usage(mut self) -> Self {
        self.reports_usage = false;
        self
    }

    /// The text that is sent: `hello hello`, each word one token of every common tokenizer.
    pub fn text(&self) -> String {
        (0..self.words).map(word).collect()
    }

    /// The answer to this request, in the shape that it asks for.
    pub fn script(&self, request: &Received) -> Script {
        let body = request.json();
        let path = request.path.split('?').next().unwrap_or_default();
        if path.ends_with("/models") {
            return Script::json(200, &json!({"object": "list", "data": [{"id": "m", "object": "model", "created": 1, "owned_by": "o"}]}));
        }
        if path.ends_with("/embeddings") {
            return Script::json(200, &self.embeddings(&body));
        }
        let chat = path.ends_with("/chat/completions");
        if body["stream"] == true { self.stream(&body, chat) } else { Script::json(200, &self.whole(&body, chat)) }
    }

    fn usage(&self) -> Value {
        json!({"prompt_tokens": self.input, "completion_tokens": self.output, "total_tokens": self.input + self.output})
    }

    fn whole(&self, body: &Value, chat: bool) -> Value {
        let choice = if chat {
            json!({"index": 0, "message": {"role": "assistant", "content": self.text()}, "finish_reason": "stop"})
        } else {
            json!({"index": 0, "text": self.text(), "logprobs": null, "finish_reason": "stop"})
        };
        let object = if chat { "chat.completion" } else { "text_completion" };
        let mut answer = json!({"id": "cmpl-1", "object": object, "created": 1_741_569_952, "model": body["model"], "choices": [choice]});
        if self.reports_usage {
            answer["usage"] = self.usage();
        }
        answer
    }

    fn stream(&self, body: &Value, chat: bool) -> Script {
        let model = body["model"].as_str().unwrap_or_default();
        let mut sse = Sse::new();
        for n in 0..self.words {
            if let (1, Some(gate)) = (n, &self.gate) {
                sse = sse.gate(gate);
            }
            sse = sse.event(&if chat { chat_chunk(model, word(n)) } else { completion_chunk(model, word(n)) });
        }
        sse = sse.event(&if chat {
            json!({"id": "cmpl-1", "object": "chat.completion.chunk", "created": 1_741_569_952, "model": model,
                   "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
        } else {
            json!({"id": "cmpl-1", "object": "text_completion", "created": 1_741_569_952, "model": model,
                   "choices": [{"index": 0, "text": "", "logprobs": null, "finish_reason": "stop"}]})
        });
        if self.reports_usage && body["stream_options"]["include_usage"] == true {
            sse = sse.event(&chat_usage_chunk(model, self.input, self.output));
        }
        sse.done()
    }

    fn embeddings(&self, body: &Value) -> Value {
        let inputs = body["input"].as_array().map_or(1, Vec::len);
        let data: Vec<_> = (0..inputs).map(|i| json!({"object": "embedding", "index": i, "embedding": [0.25, -0.5, 1.0]})).collect();
        json!({"object": "list", "data": data, "model": body["model"], "usage": {"prompt_tokens": self.input, "total_tokens": self.input}})
    }
}

fn word(n: u64) -> &'static str {
    if n == 0 { "hello" } else { " hello" }
}

/// One content event of a chat stream.
pub fn chat_chunk(model: &str, content: &str) -> Value {
    json!({"id": "cmpl-1", "object": "chat.completion.chunk", "created": 1_741_569_952, "model": model,
           "choices": [{"index": 0, "delta": {"content": content}, "finish_reason": null}]})
}

fn completion_chunk(model: &str, text: &str) -> Value {
    json!({"id": "cmpl-1", "object": "text_completion", "created": 1_741_569_952, "model": model,
           "choices": [{"index": 0, "text": text, "logprobs": null, "finish_reason": null}]})
}

/// The chunk that `stream_options.include_usage` asks for.
pub fn chat_usage_chunk(model: &str, input: u64, output: u64) -> Value {
    json!({"id": "cmpl-1", "object": "chat.completion.chunk", "created": 1_741_569_952, "model": model, "choices": [],
           "usage": {"prompt_tokens": input, "completion_tokens": output, "total_tokens": input + output}})
}
