//! All open connections, and the watch over them: one look-through for all instead of timers on each.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use super::activity::{Activity, Order, Snapshot};
use crate::caps::{WATCH_INTERVAL_LEAST, WATCH_INTERVAL_MOST};

/// The open connections.
#[derive(Debug, Default)]
pub struct Connections {
    open: Mutex<Open>,
    emptied: Notify,
}

#[derive(Debug, Default)]
struct Open {
    next: u64,
    all: HashMap<u64, Watched>,
}

#[derive(Debug)]
struct Watched {
    activity: Arc<Activity>,
    seen: Snapshot,
    /// Since when `seen` has been so.
    since: Instant,
}

/// How long a connection may be in each state.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// For the whole head of a request, the first one's counted from the connection's beginning.
    pub head: Duration,
    /// Between requests, and for a client that takes nothing of its answer.
    pub idle: Duration,
}

impl Patience {
    /// How often to look.
    pub fn interval(self) -> Duration {
        (self.head.min(self.idle) / 4).clamp(WATCH_INTERVAL_LEAST, WATCH_INTERVAL_MOST)
    }

    fn judge(self, seen: Snapshot, lasts: Duration) -> Order {
        if seen.is_write_blocked {
            if lasts >= self.idle { Order::Cut } else { Order::GoOn }
        } else if seen.in_flight > 0 {
            Order::GoOn
        } else if seen.is_head_begun || seen.requests == 0 {
            if lasts >= self.head { Order::Cut } else { Order::GoOn }
        } else if lasts >= self.idle {
            Order::Finish
        } else {
            Order::GoOn
        }
    }
}

/// A connection's place among the open ones, until dropped.
pub(crate) struct Registered {
    connections: Arc<Connections>,
    id: u64,
    pub(crate) activity: Arc<Activity>,
}

impl Drop for Registered {
    fn drop(&mut self) {
        let mut open = self.connections.open();
        open.all.remove(&self.id);
        if open.all.is_empty() {
            self.connections.emptied.notify_waiters();
        }
    }
}

impl Connections {
    fn open(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many are open.
    pub(crate) fn count(&self) -> usize {
        self.open().all.len()
    }

    /// Ready once none is open.
    pub async fn none_open(&self) {
        loop {
            let emptied = self.emptied.notified();
            if self.count() == 0 {
                return;
            }
            emptied.await;
        }
    }

    pub(crate) fn register(self: &Arc<Self>) -> Registered {
        let activity = Arc::new(Activity::default());
        let watched = Watched { seen: activity.snapshot(), activity: Arc::clone(&activity), since: Instant::now() };
        let mut open = self.open();
        let id = open.next;
        open.next += 1;
        open.all.insert(id, watched);
        Registered { connections: Arc::clone(self), id, activity }
    }

    /// Gives an order to all.
    pub fn order(&self, order: Order) {
        for watched in self.open().all.values() {
            watched.activity.order(order);
        }
    }

    /// Looks through all of them once.
    pub fn look(&self, patience: Patience, now: Instant) {
        for watched in self.open().all.values_mut() {
            let seen = watched.activity.snapshot();
            if is_same_state(seen, watched.seen) {
                let order = patience.judge(seen, now - watched.since);
                if order != Order::GoOn {
                    watched.activity.order(order);
                }
            } else {
                watched.since = now;
            }
            watched.seen = seen;
        }
    }
}

/// Whether a connection is still in the state it was in: a head that trickles in is one state, however often bytes come.
fn is_same_state(a: Snapshot, b: Snapshot) -> bool {
    let writes_alike = !a.is_write_blocked || a.writes == b.writes;
    writes_alike
        && (a.in_flight, a.requests, a.is_write_blocked) == (b.in_flight, b.requests, b.is_write_blocked)
        && (a.is_head_begun == b.is_head_begun || a.requests == 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Patience = Patience { head: Duration::from_secs(10), idle: Duration::from_secs(75) };
    const QUIET: Snapshot = Snapshot { in_flight: 0, requests: 1, writes: 1, is_write_blocked: false, is_head_begun: false };

    fn judge(seen: Snapshot, seconds: u64) -> Order {
        PATIENCE.judge(seen, Duration::from_secs(seconds))
    }

    #[test]
    fn each_state_has_its_patience() {
        assert_eq!((judge(QUIET, 74), judge(QUIET, 75)), (Order::GoOn, Order::Finish));
        let opening = Snapshot { requests: 0, ..QUIET };
        assert_eq!((judge(opening, 9), judge(opening, 10)), (Order::GoOn, Order::Cut));
        let head = Snapshot { is_head_begun: true, ..QUIET };
        assert_eq!((judge(head, 9), judge(head, 10)), (Order::GoOn, Order::Cut));
        let working = Snapshot { in_flight: 1, ..QUIET };
        assert_eq!(judge(working, 1_000_000), Order::GoOn);
        let unread = Snapshot { is_write_blocked: true, ..working };
        assert_eq!((judge(unread, 74), judge(unread, 75)), (Order::GoOn, Order::Cut));
    }

    #[test]
    fn trickling_bytes_prolong_nothing_and_progress_does() {
        assert!(is_same_state(QUIET, QUIET));
        assert!(!is_same_state(QUIET, Snapshot { requests: 2, ..QUIET }));
        let unread = Snapshot { in_flight: 1, is_write_blocked: true, ..QUIET };
        assert!(!is_same_state(unread, Snapshot { writes: 2, ..unread }));
        let opening = Snapshot { requests: 0, ..QUIET };
        assert!(is_same_state(opening, Snapshot { is_head_begun: true, ..opening }));
    }

    #[test]
    fn the_watch_gives_its_orders_and_forgets_what_closed() {
        let connections = Arc::new(Connections::default());
        let registered = connections.register();
        drop(registered.activity.request(false));
        let later = |seconds| Instant::now() + Duration::from_secs(seconds);
        connections.look(PATIENCE, later(0));
        connections.look(PATIENCE, later(74));
        assert_eq!(registered.activity.poll_order(std::task::Waker::noop()), Order::GoOn);
        connections.look(PATIENCE, later(76));
        assert_eq!(registered.activity.poll_order(std::task::Waker::noop()), Order::Finish);
        assert_eq!(connections.count(), 1);
        drop(registered);
        assert_eq!(connections.count(), 0);
    }
}
