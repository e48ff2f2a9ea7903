//! The relay of one event stream as a state machine over bytes: reads in, bytes to write out.
//! It knows no network and no time, and keeps at most one partial event and a slice of text.

mod chunk;
mod count;
mod fault;
mod frame;

use std::ops::Range;

use bytes::Bytes;
use domain::{Endpoint, TokenUsage, Tokenizer};

use crate::caps;
use crate::splice::json_string;

use chunk::{Chunk, ChunkReader};
use count::OutputCount;
pub use fault::{InBandError, StreamFault, stream_error_event};
pub use frame::first_of_several;
use frame::{as_data_lines, event_end, lines};

/// How a stream is to be relayed.
#[derive(Clone, Copy, Debug)]
pub struct StreamSettings<'a> {
    /// `ChatCompletions` or `Completions`.
    pub endpoint: Endpoint,
    /// The model's name that the client used; chunks that carry another are changed.
    pub requested_model: &'a str,
    /// Whether the extra usage chunk is taken out, because the client hadn't asked for it. `"usage":null` in the other chunks stays:
    /// it harms no SDK, and taking it out would copy every event.
    pub strip_usage: bool,
    /// Counts the text where the provider gives no usage.
    pub tokenizer: Tokenizer,
}

/// What the first event was: it decides whether another target may still be tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FirstEvent<'a> {
    /// An ordinary event: this target answers.
    Answer,
    /// An error, or no event stream: nothing was relayed, the next target may be tried.
    Fault(&'a StreamFault),
}

/// What one read led to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pushed {
    /// To be written to the client, in one write; may be empty. Shares the read's buffer where nothing had to change.
    pub out: Bytes,
    /// Output tokens relayed so far in the whole stream, at least one for each event with content; never falls.
    pub output_tokens: u64,
    /// Set when the stream can't go on: after `out`, write [`StreamFault::event`] (if [`StreamReader::first_event`] was an answer) and end. Further reads are ignored.
    pub fault: Option<StreamFault>,
}

/// How the bytes ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// The provider ended the body as HTTP says.
    Whole,
    /// The connection broke, timed out, or the client left.
    Broken,
}

/// What is known at a stream's end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StreamEnd {
    /// Last bytes to write: an event without its blank line.
    pub tail: Bytes,
    /// The provider's count, where it gave one.
    pub usage: Option<TokenUsage>,
    /// Output tokens of the text that was relayed, by the tokenizer; 0 and not counted where there is `usage`.
    pub counted_output: u64,
    /// Whether `[DONE]` came.
    pub saw_done: bool,
    /// Whether some choice said why it finished.
    pub saw_finish: bool,
    /// The fault that ended it, if any: as pushed, or `EndedEarly`.
    pub fault: Option<StreamFault>,
}

/// The state of one stream.
#[derive(Debug)]
pub struct StreamReader {
    chunks: ChunkReader,
    strip_usage: bool,
    /// The requested model's name as a JSON string.
    requested: Box<str>,
    count: OutputCount,
    /// An event that hasn't ended yet.
    held: Vec<u8>,
    edits: Vec<Edit>,
    /// Bytes passed before the first event.
    preamble: usize,
    is_at_start: bool,
    has_begun: bool,
    usage: Option<TokenUsage>,
    /// Output that had come when `usage` did.
    output_at_usage: u64,
    saw_done: bool,
    saw_finish: bool,
    fault: Option<StreamFault>,
}

/// A change to what is written, at a place in what was read.
#[derive(Debug)]
struct Edit {
    span: Range<usize>,
    text: Replacement,
}

#[derive(Debug)]
enum Replacement {
    Nothing,
    RequestedModel,
    Text(Vec<u8>),
}

impl StreamReader {
    /// At the stream's begin.
    pub fn new(settings: StreamSettings<'_>) -> Self {
        Self {
            chunks: ChunkReader::new(settings.endpoint),
            strip_usage: settings.strip_usage,
            requested: json_string(settings.requested_model).into_boxed_str(),
            count: OutputCount::new(settings.tokenizer),
            held: Vec::new(),
            edits: Vec::new(),
            preamble: 0,
            is_at_start: true,
            has_begun: false,
            usage: None,
            output_at_usage: 0,
            saw_done: false,
            saw_finish: false,
            fault: None,
        }
    }

