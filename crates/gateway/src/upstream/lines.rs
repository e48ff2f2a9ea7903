//! Idle connections to providers in the clear, by address, and answers that hand theirs back when they have been read. It
//! knows nothing of what is asked or answered.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use hashbrown::HashMap;
use http::header::HeaderValue;
use http::uri::Authority;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::runtime::Handle;
use tokio::time::{Instant, sleep};

use super::framing::Framing;
use super::line::{Line, Taken};
use crate::caps;

/// All origins that were asked lately.
#[derive(Default)]
pub(super) struct Lines {
    origins: Mutex<HashMap<Authority, Arc<Origin>>>,
}

/// Host and port with the idle connections there, the one used last at the end.
pub(super) struct Origin {
    /// The value of `host`.
    pub(super) host: HeaderValue,
    idle: Mutex<Idle>,
}

#[derive(Default)]
struct Idle {
    lines: VecDeque<(Instant, Box<Line>)>,
    /// Whether a task closes those that are idle for too long.
    is_watched: bool,
}

impl Lines {
    /// The origin of this address; `None` where it makes no `host` header.
    pub(super) fn origin(&self, authority: &Authority) -> Option<Arc<Origin>> {
        let mut origins = self.origins.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(origin) = origins.get(authority) {
            return Some(Arc::clone(origin));
        }
        // Addresses change when the operator changes them: what nobody has used since is forgotten then.
        origins.retain(|_, origin| Arc::strong_count(origin) > 1);
        let origin = Arc::new(Origin { host: host(authority)?, idle: Mutex::default() });
        origins.insert(authority.clone(), Arc::clone(&origin));
        Some(origin)
    }
}

/// Host and port without a user and without the port that is understood.
fn host(authority: &Authority) -> Option<HeaderValue> {
    match authority.port_u16().filter(|port| *port != 80) {
        Some(port) => HeaderValue::try_from(format!("{}:{port}", authority.host())).ok(),
        None => HeaderValue::from_str(authority.host()).ok(),
    }
}

impl Origin {
    /// The connection that was used last, if it is still open.
    pub(super) fn take(&self, now: Instant) -> Option<Box<Line>> {
        loop {
            let (since, mut line) = self.idle().lines.pop_back()?;
            if now.saturating_duration_since(since) < caps::IDLE_PLAIN && line.is_open() {
                return Some(line);
            }
        }
    }

    fn give_back(self: &Arc<Self>, line: Box<Line>) {
        let mut idle = self.idle();
        if idle.lines.len() >= caps::IDLE_CONNECTIONS {
            return;
        }
        idle.lines.push_back((Instant::now(), line));
        if idle.is_watched {
            return;
        }
        if let Ok(runtime) = Handle::try_current() {
            idle.is_watched = true;
            drop(runtime.spawn(watch(Arc::downgrade(self))));
        }
    }

    /// Closes what was idle for too long; whether anything is left.
    fn sweep(&self) -> bool {
        let now = Instant::now();
        let mut idle = self.idle();
        while idle.lines.front().is_some_and(|(since, _)| now.saturating_duration_since(*since) >= caps::IDLE_PLAIN) {
            drop(idle.lines.pop_front());
        }
        idle.is_watched = !idle.lines.is_empty();
        idle.is_watched
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Idle> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Runs as long as there are idle connections.
async fn watch(origin: Weak<Origin>) {
    loop {
        sleep(caps::IDLE_LOOK).await;
        if !origin.upgrade().is_some_and(|origin| origin.sweep()) {
            return;
        }
    }
}

/// The body of a provider's answer. Read to its end it hands its connection back; dropped before that, it closes it.
pub(crate) enum AnswerBody {
    /// Over a connection that whoever reads drives.
    Plain(Plain),
    /// Over one that a task drives.
    Secure(Incoming),
}

pub(crate) struct Plain {
    framing: Framing,
    /// What came with the head.
    first: Bytes,
    /// Nothing once the body has ended or broken off.
    line: Option<(Box<Line>, Arc<Origin>)>,
    keeps_open: bool,
}

/// The rest of an answer will not come.
#[derive(Debug, thiserror::Error)]
#[error("the answer broke off: {0}")]
pub(crate) struct BrokeOff(String);

impl AnswerBody {
    pub(super) fn over(line: Box<Line>, origin: Arc<Origin>, framing: Framing, first: Bytes, keeps_open: bool) -> Self {
        let mut plain = Plain { framing, first, line: Some((line, origin)), keeps_open };
        if plain.framing.is_over() {
            plain.hand_back();
        }
        Self::Plain(plain)
    }
}

impl Plain {
    fn hand_back(&mut self) {
        if let Some((line, origin)) = self.line.take()
            && self.keeps_open
        {
            origin.give_back(line);
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, BrokeOff>>> {
        if !self.first.is_empty() {
            return Poll::Ready(Some(Ok(std::mem::take(&mut self.first))));
        }
        let Some((line, _)) = &mut self.line else { return Poll::Ready(None) };
        match ready!(line.poll_body(cx, &mut self.framing)) {
            Ok(Taken { content, is_surplus }) => {
                self.keeps_open &= !is_surplus;
                if self.framing.is_over() {
                    self.hand_back();
                }
                Poll::Ready((!content.is_empty()).then_some(Ok(content)))
            }
            Err(fault) => {
                self.line = None;
                Poll::Ready(Some(Err(BrokeOff(fault.to_string()))))
            }
        }
    }
}

impl Body for AnswerBody {
    type Data = Bytes;
    type Error = BrokeOff;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BrokeOff>>> {
        match self.get_mut() {
            Self::Plain(plain) => plain.poll(cx).map(|bytes| bytes.map(|bytes| bytes.map(Frame::data))),
            Self::Secure(incoming) => {
                let frame = ready!(Pin::new(incoming).poll_frame(cx));
                Poll::Ready(frame.map(|frame| frame.map_err(|error| BrokeOff(super::innermost(&error)))))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Plain(plain) => plain.first.is_empty() && plain.framing.is_over(),
            Self::Secure(incoming) => incoming.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Plain(plain) => {
                let left = plain.framing.exact().map(|left| left.saturating_add(plain.first.len() as u64));
                left.map_or_else(SizeHint::default, SizeHint::with_exact)
            }
            Self::Secure(incoming) => incoming.size_hint(),
        }
    }
}
