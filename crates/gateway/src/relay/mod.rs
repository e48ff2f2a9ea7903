//! Sixth stop for streams: relays a provider's events while hyper asks for them, charges output as it passes, and settles
//! the request on every way out. No task and no channel: the stream lives in the answer's body.

mod silence;
mod source;
#[cfg(test)]
mod tests;

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use domain::Outcome;
use providers::{Ending, StreamEnd, StreamFault, StreamReader, stream_error_event};
use tokio::task::JoinHandle;

pub(crate) use silence::Silence;
pub(crate) use source::{Simulated, Source, SourceBroke};

use crate::cooldown::InFlight;
use crate::metrics::UpstreamOutcome;
use crate::settle::{Exchange, OutputTokens, Tally};

/// A stream whose first event has come.
pub(crate) struct Opened {
    pub(crate) source: Source,
    pub(crate) reader: StreamReader,
    /// What was read until now, ready to be written.
    pub(crate) first: Bytes,
    /// Which of the model's targets answers.
    pub(crate) target: usize,
    pub(crate) in_flight: InFlight,
    pub(crate) silence: Silence,
    pub(crate) status: u16,
}

/// A stream being relayed.
pub(crate) struct Relay {
    stage: Stage,
    first: Bytes,
    silence: Silence,
    /// Settled exactly once: when the stream ends, or when this is dropped.
    live: Option<Live>,
    source: Option<Source>,
    _gauge: OpenStream,
    _in_flight: InFlight,
}

struct Live {
    exchange: Exchange,
    reader: StreamReader,
    target: usize,
    status: u16,
    charged: u64,
}

enum Stage {
    /// Events are relayed.
    Running,
    /// The end is known and waits for a count; then these bytes are the last.
    Counting(JoinHandle<()>, Bytes),
    /// `[DONE]` was written; the rest is read so that the connection can be used again.
    Draining,
    /// Nothing more comes.
    Over,
}

/// Counts as an open stream while it lives.
struct OpenStream(std::sync::Arc<crate::Gateway>);

impl Drop for OpenStream {
    fn drop(&mut self) {
        self.0.metrics.open_streams.dec();
    }
}

impl Relay {
    /// Begins with the first event.
    pub(crate) fn new(mut exchange: Exchange, opened: Opened) -> Self {
        let gateway = std::sync::Arc::clone(exchange.gateway());
        gateway.metrics.open_streams.inc();
        exchange.first_byte(gateway.clock.now());
        let Opened { source, reader, first, target, in_flight, silence, status } = opened;
        let mut live = Live { exchange, reader, target, status, charged: 0 };
        let output = live.reader.output_tokens();
        live.charge(output);
        let is_done = live.reader.saw_done();
        let mut relay = Self {
            stage: Stage::Running,
            first,
            silence,
            live: Some(live),
            source: Some(source),
            _gauge: OpenStream(gateway),
            _in_flight: in_flight,
        };
        if is_done {
            let first = std::mem::take(&mut relay.first);
            relay.first = relay.finish(Ending::Whole, first).unwrap_or_default();
        }
        relay
    }

    /// Whether everything has been handed over.
    pub(crate) fn is_over(&self) -> bool {
        matches!(self.stage, Stage::Over) && self.first.is_empty()
    }

