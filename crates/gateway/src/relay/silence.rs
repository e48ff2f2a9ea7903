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
