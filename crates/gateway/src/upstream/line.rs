//! One HTTP/1.1 connection to a provider, with one request at a time. Whoever uses it drives it: it has no task of its own,
//! and while nothing comes it holds no buffer, so that open streams need little. It knows no address and no pool.

use std::cell::RefCell;
use std::future::{Future, poll_fn};
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::Request;
use tokio::io::{AsyncRead as _, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};

use super::Outgoing;
use super::answer_head::{AnswerHead, NotHttp, read_head};
use super::framing::Framing;
use super::unsent::Unsent;
use super::wire::Wire;
use crate::caps;

thread_local! {
    /// Where all connections of a thread read into: what a read brings is taken out at once.
    static SCRATCH: RefCell<Vec<u8>> = RefCell::new(vec![0; caps::READ_BYTES]);
}

/// A connection.
pub(super) struct Line {
    wire: Wire,
    /// Moved only when it fires, or when it would fire too late: most answers come long before.
    timer: Option<Pin<Box<Sleep>>>,
}

/// An answer as far as it has come with its head.
pub(super) struct Begun {
    pub(super) head: AnswerHead,
    /// The body's first bytes.
    pub(super) first: Bytes,
}

/// Why there is no answer, or no more of it.
#[derive(Debug, thiserror::Error)]
pub(super) enum LineFault {
    /// Nothing of the request was written.
    #[error("{0}")]
    NotBegun(io::Error),
    #[error("the answer did not come in time")]
    TimedOut,
    /// Nothing of an answer had come.
    #[error("it was closed before the answer was whole")]
    Unanswered,
    #[error("it was closed before the answer was whole")]
    Closed,
    #[error("{0}")]
    Io(#[from] io::Error),
    #[error(transparent)]
    NotHttp(#[from] NotHttp),
}

impl Line {
    pub(super) fn over(wire: Wire) -> Self {
        Self { wire, timer: None }
    }

    /// Sends a request and waits for the answer's head until the deadline.
    pub(super) async fn send(&mut self, request: &mut Request<Outgoing>, deadline: Instant) -> Result<Begun, LineFault> {
        let mut unsent = Unsent::of(request);
        let (mut early, mut begun) = (Vec::new(), None);
        let answer = poll_fn(|cx| match self.poll_answer(cx, &mut unsent, &mut early, &mut begun) {
            Poll::Ready(answer) => Poll::Ready(answer),
            Poll::Pending if self.is_late(cx, deadline) => Poll::Ready(Err(LineFault::TimedOut)),
            Poll::Pending => Poll::Pending,
        })
        .await;
        if let Err(LineFault::NotBegun(_)) = &answer {
            request.body_mut().mark = unsent.into_mark();
        }
        answer
    }

    /// `early` keeps a head that came in pieces, `begun` an answer that came before all of the request was sent.
    fn poll_answer(
        &mut self,
        cx: &mut Context<'_>,
        unsent: &mut Unsent,
        early: &mut Vec<u8>,
        begun: &mut Option<Begun>,
    ) -> Poll<Result<Begun, LineFault>> {
        let written = match unsent.poll_write(&mut self.wire, cx) {
            Poll::Ready(Err(error)) if !unsent.has_begun() => return Poll::Ready(Err(LineFault::NotBegun(error))),
            // The provider may have answered before it closed its ear: reading tells.
            written => written.map(|written| written.is_ok()),
        };
        while begun.is_none() {
            let read = self.poll_read(cx, |bytes| {
                if early.is_empty() && bytes.is_empty() {
                    return Err(LineFault::Unanswered);
                }
                if early.is_empty() {
                    let begun = begin(bytes)?;
                    if begun.is_none() {
                        early.extend_from_slice(bytes);
                    }
                    return Ok(begun);
                }
                early.extend_from_slice(bytes);
                if bytes.is_empty() { Err(LineFault::Closed) } else { begin(early) }
            });
            *begun = ready!(read)?;
        }
        // A refusal ends a request wherever it is; anything else waits until the provider has all that it takes.
        match begun.take_if(|begun| written.is_ready() || !begun.head.response.status().is_success()) {
            None => Poll::Pending,
            Some(mut begun) => {
                begun.head.keeps_open &= written == Poll::Ready(true);
                Poll::Ready(Ok(begun))
            }
        }
    }

    /// What comes next of a body; nothing at its end.
    pub(super) fn poll_body(&mut self, cx: &mut Context<'_>, framing: &mut Framing) -> Poll<Result<Taken, LineFault>> {
        loop {
            let taken = ready!(self.poll_read(cx, |bytes| {
                if !bytes.is_empty() {
                    let (content, used) = framing.take(bytes)?;
                    Ok(Some(Taken { content, is_surplus: used < bytes.len() }))
                } else if framing.close() {
                    Ok(Some(Taken { content: Bytes::new(), is_surplus: false }))
                } else {
                    Err(LineFault::Closed)
                }
            }))?;
            if let Some(taken) = taken.filter(|taken| !taken.content.is_empty() || framing.is_over()) {
                return Poll::Ready(Ok(taken));
            }
        }
    }

    /// One read; what `take` makes of its bytes. No bytes: the provider has closed.
    fn poll_read<T>(&mut self, cx: &mut Context<'_>, take: impl FnOnce(&[u8]) -> Result<T, LineFault>) -> Poll<Result<T, LineFault>> {
        SCRATCH.with_borrow_mut(|scratch| {
            let mut buffer = ReadBuf::new(scratch);
            ready!(Pin::new(&mut self.wire).poll_read(cx, &mut buffer))?;
            Poll::Ready(take(buffer.filled()))
        })
    }

    /// Whether the deadline has passed. If not, the user is woken when it does.
    fn is_late(&mut self, cx: &mut Context<'_>, deadline: Instant) -> bool {
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(deadline)));
        if timer.deadline() > deadline {
            timer.as_mut().reset(deadline);
        }
        while timer.as_mut().poll(cx).is_ready() {
            if timer.deadline() >= deadline {
                return true;
            }
            timer.as_mut().reset(deadline);
        }
        false
    }

    /// After a rest: whether the provider has kept it open, and has said nothing that nobody asked for.
    pub(super) fn is_open(&mut self) -> bool {
        self.wire.is_quiet()
    }
}

/// What one read gave of a body.
pub(super) struct Taken {
    pub(super) content: Bytes,
    /// Bytes came that aren't the body's.
    pub(super) is_surplus: bool,
}

/// The head, if it is whole, and what is there of the body.
fn begin(bytes: &[u8]) -> Result<Option<Begun>, LineFault> {
    let Some((mut head, len)) = read_head(bytes)? else { return Ok(None) };
    let rest = bytes.get(len..).unwrap_or_default();
    let (first, used) = head.framing.take(rest)?;
    head.keeps_open &= used == rest.len();
    Ok(Some(Begun { head, first }))
}
