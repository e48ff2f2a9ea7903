//! Where the body of an HTTP/1.1 answer ends, and what of the bytes on the wire is its content. Pure; it reads nothing itself.

use bytes::Bytes;

use super::answer_head::NotHttp;
use crate::caps;

/// How the end of a body is told, and how far it has been read.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Framing {
    /// So many bytes are still to come.
    Length(u64),
    /// Chunks, each with its length.
    Chunked(Chunks),
    /// The body lasts until the connection is closed.
    UntilClose,
    /// It was closed.
    Closed,
}

/// Chunks as they are taken apart.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Chunks {
    at: At,
    /// Bytes of extensions and trailers so far, which say nothing.
    idle_bytes: usize,
}

/// What comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum At {
    Size {
        bytes: u64,
        digits: u8,
    },
    Extension {
        bytes: u64,
    },
    SizeLf {
        bytes: u64,
    },
    Data {
        left: u64,
    },
    DataCr,
    DataLf,
    /// A trailer, or the empty line behind them.
    Line,
    Trailer,
    TrailerLf,
    LastLf,
    Over,
}

const BEGIN: At = At::Size { bytes: 0, digits: 0 };
/// Hexadecimal digits that always fit.
const MAX_DIGITS: u8 = 15;

impl Framing {
    pub(super) fn chunked() -> Self {
        Self::Chunked(Chunks { at: BEGIN, idle_bytes: 0 })
    }

    pub(super) fn is_over(&self) -> bool {
        match self {
            Self::Length(left) => *left == 0,
            Self::Chunked(chunks) => chunks.at == At::Over,
            Self::UntilClose => false,
            Self::Closed => true,
        }
    }

    /// What is still to come, where that is known.
    pub(super) fn exact(&self) -> Option<u64> {
        match self {
            Self::Length(left) => Some(*left),
            Self::Chunked(_) | Self::UntilClose => None,
            Self::Closed => Some(0),
        }
    }

    /// The content in these bytes, in one piece, and how many of them belong to this body: all, unless it ends.
    pub(super) fn take(&mut self, wire: &[u8]) -> Result<(Bytes, usize), NotHttp> {
        match self {
            Self::Length(left) => {
                let mine = wire.get(..usize::try_from(*left).unwrap_or(usize::MAX)).unwrap_or(wire);
                *left -= mine.len() as u64;
                Ok((Bytes::copy_from_slice(mine), mine.len()))
            }
            Self::Chunked(chunks) => chunks.take(wire),
            Self::UntilClose => Ok((Bytes::copy_from_slice(wire), wire.len())),
            Self::Closed => Ok((Bytes::new(), 0)),
        }
    }

    /// The connection was closed. Whether the body is whole.
    pub(super) fn close(&mut self) -> bool {
        if *self == Self::UntilClose {
            *self = Self::Closed;
        }
        self.is_over()
    }
}

impl Chunks {
    fn take(&mut self, wire: &[u8]) -> Result<(Bytes, usize), NotHttp> {
        let (mut content, mut used) = (Content::None, 0);
        while self.at != At::Over
            && let Some(rest) = wire.get(used..).filter(|rest| !rest.is_empty())
        {
            if let At::Data { left } = self.at {
                let piece = rest.get(..usize::try_from(left).unwrap_or(usize::MAX)).unwrap_or(rest);
                let left = left - piece.len() as u64;
                self.at = if left == 0 { At::DataCr } else { At::Data { left } };
                content.push(piece, rest.len());
                used += piece.len();
            } else if let Some(byte) = rest.first() {
                self.at = self.frame(*byte)?;
                used += 1;
            }
        }
        Ok((content.into_bytes(), used))
    }

    /// One byte that is no content.
    fn frame(&mut self, byte: u8) -> Result<At, NotHttp> {
        Ok(match (self.at, byte) {
            (At::Size { bytes, digits }, b'\r') if digits > 0 => At::SizeLf { bytes },
            (At::Size { bytes, digits }, b';' | b' ' | b'\t') if digits > 0 => At::Extension { bytes },
            (At::Size { bytes, digits }, _) if digits < MAX_DIGITS => {
                let digit = char::from(byte).to_digit(16).ok_or(NotHttp("a chunk without its length"))?;
                At::Size { bytes: bytes * 16 + u64::from(digit), digits: digits + 1 }
            }
            (At::Extension { bytes }, b'\r') => At::SizeLf { bytes },
            (At::Extension { bytes }, _) if byte != b'\n' => self.idle(At::Extension { bytes })?,
            (At::SizeLf { bytes: 0 }, b'\n') => At::Line,
            (At::SizeLf { bytes }, b'\n') => At::Data { left: bytes },
            (At::DataCr, b'\r') => At::DataLf,
            (At::DataLf, b'\n') => BEGIN,
            (At::Line, b'\r') => At::LastLf,
            (At::Trailer, b'\r') => At::TrailerLf,
            (At::Line | At::Trailer, _) => self.idle(At::Trailer)?,
            (At::TrailerLf, b'\n') => At::Line,
            (At::LastLf, b'\n') => At::Over,
            (
                At::Size { .. }
                | At::Extension { .. }
                | At::SizeLf { .. }
                | At::Data { .. }
                | At::DataCr
                | At::DataLf
                | At::TrailerLf
                | At::LastLf
                | At::Over,
                _,
            ) => return Err(NotHttp("a chunk that doesn't end where it says")),
        })
    }

