//! The simulated model server: from a request to an answer, or to events with due times.
//! It reads no clock, sends nothing, and its text says that it is simulated.

use bytes::Bytes;
use domain::Category;

use crate::RequestFacts;

/// How fast it answers.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Speed {
    /// As servers of that size do: 150 to 500 ms to the first token, then about 120, 60 or 30 tokens a second.
    #[default]
    Believable,
    /// That many times faster than believable.
    Times(f64),
    /// Everything is due at once.
    Instant,
}

/// What the answer depends on besides the request: the same settings and request give the same bytes.
#[derive(Clone, Copy, Debug)]
pub struct Settings<'a> {
    /// The model's name in the answer.
    pub model: &'a str,
    /// Decides speed and lengths.
    pub category: Category,
    /// Decides the text.
    pub seed: u64,
    /// The answer's `created`, in seconds since 1970.
    pub created_s: i64,
    /// How fast.
    pub speed: Speed,
}

/// What the simulated server answers.
#[derive(Debug)]
pub enum Reply {
    /// A whole JSON body.
    Whole(Timed),
    /// The events of a stream in order, `[DONE]` last.
    Stream(Schedule),
}

/// Bytes and when they are due.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Timed {
    /// Microseconds after the request.
    pub due_us: u64,
    /// A JSON body, or one whole event with its blank line.
    pub bytes: Bytes,
}

/// The events of a stream, made as they are asked for; due times never fall.
#[derive(Debug)]
pub struct Schedule {
    left: std::vec::IntoIter<Timed>,
}

impl Iterator for Schedule {
    type Item = Timed;

    fn next(&mut self) -> Option<Timed> {
        self.left.next()
    }
}

/// Answers a request whose `body` [`crate::read_request`] read into `facts`.
pub fn reply(facts: &RequestFacts, body: &[u8], settings: &Settings<'_>) -> Reply {
    let _ = (facts, body, settings);
    Reply::Stream(Schedule { left: Vec::new().into_iter() })
}
