//! Where a stream's bytes come from: a provider's connection, or the simulated server's schedule. It doesn't look into them.

use std::future::Future as _;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::Body as _;
use providers::demo::{Schedule, Timed};
use tokio::time::{Instant, Sleep, sleep_until};

use crate::upstream::AnswerBody;

/// The stream broke off.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct SourceBroke;

/// What comes next of a stream.
pub(crate) type Piece = Option<Result<Bytes, SourceBroke>>;

/// A stream of bytes from a provider. Dropping it stops the provider.
pub(crate) enum Source {
    Http(AnswerBody),
    Demo(Box<Simulated>),
    /// What was read of a source and put back.
    Unread(Bytes, Option<Box<Source>>),
    #[cfg(test)]
    Scripted(super::tests::Script),
}

impl Source {
    /// What comes next: all that is there if it has no more than `room` bytes, and so no more tokens, else one event.
    pub(crate) fn poll_within(&mut self, cx: &mut Context<'_>, room: u64) -> Poll<Piece> {
        let piece = self.poll(cx);
        if let Poll::Ready(Some(Ok(bytes))) = &piece
            && bytes.len() as u64 > room
            && let Some(first) = providers::first_of_several(bytes)
        {
            self.put_back(bytes.slice(first..));
            return Poll::Ready(Some(Ok(bytes.slice(..first))));
        }
        piece
    }

    /// Gives back what was read and is to be read again.
    fn put_back(&mut self, rest: Bytes) {
        let inner = std::mem::replace(self, Self::Unread(Bytes::new(), None));
        *self = Self::Unread(rest, Some(Box::new(inner)));
    }

    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Piece> {
        match self {
            Self::Unread(rest, inner) => {
                let rest = std::mem::take(rest);
                if let Some(inner) = inner.take() {
                    *self = *inner;
                }
                Poll::Ready((!rest.is_empty()).then_some(Ok(rest)))
            }
            Self::Http(body) => loop {
                return Poll::Ready(match ready!(Pin::new(&mut *body).poll_frame(cx)) {
                    Some(Ok(frame)) => match frame.into_data() {
                        Ok(bytes) => Some(Ok(bytes)),
                        // Trailers say nothing that is relayed.
                        Err(_) => continue,
                    },
                    Some(Err(_)) => Some(Err(SourceBroke)),
                    None => None,
                });
            },
            Self::Demo(simulated) => simulated.poll(cx).map(|bytes| bytes.map(Ok)),
            #[cfg(test)]
            Self::Scripted(script) => script.poll(cx),
        }
    }
}

/// The simulated server's events, each when it is due.
pub(crate) struct Simulated {
    schedule: Schedule,
    next: Option<Timed>,
    begun: Instant,
    due: Pin<Box<Sleep>>,
}

impl Simulated {
    pub(crate) fn new(mut schedule: Schedule) -> Self {
        let next = schedule.next();
        let begun = Instant::now();
        Self { schedule, due: Box::pin(sleep_until(due(begun, next.as_ref()))), next, begun }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        let Some(next) = self.next.take() else { return Poll::Ready(None) };
        if next.due_us > 0 && self.due.as_mut().poll(cx).is_pending() {
            self.next = Some(next);
            return Poll::Pending;
        }
        self.next = self.schedule.next();
        if self.next.as_ref().is_some_and(|next| next.due_us > 0) {
            self.due.as_mut().reset(due(self.begun, self.next.as_ref()));
        }
        Poll::Ready(Some(next.bytes))
    }
}

fn due(begun: Instant, event: Option<&Timed>) -> Instant {
    begun + Duration::from_micros(event.map_or(0, |event| event.due_us))
}
