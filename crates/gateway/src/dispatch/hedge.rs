//! A second attempt beside one that has given no first byte for a while. Whichever gives one first wins; the other's connection is dropped,
//! and it is told as nobody's failure. Nothing of this runs where a model has no `hedge_after_ms`.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::task::{Context, Poll};
use std::time::Duration;

use domain::AttemptEnd;
use tokio::time::timeout;

use super::{Asked, AttemptFault, Dispatched, Way};
use crate::attempts::SentMark;
use crate::metrics::UpstreamOutcome;
use crate::quota::QuotaHold;
use crate::routes::{ModelRoute, TargetRoute};
use crate::routing::{Entry, Skip, consider};
use crate::settle::Exchange;
use crate::spend::{SpendRefused, SpendTicket};

type Came = Result<Dispatched, AttemptFault>;

/// What an attempt beside another has taken.
type Entered<'r> = (Entry<'r>, Option<QuotaHold>, Option<SpendTicket>);

/// One of two attempts, begun.
pub(super) struct Leg<'r> {
    pub(super) index: usize,
    pub(super) target: &'r TargetRoute,
    pub(super) entry: Entry<'r>,
    /// Which of the request's attempts it is.
    pub(super) number: u32,
    pub(super) begun_us: u64,
}

impl<'r> Leg<'r> {
    /// The attempt that has begun last.
    pub(super) const fn begun(index: usize, target: &'r TargetRoute, entry: Entry<'r>, way: &Way) -> Self {
        Self { index, target, entry, number: way.findings.tried, begun_us: way.now_us }
    }
}

/// What came of an attempt that may have had another beside it.
pub(super) enum Raced<'r> {
    /// The first one's end; the other, if there was one, is dealt with.
    First(Leg<'r>, Came),
    /// The second one's answer; both are dealt with.
    Second(Dispatched),
    /// Neither answered, and that is told. The first one's fault, unless it was cancelled.
    Neither(Option<AttemptFault>),
}

/// Something of one attempt is there.
#[expect(clippy::large_enum_variant, reason = "it is looked at where it comes, and kept nowhere")]
enum Event {
    Ended(Came),
    /// The first byte of an answer that isn't streamed.
    Begun,
}

/// An attempt under way. In a box, so that it can be dropped while the other goes on.
struct Running<F> {
    work: Pin<Box<F>>,
    has_begun: Arc<AtomicBool>,
}

impl<F: Future<Output = Came>> Running<F> {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Event> {
        match self.work.as_mut().poll(cx) {
            Poll::Ready(came) => Poll::Ready(Event::Ended(came)),
            Poll::Pending if self.has_begun.load(Relaxed) => Poll::Ready(Event::Begun),
            Poll::Pending => Poll::Pending,
        }
    }

    async fn end(self, event: Event) -> Came {
        match event {
            Event::Ended(came) => came,
            Event::Begun => self.work.await,
        }
    }
}

