//! The three ways to make load: as fast as answers come, at a fixed rate, and event streams. It counts into a `Tally`.

use std::io::Result;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use crate::client::{Connection, Outcome};
use crate::options::{Mode, Options};
use crate::tally::Tally;

/// One connection's own copy of the request, what it saw, and the connection, reopened after a failure or a close. All is
/// made before a run starts: touching a tally's pages for the first time takes long enough to delay other callers.
pub(crate) struct Caller {
    options: Arc<Options>,
    tally: Tally,
    request: Vec<u8>,
    key: Range<usize>,
    next_key: usize,
    connection: Option<Connection>,
}

impl Caller {
    /// The `nth` caller begins with the `nth` key.
    pub(crate) fn new(options: &Arc<Options>, nth: usize) -> Self {
        let (request, key) = options.request();
        let next_key = nth * (options.keys.len() / options.conns).max(1);
        Self { options: options.clone(), tally: Tally::new(), request, key, next_key, connection: None }
    }

    pub(crate) async fn connect(&mut self) {
        self.connection = Connection::open(&self.options.addr).await.ok();
    }

    pub(crate) async fn call(&mut self) -> Result<Outcome> {
        if self.options.keys.len() > 1 {
            let key = &self.options.keys[self.next_key % self.options.keys.len()];
            self.request[self.key.clone()].copy_from_slice(key.as_bytes());
            self.next_key += 1;
        }
        let mut connection = match self.connection.take() {
            Some(open) => open,
            None => Connection::open(&self.options.addr).await?,
        };
        let result = connection.call(&self.request, self.options.mode == Mode::Stream).await;
        if result.as_ref().is_ok_and(|outcome| outcome.reusable) {
            self.connection = Some(connection);
        }
        result
    }
}

/// Requests one after the other until `end`, or until all callers together have `sent` the options' count.
pub(crate) async fn closed(mut caller: Caller, end: Instant, sent: Arc<AtomicU64>) -> Tally {
    let options = caller.options.clone();
    while Instant::now() < end && sent.fetch_add(1, Relaxed) < options.count {
        let from = Instant::now();
        let result = caller.call().await;
        caller.tally.record(&options, from, &result);
        if result.is_err() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
    caller.tally
}

/// Every `conns`-th request of a schedule of `rate` a second. Latency counts from when a request was due if its
/// connection was still busy then (so that a stall is charged to all that it held up), and from sending otherwise.
pub(crate) async fn paced(mut caller: Caller, start: Instant, nth: usize) -> Tally {
    let options = caller.options.clone();
    let total = (options.rate * options.secs) as u64;
    for slot in (nth as u64..total).step_by(options.conns) {
        let due = start + Duration::from_secs_f64(slot as f64 / options.rate);
        let from = match Instant::now() < due {
            true => {
                tokio::time::sleep_until(due.into()).await;
                Instant::now()
            }
            false => due,
        };
        let result = caller.call().await;
        caller.tally.record(&options, from, &result);
    }
    caller.tally
}

/// One event stream. Starts are spread over the pause between two events, as real streams' are.
pub(crate) async fn stream(mut caller: Caller, start: Instant, nth: usize) -> Tally {
    let options = caller.options.clone();
    let offset = Duration::from_micros(options.delay_us.max(1000)).mul_f64(nth as f64 / options.conns as f64);
    tokio::time::sleep_until((start + offset).into()).await;
    let from = Instant::now();
    let limit = Duration::from_micros(options.delay_us * options.chunks * 2) + Duration::from_secs(30);
    let result = match tokio::time::timeout(limit, caller.call()).await {
        Ok(result) => result,
        Err(_) => Err(std::io::Error::other("the stream took more than twice its time")),
    };
    caller.tally.record(&options, from, &result);
    caller.tally
}
