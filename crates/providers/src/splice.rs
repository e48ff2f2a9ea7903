//! The body that goes upstream: the client's bytes but for what must change.
//! It refuses to reformat anything.

use std::ops::Range;

use bytes::Bytes;

use crate::RequestFacts;
use crate::request::UsageSlot;

/// The client's body with the model's name at the provider and, when streaming, `stream_options.include_usage` true.
/// Every other byte is the client's; where nothing has to change it is the same buffer, not a copy.
pub fn upstream_body(body: &Bytes, facts: &RequestFacts, model_at_provider: &str) -> Bytes {
    let model = (facts.model != model_at_provider).then(|| (facts.model_span.clone(), json_string(model_at_provider)));
    let usage = if facts.stream && facts.include_usage != Some(true) { Some(ask_for_usage(&facts.usage_slot)) } else { None };
    match (model, usage) {
        (None, None) => body.clone(),
        (Some((span, name)), None) => spliced(body, &[(span, &name)]),
        (None, Some((span, text))) => spliced(body, &[(span, text)]),
        (Some((model_span, name)), Some((span, text))) if model_span.start < span.start => {
            spliced(body, &[(model_span, &name), (span, text)])
        }
        (Some((model_span, name)), Some((span, text))) => spliced(body, &[(span, text), (model_span, &name)]),
    }
}

fn ask_for_usage(slot: &UsageSlot) -> (Range<usize>, &'static str) {
    match slot {
        UsageSlot::NoOptions { at } => (*at..*at, r#""stream_options":{"include_usage":true},"#),
        UsageSlot::NullOptions(span) => (span.clone(), r#"{"include_usage":true}"#),
        UsageSlot::NoMember { at, is_empty: true } => (*at..*at, r#""include_usage":true"#),
        UsageSlot::NoMember { at, is_empty: false } => (*at..*at, r#""include_usage":true,"#),
        UsageSlot::Member(span) => (span.clone(), "true"),
    }
}

/// A text as a JSON string, quotes included.
pub(crate) fn json_string(text: &str) -> String {
    serde_json::to_string(text).unwrap_or_default()
}

/// The bytes with spans, in rising order and apart, replaced.
pub(crate) fn spliced(bytes: &[u8], edits: &[(Range<usize>, &str)]) -> Bytes {
    let added: usize = edits.iter().map(|(_, text)| text.len()).sum();
    let mut out = Vec::with_capacity(bytes.len() + added);
    let mut from = 0;
    for (span, text) in edits {
        out.extend_from_slice(bytes.get(from..span.start).unwrap_or_default());
        out.extend_from_slice(text.as_bytes());
        from = span.end;
    }
    out.extend_from_slice(bytes.get(from..).unwrap_or_default());
    Bytes::from(out)
}

#[cfg(test)]
mod tests;
