//! One HTTP/1.1 connection to a provider. Whoever uses it drives it: it has no task of its own, so that nothing has to be
//! woken, queued and switched to between a request and its answer. It knows no address and no pool.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::task::{Context, Poll, Wake, Waker};

use futures_util::task::AtomicWaker;
use http::{Request, Response};
use hyper::body::Incoming;
use hyper::client::conn::TrySendError;
use hyper::client::conn::http1::{self, Connection, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::time::{Instant, Sleep, sleep_until};

use super::Outgoing;
use super::wire::Wire;

/// How often the two ends of a connection may give each other something to do before other tasks have their turn.
const ROUNDS: usize = 8;

/// A connection and its one user at a time.
pub(super) struct Line {
    sender: SendRequest<Outgoing>,
    /// Nothing once it has closed.
    connection: Option<Connection<TokioIo<Wire>, Outgoing>>,
    bell: Arc<Bell>,
    waker: Waker,
    /// Moved only when it fires, or when it would fire too late: most answers come long before.
    timer: Option<Pin<Box<Sleep>>>,
}

/// Wakes the line's user. What rings while the user looks after the line anyway, wakes nobody.
#[derive(Default)]
struct Bell {
    user: AtomicWaker,
    is_attended: AtomicBool,
    has_rung: AtomicBool,
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        // Whoever stops attending looks for rings afterwards: one of the two sees the other.
        self.has_rung.store(true, SeqCst);
        if !self.is_attended.load(SeqCst) {
            self.user.wake();
        }
    }
}

impl Line {
    pub(super) async fn over(wire: TokioIo<Wire>) -> hyper::Result<Self> {
        let (sender, connection) = http1::Builder::new().handshake(wire).await?;
        let bell = Arc::new(Bell::default());
        let waker = Waker::from(Arc::clone(&bell));
        Ok(Self { sender, connection: Some(connection), bell, waker, timer: None })
    }

    /// Sends a request and waits for the answer's head. `None`: it did not come by the deadline. A request that is given back
    /// was not begun.
    pub(super) async fn send(
        &mut self,
        request: Request<Outgoing>,
        deadline: Instant,
    ) -> Option<Result<Response<Incoming>, TrySendError<Request<Outgoing>>>> {
        let mut head = pin!(self.sender.try_send_request(request));
        poll_fn(move |cx| match self.drive(cx, |cx| head.as_mut().poll(cx)) {
            Poll::Ready(answer) => Poll::Ready(Some(answer)),
            Poll::Pending if self.is_late(deadline) => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        })
        .await
    }

    /// Lets the connection read and write until `look` finds something or nothing more can be done now.
    pub(super) fn drive<T>(&mut self, cx: &mut Context<'_>, mut look: impl FnMut(&mut Context<'_>) -> Poll<T>) -> Poll<T> {
        self.bell.user.register(cx.waker());
        self.bell.is_attended.store(true, SeqCst);
        let mut found = look(&mut Context::from_waker(&self.waker));
        for _ in 0..ROUNDS {
            if found.is_ready() {
                break;
            }
            self.bell.has_rung.store(false, SeqCst);
            self.run();
            found = look(&mut Context::from_waker(&self.waker));
            if !self.bell.has_rung.load(SeqCst) {
                break;
            }
        }
        self.bell.is_attended.store(false, SeqCst);
        // Who has found something comes again for more, and runs the connection then.
        if found.is_pending() && self.bell.has_rung.swap(false, SeqCst) {
            self.bell.user.wake();
        }
        found
    }

    fn run(&mut self) {
        let mut cx = Context::from_waker(&self.waker);
        if self.connection.as_mut().is_some_and(|connection| Pin::new(connection).poll(&mut cx).is_ready()) {
            self.connection = None;
        }
    }

    /// Whether the deadline has passed. If not, the user is woken when it does.
    fn is_late(&mut self, deadline: Instant) -> bool {
        let mut cx = Context::from_waker(&self.waker);
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(deadline)));
        if timer.deadline() > deadline {
            timer.as_mut().reset(deadline);
        }
        while timer.as_mut().poll(&mut cx).is_ready() {
            if timer.deadline() >= deadline {
                return true;
            }
            timer.as_mut().reset(deadline);
        }
        false
    }

    /// Nobody uses it for a while. Whether it can be used again.
    pub(super) fn rest(&mut self) -> bool {
        drop(self.bell.user.take());
        if !self.sender.is_ready() {
            self.run();
        }
        self.sender.is_ready()
    }

    /// After a rest: whether the provider has kept it open.
    pub(super) fn is_open(&mut self) -> bool {
        self.run();
        self.sender.is_ready()
    }
}