    /// Takes what one read gave. Until [`Self::first_event`] is known the caller keeps `out` back, so that it can still fall back.
    pub fn push(&mut self, frame: Bytes) -> Pushed {
        if self.fault.is_some() {
            return self.pushed(Bytes::new());
        }
        let known = self.held.len();
        let window = if known == 0 {
            frame
        } else {
            self.held.extend_from_slice(&frame);
            if event_end(&self.held, 0, known).is_none() {
                self.check_held();
                return self.pushed(Bytes::new());
            }
            Bytes::from(std::mem::take(&mut self.held))
        };
        let passed = self.events(&window, known);
        if self.fault.is_none() {
            self.held.extend_from_slice(window.get(passed..).unwrap_or_default());
            self.check_held();
        }
        let out = self.edited(window, passed);
        self.pushed(out)
    }

    /// What the first event was; `None` while there was none yet (comments, and JSON that is neither chunk nor error, don't count).
    pub fn first_event(&self) -> Option<FirstEvent<'_>> {
        if self.has_begun { Some(FirstEvent::Answer) } else { self.fault.as_ref().map(FirstEvent::Fault) }
    }

    /// Output tokens relayed so far, as [`Pushed::output_tokens`].
    pub fn output_tokens(&self) -> u64 {
        self.count.so_far()
    }

    /// The provider's usage, if it has come already.
    pub const fn usage(&self) -> Option<TokenUsage> {
        self.usage
    }

    /// Whether `[DONE]` came.
    pub const fn saw_done(&self) -> bool {
        self.saw_done
    }

    /// Ends the stream. What is left of an event without its blank line is written if it is whole: as it is where the body ended as
    /// HTTP says, else with the blank line, so that an error event can follow.
    pub fn finish(mut self, ending: Ending) -> StreamEnd {
        let tail = if self.fault.is_none() && !self.held.is_empty() { self.tail(ending) } else { Bytes::new() };
        if self.fault.is_none() && !self.has_begun {
            self.fault = Some(StreamFault::EndedEarly);
        }
        // Usage that came before the last text doesn't hold all of it.
        if self.output_at_usage < self.count.so_far()
            && let Some(usage) = &mut self.usage
        {
            usage.output = usage.output.max(self.count.total());
        }
        StreamEnd {
            tail,
            usage: self.usage,
            counted_output: if self.usage.is_none() { self.count.total() } else { 0 },
            saw_done: self.saw_done,
            saw_finish: self.saw_finish,
            fault: self.fault,
        }
    }

    /// The events that end the stream early as if `max_tokens` had been reached: a last chunk in the words of those before, the usage
    /// where the client asked for it, and `[DONE]`.
    pub fn cut(&self, usage: TokenUsage) -> Bytes {
        let (head, tail) = self.chunks.around(&self.requested);
        let choice = |index| match self.chunks.endpoint() {
            Endpoint::Completions => format!(r#"{{"index":{index},"text":"","logprobs":null,"finish_reason":"length"}}"#),
            Endpoint::ChatCompletions | Endpoint::Embeddings => format!(r#"{{"index":{index},"delta":{{}},"finish_reason":"length"}}"#),
        };
        let choices = self.count.choices().into_iter().map(choice).collect::<Vec<_>>().join(",");
        let mut events = format!("data: {head}[{choices}]{tail}\n\n");
        if !self.strip_usage {
            let TokenUsage { input, output, .. } = usage;
            let total = usage.total();
            let usage = format!(r#""usage":{{"prompt_tokens":{input},"completion_tokens":{output},"total_tokens":{total}}}"#);
            events.push_str(&format!("data: {head}[],{usage}{tail}\n\n"));
        }
        events.push_str("data: [DONE]\n\n");
        Bytes::from(events)
    }

    fn tail(&mut self, ending: Ending) -> Bytes {
        let mut rest = std::mem::take(&mut self.held);
        let is_event = lines(&rest).data.is_some();
        match self.event(&rest, 0..rest.len()) {
            Ok(()) => {}
            Err(StreamFault::NotItsLanguage) if is_event => {
                self.fault = Some(StreamFault::EndedEarly);
                return Bytes::new();
            }
            Err(fault) => {
                self.fault = Some(fault);
                return Bytes::new();
            }
        }
        match ending {
            Ending::Whole => {}
            Ending::Broken if is_event => rest.extend_from_slice(if rest.ends_with(b"\n") { b"\n" } else { b"\n\n" }),
            Ending::Broken => return Bytes::new(),
        }
        let length = rest.len();
        self.edited(Bytes::from(rest), length)
    }

    /// Reads every whole event of a window and gives where the last one ends. Newlines before `known` end none.
    fn events(&mut self, window: &[u8], known: usize) -> usize {
        let mut at = 0;
        while let Some(end) = event_end(window, at, at.max(known)) {
            if let Err(fault) = self.event(window, at..end) {
                self.fault = Some(fault);
                break;
            }
            at = end;
        }
        at
    }

    fn event(&mut self, window: &[u8], span: Range<usize>) -> Result<(), StreamFault> {
        if span.len() > caps::MAX_EVENT_BYTES {
            return Err(StreamFault::EventTooLong);
        }
        let mut event = window.get(span.clone()).unwrap_or_default();
        let mut start = span.start;
        if std::mem::take(&mut self.is_at_start) && event.starts_with("\u{feff}".as_bytes()) {
            event = event.get(3..).unwrap_or_default();
            start += 3;
        }
        let lines = lines(event);
        if let Some(payload) = &lines.data {
            if lines.is_error {
                return Err(StreamFault::InBand(InBandError::read(payload)));
            }
            let place = start + lines.span.start..start + lines.span.end;
            self.payload(payload, span.clone(), place)?;
        }
        if !self.has_begun {
            self.preamble += span.len();
            if lines.is_foreign || self.saw_done || self.preamble > caps::MAX_PREAMBLE_BYTES {
                return Err(StreamFault::NotItsLanguage);
            }
        }
        Ok(())
    }

    /// Reads the payload of the event at `event`, which stands at `place` unless it was joined from several lines.
    fn payload(&mut self, payload: &[u8], event: Range<usize>, place: Range<usize>) -> Result<(), StreamFault> {
        match payload.trim_ascii() {
            b"" => return Ok(()),
            b"[DONE]" => {
                self.saw_done = true;
                return Ok(());
            }
            _ => {}
        }
        let count = &mut self.count;
        let mut chunk = Chunk::default();
        self.chunks.read(payload, &mut chunk, &mut |lane, text| count.add(lane, text)).map_err(|_| StreamFault::NotItsLanguage)?;
        if chunk.is_error {
            return Err(StreamFault::InBand(InBandError::read(payload)));
        }
        if let Some(choices) = chunk.choices {
            self.has_begun = true;
            self.saw_finish |= choices.is_finished;
        }
        if chunk.usage.is_some() {
            self.usage = chunk.usage;
            self.output_at_usage = self.count.so_far();
        }
        if self.strip_usage && chunk.is_only_usage() {
            self.edits.push(Edit { span: event, text: Replacement::Nothing });
            return Ok(());
        }
        // A name without escapes is the requested one only if it is written the same.
        let requested = self.requested.get(1..self.requested.len() - 1).unwrap_or_default();
        if let Some(model) = chunk.model
            && model.raw != requested.as_bytes()
            && (model.plain || json_string(&model.decode()) != *self.requested)
        {
            self.edits.push(self.rename(payload, model.span(), place));
        }
        Ok(())
    }

    fn rename(&self, payload: &[u8], model: Range<usize>, place: Range<usize>) -> Edit {
        if place.len() == payload.len() {
            return Edit { span: place.start + model.start..place.start + model.end, text: Replacement::RequestedModel };
        }
        let mut renamed = payload.get(..model.start).unwrap_or_default().to_vec();
        renamed.extend_from_slice(self.requested.as_bytes());
        renamed.extend_from_slice(payload.get(model.end..).unwrap_or_default());
        Edit { span: place, text: Replacement::Text(as_data_lines(&renamed)) }
    }

    fn check_held(&mut self) {
        if self.held.len() > caps::MAX_EVENT_BYTES {
            self.fault = Some(StreamFault::EventTooLong);
        }
        if self.fault.is_some() {
            self.held = Vec::new();
        }
    }

    /// The first `length` bytes of a window with the edits made, which are then forgotten.
    fn edited(&mut self, window: Bytes, length: usize) -> Bytes {
        if self.edits.is_empty() {
            return if length == window.len() { window } else { window.slice(..length) };
        }
        let mut out = Vec::with_capacity(length + self.edits.len() * self.requested.len());
        let mut from = 0;
        for edit in self.edits.drain(..) {
            out.extend_from_slice(window.get(from..edit.span.start).unwrap_or_default());
            match edit.text {
                Replacement::Nothing => {}
                Replacement::RequestedModel => out.extend_from_slice(self.requested.as_bytes()),
                Replacement::Text(text) => out.extend_from_slice(&text),
            }
            from = edit.span.end;
        }
        out.extend_from_slice(window.get(from..length).unwrap_or_default());
        Bytes::from(out)
    }

    fn pushed(&self, out: Bytes) -> Pushed {
        Pushed { out, output_tokens: self.count.so_far(), fault: self.fault.clone() }
    }
}

#[cfg(test)]
mod tests;
