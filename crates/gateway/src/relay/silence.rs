//! How long a stream may be silent. One timer for each stream, moved only when it fires.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep_until};

use crate::caps;

/// Watches a stream: it may be silent for `idle` (and up to twice that), and must end by the attempt's deadline.
pub(crate) struct Silence {
    idle: Duration,
    deadline: Instant,
    was_broken: bool,
    is_ending: bool,
    timer: Option<Pin<Box<Sleep>>>,
}

impl Silence {
    pub(crate) fn new(idle: Duration, deadline: Instant) -> Self {
        Self { idle, deadline, was_broken: false, is_ending: false, timer: None }
    }

    /// Something came.
    pub(crate) fn broken(&mut self) {
        self.was_broken = true;
    }

    /// The stream stood still for so long by our doing: the attempt may take that much longer.
    pub(crate) fn forgive(&mut self, still: Duration) {
        self.deadline += still;
    }

    /// Whether nothing came for too long, or the attempt has taken too long. Asked when nothing is there to be read.
    pub(crate) fn is_too_long(&mut self, cx: &mut Context<'_>) -> bool {
        let next = |deadline: Instant, idle: Duration| (Instant::now() + idle).min(deadline);
        let (deadline, idle) = (self.deadline, self.idle);
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(next(deadline, idle))));
        while timer.as_mut().poll(cx).is_ready() {
            if !self.was_broken || timer.deadline() >= self.deadline {
                return true;
            }
            self.was_broken = false;
            timer.as_mut().reset(next(self.deadline, self.idle));
        }
        false
    }

    /// Whether a provider that has said everything keeps its connection open for too long.
    pub(crate) fn after_the_end(&mut self, cx: &mut Context<'_>) -> bool {
        if !self.is_ending {
            self.is_ending = true;
            self.timer = Some(Box::pin(sleep_until(Instant::now() + caps::AFTER_DONE)));
        }
        self.timer.as_mut().is_none_or(|timer| matches!(timer.as_mut().poll(cx), Poll::Ready(())))
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use super::*;

    const IDLE: Duration = Duration::from_secs(10);

    async fn fires_after(silence: &mut Silence) -> Duration {
        let begun = Instant::now();
        poll_fn(|cx| if silence.is_too_long(cx) { Poll::Ready(()) } else { Poll::Pending }).await;
        begun.elapsed()
    }

    #[tokio::test(start_paused = true)]
    async fn silence_ends_a_stream_and_sound_does_not() {
        let mut silence = Silence::new(IDLE, Instant::now() + Duration::from_secs(1_000));
        assert_eq!(fires_after(&mut silence).await.as_secs(), 10);
        let mut silence = Silence::new(IDLE, Instant::now() + Duration::from_secs(1_000));
        silence.broken();
        let waited = fires_after(&mut silence).await;
        assert_eq!(waited.as_secs(), 20, "at most twice the limit");
    }

    #[tokio::test(start_paused = true)]
    async fn the_attempts_deadline_ends_a_stream_however_lively() {
        let mut silence = Silence::new(IDLE, Instant::now() + Duration::from_secs(4));
        silence.broken();
        assert_eq!(fires_after(&mut silence).await.as_secs(), 4);
    }

    #[tokio::test(start_paused = true)]
    async fn after_the_end_little_is_waited() {
        let mut silence = Silence::new(IDLE, Instant::now() + IDLE);
        let begun = Instant::now();
        poll_fn(|cx| if silence.after_the_end(cx) { Poll::Ready(()) } else { Poll::Pending }).await;
        assert_eq!(begun.elapsed().as_secs(), caps::AFTER_DONE.as_secs());
    }
}
