//! What an unstreamed answer says: usage, the model's place, the text.
//! It refuses answers that aren't OpenAI's language.

use std::ops::Range;

use bytes::Bytes;
use domain::{Endpoint, TokenUsage, Tokenizer};
use thiserror::Error;

use crate::json::{Cursor, Halt};
use crate::openai;
use crate::splice::{json_string, spliced};
use crate::tokens;
use crate::verdict::{ErrorBody, Verdict, judge_error};

/// What the gateway must know of an answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AnswerFacts {
    /// The provider's count; `None` where it gave none that can be believed: count with [`count_output`].
    pub usage: Option<TokenUsage>,
    /// The model's JSON string with its quotes; `None` where the answer names no model.
    pub model_span: Option<Range<usize>>,
}

/// Why a 200 is no answer. Each is the provider's failure, so that the next target is tried.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum AnswerFault {
    /// It is not JSON (HTML, cut off, empty).
    #[error("the provider's answer is not valid JSON at byte {at}: {what}")]
    NotJson {
        /// Byte offset.
        at: usize,
        /// What was found or is missing.
        what: &'static str,
    },
    /// It is an error with status 200.
    #[error("the provider's answer is an error: {message}")]
    Error {
        /// The provider's words, scrubbed.
        message: String,
        /// What the error means.
        verdict: Verdict,
    },
    /// It is JSON, but without the member that an answer has.
    #[error("the provider's answer has no `{member}`")]
    NotAnAnswer {
        /// The missing member.
        member: &'static str,
    },
}

/// Reads an unstreamed answer of status 200.
pub fn read_answer(endpoint: Endpoint, body: &[u8]) -> Result<AnswerFacts, AnswerFault> {
    if !body.is_ascii()
        && let Err(fault) = std::str::from_utf8(body)
    {
        return Err(AnswerFault::NotJson { at: fault.valid_up_to(), what: "it is not UTF-8" });
    }
    let member = match endpoint {
        Endpoint::ChatCompletions | Endpoint::Completions => "choices",
        Endpoint::Embeddings => "data",
    };
    let mut facts = AnswerFacts::default();
    let (mut is_answer, mut is_error) = (false, false);
    let mut cursor = Cursor::new(body);
    let read = cursor.members(|cursor, name| match name.raw {
        b"model" if cursor.peek() == b'"' => {
            facts.model_span = Some(cursor.string()?.span());
            Ok(())
        }
        b"usage" => {
            facts.usage = openai::usage(cursor, endpoint)?.tokens;
            Ok(())
        }
        b"error" => {
            is_error |= cursor.peek() != b'n';
            cursor.skip()
        }
        found if found == member.as_bytes() && cursor.peek() == b'[' => {
            is_answer = true;
            if endpoint == Endpoint::Embeddings { embeddings(cursor) } else { cursor.skip() }
        }
        _ => cursor.skip(),
    });
    if read.and_then(|()| cursor.end()).is_err() {
        let flaw = cursor.flaw();
        return Err(AnswerFault::NotJson { at: flaw.at, what: flaw.what.as_str() });
    }
    if is_error {
        let error = ErrorBody::read(body);
        return Err(AnswerFault::Error { message: error.message(&[]), verdict: judge_error(&error) });
    }
    if is_answer { Ok(facts) } else { Err(AnswerFault::NotAnAnswer { member }) }
}

/// Passes embeddings, whose long lists of numbers are looked at less closely.
fn embeddings(cursor: &mut Cursor<'_>) -> Result<(), Halt> {
    cursor.elements(|cursor| {
        if cursor.peek() != b'{' {
            return cursor.skip();
        }
        cursor.members(|cursor, name| if name.raw == b"embedding" { cursor.skip_numbers() } else { cursor.skip() })
    })
}

/// The answer with the requested model's name; the same buffer where it already carries that name or none.
pub fn with_model(body: Bytes, facts: &AnswerFacts, requested: &str) -> Bytes {
    let Some(span) = facts.model_span.clone() else { return body };
    let carries_it = body.get(span.clone()).is_some_and(|literal| Cursor::new(literal).string().is_ok_and(|name| name.is(requested)));
    if carries_it { body } else { spliced(&body, &[(span, &json_string(requested))]) }
}

/// The output tokens of an answer that [`read_answer`] accepted, counted with a tokenizer: texts, reasoning, refusals, names and
/// arguments of tool calls, of all choices. Embeddings have none. Takes about 50 us for each KB of text.
pub fn count_output(endpoint: Endpoint, body: &[u8], tokenizer: Tokenizer) -> u64 {
    if endpoint == Endpoint::Embeddings {
        return 0;
    }
    let mut total = 0;
    let read = Cursor::new(body).members(|cursor, name| {
        if name.raw != b"choices" {
            return cursor.skip();
        }
        openai::choices(cursor, &mut |_, text| total += tokens::count(tokenizer, &text.decode())).map(drop)
    });
    // What `read_answer` accepted is JSON.
    read.map_or(0, |()| total)
}
