//! One event's JSON: what the relay must know of a chunk.
//! It refuses to know how events are framed.

use domain::{Endpoint, TokenUsage};

use crate::json::{Cursor, Flaw, Text};
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

impl Chunk<'_> {
    /// Whether it is the extra chunk that `include_usage` brings. Chunks without choices that carry something else, such as
    /// Azure's filter results, are not.
    pub(super) fn is_only_usage(&self) -> bool {
        self.has_usage && self.choices.is_some_and(|choices| choices.number == 0)
    }
}

/// Reads a chunk; every text that isn't empty goes to `sink`.
pub(super) fn read<'a>(endpoint: Endpoint, payload: &'a [u8], sink: &mut impl FnMut(Lane, &Text<'a>)) -> Result<Chunk<'a>, Flaw> {
    let mut chunk = Chunk::default();
    let mut cursor = Cursor::new(payload);
    cursor.members(|cursor, name| {
        match name.raw {
            b"model" if cursor.peek() == b'"' => chunk.model = Some(cursor.string()?),
            b"choices" if cursor.peek() == b'[' => chunk.choices = Some(openai::choices(cursor, sink)?),
            b"usage" => {
                let usage = openai::usage(cursor, endpoint)?;
                chunk.has_usage = usage.is_given;
                chunk.usage = usage.tokens;
            }
            b"error" => {
                chunk.is_error |= cursor.peek() != b'n';
                cursor.skip()?;
            }
            // vLLM's older shape of an error.
            b"object" if cursor.peek() == b'"' => chunk.is_error |= cursor.string()?.raw == b"error",
            _ => cursor.skip()?,
        }
        Ok::<(), Flaw>(())
    })?;
    cursor.end()?;
    Ok(chunk)
}
