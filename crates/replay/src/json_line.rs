//! Rows that are JSON objects, one a line: the traces of Mooncake (<https://github.com/kvcache-ai/Mooncake>) and Tidegate's export.
//! Members that say nothing about load are skipped without a look inside, because some are long.

use domain::{Category, UnixMicros};
use memchr::{memchr2, memchr3};

use crate::caps;
use crate::csv::number;
use crate::fault::LineFault;
use crate::row::{Labels, Row};
use crate::timestamp;

/// The names that the trace has used so far.
#[derive(Clone, Debug, Default)]
pub(crate) struct Names {
    pub(crate) models: Labels,
    pub(crate) orgs: Labels,
}

/// One row, without its line break.
pub(crate) fn parse(line: &[u8], names: &mut Names) -> Result<Row, LineFault> {
    let mut text = Text { line, at: 0 };
    let mut row = Row::EMPTY;
    let (mut at, mut tokens) = (None, false);
    text.expect(b'{')?;
    if text.next_is(b'}') {
        return Err(LineFault::Missing("time"));
    }
    loop {
        let key = text.string()?;
        text.expect(b':')?;
        match key {
            b"at" => at = text.time()?.or(at),
            b"timestamp" => at = text.milliseconds()?.or(at),
            b"input_tokens" | b"input_length" => {
                tokens = true;
                row.input = text.count("the number of input tokens", caps::TOKENS)?.unwrap_or(0);
            }
            b"output_tokens" | b"output_length" => row.output = text.count("the number of output tokens", caps::TOKENS)?.unwrap_or(0),
            b"max_tokens" => row.max_tokens = text.count("max_tokens", caps::TOKENS)?,
            b"duration_ms" => row.duration_ms = text.count("duration_ms", u64::from(u32::MAX))?,
            b"stream" => row.stream = text.word("stream")? != Some(&b"false"[..]),
            b"model" => text.name("model", |name| names.models.of(name)).map(|label| row.model = label.unwrap_or_default())?,
            b"org" => text.name("organisation", |name| names.orgs.of(name)).map(|label| row.org = label.unwrap_or_default())?,
            b"category" => row.category = text.category()?,
            _ => text.skip_value()?,
        }
        match text.next() {
            Some(b',') => {}
            Some(b'}') => break,
            Some(_) | None => return Err(text.shape()),
        }
    }
    if text.next().is_some() {
        return Err(text.shape());
    }
    row.at = at.ok_or(LineFault::Missing("time: at or timestamp"))?;
    if tokens { Ok(row) } else { Err(LineFault::Missing("input_tokens or input_length")) }
}

/// The line, and how far it has been read.
struct Text<'a> {
    line: &'a [u8],
    at: usize,
}

impl<'a> Text<'a> {
    fn shape(&self) -> LineFault {
        LineFault::Not("a JSON object in one line")
    }

