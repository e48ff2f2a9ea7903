//! Sixth stop for answers that aren't streamed: held back until their limits have room for all of their output.

use domain::{OnExhausted, Outcome};

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

/// Waits until the whole answer may go to the client, then settles it. Whatever the plan does with streams, an answer that
/// isn't one is neither cut nor thrown away: after the longest pause it goes on, and what there was no room for is debt.
pub(crate) async fn deliver_whole(exchange: Exchange, status: u16, tally: Tally) {
    let mut waiting = Undelivered { exchange: Some(exchange), tally: Some(tally), status };
    waiting.wait().await;
    if let (Some(exchange), Some(tally)) = (waiting.exchange.take(), waiting.tally.take())
        && let Some(counting) = exchange.answered(Outcome::Answered, status, tally)
    {
        // It settles even if this future is dropped.
        drop(counting.await);
    }
}

impl Undelivered {
    async fn wait(&mut self) {
        let (Some(exchange), Some(tally)) = (&mut self.exchange, &mut self.tally) else { return };
        if exchange.subject().on_exhausted == OnExhausted::Overdraft {
            return;
        }
        let gateway = std::sync::Arc::clone(exchange.gateway());
        if let OutputTokens::OfAnswer(body) = &tally.output
            && tally.usage.is_none()
        {
            // What it holds may do: a token has a byte at least.
            if body.len() as u64 <= exchange.covered() {
                return;
            }
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
        let (mut progress, mut since_us, mut now_us) = (exchange.charged(), began_us, began_us);
        while exchange.pass(total, now_us) == Pass::Wait {
            if exchange.charged() > progress {
                (progress, since_us) = (exchange.charged(), now_us);
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