    fn idle(&mut self, next: At) -> Result<At, NotHttp> {
        self.idle_bytes += 1;
        if self.idle_bytes > caps::CHUNK_IDLE_BYTES { Err(NotHttp("too much between chunks")) } else { Ok(next) }
    }
}

/// Most reads hold one chunk, which is copied once.
enum Content<'a> {
    None,
    One(&'a [u8]),
    Many(Vec<u8>),
}

impl<'a> Content<'a> {
    /// Adds a piece; `most`: it and all that can follow.
    fn push(&mut self, piece: &'a [u8], most: usize) {
        match self {
            Self::None => *self = Self::One(piece),
            Self::One(first) => {
                let mut all = Vec::with_capacity(first.len() + most);
                all.extend_from_slice(first);
                all.extend_from_slice(piece);
                *self = Self::Many(all);
            }
            Self::Many(all) => all.extend_from_slice(piece),
        }
    }

    fn into_bytes(self) -> Bytes {
        match self {
            Self::None => Bytes::new(),
            Self::One(piece) => Bytes::copy_from_slice(piece),
            Self::Many(all) => all.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What comes of a body that is read in pieces of `step` bytes: its content, and how many bytes were its own.
    fn read(mut framing: Framing, wire: &[u8], step: usize) -> Result<(Vec<u8>, usize), NotHttp> {
        let (mut content, mut used) = (Vec::new(), 0);
        for piece in wire.chunks(step) {
            let (bytes, n) = framing.take(piece)?;
            content.extend_from_slice(&bytes);
            used += n;
            if framing.is_over() {
                return Ok((content, used));
            }
            assert_eq!(n, piece.len(), "only an end leaves bytes over");
        }
        if framing.close() { Ok((content, used)) } else { Err(NotHttp("early")) }
    }

    #[test]
    fn bodies_are_read_in_pieces_of_any_size() {
        let chunked = b"5\r\nhello\r\n1;name=\"value\"\r\n \r\nb \r\nwide worlds\r\n000\r\nx: y\r\nz:\r\n\r\n";
        for step in 1..=chunked.len() {
            assert_eq!(read(Framing::chunked(), chunked, step), Ok((b"hello wide worlds".to_vec(), chunked.len())), "{step}");
            assert_eq!(read(Framing::Length(7), b"content", step), Ok((b"content".to_vec(), 7)));
            assert_eq!(read(Framing::UntilClose, b"content", step), Ok((b"content".to_vec(), 7)));
        }
        assert!(Framing::Length(0).is_over());
    }

    #[test]
    fn what_follows_a_body_is_left() {
        assert_eq!(read(Framing::chunked(), b"1\r\na\r\n0\r\n\r\nHTTP", 100), Ok((b"a".to_vec(), 11)));
        assert_eq!(read(Framing::Length(2), b"abc", 100), Ok((b"ab".to_vec(), 2)));
    }

    #[test]
    fn an_early_end_is_no_end() {
        let chunked = b"5\r\nhello\r\n0\r\n\r\n";
        for len in 0..chunked.len() {
            assert_eq!(read(Framing::chunked(), &chunked[..len], 3), Err(NotHttp("early")), "{len}");
        }
        assert_eq!(read(Framing::Length(3), b"ab", 1), Err(NotHttp("early")));
    }

    #[test]
    fn what_is_no_chunk_is_refused() {
        let long = format!("1;{}\r\na\r\n0\r\n\r\n", "x".repeat(caps::CHUNK_IDLE_BYTES + 1));
        let trailers = format!("0\r\n{}\r\n", "x: y\r\n".repeat(caps::CHUNK_IDLE_BYTES / 4 + 1));
        let broken =
            ["\r\n", "g\r\n", ";x\r\n", "-1\r\na", "1\na\r\n", "1;\na", "1\r\nab\r\n", "1\r\na\n0\r\n\r\n", "1\r\na\rb", "0\r\n\r\r"];
        let broken = broken.into_iter().chain(["0\r\nx: y\r\r", "1000000000000000\r\n", &long, &trailers]);
        for text in broken {
            let refused = Framing::chunked().take(text.as_bytes());
            assert!(refused.is_err(), "{text}");
        }
    }
}