    fn rest(&self) -> &'a [u8] {
        self.line.get(self.at..).unwrap_or(&[])
    }

    fn skip_space(&mut self) {
        while self.line.get(self.at).is_some_and(u8::is_ascii_whitespace) {
            self.at += 1;
        }
    }

    fn next(&mut self) -> Option<u8> {
        self.skip_space();
        let byte = self.line.get(self.at).copied();
        self.at += 1;
        byte
    }

    fn next_is(&mut self, byte: u8) -> bool {
        self.skip_space();
        self.line.get(self.at) == Some(&byte)
    }

    fn expect(&mut self, byte: u8) -> Result<(), LineFault> {
        if self.next() == Some(byte) { Ok(()) } else { Err(self.shape()) }
    }

    /// What stands between the quotes, escapes as they are.
    fn string(&mut self) -> Result<&'a [u8], LineFault> {
        self.expect(b'"')?;
        let start = self.at;
        loop {
            let found = memchr2(b'"', b'\\', self.rest()).ok_or(self.shape())?;
            let is_end = self.rest().get(found) == Some(&b'"');
            self.at += found + if is_end { 1 } else { 2 };
            if is_end {
                return self.line.get(start..self.at - 1).ok_or(self.shape());
            }
        }
    }

    /// A number or a word; `None` for `null`.
    fn word(&mut self, what: &'static str) -> Result<Option<&'a [u8]>, LineFault> {
        self.skip_space();
        let rest = self.rest();
        let len = rest.iter().position(|byte| matches!(byte, b',' | b'}' | b']') || byte.is_ascii_whitespace()).unwrap_or(rest.len());
        let word = rest.get(..len).unwrap_or(&[]);
        self.at += len;
        match word {
            b"null" => Ok(None),
            [b'0'..=b'9' | b'-' | b't' | b'f', ..] => Ok(Some(word)),
            _ => Err(LineFault::Value { what, expected: "a number, true or false" }),
        }
    }

    fn count(&mut self, what: &'static str, most: u64) -> Result<Option<u32>, LineFault> {
        let Some(word) = self.word(what)? else { return Ok(None) };
        let count = number(word).filter(|count| *count <= most);
        count.map(|count| Some(count as u32)).ok_or(LineFault::Value { what, expected: "a whole number within reason" })
    }

    /// Milliseconds since whatever the trace counts from.
    fn milliseconds(&mut self) -> Result<Option<UnixMicros>, LineFault> {
        const FAULT: LineFault = LineFault::Value { what: "timestamp", expected: "a number of milliseconds" };
        let Some(word) = self.word("timestamp").map_err(|_| FAULT)? else { return Ok(None) };
        let micros = match number(word) {
            Some(whole) => whole.checked_mul(1_000).and_then(|micros| i64::try_from(micros).ok()),
            None => {
                let real = std::str::from_utf8(word).ok().and_then(|word| word.parse::<f64>().ok());
                real.map(|ms| ms * 1e3).filter(|micros| (0.0..9e18).contains(micros)).map(|micros| micros as i64)
            }
        };
        micros.map(|micros| Some(UnixMicros(micros))).ok_or(FAULT)
    }

    fn time(&mut self) -> Result<Option<UnixMicros>, LineFault> {
        const FAULT: LineFault = LineFault::Value { what: "at", expected: "a time such as 2026-02-05T15:32:41Z" };
        if !self.next_is(b'"') {
            return self.word("at").map_err(|_| FAULT)?.map_or(Ok(None), |_| Err(FAULT));
        }
        timestamp::parse(self.string()?).map(Some).ok_or(FAULT)
    }

    fn category(&mut self) -> Result<Option<Category>, LineFault> {
        const FAULT: LineFault = LineFault::Value { what: "category", expected: "small, medium or large" };
        if !self.next_is(b'"') {
            return self.word("category").map_err(|_| FAULT)?.map_or(Ok(None), |_| Err(FAULT));
        }
        match self.string()? {
            b"small" => Ok(Some(Category::Small)),
            b"medium" => Ok(Some(Category::Medium)),
            b"large" => Ok(Some(Category::Large)),
            _ => Err(FAULT),
        }
    }

    fn name<T>(&mut self, what: &'static str, label: impl FnOnce(&str) -> Option<T>) -> Result<Option<T>, LineFault> {
        let fault = LineFault::Value { what, expected: "a text" };
        if !self.next_is(b'"') {
            return self.word(what).map_err(|_| fault)?.map_or(Ok(None), |_| Err(fault));
        }
        let start = self.at;
        let plain = self.string()?;
        let escaped: String;
        let name = if plain.contains(&b'\\') {
            escaped = self.line.get(start..self.at).and_then(|quoted| serde_json::from_slice(quoted).ok()).ok_or(fault)?;
            &escaped
        } else {
            std::str::from_utf8(plain).map_err(|_| fault)?
        };
        label(name).map(Some).ok_or(LineFault::TooMany(what))
    }

    fn skip_value(&mut self) -> Result<(), LineFault> {
        self.skip_space();
        match self.line.get(self.at) {
            Some(b'"') => self.string().map(|_| ()),
            Some(b'[') => self.skip_nested(b'[', b']'),
            Some(b'{') => self.skip_nested(b'{', b'}'),
            Some(_) | None => self.word("a value").map(|_| ()),
        }
    }

    /// Only this kind of bracket is counted: in JSON the other kind is closed in between.
    fn skip_nested(&mut self, open: u8, close: u8) -> Result<(), LineFault> {
        let mut depth = 0u32;
        loop {
            self.at += memchr3(b'"', open, close, self.rest()).ok_or(self.shape())?;
            match self.line.get(self.at) {
                Some(b'"') => {
                    self.string()?;
                    continue;
                }
                Some(byte) if *byte == open => depth += 1,
                Some(_) | None => depth -= 1,
            }
            self.at += 1;
            if depth == 0 {
                return Ok(());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row_of(line: &str) -> Result<Row, LineFault> {
        parse(line.as_bytes(), &mut Names::default())
    }

    #[test]
    fn a_line_of_mooncake() {
        let row = row_of(r#"{"timestamp": 27482, "input_length": 6955, "output_length": 52, "hash_ids": [46, 47, 2353, 2354]}"#).unwrap();
        assert_eq!((row.at, row.input, row.output), (UnixMicros(27_482_000), 6_955, 52));
        assert_eq!(row_of(r#"{"timestamp":1.5e3,"input_length":1}"#).map(|row| row.at), Ok(UnixMicros(1_500_000)));
    }

    #[test]
    fn a_line_of_tidegate() {
        let mut names = Names::default();
        let line = r#"{"at":"2026-02-05T15:32:41.5Z","request":"r\"[{","model":"llama-3.3-70b","category":"large","org":"org_1",
            "input_tokens":12,"output_tokens":34,"max_tokens":100,"stream":false,"duration_ms":1200,"cost":{"x":[{"]":"}"}]},"n":null}"#;
        let row = parse(line.as_bytes(), &mut names).unwrap();
        assert_eq!((row.at.to_string().as_str(), row.input, row.output), ("2026-02-05T15:32:41.5Z", 12, 34));
        assert_eq!((row.max_tokens, row.duration_ms, row.stream, row.category), (Some(100), Some(1_200), false, Some(Category::Large)));
        assert_eq!((names.models.name(row.model), names.orgs.name(row.org)), (Some("llama-3.3-70b"), Some("org_1")));
    }

    #[test]
    fn what_is_absent_or_null_is_nothing() {
        let bare = row_of(r#"{"at":"2026-02-05T15:32:41Z","input_tokens":1}"#).unwrap();
        let nulls = r#"{"at":"2026-02-05T15:32:41Z","input_tokens":1,"output_tokens":null,"model":null,"org":null,"category":null,
            "max_tokens":null,"duration_ms":null,"stream":null}"#;
        assert_eq!(row_of(nulls), Ok(bare));
        assert_eq!((bare.output, bare.max_tokens, bare.stream), (0, None, true));
    }

    #[test]
    fn names_may_be_escaped() {
        let mut names = Names::default();
        let row = parse(br#"{"timestamp":0,"input_length":1,"model":"a\u002fb\\"}"#, &mut names).unwrap();
        assert_eq!(names.models.name(row.model), Some("a/b\\"));
    }

    #[test]
    fn every_fault_is_named() {
        for (line, part) in [
            ("[1]", "is not a JSON object"),
            ("{", "is not a JSON object"),
            ("{}", "has no time"),
            (r#"{"timestamp":1"#, "is not a JSON object"),
            (r#"{"timestamp":1,"input_length":1} x"#, "is not a JSON object"),
            (r#"{"timestamp":1,"hash_ids":[1,2"#, "is not a JSON object"),
            (r#"{"timestamp":1,"x":"open}"#, "is not a JSON object"),
            (r#"{"input_length":1}"#, "has no time"),
            (r#"{"timestamp":1}"#, "has no input_tokens"),
            (r#"{"timestamp":"1","input_length":1}"#, "timestamp is not"),
            (r#"{"timestamp":-1,"input_length":1}"#, "timestamp is not"),
            (r#"{"at":5,"input_length":1}"#, "at is not a time"),
            (r#"{"at":"noon","input_length":1}"#, "at is not a time"),
            (r#"{"timestamp":1,"input_length":1.5}"#, "the number of input tokens is not"),
            (r#"{"timestamp":1,"input_length":99999999999}"#, "the number of input tokens is not"),
            (r#"{"timestamp":1,"input_length":1,"category":"huge"}"#, "category is not"),
            (r#"{"timestamp":1,"input_length":1,"model":7}"#, "model is not"),
        ] {
            let said = row_of(line).unwrap_err().to_string();
            assert!(said.starts_with(part), "{line}: {said}");
        }
    }
}
