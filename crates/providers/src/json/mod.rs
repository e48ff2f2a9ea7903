//! A strict, lazy JSON reader over borrowed bytes: it checks everything it passes and builds nothing.
//! It refuses to know what any member means.

mod flaw;
mod text;

use std::ops::Range;

pub(crate) use flaw::{Flaw, What, place};
pub(crate) use text::{Text, whole_number};

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
    flaw: Option<Flaw>,
}

/// Reading stopped; [`Cursor::flaw`] tells why. Without content, so that results are passed in registers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Halt;

impl<'a> Cursor<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0, depth: 0, has_controls: text::has_controls(bytes), flaw: None }
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
    pub(crate) fn kind(&mut self) -> Result<Kind, Halt> {
        Ok(match self.peek() {
            b'{' => Kind::Object,
            b'[' => Kind::Array,
            b'"' => Kind::String,
            b'-' | b'0'..=b'9' => Kind::Number,
            b't' | b'f' => Kind::Boolean,
            b'n' => Kind::Null,
            _ => return Err(self.halt(What::NoValue)),
        })
    }

    /// Reads an object; `member` is called behind each name's colon and must pass the value.
    #[inline]
    pub(crate) fn members<E: From<Halt>>(&mut self, mut member: impl FnMut(&mut Self, Text<'a>) -> Result<(), E>) -> Result<(), E> {
        self.open(b'{', What::NoObject)?;
        if self.peek() == b'}' {
            self.close();
            return Ok(());
        }
        loop {
            let name = self.name()?;
            member(self, name)?;
            if !self.has_more_members()? {
                return Ok(());
            }
        }
    }

    /// Reads an object until `member` says false, which it does instead of passing a value; true if it did.
    #[inline]
    pub(crate) fn members_until(&mut self, mut member: impl FnMut(&mut Self, Text<'a>) -> Result<bool, Halt>) -> Result<bool, Halt> {
        self.open(b'{', What::NoObject)?;
        if self.peek() == b'}' {
            self.close();
            return Ok(false);
        }
        loop {
            let name = self.name()?;
            if !member(self, name)? {
                return Ok(true);
            }
            if !self.has_more_members()? {
                return Ok(false);
            }
        }
    }

    /// Reads what follows a member's value in its object.
    #[inline]
    pub(crate) fn more_members(&mut self, mut member: impl FnMut(&mut Self, Text<'a>) -> Result<(), Halt>) -> Result<(), Halt> {
        while self.has_more_members()? {
            let name = self.name()?;
            member(self, name)?;
        }
        Ok(())
    }

    /// Goes on behind a part that is known to be the begin of an object, up to a member's value.
    pub(crate) const fn resume(&mut self, at: usize) {
        self.at = at;
        self.depth = 1;
    }

    #[inline(always)]
    fn name(&mut self) -> Result<Text<'a>, Halt> {
        if self.peek() != b'"' {
            return Err(self.halt(What::NoName));
        }
        let name = self.string_here()?;
        if self.peek() != b':' {
            return Err(self.halt(What::NoColon));
        }
        self.at += 1;
        Ok(name)
    }

    /// Passes the comma before another member, or the object's end.
    #[inline(always)]
    fn has_more_members(&mut self) -> Result<bool, Halt> {
        match self.peek() {
            b',' => {
                self.at += 1;
                Ok(true)
            }
            b'}' => {
                self.close();
                Ok(false)
            }
            _ => Err(self.halt(What::NoCommaInObject)),
        }
    }

    /// Reads an array; `element` is called before each element and must pass it.
    #[inline]
    pub(crate) fn elements<E: From<Halt>>(&mut self, mut element: impl FnMut(&mut Self) -> Result<(), E>) -> Result<(), E> {
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
                _ => return Err(self.halt(What::NoCommaInArray).into()),
            }
        }
        self.close();
        Ok(())
    }

    /// Reads a string.
    #[inline]
    pub(crate) fn string(&mut self) -> Result<Text<'a>, Halt> {
        if self.peek() != b'"' {
            return Err(self.halt(What::NoString));
        }
        self.string_here()
    }

    /// Reads the string whose quote is the next byte.
    #[inline(always)]
    fn string_here(&mut self) -> Result<Text<'a>, Halt> {
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
    fn careful_string(&mut self) -> Result<Text<'a>, Halt> {
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
                None => return Err(self.halt(What::OpenString)),
            }
        }
    }

    /// Passes any value.
    pub(crate) fn skip(&mut self) -> Result<(), Halt> {
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
    pub(crate) fn skip_numbers(&mut self) -> Result<(), Halt> {
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
    pub(crate) fn span(&mut self) -> Result<Range<usize>, Halt> {
        self.peek();
        let start = self.at;
        self.skip().map(|()| start..self.at)
    }

    /// Reads `true` or `false`.
    pub(crate) fn boolean(&mut self) -> Result<bool, Halt> {
        if self.peek() == b't' { self.literal(b"true").map(|()| true) } else { self.literal(b"false").map(|()| false) }
    }

    /// Reads a number as it is written: ASCII.
    pub(crate) fn number(&mut self) -> Result<&'a [u8], Halt> {
        if !matches!(self.peek(), b'-' | b'0'..=b'9') {
            return Err(self.halt(What::NoValue));
        }
        let start = self.at;
        let first = self.digits_at(start + usize::from(self.byte(start) == b'-'));
        let mut end = first.end;
        // A zero in front stands alone: what follows it is then no part of the number.
        if self.byte(first.start) == b'0' {
            end = first.start + 1;
        }
        if first.is_empty() {
            return Err(self.halt_at(end, What::NoDigit));
        }
        if self.byte(end) == b'.' {
            end = self.some_digits_at(end + 1)?;
        }
        if matches!(self.byte(end), b'e' | b'E') {
            end = self.some_digits_at(end + 1 + usize::from(matches!(self.byte(end + 1), b'+' | b'-')))?;
        }
        self.at = end;
        Ok(self.bytes.get(start..end).unwrap_or_default())
    }

    /// Demands that nothing but white space is left.
    pub(crate) fn end(&mut self) -> Result<(), Halt> {
        self.peek();
        if self.at == self.bytes.len() { Ok(()) } else { Err(self.halt(What::MoreAfterEnd)) }
    }

    /// Why reading stopped; meaningful only behind a [`Halt`].
    pub(crate) fn flaw(&self) -> Flaw {
        self.flaw.unwrap_or(Flaw { at: self.at, what: What::EndsEarly })
    }

    /// A flaw here; whatever was expected, at the end that is what is wrong.
    #[cold]
    fn halt(&mut self, what: What) -> Halt {
        self.halt_at(self.at, what)
    }

    #[cold]
    fn halt_at(&mut self, at: usize, what: What) -> Halt {
        let is_at_end = at >= self.bytes.len() && what != What::OpenString;
        self.flaw = Some(Flaw { at, what: if is_at_end { What::EndsEarly } else { what } });
        Halt
    }

    fn refuse_controls(&mut self, run: &[u8]) -> Result<(), Halt> {
        if !self.has_controls || !text::has_controls(run) {
            return Ok(());
        }
        self.at += run.iter().position(|byte| *byte < 0x20).unwrap_or_default();
        Err(self.halt(What::ControlCharacter))
    }

    #[inline]
    fn open(&mut self, bracket: u8, expected: What) -> Result<(), Halt> {
        if self.peek() != bracket {
            return Err(self.halt(expected));
        }
        if self.depth == caps::MAX_DEPTH {
            return Err(self.halt(What::TooDeep));
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

    /// 0, which no number has, at the end.
    #[inline]
    fn byte(&self, at: usize) -> u8 {
        self.bytes.get(at).copied().unwrap_or(0)
    }

    #[inline]
    fn digits_at(&self, from: usize) -> Range<usize> {
        let mut end = from;
        while self.byte(end).is_ascii_digit() {
            end += 1;
        }
        from..end
    }

    fn some_digits_at(&mut self, from: usize) -> Result<usize, Halt> {
        let digits = self.digits_at(from);
        if digits.is_empty() { Err(self.halt_at(from, What::NoDigit)) } else { Ok(digits.end) }
    }

    #[inline]
    fn literal(&mut self, word: &'static [u8]) -> Result<(), Halt> {
        let end = self.at + word.len();
        if self.bytes.get(self.at..end) != Some(word) {
            return Err(self.halt(What::NoValue));
        }
        self.at = end;
        Ok(())
    }

    fn escape(&mut self) -> Result<(), Halt> {
        match self.bytes.get(self.at + 1) {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => self.at += 2,
            Some(b'u') => {
                let digits = self.bytes.get(self.at + 2..self.at + 6);
                if !digits.is_some_and(|four| four.iter().all(u8::is_ascii_hexdigit)) {
                    return Err(self.halt(What::HalfEscape));
                }
                self.at += 6;
            }
            Some(_) => return Err(self.halt(What::UnknownEscape)),
            None => return Err(self.halt(What::OpenString)),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
