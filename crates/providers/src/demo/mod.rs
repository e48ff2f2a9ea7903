//! The simulated model server: from a request to an answer, or to events with due times.
//! It reads no clock, sends nothing, and its text says that it is simulated.

mod answer;
mod embedding;
mod pace;
mod random;
mod schedule;
mod text;

use bytes::Bytes;
use domain::{Category, Endpoint, TokenUsage, Tokenizer};
use serde_json::json;

use crate::{RequestFacts, caps, count_input};

use answer::Envelope;
use pace::Pace;
use random::Random;
pub use schedule::Schedule;
use text::Said;

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
    /// The events of a stream in order: the usage chunk always comes, as if it had been asked for, and `[DONE]` last.
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

/// Answers a request whose `body` [`crate::read_request`] read into `facts`.
pub fn reply(facts: &RequestFacts, body: &[u8], settings: &Settings<'_>) -> Reply {
    let mut random = Random::new(settings.seed);
    let pace = Pace::new(&mut random, settings.category, settings.speed);
    let input = input_tokens(facts.endpoint, body);
    if facts.endpoint == Endpoint::Embeddings {
        let usage = json!({"prompt_tokens": input, "total_tokens": input});
        let answer = json!({"object": "list", "data": embedding::data(body), "model": settings.model, "usage": usage});
        return Reply::Whole(Timed { due_us: pace.embeddings_us(), bytes: Bytes::from(answer.to_string()) });
    }
    let choices = facts.choices.min(caps::MAX_DEMO_CHOICES);
    let said: Vec<Said> = (0..choices).map(|_| Said::new(&mut random, settings.category, facts.max_output)).collect();
    let output = said.iter().map(|said| said.ends.len() as u64).sum();
    let usage = TokenUsage { input, output, cached: 0, reasoning: 0 };
    let envelope = Envelope::new(facts.endpoint, settings);
    if facts.stream {
        return Reply::Stream(Schedule::new(envelope, pace, said, usage));
    }
    let longest = said.iter().map(|said| said.ends.len() as u64).max().unwrap_or(0);
    Reply::Whole(Timed { due_us: pace.whole_us(longest), bytes: Bytes::from(envelope.whole(&said, usage).to_string()) })
}

fn input_tokens(endpoint: Endpoint, body: &[u8]) -> u64 {
    if body.len() > caps::MAX_DEMO_COUNTED_BYTES { body.len() as u64 / 4 } else { count_input(endpoint, body, Tokenizer::O200kBase) }
}

#[cfg(test)]
mod tests;
