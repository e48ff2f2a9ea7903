//! Server-sent events as bytes: where one ends, and what its lines carry (WHATWG HTML, "Server-sent events", 9.2).
//! It refuses to read the payload. Lines end with LF or CR LF; a lone CR, which no provider sends, is no line end here.

use std::borrow::Cow;
use std::ops::Range;

/// Where the event that starts at `start` ends, behind its blank line. Newlines before `from` are known not to end it.
#[inline]
pub(super) fn event_end(bytes: &[u8], start: usize, from: usize) -> Option<usize> {
    let mut at = from;
    loop {
        at += memchr::memchr(b'\n', bytes.get(at..)?)?;
        let line = bytes.get(start..at).unwrap_or_default();
        if line.is_empty() || line.ends_with(b"\n") || line.ends_with(b"\n\r") || line == b"\r" {
            return Some(at + 1);
        }
        at += 1;
        if bytes.get(at) == Some(&b'\n') {
            return Some(at + 1);
        }
    }
}

/// How many bytes the first event has, where more stands behind it.
pub fn first_of_several(bytes: &[u8]) -> Option<usize> {
    event_end(bytes, 0, 0).filter(|end| *end < bytes.len())
}

/// What an event's lines carry.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Lines<'a> {
    /// The data, its lines joined by newlines; `None`: no data line, so it is nothing but comments and fields.
    pub(super) data: Option<Cow<'a, [u8]>>,
    /// Where the data stand in the event, from the first line to the end of the last; the payload itself if there is only one line.
    pub(super) span: Range<usize>,
    /// Whether a line calls it an error, as llama.cpp once did with `error: {…}` and others do with `event: error`.
    pub(super) is_error: bool,
    /// Whether some line is no field of server-sent events.
    pub(super) is_foreign: bool,
}

/// Reads one event, with or without its blank line.
#[inline]
pub(super) fn lines(event: &[u8]) -> Lines<'_> {
    let body = event.trim_ascii_end();
    if let Some(data) = body.strip_prefix(b"data:")
        && memchr::memchr(b'\n', data).is_none()
    {
        let data = data.trim_ascii_start();
        return Lines { data: Some(Cow::Borrowed(data)), span: body.len() - data.len()..body.len(), is_error: false, is_foreign: false };
    }
    many_lines(event)
}

#[inline(never)]
fn many_lines(event: &[u8]) -> Lines<'_> {
    let mut read = Lines { data: None, span: 0..0, is_error: false, is_foreign: false };
    let mut at = 0;
    for line in event.split_inclusive(|byte| *byte == b'\n') {
        let start = at;
        at += line.len();
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let colon = memchr::memchr(b':', line);
        let (field, value) = line.split_at(colon.unwrap_or(line.len()));
        let value = value.strip_prefix(b":").unwrap_or(value);
        let value = value.strip_prefix(b" ").unwrap_or(value);
        match field {
            b"data" => read.add(value, start + line.len() - value.len()),
            b"error" => {
                read.is_error = true;
                read.add(value, start + line.len() - value.len());
            }
            b"event" => read.is_error |= value == b"error",
            b"id" | b"retry" => {}
            b"" => read.is_foreign |= colon.is_none() && !line.is_empty(),
            _ => read.is_foreign = true,
        }
    }
    read
}

impl<'a> Lines<'a> {
    fn add(&mut self, value: &'a [u8], at: usize) {
        let end = at + value.len();
        match &mut self.data {
            None => {
                self.data = Some(Cow::Borrowed(value));
                self.span = at..end;
            }
            Some(data) => {
                let joined = data.to_mut();
                joined.push(b'\n');
                joined.extend_from_slice(value);
                self.span.end = end;
            }
        }
    }
}

/// A payload of several lines as the text that stands behind the first `data:`.
pub(super) fn as_data_lines(payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(payload.len() + 16);
    for (index, line) in payload.split(|byte| *byte == b'\n').enumerate() {
        if index > 0 {
            out.extend_from_slice(b"\ndata: ");
        }
        out.extend_from_slice(line);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_ends_with_its_blank_line() {
        let end = |text: &str| event_end(text.as_bytes(), 0, 0);
        assert_eq!(end("data: 1\n\ndata: 2\n\n"), Some(9));
        assert_eq!(end("data: 1\r\n\r\ndata"), Some(11));
        assert_eq!(end("data: 1\ndata: 2\n\n"), Some(17));
        assert_eq!(end("data: 1\n\r\n"), Some(10));
        assert_eq!(end("\ndata"), Some(1));
        assert_eq!(end("\r\ndata"), Some(2));
        for open in ["", "data: 1", "data: 1\n", "data: 1\r\n", "data: 1\r\n\r", "data: 1\ndata: 2\n", "\r"] {
            assert_eq!(end(open), None, "{open:?}");
        }
    }

    #[test]
    fn lines_are_read_as_the_standard_says() {
        let read = |text: &'static str| lines(text.as_bytes());
        let data = |text| read(text).data.map(|data| String::from_utf8(data.into_owned()).unwrap());
        assert_eq!(data("data: {}\n\n").as_deref(), Some("{}"));
        assert_eq!(data("data:{}\r\n\r\n").as_deref(), Some("{}"));
        assert_eq!(data("id: 7\nevent: message\ndata: {}\n\n").as_deref(), Some("{}"));
        assert_eq!(data(": comment\ndata: {\ndata: }\n\n").as_deref(), Some("{\n}"));
        assert_eq!(data("data\n\n").as_deref(), Some(""));
        assert_eq!(data(": only a comment\n\n"), None);
        assert_eq!(data("retry: 1\n\n"), None);
        for text in ["data: {}\n\n", ": c\ndata: {}\n\n", "id: 1\ndata:  {}\n"] {
            let span = read(text).span;
            assert_eq!(text[span].trim_start(), "{}");
        }
        assert!(read("error: {}\n\n").is_error && read("event: error\ndata: {}\n\n").is_error && !read("event: x\ndata: {}\n\n").is_error);
        assert!(read("<html>\n\n").is_foreign && read("{\"id\":1}\n").is_foreign && !read(":\n\n").is_foreign && !read("\n").is_foreign);
    }
}
