//! Third stop: how many tokens a request may need. Nothing is tokenized here.

use bytes::Bytes;
use domain::Endpoint;
use providers::RequestFacts;
use store::OrgEntry;

use crate::resolve::Resolved;
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

/// Estimates a request of `org`.
pub(crate) fn estimate(facts: &RequestFacts, body: &Bytes, resolved: &Resolved, org: &OrgEntry) -> Estimate {
    let model = &resolved.model.model;
    let output = match facts.endpoint {
        Endpoint::ChatCompletions | Endpoint::Completions => {
            let learned = |default| org.learned_hold(&model.id, default);
            model.output_to_hold(resolved.hold, facts.max_output, learned).saturating_mul(facts.choices)
        }
        Endpoint::Embeddings => 0,
    };
    let text = Text { body: body.clone(), endpoint: facts.endpoint, tokenizer: model.tokenizer };
    Estimate { text, bound: providers::input_bound(facts, body.len()), output }
}
