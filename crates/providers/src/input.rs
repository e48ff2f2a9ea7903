//! How many input tokens a request has: a cheap bound, and the exact count.
//! It refuses to know limits; when to count exactly is the caller's decision.

use domain::{Endpoint, Tokenizer};

use crate::RequestFacts;
use crate::caps;
use crate::json::{Cursor, Halt, Text};
use crate::request::media_figure;
use crate::tokens;

/// A number of input tokens that no provider's count exceeds, but for what media have beyond their figures (see [`caps`]).
/// Every tokenizer in use falls back to bytes, so a text has no more tokens than bytes, and its JSON has no fewer bytes than it. Costs nothing.
pub fn input_bound(facts: &RequestFacts, body_len: usize) -> u64 {
    let tools = if facts.has_tools { caps::TOOLS_OVERHEAD_TOKENS } else { 0 };
    let messages = facts.messages.saturating_mul(caps::MESSAGE_OVERHEAD_TOKENS);
    [caps::REQUEST_OVERHEAD_TOKENS, tools, messages, facts.media_tokens].into_iter().fold(body_len as u64, u64::saturating_add)
}

/// The input tokens of a body that [`crate::read_request`] accepted, counted with a tokenizer as OpenAI's cookbook does: the texts
/// of messages, names, tools and function arguments, token ids one by one, media by their figures. Never above [`input_bound`].
/// Takes 20 to 50 us for each KB of text, for contrived texts 500: bodies above 100 kB belong off the runtime's threads.
pub fn count_input(endpoint: Endpoint, body: &[u8], tokenizer: Tokenizer) -> u64 {
    let mut count = Count { body, tokenizer, scratch: String::new(), tokens: 0 };
    let mut cursor = Cursor::new(body);
    match count.request(&mut cursor, endpoint) {
        Ok(()) => count.tokens,
        Err(_) => body.len() as u64,
    }
}

struct Count<'a> {
    body: &'a [u8],
    tokenizer: Tokenizer,
    scratch: String,
    tokens: u64,
}

impl<'a> Count<'a> {
    fn request(&mut self, cursor: &mut Cursor<'a>, endpoint: Endpoint) -> Result<(), Halt> {
        if endpoint == Endpoint::ChatCompletions {
            self.tokens += caps::COUNTED_REQUEST_TOKENS;
        }
        cursor.members(|cursor, name| match (endpoint, &*name.decode()) {
            (Endpoint::ChatCompletions, "messages") if cursor.peek() == b'[' => cursor.elements(|cursor| self.message(cursor)),
            (Endpoint::ChatCompletions, "tools" | "functions" | "response_format") => self.json(cursor),
            (Endpoint::Completions, "prompt" | "suffix") | (Endpoint::Embeddings, "input") => self.texts(cursor),
            _ => cursor.skip(),
        })
    }

    fn message(&mut self, cursor: &mut Cursor<'a>) -> Result<(), Halt> {
        self.tokens += caps::COUNTED_MESSAGE_TOKENS;
        cursor.members(|cursor, name| {
            if name.is("name") {
                self.tokens += caps::COUNTED_NAME_TOKENS;
            }
            if cursor.peek() == b'[' && name.is("content") {
                return cursor.elements(|cursor| self.part(cursor));
            }
            self.member_or_media(cursor, &name)
        })
    }

    fn part(&mut self, cursor: &mut Cursor<'a>) -> Result<(), Halt> {
        if cursor.peek() == b'{' { cursor.members(|cursor, name| self.member_or_media(cursor, &name)) } else { self.said(cursor) }
    }

    /// A member where `read_request` looks for media, and only there, so that the bound holds them too.
    fn member_or_media(&mut self, cursor: &mut Cursor<'a>, name: &Text<'a>) -> Result<(), Halt> {
        let Some(figure) = media_figure(name) else { return self.member(cursor, name) };
        if cursor.peek() != b'n' {
            self.tokens += figure;
        }
        cursor.skip()
    }

    /// What a member says counts, its kind and ids don't.
    fn member(&mut self, cursor: &mut Cursor<'a>, name: &Text<'a>) -> Result<(), Halt> {
        match &*name.decode() {
            "type" | "id" | "tool_call_id" | "cache_control" => cursor.skip(),
            _ => self.said(cursor),
        }
    }

    fn said(&mut self, cursor: &mut Cursor<'a>) -> Result<(), Halt> {
        match cursor.peek() {
            b'"' => self.string(cursor),
            b'[' => cursor.elements(|cursor| self.said(cursor)),
            b'{' => cursor.members(|cursor, name| self.member(cursor, &name)),
            _ => cursor.skip(),
        }
    }

    /// A text, texts, token ids, or arrays of token ids.
    fn texts(&mut self, cursor: &mut Cursor<'a>) -> Result<(), Halt> {
        match cursor.peek() {
            b'"' => self.string(cursor),
            b'[' => cursor.elements(|cursor| self.texts(cursor)),
            b'-' | b'0'..=b'9' => {
                self.tokens += 1;
                cursor.skip()
            }
            _ => cursor.skip(),
        }
    }

    /// A value that a provider puts before the model as JSON.
    fn json(&mut self, cursor: &mut Cursor<'a>) -> Result<(), Halt> {
        let span = cursor.span()?;
        let json = String::from_utf8_lossy(self.body.get(span).unwrap_or_default());
        if json != "null" {
            self.tokens += tokens::count(self.tokenizer, &json);
        }
        Ok(())
    }

    fn string(&mut self, cursor: &mut Cursor<'a>) -> Result<(), Halt> {
        let text = cursor.string()?;
        self.tokens += match std::str::from_utf8(text.raw) {
            Ok(plain) if text.plain => tokens::count(self.tokenizer, plain),
            _ => {
                self.scratch.clear();
                text.decode_into(&mut self.scratch);
                tokens::count(self.tokenizer, &self.scratch)
            }
        };
        Ok(())
    }
}

#[cfg(test)]
mod tests;
