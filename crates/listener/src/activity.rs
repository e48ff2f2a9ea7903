//! What a connection is doing, counted by the connection as it goes and read by the watch. It decides nothing.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, Ordering::Relaxed};

use futures_util::task::AtomicWaker;

/// What the watch asks of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Order {
    /// Nothing.
    GoOn = 0,
    /// Finish the requests in progress, then close.
    Finish = 1,
    /// Close at once.
    Cut = 2,
}

/// One connection's counters.
#[derive(Debug, Default)]
pub(crate) struct Activity {
    /// Requests whose answer has not ended.
    in_flight: AtomicU32,
    /// Requests begun.
    requests: AtomicU64,
    /// Reads that brought bytes, and how many there had been when the last answer ended.
    reads: AtomicU64,
    reads_when_quiet: AtomicU64,
    /// Writes that took bytes, and whether the last one took none.
    writes: AtomicU64,
    is_write_blocked: AtomicBool,
    is_h2: AtomicBool,
    order: AtomicU8,
    waker: AtomicWaker,
}

/// A reading of the counters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Snapshot {
    pub(crate) in_flight: u32,
    pub(crate) requests: u64,
    pub(crate) writes: u64,
    pub(crate) is_write_blocked: bool,
    /// Bytes of a next request have come, but not its whole head.
    pub(crate) is_head_begun: bool,
}

impl Activity {
    pub(crate) fn snapshot(&self) -> Snapshot {
        // Over HTTP/2 acknowledgements and pings come between requests; they begin no head.
        let is_head_begun = !self.is_h2.load(Relaxed) && self.reads.load(Relaxed) > self.reads_when_quiet.load(Relaxed);
        Snapshot {
            in_flight: self.in_flight.load(Relaxed),
            requests: self.requests.load(Relaxed),
            writes: self.writes.load(Relaxed),
            is_write_blocked: self.is_write_blocked.load(Relaxed),
            is_head_begun,
        }
    }

    /// Counts a request until the guard is dropped, which is when its answer's body ends.
    pub(crate) fn request(self: &Arc<Self>, is_h2: bool) -> InFlight {
        if is_h2 {
            self.is_h2.store(true, Relaxed);
        }
        self.requests.fetch_add(1, Relaxed);
        self.in_flight.fetch_add(1, Relaxed);
        InFlight(Arc::clone(self))
    }

    // Only the connection's own task reads and writes the socket: a load and a store do.
    pub(crate) fn has_read(&self) {
        self.reads.store(self.reads.load(Relaxed) + 1, Relaxed);
    }

    pub(crate) fn has_written(&self) {
        self.writes.store(self.writes.load(Relaxed) + 1, Relaxed);
        self.can_write();
    }

    pub(crate) fn can_write(&self) {
        if self.is_write_blocked.load(Relaxed) {
            self.is_write_blocked.store(false, Relaxed);
        }
    }

    pub(crate) fn cannot_write(&self) {
        self.is_write_blocked.store(true, Relaxed);
    }

    /// Gives an order and wakes the connection; a weaker order than the last is passed over.
    pub(crate) fn order(&self, order: Order) {
        self.order.fetch_max(order as u8, Relaxed);
        self.waker.wake();
    }

    /// The order in force. The waker is registered first, so that no order is missed.
    pub(crate) fn poll_order(&self, waker: &std::task::Waker) -> Order {
        self.waker.register(waker);
        match self.order.load(Relaxed) {
            0 => Order::GoOn,
            1 => Order::Finish,
            _ => Order::Cut,
        }
    }
}

/// A request in progress.
#[derive(Debug)]
pub(crate) struct InFlight(Arc<Activity>);

impl Drop for InFlight {
    fn drop(&mut self) {
        let activity = &self.0;
        activity.reads_when_quiet.store(activity.reads.load(Relaxed), Relaxed);
        activity.in_flight.fetch_sub(1, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_is_begun_by_bytes_after_the_last_answer() {
        let activity = Arc::new(Activity::default());
        assert!(!activity.snapshot().is_head_begun);
        activity.has_read();
        assert!(activity.snapshot().is_head_begun);
        let request = activity.request(false);
        activity.has_read();
        assert_eq!(activity.snapshot().in_flight, 1);
        drop(request);
        assert!(!activity.snapshot().is_head_begun);
        activity.has_read();
        assert!(activity.snapshot().is_head_begun);
    }

    #[test]
    fn orders_only_grow() {
        let activity = Activity::default();
        let waker = std::task::Waker::noop();
        assert_eq!(activity.poll_order(waker), Order::GoOn);
        activity.order(Order::Cut);
        activity.order(Order::Finish);
        assert_eq!(activity.poll_order(waker), Order::Cut);
    }
}
