//! A JSON string as it is written, and what it says.

use std::borrow::Cow;
use std::ops::Range;

/// A string of a JSON text that has been checked.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Text<'a> {
    /// Between the quotes, escapes as they are written.
    pub(crate) raw: &'a [u8],
    /// Offset of the opening quote.
    pub(crate) start: usize,
    /// Without escapes: what is written is what it says.
    pub(crate) plain: bool,
}

impl<'a> Text<'a> {
    /// Its place, quotes included.
    pub(crate) const fn span(&self) -> Range<usize> {
        self.start..self.start + self.raw.len() + 2
    }

    /// Whether it says this.
    pub(crate) fn is(&self, said: &str) -> bool {
        if self.plain { self.raw == said.as_bytes() } else { self.decode() == said }
    }

    /// What it says; a lone surrogate or what isn't UTF-8 becomes U+FFFD.
    pub(crate) fn decode(&self) -> Cow<'a, str> {
        if self.plain {
            return String::from_utf8_lossy(self.raw);
        }
        let mut said = String::with_capacity(self.raw.len());
        self.decode_into(&mut said);
        Cow::Owned(said)
    }

    /// Appends what it says; false if half of a surrogate pair stood in it.
    pub(crate) fn decode_into(&self, out: &mut String) -> bool {
        let mut is_whole = true;
        let mut rest = self.raw;
        while let Some(at) = memchr::memchr(b'\\', rest) {
            push_lossy(out, rest.get(..at).unwrap_or_default());
            rest = unescape(rest.get(at + 1..).unwrap_or_default(), out, &mut is_whole);
        }
        push_lossy(out, rest);
        is_whole
    }
}

fn push_lossy(out: &mut String, bytes: &[u8]) {
    match std::str::from_utf8(bytes) {
        Ok(text) => out.push_str(text),
        Err(_) => out.push_str(&String::from_utf8_lossy(bytes)),
    }
}

/// Appends what the escape behind a backslash says and gives what follows it.
fn unescape<'a>(rest: &'a [u8], out: &mut String, is_whole: &mut bool) -> &'a [u8] {
    let Some((&letter, after)) = rest.split_first() else { return rest };
    let said = match letter {
        b'b' => '\u{8}',
        b'f' => '\u{c}',
        b'n' => '\n',
        b'r' => '\r',
        b't' => '\t',
        b'u' => return unescape_unicode(after, out, is_whole),
        other => char::from(other),
    };
    out.push(said);
    after
}

fn unescape_unicode<'a>(after: &'a [u8], out: &mut String, is_whole: &mut bool) -> &'a [u8] {
    let first = hex4(after);
    let behind = after.get(4..).unwrap_or_default();
    if !(0xD800..0xE000).contains(&first) {
        out.push(char::from_u32(first).unwrap_or(char::REPLACEMENT_CHARACTER));
        return behind;
    }
    if let Some(low_digits) = behind.strip_prefix(b"\\u") {
        let low = hex4(low_digits);
        if first < 0xDC00 && (0xDC00..0xE000).contains(&low) {
            let joined = 0x10000 + ((first - 0xD800) << 10) + (low - 0xDC00);
            out.push(char::from_u32(joined).unwrap_or(char::REPLACEMENT_CHARACTER));
            return low_digits.get(4..).unwrap_or_default();
        }
    }
    *is_whole = false;
    out.push(char::REPLACEMENT_CHARACTER);
    behind
}

fn hex4(digits: &[u8]) -> u32 {
    let value = |digit: u8| char::from(digit).to_digit(16).unwrap_or(0);
    digits.iter().take(4).fold(0, |sum, &digit| sum * 16 + value(digit))
}

/// How many bytes come before the first quote or backslash. The first words are looked through here, because most strings end
/// there and a call costs more.
#[inline]
pub(crate) fn run_to_quote(bytes: &[u8]) -> usize {
    let Some(word) = bytes.first_chunk() else { return longer_run_to_quote(bytes) };
    let run = run_in_word(*word);
    if run < 8 { run } else { longer_run_to_quote(bytes) }
}

#[inline(never)]
fn longer_run_to_quote(bytes: &[u8]) -> usize {
    const WORDS: usize = 6;
    let (words, _) = bytes.as_chunks();
    for (index, word) in words.iter().take(WORDS).enumerate() {
        let run = run_in_word(*word);
        if run < 8 {
            return index * 8 + run;
        }
    }
    let passed = words.len().min(WORDS) * 8;
    let rest = bytes.get(passed..).unwrap_or_default();
    passed + memchr::memchr2(b'"', b'\\', rest).unwrap_or(rest.len())
}

/// By the arithmetic of "Bit Twiddling Hacks" (S. E. Anderson), exact for the lowest byte that is hit; 8 where none is.
#[inline]
const fn run_in_word(word: [u8; 8]) -> usize {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGHS: u64 = ONES << 7;
    let word = u64::from_le_bytes(word);
    let quote = word ^ (ONES * b'"' as u64);
    let backslash = word ^ (ONES * b'\\' as u64);
    let hits = ((quote.wrapping_sub(ONES) & !quote) | (backslash.wrapping_sub(ONES) & !backslash)) & HIGHS;
    (hits.trailing_zeros() / 8) as usize
}

/// Whether some byte is a control character: without a branch inside, so that the compiler makes vector instructions of it.
pub(crate) fn has_controls(bytes: &[u8]) -> bool {
    bytes.iter().fold(false, |found, byte| found | (*byte < 0x20))
}

/// Whether there are only characters of numbers, commas and white space: without a branch inside, like [`has_controls`].
pub(crate) fn has_only_numbers(bytes: &[u8]) -> bool {
    let is_other = |byte: u8| {
        let is_number = (b'+'..=b'9').contains(&byte) & (byte != b'/');
        let is_exponent = byte | 0x20 == b'e';
        let is_space = (byte == b' ') | (byte == b'\n') | (byte == b'\r') | (byte == b'\t');
        !(is_number | is_exponent | is_space)
    };
    !bytes.iter().fold(false, |found, byte| found | is_other(*byte))
}

/// A whole number that isn't negative, from its digits.
pub(crate) fn whole_number(digits: &[u8]) -> Option<u64> {
    let add = |sum: u64, digit: &u8| sum.checked_mul(10)?.checked_add(u64::from(digit.checked_sub(b'0').filter(|value| *value < 10)?));
    if digits.is_empty() { None } else { digits.iter().try_fold(0, add) }
}