impl<'r> Asked<'r> {
    /// An attempt, and after so long without its first byte another at the next target that can be tried.
    pub(super) async fn attempt_hedged(
        &self,
        after: Duration,
        first: Leg<'r>,
        mark: SentMark,
        exchange: &mut Exchange,
        way: &mut Way,
    ) -> Raced<'r> {
        let mut running = self.run(&first, mark, way);
        if let Ok(came) = timeout(after, running.work.as_mut()).await {
            return Raced::First(first, came);
        }
        let beside = if running.has_begun.load(Relaxed) { None } else { self.begin_beside(first.index, exchange, way) };
        let Some((second, mark)) = beside else {
            return Raced::First(first, running.work.await);
        };
        self.gateway.metrics.hedged.inc();
        self.race(first, running, second, mark, exchange, way).await
    }

    async fn race(
        &self,
        first: Leg<'r>,
        mut running: Running<impl Future<Output = Came>>,
        second: Leg<'r>,
        mark: SentMark,
        exchange: &mut Exchange,
        way: &mut Way,
    ) -> Raced<'r> {
        let mut other = self.run(&second, mark, way);
        let (is_first, event) = poll_fn(|cx| match running.poll(cx) {
            Poll::Ready(event) => Poll::Ready((true, event)),
            Poll::Pending => other.poll(cx).map(|event| (false, event)),
        })
        .await;
        match (is_first, event) {
            (true, Event::Ended(Err(fault))) => {
                self.failed(first, &fault, exchange, way);
                exchange.promote_beside();
                let came = other.work.await;
                self.second_ended(second, came, Some(fault), exchange, way)
            }
            (true, event) => {
                drop(other);
                self.cancel(second, exchange);
                self.first_ended(first, running.end(event).await)
            }
            (false, Event::Ended(Err(fault))) => {
                exchange.swap_beside();
                let target = second.target;
                self.failed(second, &fault, exchange, way);
                exchange.promote_beside();
                self.conclude_beside(target, fault, way);
                self.first_ended(first, running.work.await)
            }
            (false, event) => {
                drop(running);
                exchange.swap_beside();
                self.cancel(first, exchange);
                let came = other.end(event).await;
                self.second_ended(second, came, None, exchange, way)
            }
        }
    }

    fn first_ended(&self, first: Leg<'r>, came: Came) -> Raced<'r> {
        if came.is_ok() {
            self.gateway.metrics.won_by_first();
        }
        Raced::First(first, came)
    }

    fn second_ended(&self, second: Leg<'r>, came: Came, fault: Option<AttemptFault>, exchange: &mut Exchange, way: &mut Way) -> Raced<'r> {
        match came {
            Ok(answer) => {
                self.gateway.metrics.won_by_second();
                self.answered(&answer, second.entry, exchange);
                Raced::Second(answer)
            }
            Err(own) => {
                let target = second.target;
                self.failed(second, &own, exchange, way);
                self.conclude_beside(target, own, way);
                Raced::Neither(fault)
            }
        }
    }

    fn run<'a>(&'a self, leg: &Leg<'r>, mark: SentMark, way: &Way) -> Running<impl Future<Output = Came> + use<'a, 'r>> {
        let has_begun = Arc::new(AtomicBool::new(false));
        let (begun, left) = (Arc::clone(&has_begun), self.left(way));
        let (index, target, place) = (leg.index, leg.target, leg.entry.place);
        let work = Box::pin(async move { self.attempt(index, target, place, mark, left, Some(&begun)).await });
        Running { work, has_begun }
    }

    /// Begins at the next target after `first` against which nothing speaks. One that is passed over is looked at again where both fail.
    fn begin_beside(&self, first: usize, exchange: &mut Exchange, way: &mut Way) -> Option<(Leg<'r>, SentMark)> {
        way.now_us = self.gateway.clock.now().mono_us;
        if !self.may_try(way) {
            return None;
        }
        let model: &'r ModelRoute = self.model;
        let order = model.order(exchange.subject().request.bits() as u64);
        let mut others = order.into_iter().skip_while(|index| *index != first).skip(1);
        let (index, target, (entry, quota, spend)) = others.find_map(|index| {
            let target = model.targets.get(index)?;
            Some((index, target, self.enter_beside(target, exchange, way).ok()?))
        })?;
        way.findings.tried += 1;
        (way.hedged, way.may_hedge) = (Some(index), false);
        let mark = exchange.attempt_beside(index, quota, spend, way.now_us);
        Some((Leg::begun(index, target, entry, way), mark))
    }

    fn enter_beside(&self, target: &'r TargetRoute, exchange: &Exchange, way: &Way) -> Result<Entered<'r>, Skip> {
        let clock = || self.gateway.clock.now().mono_us;
        consider(target, &way.needs, clock, |open| {
            let spend = exchange.hold_spend_beside(&target.provider.provider.name).map_err(|SpendRefused| Skip::Spent)?;
            let entry = Entry::begin(target, open, way.now_us, clock)?;
            // The first one's hold may be in the same ledger, under the request's own number.
            let quota = self.take_from_quota(target, !exchange.subject().request.bits(), exchange)?;
            Ok((entry, quota, spend))
        })
    }

    fn cancel(&self, leg: Leg<'r>, exchange: &mut Exchange) {
        let now_us = self.gateway.clock.now().mono_us;
        exchange.let_beside_go(AttemptEnd::Cancelled, now_us);
        leg.target.counters.count(UpstreamOutcome::Cancelled);
        let (request, attempt) = (exchange.subject().request, leg.number);
        let (provider, ms) = (leg.target.provider.provider.name.as_str(), now_us.saturating_sub(leg.begun_us) / 1_000);
        tracing::info!(%request, attempt, provider, model = leg.target.model.as_str(), ms, "an attempt was cancelled: another target was faster");
    }

    /// Keeps what the client may have to be told of the one beside. With another credential it may be tried again.
    fn conclude_beside(&self, target: &TargetRoute, fault: AttemptFault, way: &mut Way) {
        if target.has_several_credentials() && fault.concerns_credential() {
            way.hedged = None;
        } else {
            self.conclude_target(target, fault, way);
        }
    }
}
