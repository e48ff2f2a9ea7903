//! Sixth stop for streams: relays a provider's events while hyper asks for them, charges output as it passes, and settles
//! the request on every way out. No task and no channel: the stream lives in the answer's body.

mod pause;
mod silence;
mod source;
#[cfg(test)]
mod tests;
mod whole;

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use domain::{OnExhausted, Outcome};
use providers::{Ending, StreamEnd, StreamFault, StreamReader, stream_error_event};
use tokio::task::JoinHandle;

pub(crate) use silence::Silence;
pub(crate) use source::{Simulated, Source, SourceBroke};
pub(crate) use whole::{Waiting, deliver_whole};

use crate::health::InFlight;
use crate::metrics::UpstreamOutcome;
use crate::settle::{Exchange, OutputTokens, Pass, Subject, Tally};
use pause::{Pause, Piece, Tick};

/// A stream whose first event has come.
pub(crate) struct Opened {
    pub(crate) source: Source,
    pub(crate) reader: StreamReader,
    /// What was read until now, ready to be written.
    pub(crate) first: Bytes,
    /// Which of the model's targets answers.
    pub(crate) target: usize,
    /// With which of its provider's credentials.
    pub(crate) credential: usize,
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
    /// What waits for room; `None` while everything passes.
    pause: Option<Box<Pause>>,
    _gauge: OpenStream,
    _in_flight: InFlight,
}

