//! A simulated stream, event by event. It makes each event only when it is asked for.

use bytes::Bytes;
use domain::TokenUsage;
use serde_json::Value;

use super::Timed;
use super::answer::Envelope;
use super::pace::Pace;
use super::text::Said;

/// The events of a stream, made as they are asked for; due times never fall.
#[derive(Clone, Debug)]
pub struct Schedule {
    envelope: Envelope,
    pace: Pace,
    said: Vec<Said>,
    usage: TokenUsage,
    stage: Stage,
}

/// What comes next. All choices speak at the same pace.
#[derive(Clone, Copy, Debug)]
enum Stage {
    Role { choice: usize },
    Token { index: usize, choice: usize },
    Finish { choice: usize },
    Usage,
    Done,
    Over,
}

impl Schedule {
    pub(super) fn new(envelope: Envelope, pace: Pace, said: Vec<Said>, usage: TokenUsage) -> Self {
        let stage = if envelope.is_chat() { Stage::Role { choice: 0 } } else { Stage::Token { index: 0, choice: 0 } };
        Self { envelope, pace, said, usage, stage }
    }

    fn longest(&self) -> usize {
        self.said.iter().map(|said| said.ends.len()).max().unwrap_or(0)
    }

    fn end_us(&self) -> u64 {
        self.pace.whole_us(self.longest() as u64)
    }

    fn json(&self, due_us: u64, event: &Value) -> Option<Timed> {
        Some(Timed { due_us, bytes: Bytes::from(format!("data: {event}\n\n")) })
    }

    /// The event of the present stage, if it has one, and the stage after it.
    fn step(&self) -> (Option<Timed>, Stage) {
        let is_last = |choice: usize| choice + 1 >= self.said.len();
        match self.stage {
            Stage::Role { choice } => {
                let next = if is_last(choice) { Stage::Token { index: 0, choice: 0 } } else { Stage::Role { choice: choice + 1 } };
                (self.json(self.pace.first_us(), &self.envelope.role(choice)), next)
            }
            Stage::Token { index, .. } if index >= self.longest() => (None, Stage::Finish { choice: 0 }),
            Stage::Token { index, choice } => {
                let next =
                    if is_last(choice) { Stage::Token { index: index + 1, choice: 0 } } else { Stage::Token { index, choice: choice + 1 } };
                let token = self.said.get(choice).and_then(|said| said.token(index));
                (token.and_then(|text| self.json(self.pace.token_us(index as u64), &self.envelope.token(choice, text))), next)
            }
            Stage::Finish { choice } => {
                let next = if is_last(choice) { Stage::Usage } else { Stage::Finish { choice: choice + 1 } };
                let said = self.said.get(choice);
                (said.and_then(|said| self.json(self.end_us(), &self.envelope.finish(choice, said.finish_reason()))), next)
            }
            Stage::Usage => (self.json(self.end_us(), &self.envelope.usage(self.usage)), Stage::Done),
            Stage::Done => (Some(Timed { due_us: self.end_us(), bytes: Bytes::from_static(b"data: [DONE]\n\n") }), Stage::Over),
            Stage::Over => (None, Stage::Over),
        }
    }
}

impl Iterator for Schedule {
    type Item = Timed;

    fn next(&mut self) -> Option<Timed> {
        while !matches!(self.stage, Stage::Over) {
            let (event, next) = self.step();
            self.stage = next;
            if event.is_some() {
                return event;
            }
        }
        None
    }
}
