//! What happens to a request's body that nobody wants: its rest is read and thrown away for a while, since a connection that
//! is closed with unread bytes takes the answer with it.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::HeaderMap;
use http::header::EXPECT;
use http_body::Body;
use tokio::sync::Semaphore;
use tokio_util::task::TaskTracker;

use crate::caps;

/// Where unwanted bodies are read: on the server's tasks, a bounded number at once.
#[derive(Debug)]
pub(crate) struct Linger {
    tasks: TaskTracker,
    permits: Arc<Semaphore>,
}

impl Linger {
    pub(crate) fn new(tasks: TaskTracker) -> Self {
        Self { tasks, permits: Arc::new(Semaphore::new(caps::LINGERING)) }
    }

    /// Throws the rest of `body` away; whether it has been read to its end, so that the connection may be kept.
    pub(crate) async fn discard<B>(&self, mut body: B, headers: &HeaderMap) -> bool
    where
        B: Body<Data = Bytes> + Send + Unpin + 'static,
    {
        // A client that waits to be asked for its body will not send it.
        if body.is_end_stream() || headers.contains_key(EXPECT) {
            return body.is_end_stream();
        }
        let mut left = caps::LINGER_BYTES;
        match poll_fn(|cx| Poll::Ready(read_on(&mut body, &mut left, cx))).await {
            Poll::Ready(is_whole) => is_whole,
            Poll::Pending => {
                let Ok(permit) = Arc::clone(&self.permits).try_acquire_owned() else { return false };
                self.tasks.spawn(async move {
                    let _permit = permit;
                    let reading = poll_fn(|cx| read_on(&mut body, &mut left, cx));
                    // However it ends, the connection is closed then.
                    drop(tokio::time::timeout(caps::LINGER, reading).await);
                });
                false
            }
        }
    }
}

/// Reads what is there. Ready: whether the body has ended well; not so when the budget is spent or the client has left.
fn read_on<B: Body<Data = Bytes> + Unpin>(body: &mut B, left: &mut u64, cx: &mut Context<'_>) -> Poll<bool> {
    loop {
        match Pin::new(&mut *body).poll_frame(cx) {
            Poll::Pending => return Poll::Pending,
            Poll::Ready(None) => return Poll::Ready(true),
            Poll::Ready(Some(Err(_))) => return Poll::Ready(false),
            Poll::Ready(Some(Ok(frame))) => {
                let bytes = frame.data_ref().map_or(0, |data| data.len() as u64);
                if bytes > *left {
                    return Poll::Ready(false);
                }
                *left -= bytes;
                if body.is_end_stream() {
                    return Poll::Ready(true);
                }
            }
        }
    }
}