    /// The next bytes for the client; `None` at the end.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        if !self.first.is_empty() {
            return Poll::Ready(Some(std::mem::take(&mut self.first)));
        }
        loop {
            match &mut self.stage {
                Stage::Running => {}
                Stage::Counting(counting, last) => {
                    // Whether the count succeeded is no matter here: the task has settled, or its guards have.
                    if Pin::new(counting).poll(cx).is_pending() {
                        return Poll::Pending;
                    }
                    let last = std::mem::take(last);
                    self.stage = Stage::Draining;
                    if !last.is_empty() {
                        return Poll::Ready(Some(last));
                    }
                }
                Stage::Draining => return self.drain(cx),
                Stage::Over => return Poll::Ready(None),
            }
            if let Some(out) = std::task::ready!(self.step(cx)) {
                return Poll::Ready(Some(out));
            }
        }
    }

    /// One read of a running stream; what it gives to write, if anything.
    fn step(&mut self, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        let (Some(source), Some(live)) = (&mut self.source, &mut self.live) else {
            return Poll::Ready(None);
        };
        match source.poll(cx) {
            Poll::Pending if self.silence.is_too_long(cx) => Poll::Ready(self.finish(Ending::Broken, Bytes::new())),
            Poll::Pending => Poll::Pending,
            Poll::Ready(Some(Ok(bytes))) => {
                self.silence.broken();
                let pushed = live.reader.push(bytes);
                live.charge(pushed.output_tokens);
                if pushed.fault.is_some() || live.reader.saw_done() {
                    return Poll::Ready(self.finish(Ending::Whole, pushed.out));
                }
                Poll::Ready((!pushed.out.is_empty()).then_some(pushed.out))
            }
            Poll::Ready(Some(Err(SourceBroke))) => Poll::Ready(self.finish(Ending::Broken, Bytes::new())),
            Poll::Ready(None) => Poll::Ready(self.finish(Ending::Whole, Bytes::new())),
        }
    }

    /// Settles the stream and writes it down; what is left to write after `out`.
    fn finish(&mut self, ending: Ending, out: Bytes) -> Option<Bytes> {
        let live = self.live.take()?;
        let Live { exchange, reader, target, status, charged } = live;
        let end = reader.finish(ending);
        // A missing [DONE] alone is harmless; a body that ends without it and without a finish was cut by something in between.
        let has_ended = ending == Ending::Whole && (end.saw_finish || end.usage.is_some());
        let is_whole = end.saw_done || (end.fault.is_none() && has_ended);
        let last = if is_whole {
            joined(&[&out, &end.tail])
        } else {
            self.source = None;
            let event = fault_event(end.fault.as_ref(), &exchange, target);
            joined(&[&out, &end.tail, &event])
        };
        let (outcome, upstream) =
            if is_whole { (Outcome::Answered, UpstreamOutcome::Answered) } else { (Outcome::Broken, UpstreamOutcome::Broken) };
        count(&exchange, target, upstream);
        if let Some(counting) = exchange.answered(outcome, status, tally(&end, charged)) {
            self.stage = Stage::Counting(counting, last);
            return None;
        }
        self.stage = Stage::Draining;
        (!last.is_empty()).then_some(last)
    }

    /// Reads the rest of a connection that may be used again, and throws it away.
    fn drain(&mut self, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        while let Some(source) = &mut self.source {
            match source.poll(cx) {
                Poll::Ready(Some(Ok(_))) => {}
                Poll::Ready(None | Some(Err(SourceBroke))) => self.source = None,
                Poll::Pending if self.silence.after_the_end(cx) => self.source = None,
                Poll::Pending => return Poll::Pending,
            }
        }
        self.stage = Stage::Over;
        Poll::Ready(None)
    }
}

impl Live {
    fn charge(&mut self, output: u64) {
        if output > self.charged {
            self.charged = output;
            let now = self.exchange.gateway().clock.now();
            self.exchange.charge(output, now.mono_us);
        }
    }
}

/// The client left before the stream's end.
impl Drop for Relay {
    fn drop(&mut self) {
        self.source = None;
        if let Some(Live { exchange, reader, target, status, charged, .. }) = self.live.take() {
            let end = reader.finish(Ending::Broken);
            count(&exchange, target, UpstreamOutcome::ClientGone);
            // Where something must be counted first, a task of the server does it.
            drop(exchange.answered(Outcome::ClientGone, status, tally(&end, charged)));
        }
    }
}

/// What was charged on the way is never less than what is written down.
fn tally(end: &StreamEnd, charged: u64) -> Tally {
    Tally { usage: end.usage, output: OutputTokens::Counted(end.counted_output.max(charged)) }
}

fn count(exchange: &Exchange, target: usize, outcome: UpstreamOutcome) {
    if let Some(target) = exchange.subject().model.targets.get(target) {
        target.counters.count(outcome);
    }
}

/// The event that tells the client. A provider's words are shown without what is the operator's secret.
fn fault_event(fault: Option<&StreamFault>, exchange: &Exchange, target: usize) -> Bytes {
    match fault {
        Some(StreamFault::InBand(error)) => {
            let secrets = exchange.subject().model.targets.get(target).map(|target| target.provider.secrets.as_slice());
            let secrets: Vec<&str> = secrets.unwrap_or_default().iter().map(String::as_str).collect();
            let words = providers::scrub(&error.message, &secrets);
            stream_error_event(&format!("The provider reported an error in the midst of its stream: {words}"), "provider_error")
        }
        Some(StreamFault::NotItsLanguage | StreamFault::EventTooLong) => {
            stream_error_event("The provider sent something that is no part of this API's streams.", "provider_error")
        }
        Some(StreamFault::EndedEarly) | None => {
            let text = "The provider's stream broke off before its end. What was received until here is all there is.";
            stream_error_event(text, "provider_error")
        }
    }
}

/// The parts in one piece; no copy where only one has bytes.
fn joined(parts: &[&Bytes]) -> Bytes {
    let mut filled = parts.iter().filter(|part| !part.is_empty());
    match (filled.next(), filled.next()) {
        (None, _) => Bytes::new(),
        (Some(only), None) => Bytes::clone(only),
        (Some(_), Some(_)) => {
            let mut all = BytesMut::with_capacity(parts.iter().map(|part| part.len()).sum());
            parts.iter().for_each(|part| all.extend_from_slice(part));
            all.freeze()
        }
    }
}
