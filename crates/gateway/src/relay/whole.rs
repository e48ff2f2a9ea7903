//! Sixth stop for answers that aren't streamed: held back until their limits have room for all of their output.

use std::future::Future;
use std::pin::Pin;

use domain::{OnExhausted, Outcome};
use tokio::task::JoinHandle;

use super::pause::next_look;
use crate::settle::{Exchange, OutputTokens, Pass, Tally};

/// An answer that hasn't gone to the client. Dropped, because the client left, it is charged all the same: it was produced.
struct Undelivered {
    exchange: Option<Exchange>,
    tally: Option<Tally>,
    status: u16,
}

impl Drop for Undelivered {
    fn drop(&mut self) {
        if let (Some(exchange), Some(tally)) = (self.exchange.take(), self.tally.take()) {
            // Where something must be counted first, a task of the server does it.
            drop(exchange.answered(Outcome::ClientGone, self.status, tally));
        }
    }
}

/// What an answer waits for.
pub(crate) type Waiting = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Settles a whole answer once it may go to the client: at once, or when what it returns is ready. Whatever the plan does with
/// streams, an answer that isn't one is neither cut nor thrown away: after the longest pause it goes on, and what there was no
/// room for is debt.
pub(crate) fn deliver_whole(exchange: Exchange, status: u16, tally: Tally) -> Option<Waiting> {
    let mut undelivered = Undelivered { exchange: Some(exchange), tally: Some(tally), status };
    if !undelivered.may_go() {
        return Some(Box::pin(undelivered.deliver()));
    }
    let counting = undelivered.settle()?;
    Some(Box::pin(async { drop(counting.await) }))
}

impl Undelivered {
    /// Whether it may go to the client as it stands.
    fn may_go(&self) -> bool {
        let (Some(exchange), Some(tally)) = (&self.exchange, &self.tally) else { return true };
        let most = match (&tally.usage, &tally.output) {
            (Some(usage), _) => usage.output,
            (None, OutputTokens::Counted(output)) => *output,
            // A token has a byte at least.
            (None, OutputTokens::OfAnswer(body)) => body.len() as u64,
        };
        exchange.subject().on_exhausted == OnExhausted::Overdraft || most <= exchange.covered()
    }

    /// A task of the server settles where something must be counted first, even if nobody waits for it.
    fn settle(&mut self) -> Option<JoinHandle<()>> {
        let (Some(exchange), Some(tally)) = (self.exchange.take(), self.tally.take()) else { return None };
        exchange.answered(Outcome::Answered, self.status, tally)
    }

    async fn deliver(mut self) {
        self.wait().await;
        if let Some(counting) = self.settle() {
            drop(counting.await);
        }
    }

    async fn wait(&mut self) {
        let (Some(exchange), Some(tally)) = (&mut self.exchange, &mut self.tally) else { return };
        let gateway = std::sync::Arc::clone(exchange.gateway());
        if let OutputTokens::OfAnswer(body) = &tally.output
            && tally.usage.is_none()
        {
            tally.output = OutputTokens::Counted(exchange.count_output(body.clone()).await);
        }
        let total = match (&tally.usage, &tally.output) {
            (Some(usage), _) => usage.output,
            (None, OutputTokens::Counted(output)) => *output,
            (None, OutputTokens::OfAnswer(_)) => return,
        };
        if total <= exchange.covered() {
            return;
        }
        let began_us = gateway.clock.now().mono_us;
        if let Some(usage) = tally.usage {
            exchange.input_is(usage.input, began_us);
        }
        let most_us = u64::try_from(gateway.config.max_pause.as_micros()).unwrap_or(u64::MAX);
        let (mut progress, mut since_us, mut now_us) = (exchange.passed(), began_us, began_us);
        while exchange.pass(total, now_us) == Pass::Wait {
            if exchange.passed() > progress {
                (progress, since_us) = (exchange.passed(), now_us);
            }
            if now_us.saturating_sub(since_us) >= most_us {
                break;
            }
            tokio::time::sleep_until(next_look(now_us, exchange.next_chance(now_us))).await;
            now_us = gateway.clock.now().mono_us;
        }
        if now_us > began_us {
            exchange.paused(now_us - began_us);
        }
    }
}