struct Live {
    exchange: Exchange,
    reader: StreamReader,
    target: usize,
    credential: usize,
    status: u16,
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
        let Opened { source, reader, first, target, credential, in_flight, silence, status } = opened;
        let piece = Piece { bytes: first, total: reader.output_tokens() };
        let ending = reader.saw_done().then_some(Ending::Whole);
        let mut relay = Self {
            stage: Stage::Running,
            first: Bytes::new(),
            silence,
            live: Some(Live { exchange, reader, target, credential, status }),
            source: Some(source),
            pause: None,
            _gauge: OpenStream(gateway),
            _in_flight: in_flight,
        };
        relay.first = relay.pass(piece, ending).unwrap_or_default();
        relay
    }

    /// Whether everything has been handed over.
    pub(crate) fn is_over(&self) -> bool {
        matches!(self.stage, Stage::Over) && self.first.is_empty()
    }

    /// The next bytes for the client; `None` at the end. What was given is written to the client once nothing more is there.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        let next = self.poll_next(cx);
        if let (Poll::Pending, Some(live)) = (&next, &mut self.live) {
            live.exchange.rest();
        }
        next
    }

    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
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
        if self.pause.is_some() {
            return self.step_paused(cx);
        }
        let (Some(source), Some(live)) = (&mut self.source, &mut self.live) else {
            return Poll::Ready(None);
        };
        match source.poll_within(cx, live.exchange.room()) {
            Poll::Pending if self.silence.is_too_long(cx) => Poll::Ready(self.finish(Ending::Broken, Bytes::new())),
            Poll::Pending => Poll::Pending,
            Poll::Ready(Some(Ok(bytes))) => {
                self.silence.broken();
                let (piece, ending) = live.read(bytes);
                Poll::Ready(self.pass(piece, ending))
            }
            Poll::Ready(Some(Err(SourceBroke))) => Poll::Ready(self.finish(Ending::Broken, Bytes::new())),
            Poll::Ready(None) => Poll::Ready(self.finish(Ending::Whole, Bytes::new())),
        }
    }

    /// Hands a piece on if there is room for it; else it waits, or the stream ends here, as the plan says. What is to be written.
    fn pass(&mut self, piece: Piece, ending: Option<Ending>) -> Option<Bytes> {
        let live = self.live.as_mut()?;
        if piece.total > live.exchange.passed() {
            let now_us = live.exchange.gateway().clock.now().mono_us;
            if live.exchange.pass(piece.total, now_us) == Pass::Wait {
                if live.exchange.subject().on_exhausted == OnExhausted::Cut {
                    return self.cut();
                }
                let next_chance = live.exchange.next_chance(now_us);
                self.pause = Some(Box::new(Pause::new(piece, ending, now_us, next_chance)));
                return None;
            }
        }
        match ending {
            Some(ending) => self.finish(ending, piece.bytes),
            None => (!piece.bytes.is_empty()).then_some(piece.bytes),
        }
    }

    /// One look of a stream that waits for room: the provider is read on, and what has room is handed on.
    fn step_paused(&mut self, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        loop {
            self.read_on(cx);
            let (Some(pause), Some(live)) = (&mut self.pause, &mut self.live) else { return Poll::Ready(None) };
            let exchange = &mut live.exchange;
            let now_us = exchange.gateway().clock.now().mono_us;
            let total = pause.pieces.front().map_or(0, |piece| piece.total);
            let waited_us = now_us.saturating_sub(pause.since_us);
            if exchange.pass(total, now_us) == Pass::Go {
                exchange.paused(waited_us);
                self.silence.forgive(Duration::from_micros(waited_us));
                let bytes = pause.pop(now_us).map(|piece| piece.bytes);
                if !pause.pieces.is_empty() {
                    return Poll::Ready(bytes);
                }
                let ending = self.pause.take().and_then(|pause| pause.ending);
                return Poll::Ready(match ending {
                    Some(ending) => self.finish(ending, bytes.unwrap_or_default()),
                    None => bytes,
                });
            }
            if Duration::from_micros(waited_us) >= exchange.gateway().config.max_pause {
                exchange.paused(waited_us);
                return Poll::Ready(self.cut());
            }
            match std::task::ready!(pause.poll(cx, now_us, exchange.next_chance(now_us))) {
                Tick::Look => {}
                Tick::Comment => return Poll::Ready(Some(Bytes::from_static(KEEP_ALIVE_COMMENT))),
            }
        }
    }

    /// Reads what the provider sends meanwhile, within bounds.
    fn read_on(&mut self, cx: &mut Context<'_>) {
        let (Some(pause), Some(live), Some(source)) = (&mut self.pause, &mut self.live, &mut self.source) else { return };
        while pause.reads_on() {
            match source.poll_within(cx, 0) {
                Poll::Ready(Some(Ok(bytes))) => {
                    self.silence.broken();
                    let (piece, ending) = live.read(bytes);
                    pause.push(piece);
                    pause.ending = ending;
                }
                Poll::Ready(Some(Err(SourceBroke))) => pause.ending = Some(Ending::Broken),
                Poll::Ready(None) => pause.ending = Some(Ending::Whole),
                Poll::Pending => {
                    if self.silence.is_too_long(cx) {
                        pause.ending = Some(Ending::Broken);
                    }
                    return;
                }
            }
        }
    }

    /// Ends the stream for want of room as if `max_tokens` had been reached, and writes it down.
    fn cut(&mut self) -> Option<Bytes> {
        let Live { exchange, reader, target, credential: _, status } = self.live.take()?;
        (self.source, self.pause) = (None, None);
        let gateway = std::sync::Arc::clone(exchange.gateway());
        gateway.metrics.cut.inc();
        let last = reader.cut(exchange.usage_so_far(gateway.clock.now().mono_us));
        count(&exchange, target, UpstreamOutcome::Answered);
        let tally = Tally { usage: None, output: OutputTokens::Counted(exchange.passed()) };
        self.end(exchange, Outcome::Cut, status, tally, last)
    }

    /// Settles the stream and writes it down; what is left to write after `out`.
    fn finish(&mut self, ending: Ending, out: Bytes) -> Option<Bytes> {
        let Live { exchange, reader, target, credential, status } = self.live.take()?;
        let end = reader.finish(ending);
        // A missing [DONE] alone is harmless; a body that ends without it and without a finish was cut by something in between.
        let has_ended = ending == Ending::Whole && (end.saw_finish || end.usage.is_some());
        let is_whole = end.saw_done || (end.fault.is_none() && has_ended);
        let last = if is_whole {
            joined(&[&out, &end.tail])
        } else {
            self.source = None;
            broke(end.fault.as_ref(), &exchange, target, credential);
            let event = fault_event(end.fault.as_ref(), &exchange, target);
            joined(&[&out, &end.tail, &event])
        };
        let (outcome, upstream) =
            if is_whole { (Outcome::Answered, UpstreamOutcome::Answered) } else { (Outcome::Broken, UpstreamOutcome::Broken) };
        count(&exchange, target, upstream);
        let tally = tally(&end, exchange.passed());
        self.end(exchange, outcome, status, tally, last)
    }

    /// Settles; what is left to write, now or once the count is there.
    fn end(&mut self, exchange: Exchange, outcome: Outcome, status: u16, tally: Tally, last: Bytes) -> Option<Bytes> {
        if let Some(counting) = exchange.answered(outcome, status, tally) {
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
    /// Takes what one read gave: whole events, and whether they are the last.
    fn read(&mut self, bytes: Bytes) -> (Piece, Option<Ending>) {
        let pushed = self.reader.push(bytes);
        let is_over = pushed.fault.is_some() || self.reader.saw_done();
        (Piece { bytes: pushed.out, total: pushed.output_tokens }, is_over.then_some(Ending::Whole))
    }
}

/// What keeps a connection alive over which nothing goes: a comment, which no client shows.
const KEEP_ALIVE_COMMENT: &[u8] = b": keep-alive\n\n";

/// The client left before the stream's end.
impl Drop for Relay {
    fn drop(&mut self) {
        self.source = None;
        if let Some(Live { exchange, reader, target, credential: _, status }) = self.live.take() {
            let end = reader.finish(Ending::Broken);
            count(&exchange, target, UpstreamOutcome::ClientGone);
            // Where something must be counted first, a task of the server does it.
            let tally = tally(&end, exchange.passed());
            drop(exchange.answered(Outcome::ClientGone, status, tally));
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

/// The target's standing hears of it, or the credential's.
fn broke(fault: Option<&StreamFault>, exchange: &Exchange, target: usize, credential: usize) {
    let Subject { model, request, .. } = exchange.subject();
    if let Some(target) = model.targets.get(target) {
        target.broke(credential, fault, exchange.gateway().clock.now(), request.bits() as u64);
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
