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

use super::line::Line;
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
pub(crate) struct AnswerBody {
    inner: Incoming,
    /// Where the connection isn't driven by a task.
    line: Option<(Box<Line>, Arc<Origin>)>,
}

impl AnswerBody {
    pub(super) fn over(line: Box<Line>, origin: Arc<Origin>, inner: Incoming) -> Self {
        let mut body = Self { inner, line: Some((line, origin)) };
        if body.inner.is_end_stream() {
            body.hand_back();
        }
        body
    }

    fn hand_back(&mut self) {
        if let Some((mut line, origin)) = self.line.take()
            && line.rest()
        {
            origin.give_back(line);
        }
    }
}

impl From<Incoming> for AnswerBody {
    fn from(inner: Incoming) -> Self {
        Self { inner, line: None }
    }
}

impl Body for AnswerBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let this = self.get_mut();
        let Some((line, _)) = &mut this.line else { return Pin::new(&mut this.inner).poll_frame(cx) };
        let frame = ready!(line.drive(cx, |cx| Pin::new(&mut this.inner).poll_frame(cx)));
        match &frame {
            Some(Err(_)) => this.line = None,
            Some(Ok(_)) if !this.inner.is_end_stream() => {}
            Some(Ok(_)) | None => this.hand_back(),
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
