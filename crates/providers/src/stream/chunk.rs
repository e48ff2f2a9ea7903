//! One event's JSON: what the relay must know of a chunk.
//! It refuses to know how events are framed.

use std::ops::Range;

use domain::{Endpoint, TokenUsage};

use crate::json::{Cursor, Halt, Text};
use crate::openai::{self, Choices, Lane};

/// What a chunk is.
#[derive(Debug, Default)]
pub(super) struct Chunk<'a> {
    pub(super) model: Option<Text<'a>>,
    /// `None`: it has no `choices`.
    pub(super) choices: Option<Choices>,
    /// Whether `usage` is an object.
    pub(super) has_usage: bool,
    pub(super) usage: Option<TokenUsage>,
    pub(super) is_error: bool,
}

impl<'a> Chunk<'a> {
    /// Reads a member other than the choices.
    fn member(&mut self, cursor: &mut Cursor<'a>, name: &Text<'a>, endpoint: Endpoint) -> Result<(), Halt> {
        match name.raw {
            b"model" if cursor.peek() == b'"' => self.model = Some(cursor.string()?),
            b"usage" => {
                let usage = openai::usage(cursor, endpoint)?;
                // Should it stand twice, a null takes nothing back.
                if usage.is_given {
                    self.has_usage = true;
                    self.usage = usage.tokens;
                }
            }
            b"error" => {
                self.is_error |= cursor.peek() != b'n';
                cursor.skip()?;
            }
            // vLLM's older shape of an error.
            b"object" if cursor.peek() == b'"' => self.is_error |= cursor.string()?.raw == b"error",
            _ => cursor.skip()?,
        }
        Ok(())
    }

    /// Whether it is the extra chunk that `include_usage` brings. Chunks without choices that carry something else, such as
    /// Azure's filter results, are not.
    pub(super) fn is_only_usage(&self) -> bool {
        self.has_usage && self.choices.is_some_and(|choices| choices.number == 0)
    }
}

/// Reads one stream's chunks. Most differ from the one before only in their choices, so what stands before and behind these is
/// remembered and, where it comes again, not read again.
#[derive(Debug)]
pub(super) struct ChunkReader {
    endpoint: Endpoint,
    before: Remembered,
    behind: Remembered,
    /// How often in a row the part behind has differed: where it always does, remembering it is given up.
    misses_behind: u32,
}

/// A part of a chunk that was read and holds nothing but a model's name.
#[derive(Debug, Default)]
struct Remembered {
    bytes: Vec<u8>,
    /// Where the name's quote stands in the part, how long the name is, and whether it is free of escapes.
    model: Option<(usize, usize, bool)>,
}

impl Remembered {
    /// Remembers a part of a payload that was just read into `chunk`, if it told nothing that could be another the next time.
    fn remember(&mut self, payload: &[u8], part: Range<usize>, chunk: &Chunk<'_>) {
        self.bytes.clear();
        if !chunk.has_usage && !chunk.is_error {
            self.bytes.extend_from_slice(payload.get(part.clone()).unwrap_or_default());
            let model = chunk.model.filter(|model| part.contains(&model.start));
            self.model = model.map(|model| (model.start - part.start, model.raw.len(), model.plain));
        }
    }

    /// The part with another model's name, given as a JSON string, and without a usage that isn't there yet; none if it is empty.
    fn renamed(&self, requested: &str) -> Option<String> {
        let part = std::str::from_utf8(&self.bytes).ok().filter(|part| !part.is_empty())?;
        let renamed = match self.model {
            Some((quote, length, _)) => {
                let (first, rest) = part.split_at_checked(quote)?;
                format!("{first}{requested}{}", rest.get(length + 2..)?)
            }
            None => part.to_owned(),
        };
        let plain = renamed.replace(",\"usage\":null", "").replace(", \"usage\": null", "");
        (!plain.contains("\"usage\"")).then_some(plain)
    }

    /// The model's name in a payload in which the part stands at `at`.
    fn model<'a>(&self, payload: &'a [u8], at: usize) -> Option<Text<'a>> {
        let (quote, length, plain) = self.model?;
        let start = at + quote;
        Some(Text { raw: payload.get(start + 1..start + 1 + length)?, start, plain })
    }
}

impl ChunkReader {
    const MOST_MISSES: u32 = 16;

    pub(super) fn new(endpoint: Endpoint) -> Self {
        Self { endpoint, before: Remembered::default(), behind: Remembered::default(), misses_behind: 0 }
    }

    pub(super) const fn endpoint(&self) -> Endpoint {
        self.endpoint
    }

