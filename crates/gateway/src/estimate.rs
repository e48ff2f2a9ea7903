//! Third stop: how many tokens a request may need. Nothing is tokenized here.

use bytes::Bytes;
use domain::{Endpoint, Model};
use providers::RequestFacts;

use crate::uncounted::Text;

/// What a request is expected to need.
pub(crate) struct Estimate {
    /// Its text, should it have to be counted.
    pub(crate) text: Text,
    /// Input tokens that no provider's count exceeds.
    pub(crate) bound: u64,
    /// Output tokens to hold, before limits are looked at.
    pub(crate) output: u64,
}

/// Estimates a request for `model`.
pub(crate) fn estimate(facts: &RequestFacts, body: &Bytes, model: &Model) -> Estimate {
    let output = match facts.endpoint {
        Endpoint::ChatCompletions | Endpoint::Completions => model.output_to_hold(facts.max_output).saturating_mul(facts.choices),
        Endpoint::Embeddings => 0,
    };
    let text = Text { body: body.clone(), endpoint: facts.endpoint, tokenizer: model.tokenizer };
    Estimate { text, bound: providers::input_bound(facts, body.len()), output }
}
