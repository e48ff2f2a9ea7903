//! The provider's own count of tokens, as the many speakers of OpenAI's language write it.
//! It refuses to believe what can't be true.

use domain::{Endpoint, TokenUsage};

use crate::caps;
use crate::json::{Cursor, Halt, Kind, whole_number};

/// What stood in `usage`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Usage {
    /// Whether it was an object at all rather than null.
    pub(crate) is_given: bool,
    /// What can be believed of it.
    pub(crate) tokens: Option<TokenUsage>,
}

#[derive(Default)]
struct Members {
    prompt: Option<u64>,
    completion: Option<u64>,
    total: Option<u64>,
    cached: Option<u64>,
    reasoning: Option<u64>,
}

/// Reads the value of `usage`.
pub(crate) fn usage(cursor: &mut Cursor<'_>, endpoint: Endpoint) -> Result<Usage, Halt> {
    if cursor.peek() != b'{' {
        cursor.skip()?;
        return Ok(Usage::default());
    }
    let mut read = Members::default();
    cursor.members(|cursor, name| {
        match name.raw {
            b"prompt_tokens" | b"input_tokens" => read.prompt = count(cursor)?,
            b"completion_tokens" | b"output_tokens" => read.completion = count(cursor)?,
            b"total_tokens" => read.total = count(cursor)?,
            // DeepSeek's name for what others keep in the details.
            b"prompt_cache_hit_tokens" => read.cached = read.cached.max(count(cursor)?),
            b"prompt_tokens_details" | b"input_tokens_details" if cursor.peek() == b'{' => {
                cursor.members(|cursor, name| {
                    if name.raw == b"cached_tokens" {
                        read.cached = read.cached.max(count(cursor)?);
                        return Ok(());
                    }
                    cursor.skip()
                })?;
            }
            b"completion_tokens_details" | b"output_tokens_details" if cursor.peek() == b'{' => {
                cursor.members(|cursor, name| {
                    if name.raw == b"reasoning_tokens" {
                        read.reasoning = read.reasoning.max(count(cursor)?);
                        return Ok(());
                    }
                    cursor.skip()
                })?;
            }
            _ => cursor.skip()?,
        }
        Ok::<(), Halt>(())
    })?;
    Ok(Usage { is_given: true, tokens: read.tokens(endpoint) })
}

/// A count: whole or written as a float, and believable.
fn count(cursor: &mut Cursor<'_>) -> Result<Option<u64>, Halt> {
    if cursor.kind()? != Kind::Number {
        return cursor.skip().map(|()| None);
    }
    let number = cursor.number()?;
    let float = || {
        std::str::from_utf8(number).ok()?.parse::<f64>().ok().filter(|count| (0.0..1e15).contains(count)).map(|count| count.ceil() as u64)
    };
    Ok(whole_number(number).or_else(float).filter(|count| *count <= caps::MAX_BELIEVABLE_TOKENS))
}

impl Members {
    fn tokens(&self, endpoint: Endpoint) -> Option<TokenUsage> {
        let without = |part: Option<u64>| self.total.zip(part).map(|(total, part)| total.saturating_sub(part));
        let input = self.prompt.or_else(|| without(self.completion))?;
        let output = match endpoint {
            Endpoint::Embeddings => self.completion.unwrap_or(0),
            // xAI and Google count reasoning in the total only.
            Endpoint::ChatCompletions | Endpoint::Completions => self.completion.max(without(self.prompt))?,
        };
        // Some local servers write zeros for want of a count; no request has no tokens at all.
        (input > 0 || output > 0).then(|| TokenUsage {
            input,
            output,
            cached: self.cached.unwrap_or(0).min(input),
            reasoning: self.reasoning.unwrap_or(0).min(output),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(endpoint: Endpoint, json: &str) -> Option<(u64, u64, u64)> {
        let usage = usage(&mut Cursor::new(json.as_bytes()), endpoint).unwrap();
        usage.tokens.map(|tokens| (tokens.input, tokens.output, tokens.cached))
    }

    #[test]
    fn every_way_of_writing_usage_is_read() {
        let chat = |json| read(Endpoint::ChatCompletions, json);
        assert_eq!(
            chat(r#"{"prompt_tokens":9,"completion_tokens":12,"total_tokens":21,"prompt_tokens_details":{"cached_tokens":4}}"#),
            Some((9, 12, 4))
        );
        assert_eq!(chat(r#"{"prompt_tokens":9,"completion_tokens":12,"prompt_tokens_details":null}"#), Some((9, 12, 0)));
        assert_eq!(chat(r#"{"prompt_tokens":9.0,"completion_tokens":11.5,"extra":{"a":[]}}"#), Some((9, 12, 0)));
        assert_eq!(chat(r#"{"prompt_tokens":9,"total_tokens":21}"#), Some((9, 12, 0)));
        assert_eq!(chat(r#"{"completion_tokens":12,"total_tokens":21}"#), Some((9, 12, 0)));
        assert_eq!(
            chat(r#"{"prompt_tokens":9,"completion_tokens":2,"total_tokens":111}"#),
            Some((9, 102, 0)),
            "reasoning only in the total"
        );
        assert_eq!(chat(r#"{"prompt_tokens":9,"completion_tokens":2,"prompt_cache_hit_tokens":7}"#), Some((9, 2, 7)));
        assert_eq!(chat(r#"{"prompt_tokens":9,"completion_tokens":0,"total_tokens":9}"#), Some((9, 0, 0)));
        assert_eq!(read(Endpoint::Embeddings, r#"{"prompt_tokens":8,"total_tokens":8}"#), Some((8, 0, 0)));
        assert_eq!(read(Endpoint::Embeddings, r#"{"prompt_tokens":8}"#), Some((8, 0, 0)));
    }

    #[test]
    fn reasoning_is_read_from_the_details_and_never_more_than_the_output() {
        let reasoning = |json: &str| usage(&mut Cursor::new(json.as_bytes()), Endpoint::ChatCompletions).unwrap().tokens.unwrap().reasoning;
        assert_eq!(reasoning(r#"{"prompt_tokens":9,"completion_tokens":12,"completion_tokens_details":{"reasoning_tokens":7,"x":1}}"#), 7);
        assert_eq!(reasoning(r#"{"input_tokens":9,"output_tokens":12,"output_tokens_details":{"reasoning_tokens":50}}"#), 12);
        assert_eq!(reasoning(r#"{"prompt_tokens":9,"completion_tokens":12,"completion_tokens_details":null}"#), 0);
    }

    #[test]
    fn what_cannot_be_believed_is_no_usage() {
        for json in [
            "null",
            "[]",
            "7",
            "{}",
            r#"{"prompt_tokens":null,"completion_tokens":null}"#,
            r#"{"prompt_tokens":9}"#,
            r#"{"prompt_tokens":0,"completion_tokens":0,"total_tokens":0}"#,
            r#"{"prompt_tokens":-1,"completion_tokens":-5}"#,
            r#"{"prompt_tokens":9,"completion_tokens":1e300}"#,
            r#"{"prompt_tokens":99999999999999999999,"completion_tokens":1}"#,
            r#"{"prompt_tokens":"9","completion_tokens":"12"}"#,
        ] {
            assert_eq!(read(Endpoint::ChatCompletions, json), None, "{json}");
        }
    }
}