    /// A chunk of this stream around its choices, under the requested model's name (as a JSON string): as the last ones were, where
    /// that is remembered, else with the least that a chunk has.
    pub(super) fn around(&self, requested: &str) -> (String, String) {
        if let (Some(before), Some(behind)) = (self.before.renamed(requested), self.behind.renamed(requested)) {
            return (before, behind);
        }
        let object = match self.endpoint {
            Endpoint::Completions => "text_completion",
            Endpoint::ChatCompletions | Endpoint::Embeddings => "chat.completion.chunk",
        };
        (format!(r#"{{"id":"","object":"{object}","created":0,"model":{requested},"choices":"#), "}".to_owned())
    }

    /// Reads a chunk into a fresh `chunk`; every text that isn't empty goes to `sink`.
    pub(super) fn read<'a>(
        &mut self,
        payload: &'a [u8],
        chunk: &mut Chunk<'a>,
        sink: &mut impl FnMut(Lane, &Text<'a>),
    ) -> Result<(), Halt> {
        let mut cursor = Cursor::new(payload);
        let known = self.before.bytes.len();
        if known > 0 && payload.starts_with(&self.before.bytes) && payload.get(known) == Some(&b'[') {
            cursor.resume(known);
            chunk.model = self.before.model(payload, 0);
        } else {
            let has_choices = cursor.members_until(|cursor, name| {
                if name.raw == b"choices" && cursor.peek() == b'[' {
                    return Ok(false);
                }
                chunk.member(cursor, &name, self.endpoint).map(|()| true)
            })?;
            if !has_choices {
                cursor.end()?;
                return Ok(());
            }
            self.before.remember(payload, 0..cursor.at(), chunk);
        }
        chunk.choices = Some(openai::choices(&mut cursor, sink)?);
        self.rest(payload, cursor, chunk)
    }

    /// Reads what stands behind the choices.
    fn rest<'a>(&mut self, payload: &'a [u8], mut cursor: Cursor<'a>, chunk: &mut Chunk<'a>) -> Result<(), Halt> {
        let from = cursor.at();
        if payload.get(from..) == Some(&self.behind.bytes) {
            self.misses_behind = 0;
            chunk.model = self.behind.model(payload, from).or(chunk.model);
            return Ok(());
        }
        cursor.more_members(|cursor, name| chunk.member(cursor, &name, self.endpoint))?;
        cursor.end()?;
        self.misses_behind += 1;
        if self.misses_behind < Self::MOST_MISSES {
            self.behind.remember(payload, from..payload.len(), chunk);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// What a reader makes of a payload, with the texts.
    fn told(reader: &mut ChunkReader, payload: &str) -> Option<String> {
        let mut texts = String::new();
        let mut chunk = Chunk::default();
        reader.read(payload.as_bytes(), &mut chunk, &mut |lane, text| texts += &format!("{lane:?} {} ", text.decode())).ok()?;
        let model = chunk.model.map(|model| (model.decode().into_owned(), model.span()));
        Some(format!("{model:?} {:?} {} {:?} {} {texts}", chunk.choices, chunk.has_usage, chunk.usage, chunk.is_error))
    }

    fn any_part() -> impl Strategy<Value = &'static str> {
        prop_oneof![
            4 => Just(""),
            2 => Just(r#""model":"a","#),
            1 => Just(r#""model":"\u0062","#),
            1 => Just(r#""object":"x", "usage":null,"#),
            1 => Just(r#""usage":{"prompt_tokens":1,"completion_tokens":2},"#),
            1 => Just(r#""error":null,"#),
            1 => Just(r#""error":"e","#),
            1 => Just(r#""n":[1,{"choices":[]}],"#),
            1 => Just(r#""broken","#),
        ]
    }

    fn any_choices() -> impl Strategy<Value = &'static str> {
        prop_oneof![
            4 => Just(r#""choices":[{"index":0,"delta":{"content":"x"}}]"#),
            1 => Just(r#""choices":[]"#),
            1 => Just(r#""choices":null"#),
            1 => Just(r#""choices":[{]"#),
            1 => Just(r#""none":1"#),
        ]
    }

    proptest! {
        #[test]
        fn what_is_remembered_changes_nothing(parts in proptest::collection::vec((any_part(), any_choices(), any_part()), 1..40)) {
            let mut reader = ChunkReader::new(Endpoint::ChatCompletions);
            for (before, choices, behind) in parts {
                let behind = behind.strip_suffix(',').map(|behind| format!(",{behind}")).unwrap_or_default();
                let payload = format!("{{{before}{choices}{behind}}}");
                prop_assert_eq!(told(&mut reader, &payload), told(&mut ChunkReader::new(Endpoint::ChatCompletions), &payload), "{}", payload);
            }
        }
    }
}
