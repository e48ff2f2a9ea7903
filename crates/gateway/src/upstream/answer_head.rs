//! The head of an HTTP/1.1 answer: where it ends, what it says, and how its body is framed. Pure; it reads nothing itself.

use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_LENGTH, HeaderMap, HeaderName, HeaderValue, TRANSFER_ENCODING};
use http::{Response, StatusCode};

use super::framing::Framing;
use crate::caps;

/// Why what was read is no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it does not speak HTTP/1.1: {0}")]
pub(super) struct NotHttp(pub(super) &'static str);

/// What a head says.
#[derive(Debug)]
pub(super) struct AnswerHead {
    pub(super) response: Response<()>,
    pub(super) framing: Framing,
    /// The provider keeps the connection open for further requests.
    pub(super) keeps_open: bool,
}

/// Headers of most answers, and the most that are read.
const USUAL_HEADERS: usize = 48;
const MOST_HEADERS: usize = 256;

/// Reads the head at the beginning of `bytes`; with how many of them it has. `None`: it isn't there as a whole. Interim answers
/// (100 to 199) are passed over.
pub(super) fn read_head(bytes: &[u8]) -> Result<Option<(AnswerHead, usize)>, NotHttp> {
    let mut from = 0;
    loop {
        let rest = bytes.get(from..).unwrap_or_default();
        let Some(len) = head_len(rest) else {
            return if rest.len() > caps::ANSWER_HEAD_BYTES { Err(NotHttp("a head without an end")) } else { Ok(None) };
        };
        from += len;
        // One copy, which all values share.
        let text = Bytes::copy_from_slice(rest.get(..len).unwrap_or_default());
        let head = match parse::<USUAL_HEADERS>(&text) {
            Err(httparse::Error::TooManyHeaders) => parse::<MOST_HEADERS>(&text),
            parsed => parsed,
        };
        let (version, response) = head.map_err(|_| NotHttp("no head"))?.ok_or(NotHttp("no head"))?;
        if response.status() == StatusCode::SWITCHING_PROTOCOLS {
            return Err(NotHttp("another protocol that nobody asked for"));
        }
        if !response.status().is_informational() {
            return judge(version, response).map(|head| Some((head, from)));
        }
    }
}

/// The length of a head with the empty line at its end.
fn head_len(bytes: &[u8]) -> Option<usize> {
    memchr::memchr_iter(b'\n', bytes).find_map(|lf| match bytes.get(lf + 1..)? {
        [b'\n', ..] => Some(lf + 2),
        [b'\r', b'\n', ..] => Some(lf + 3),
        _ => None,
    })
}

/// The minor version, status and headers; `None` where the text is too short for them.
fn parse<const N: usize>(text: &Bytes) -> Result<Option<(u8, Response<()>)>, httparse::Error> {
    let mut headers = [httparse::EMPTY_HEADER; N];
    let mut parsed = httparse::Response::new(&mut headers);
    if parsed.parse(text)?.is_partial() {
        return Ok(None);
    }
    let (Some(version), Some(code)) = (parsed.version, parsed.code) else { return Ok(None) };
    let mut response = Response::new(());
    *response.status_mut() = StatusCode::from_u16(code).map_err(|_| httparse::Error::Status)?;
    let map = response.headers_mut();
    map.reserve(parsed.headers.len());
    for header in &*parsed.headers {
        let name = HeaderName::from_bytes(header.name.as_bytes()).map_err(|_| httparse::Error::HeaderName)?;
        let value = HeaderValue::from_maybe_shared(text.slice_ref(header.value)).map_err(|_| httparse::Error::HeaderValue)?;
        map.append(name, value);
    }
    Ok(Some((version, response)))
}

fn judge(version: u8, response: Response<()>) -> Result<AnswerHead, NotHttp> {
    let headers = response.headers();
    let length = content_length(headers)?;
    let coding = headers.get_all(TRANSFER_ENCODING).iter().next_back();
    let framing = match (response.status(), coding) {
        (StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED, _) => Framing::Length(0),
        (_, Some(_)) if version == 0 => return Err(NotHttp("chunks in HTTP/1.0")),
        (_, Some(coding)) if tokens(coding).next_back().is_some_and(|last| last.eq_ignore_ascii_case(b"chunked")) => Framing::chunked(),
        (_, Some(_)) => Framing::UntilClose,
        (_, None) => length.map_or(Framing::UntilClose, Framing::Length),
    };
    let says = |what: &[u8]| headers.get_all(CONNECTION).iter().flat_map(tokens).any(|token| token.eq_ignore_ascii_case(what));
    let is_kept = if version == 0 { says(b"keep-alive") } else { !says(b"close") };
    // Two lengths, of which one is wrong: whatever follows is not trusted.
    let is_clear = coding.is_none() || length.is_none();
    Ok(AnswerHead { keeps_open: is_kept && is_clear && framing != Framing::UntilClose, response, framing })
}

fn content_length(headers: &HeaderMap) -> Result<Option<u64>, NotHttp> {
    let mut length = None;
    for token in headers.get_all(CONTENT_LENGTH).iter().flat_map(tokens) {
        let digits = Some(token).filter(|token| token.iter().all(u8::is_ascii_digit)).and_then(|token| std::str::from_utf8(token).ok());
        let bytes: u64 = digits.and_then(|digits| digits.parse().ok()).ok_or(NotHttp("a length that is no number"))?;
        if length.is_some_and(|before| before != bytes) {
            return Err(NotHttp("two lengths"));
        }
        length = Some(bytes);
    }
    Ok(length)
}

fn tokens(value: &HeaderValue) -> impl DoubleEndedIterator<Item = &[u8]> {
    value.as_bytes().split(|byte| *byte == b',').map(<[u8]>::trim_ascii)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<AnswerHead, NotHttp> {
        let (head, len) = read_head(text.as_bytes())?.expect("a whole head");
        assert_eq!(len, text.len());
        Ok(head)
    }

    fn framing(lines: &str) -> (Framing, bool) {
        let head = read(&format!("HTTP/1.1 200 OK\r\n{lines}\r\n")).unwrap();
        (head.framing, head.keeps_open)
    }

    #[test]
    fn a_head_is_read_when_it_is_whole() {
        let text = "HTTP/1.1 429 Too Many\r\nRetry-After: 5\r\nx-a: 1\r\nX-A: 2\r\ncontent-length: 3\r\n\r\n";
        for len in 0..text.len() {
            assert!(read_head(&text.as_bytes()[..len]).unwrap().is_none(), "{len}");
        }
        let with_body = format!("{text}abc");
        let (head, len) = read_head(with_body.as_bytes()).unwrap().unwrap();
        assert_eq!((len, head.response.status().as_u16(), &head.framing), (text.len(), 429, &Framing::Length(3)));
        let headers = head.response.headers();
        assert_eq!((headers["retry-after"].as_bytes(), headers.get_all("x-a").iter().count()), (&b"5"[..], 2));
    }

    #[test]
    fn interim_answers_are_passed_over() {
        let head = read("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\nHTTP/1.1 200 OK\r\n\r\n").unwrap();
        assert_eq!((head.response.status().as_u16(), head.response.headers().len()), (200, 0));
        assert!(read_head(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n").unwrap().is_none());
        assert!(read("HTTP/1.1 101 Switching Protocols\r\n\r\n").is_err());
    }

    #[test]
    fn the_body_is_framed_as_the_head_says() {
        assert_eq!(framing("content-length: 12\r\n"), (Framing::Length(12), true));
        assert_eq!(framing("content-length: 12\r\ncontent-length: 12\r\n"), (Framing::Length(12), true));
        assert_eq!(framing("transfer-encoding: Chunked\r\n"), (Framing::chunked(), true));
        assert_eq!(framing("transfer-encoding: gzip\r\ntransfer-encoding: x, chunked\r\n"), (Framing::chunked(), true));
        assert_eq!(framing("transfer-encoding: chunked, gzip\r\n"), (Framing::UntilClose, false));
        assert_eq!(framing("transfer-encoding: chunked\r\ncontent-length: 3\r\n"), (Framing::chunked(), false));
        assert_eq!(framing(""), (Framing::UntilClose, false));
        assert_eq!(read("HTTP/1.1 204 No Content\r\ncontent-length: 3\r\n\r\n").unwrap().framing, Framing::Length(0));
    }

    #[test]
    fn the_connection_is_kept_where_the_head_says_so() {
        assert_eq!(framing("content-length: 1\r\nconnection: x, Close\r\n"), (Framing::Length(1), false));
        let old = |line: &str| read(&format!("HTTP/1.0 200 OK\r\ncontent-length: 1\r\n{line}\r\n")).unwrap().keeps_open;
        assert!(!old("") && old("connection: keep-alive\r\n"));
    }

    #[test]
    fn what_is_no_head_is_refused() {
        let many = format!("HTTP/1.1 200 OK\r\n{}\r\n", "x: y\r\n".repeat(MOST_HEADERS + 1));
        let heads = ["SSH-2.0-OpenSSH_9\r\n\r\n", "\r\n\r\n", "HTTP/2 200 OK\r\n\r\n", "HTTP/1.1 200 OK\r\nx y\r\n\r\n", &many];
        let lengths = ["content-length: 1\r\ncontent-length: 2", "content-length: -1", "content-length: 1x", "content-length: "];
        let lengths = lengths.map(|lines| format!("HTTP/1.1 200 OK\r\n{lines}\r\n\r\n"));
        for text in heads.into_iter().chain(lengths.iter().map(String::as_str)) {
            assert!(read_head(text.as_bytes()).is_err(), "{text}");
        }
        assert!(read("HTTP/1.0 200 OK\r\ntransfer-encoding: chunked\r\n\r\n").is_err());
        let usual = format!("HTTP/1.1 200 OK\r\n{}\r\n", "x: y\r\n".repeat(USUAL_HEADERS + 1));
        assert_eq!(read(&usual).unwrap().response.headers().len(), USUAL_HEADERS + 1);
        assert!(read_head("HTTP/1.1 200 OK\r\nx: ".as_bytes()).unwrap().is_none());
        assert!(read_head(&[b'x'; caps::ANSWER_HEAD_BYTES + 1]).is_err());
    }
}
