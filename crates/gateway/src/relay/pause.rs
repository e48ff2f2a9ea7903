//! A stream that has no room to go on: what was read meanwhile waits here, in order, until its limits take it. It knows no
//! events, only pieces and their tokens.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use providers::Ending;
use tokio::time::{Instant, Sleep, sleep_until};

use crate::caps;

/// Whole events that go to the client together.
#[derive(Debug)]
pub(super) struct Piece {
    pub(super) bytes: Bytes,
    /// Output tokens of the stream up to its end.
    pub(super) total: u64,
}

/// What waits.
pub(super) struct Pause {
    pub(super) pieces: VecDeque<Piece>,
    bytes: usize,
    /// How the provider ended meanwhile.
    pub(super) ending: Option<Ending>,
    /// Since when nothing has passed, in microseconds of the steady clock.
    pub(super) since_us: u64,
    timer: Pin<Box<Sleep>>,
    comment_at: Instant,
}

/// What the timer says.
pub(super) enum Tick {
    /// Look again.
    Look,
    /// The client has heard nothing for long.
    Comment,
}

impl Pause {
    pub(super) fn new(piece: Piece, ending: Option<Ending>, now_us: u64, next_chance_us: Option<u64>) -> Self {
        let timer = Box::pin(sleep_until(next_look(now_us, next_chance_us)));
        let comment_at = Instant::now() + caps::KEEP_ALIVE;
        Self { bytes: piece.bytes.len(), pieces: VecDeque::from([piece]), ending, since_us: now_us, timer, comment_at }
    }

    pub(super) fn push(&mut self, piece: Piece) {
        if !piece.bytes.is_empty() {
            self.bytes += piece.bytes.len();
            self.pieces.push_back(piece);
        }
    }

    /// Takes out the piece in front; it has passed at `now_us`.
    pub(super) fn pop(&mut self, now_us: u64) -> Option<Piece> {
        let piece = self.pieces.pop_front()?;
        self.bytes -= piece.bytes.len();
        self.since_us = now_us;
        self.comment_at = Instant::now() + caps::KEEP_ALIVE;
        Some(piece)
    }

    /// Whether the provider is to be read on.
    pub(super) fn reads_on(&self) -> bool {
        self.ending.is_none() && self.bytes < caps::PAUSED_BYTES
    }

    pub(super) fn poll(&mut self, cx: &mut Context<'_>, now_us: u64, next_chance_us: Option<u64>) -> Poll<Tick> {
        if self.timer.as_mut().poll(cx).is_pending() {
            return Poll::Pending;
        }
        self.timer.as_mut().reset(next_look(now_us, next_chance_us));
        if Instant::now() < self.comment_at {
            return Poll::Ready(Tick::Look);
        }
        self.comment_at = Instant::now() + caps::KEEP_ALIVE;
        Poll::Ready(Tick::Comment)
    }
}

/// When to look for room: at the moment at which some expires, and now and then because others give some back.
pub(super) fn next_look(now_us: u64, next_chance_us: Option<u64>) -> Instant {
    let wait = next_chance_us.map_or(caps::PAUSE_LOOK, |at| Duration::from_micros(at.saturating_sub(now_us).max(1)));
    Instant::now() + wait.min(caps::PAUSE_LOOK)
}
