//! A strict, lazy JSON reader over borrowed bytes: it checks everything it passes and builds nothing.
//! It refuses to know what any member means.

mod flaw;
mod text;

use std::ops::Range;

pub(crate) use flaw::{Flaw, What, place};
pub(crate) use text::Text;

use crate::caps;

/// What kind of value comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Object,
    Array,
    String,
    Number,
    Boolean,
    Null,
}

impl Kind {
    /// With its article, for people.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Object => "an object",
            Self::Array => "an array",
            Self::String => "a string",
            Self::Number => "a number",
            Self::Boolean => "a boolean",
            Self::Null => "null",
        }
    }
}

/// A place in a JSON text. Every method that reads leaves it behind what it read.
#[derive(Clone, Debug)]
pub(crate) struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
    depth: u32,
    /// Whether there are control characters at all, white space included; mostly there are none, and strings needn't be searched for them.
    has_controls: bool,
}

impl<'a> Cursor<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0, depth: 0, has_controls: text::has_controls(bytes) }
    }

    /// Byte offset.
    pub(crate) const fn at(&self) -> usize {
        self.at
    }

    /// The next byte that isn't white space, without passing it; 0, which no JSON has there, at the end.
    #[inline]
    pub(crate) fn peek(&mut self) -> u8 {
        loop {
            match self.bytes.get(self.at) {
                Some(b' ' | b'\n' | b'\r' | b'\t') => self.at += 1,
                Some(&byte) => return byte,
                None => return 0,
            }
        }
    }

    /// The kind of the value that comes next.
    #[inline]
    pub(crate) fn kind(&mut self) -> Result<Kind, Flaw> {
        Ok(match self.peek() {
            b'{' => Kind::Object,
            b'[' => Kind::Array,
            b'"' => Kind::String,
            b'-' | b'0'..=b'9' => Kind::Number,
            b't' | b'f' => Kind::Boolean,
            b'n' => Kind::Null,
            _ => return Err(self.flaw(What::NoValue)),
        })
    }

    /// Reads an object; `member` is called behind each name's colon and must pass the value.
    #[inline]
    pub(crate) fn members<E: From<Flaw>>(&mut self, mut member: impl FnMut(&mut Self, Text<'a>) -> Result<(), E>) -> Result<(), E> {
        self.open(b'{', What::NoObject)?;
        if self.peek() == b'}' {
            self.close();
            return Ok(());
        }
        loop {
            if self.peek() != b'"' {
                return Err(self.flaw(What::NoName).into());
            }
            let name = self.string_here()?;
            if self.peek() != b':' {
                return Err(self.flaw(What::NoColon).into());
            }
            self.at += 1;
            member(self, name)?;
            match self.peek() {
                b',' => self.at += 1,
                b'}' => break,
                _ => return Err(self.flaw(What::NoCommaInObject).into()),
            }
        }
        self.close();
        Ok(())
    }

    /// Reads an array; `element` is called before each element and must pass it.
    #[inline]
    pub(crate) fn elements<E: From<Flaw>>(&mut self, mut element: impl FnMut(&mut Self) -> Result<(), E>) -> Result<(), E> {
        self.open(b'[', What::NoArray)?;
        if self.peek() == b']' {
            self.close();
            return Ok(());
        }
        loop {
            element(self)?;
            match self.peek() {
                b',' => self.at += 1,
                b']' => break,
                _ => return Err(self.flaw(What::NoCommaInArray).into()),
            }
        }
        self.close();
        Ok(())
    }

    /// Reads a string.
    #[inline]
    pub(crate) fn string(&mut self) -> Result<Text<'a>, Flaw> {
        if self.peek() != b'"' {
            return Err(self.flaw(What::NoString));
        }
        self.string_here()
    }

    /// Reads the string whose quote is the next byte.
    #[inline]
    fn string_here(&mut self) -> Result<Text<'a>, Flaw> {
        let start = self.at;
        let rest = self.bytes.get(start + 1..).unwrap_or_default();
        let run = text::run_to_quote(rest);
        if rest.get(run) != Some(&b'"') || self.has_controls {
            return self.careful_string();
        }
        self.at = start + run + 2;
        Ok(Text { raw: rest.get(..run).unwrap_or_default(), start, plain: true })
    }

    /// The same where there are escapes, or could be control characters.
    #[inline(never)]
    fn careful_string(&mut self) -> Result<Text<'a>, Flaw> {
        let start = self.at;
        self.at += 1;
        let mut plain = true;
        loop {
            let rest = self.bytes.get(self.at..).unwrap_or_default();
            let run = text::run_to_quote(rest);
            self.refuse_controls(rest.get(..run).unwrap_or_default())?;
            self.at += run;
            match rest.get(run) {
                Some(b'"') => {
                    let raw = self.bytes.get(start + 1..self.at).unwrap_or_default();
                    self.at += 1;
                    return Ok(Text { raw, start, plain });
                }
                Some(_) => {
                    plain = false;
                    self.escape()?;
                }
                None => return Err(self.flaw(What::OpenString)),
            }
        }
    }

    /// Passes any value.
    pub(crate) fn skip(&mut self) -> Result<(), Flaw> {
        match self.peek() {
            b'"' => self.string_here().map(drop),
            b'{' => self.members(|inner, _| inner.skip()),
            b'[' => self.elements(Self::skip),
            b't' => self.literal(b"true"),
            b'f' => self.literal(b"false"),
            b'n' => self.literal(b"null"),
            _ => self.number().map(drop),
        }
    }

    /// Passes a list of numbers by its brackets and its characters only, many times faster than [`Self::skip`]; anything else as that does.
    pub(crate) fn skip_numbers(&mut self) -> Result<(), Flaw> {
        let before = self.clone();
        if self.peek() == b'[' {
            let list = self.bytes.get(self.at + 1..).unwrap_or_default();
            let length = memchr::memchr(b']', list).unwrap_or(list.len());
            if list.get(..length).is_some_and(text::has_only_numbers) && length < list.len() {
                self.at += length + 2;
                return Ok(());
            }
        }
        *self = before;
        self.skip()
    }

    /// Passes any value and gives its place.
    pub(crate) fn span(&mut self) -> Result<Range<usize>, Flaw> {
        self.peek();
        let start = self.at;
        self.skip().map(|()| start..self.at)
    }

    /// Reads `true` or `false`.
    pub(crate) fn boolean(&mut self) -> Result<bool, Flaw> {
        if self.peek() == b't' { self.literal(b"true").map(|()| true) } else { self.literal(b"false").map(|()| false) }
    }

    /// Reads a number as it is written.
    pub(crate) fn number(&mut self) -> Result<&'a str, Flaw> {
        if !matches!(self.peek(), b'-' | b'0'..=b'9') {
            return Err(self.flaw(What::NoValue));
        }
        let start = self.at;
        if self.bytes.get(self.at) == Some(&b'-') {
            self.at += 1;
        }
        if self.bytes.get(self.at) == Some(&b'0') {
            self.at += 1;
        } else {
            self.digits()?;
        }
        if self.bytes.get(self.at) == Some(&b'.') {
            self.at += 1;
            self.digits()?;
        }
        if let Some(b'e' | b'E') = self.bytes.get(self.at) {
            self.at += 1;
            if let Some(b'+' | b'-') = self.bytes.get(self.at) {
                self.at += 1;
            }
            self.digits()?;
        }
        Ok(self.bytes.get(start..self.at).and_then(|raw| std::str::from_utf8(raw).ok()).unwrap_or_default())
    }

    /// Demands that nothing but white space is left.
    pub(crate) fn end(mut self) -> Result<(), Flaw> {
        self.peek();
        if self.at == self.bytes.len() { Ok(()) } else { Err(self.flaw(What::MoreAfterEnd)) }
    }

    /// A flaw here; whatever was expected, at the end that is what is wrong.
    #[cold]
    pub(crate) fn flaw(&self, what: What) -> Flaw {
        let is_at_end = self.at >= self.bytes.len() && what != What::OpenString;
        Flaw { at: self.at, what: if is_at_end { What::EndsEarly } else { what } }
    }

    fn refuse_controls(&mut self, run: &[u8]) -> Result<(), Flaw> {
        if !self.has_controls || !text::has_controls(run) {
            return Ok(());
        }
        self.at += run.iter().position(|byte| *byte < 0x20).unwrap_or_default();
        Err(self.flaw(What::ControlCharacter))
    }

    #[inline]
    fn open(&mut self, bracket: u8, expected: What) -> Result<(), Flaw> {
        if self.peek() != bracket {
            return Err(self.flaw(expected));
        }
        if self.depth == caps::MAX_DEPTH {
            return Err(self.flaw(What::TooDeep));
        }
        self.depth += 1;
        self.at += 1;
        Ok(())
    }

    #[inline]
    const fn close(&mut self) {
        self.depth -= 1;
        self.at += 1;
    }

    #[inline]
    fn digits(&mut self) -> Result<(), Flaw> {
        let from = self.at;
        while let Some(b'0'..=b'9') = self.bytes.get(self.at) {
            self.at += 1;
        }
        if self.at == from { Err(self.flaw(What::NoDigit)) } else { Ok(()) }
    }

    #[inline]
    fn literal(&mut self, word: &'static [u8]) -> Result<(), Flaw> {
        let end = self.at + word.len();
        if self.bytes.get(self.at..end) != Some(word) {
            return Err(self.flaw(What::NoValue));
        }
        self.at = end;
        Ok(())
    }

    fn escape(&mut self) -> Result<(), Flaw> {
        match self.bytes.get(self.at + 1) {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => self.at += 2,
            Some(b'u') => {
                let digits = self.bytes.get(self.at + 2..self.at + 6);
                if !digits.is_some_and(|four| four.iter().all(u8::is_ascii_hexdigit)) {
                    return Err(self.flaw(What::HalfEscape));
                }
                self.at += 6;
            }
            Some(_) => return Err(self.flaw(What::UnknownEscape)),
            None => return Err(self.flaw(What::OpenString)),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
