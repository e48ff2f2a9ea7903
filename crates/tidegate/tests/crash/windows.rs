//! What was processed in any window, as seen from outside: of each event only the span in which it happened is known, and a
//! window counts it when the whole span lies within. So what is found here has certainly happened.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::task::{JoinHandle, spawn_local};
use tokio::time::{Instant, sleep};

/// So much happened between these moments.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Happened {
    /// To whom.
    pub(crate) id: u64,
    pub(crate) from: Instant,
    pub(crate) to: Instant,
    pub(crate) amount: u64,
}

/// The most that certainly happened within one window, and when that window ends.
pub(crate) fn peak(events: &mut [Happened], window: Duration) -> (u64, Option<Instant>) {
    events.sort_by_key(|event| event.to);
    let (mut within, mut sum, mut most) = (BinaryHeap::new(), 0, (0, None));
    for event in events {
        within.push(Reverse((event.from, event.amount)));
        sum += event.amount;
        while let Some(Reverse((_, amount))) = within.peek().copied().filter(|Reverse((from, _))| *from + window <= event.to) {
            sum -= amount;
            within.pop();
        }
        if sum > most.0 {
            most = (sum, Some(event.to));
        }
    }
    most
}

/// What happened in the window in which most did: who, when in milliseconds before its end, how much.
pub(crate) fn story(events: &mut [Happened], window: Duration) -> String {
    let Some(end) = peak(events, window).1 else { return String::new() };
    let within = events.iter().filter(|event| event.to <= end && event.from + window > end);
    within.map(|Happened { id, from, to, amount }| format!("{id}: {amount} {:?}-{:?}; ", end - *from, end - *to)).collect()
}

/// How late this thread is: between two beats everything that had come was read.
pub(crate) struct Heartbeat {
    gaps: Arc<Mutex<Vec<(Instant, Duration)>>>,
    task: JoinHandle<()>,
}

/// Gaps that are no matter.
const USUAL: Duration = Duration::from_millis(10);

impl Heartbeat {
    /// Begins. It has to run on the thread of all that read.
    pub(crate) fn start() -> Self {
        let gaps = Arc::<Mutex<Vec<_>>>::default();
        let kept = Arc::clone(&gaps);
        let task = spawn_local(async move {
            let mut last = Instant::now();
            loop {
                sleep(Duration::from_millis(2)).await;
                let now = Instant::now();
                if now - last > USUAL {
                    kept.lock().unwrap_or_else(PoisonError::into_inner).push((now, now - last));
                }
                last = now;
            }
        });
        Self { gaps, task }
    }

    /// How long before `at` something may have come that was read at `at`.
    pub(crate) fn late(&self, at: Instant) -> Duration {
        let gaps = self.gaps.lock().unwrap_or_else(PoisonError::into_inner);
        let after = at.checked_sub(Duration::from_millis(500)).unwrap_or(at);
        let from = gaps.partition_point(|(end, _)| *end < after);
        let near = gaps.iter().skip(from).take_while(|(end, gap)| *end - *gap <= at).map(|(_, gap)| *gap);
        near.max().unwrap_or(USUAL).max(USUAL) * 2
    }

    /// The longest gap there was.
    pub(crate) fn worst(&self) -> Duration {
        self.gaps.lock().unwrap_or_else(PoisonError::into_inner).iter().map(|(_, gap)| *gap).max().unwrap_or_default()
    }
}

impl Drop for Heartbeat {
    fn drop(&mut self) {
        self.task.abort();
    }
}

#[test]
fn a_window_is_half_open_and_counts_only_what_is_certain() {
    let start = Instant::now();
    let at = |ms: u64| start + Duration::from_millis(ms);
    let event = |from, to, amount| Happened { id: 0, from: at(from), to: at(to), amount };
    let second = Duration::from_secs(1);
    assert_eq!(peak(&mut [event(0, 0, 1), event(1_000, 1_000, 2)], second).0, 2, "what is a window old counts no more");
    assert_eq!(peak(&mut [event(0, 0, 1), event(999, 999, 2)], second), (3, Some(at(999))));
    assert_eq!(peak(&mut [event(0, 500, 1), event(1_200, 1_200, 2)], second).0, 2, "it may have happened at 0");
    assert_eq!(peak(&mut [event(900, 1_500, 4), event(300, 400, 1), event(1_299, 1_299, 2)], second).0, 6);
}
