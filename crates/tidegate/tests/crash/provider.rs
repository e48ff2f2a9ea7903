//! The provider behind the server under test: each request says in its `user` what becomes of it. It knows when each arrived.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Value, json};
use testkit::{Gate, Received, Script, Sse, Upstream, chat_chunk, chat_usage_chunk};
use tokio::time::Instant;

/// What the provider does with a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// Answers.
    Answer,
    /// Answers, but stops half way, until others have come so far.
    Gated,
    /// Says 429; asked again, it answers.
    Busy,
    /// Says 500; asked again, it answers.
    Fails,
    /// Says nothing; asked again, it answers.
    Hangs,
    /// Breaks off in the middle of a stream, or of an answer; asked again, it answers.
    Breaks,
}

const WAYS: [(Way, &str); 6] = [
    (Way::Answer, "answer"),
    (Way::Gated, "gated"),
    (Way::Busy, "busy"),
    (Way::Fails, "fails"),
    (Way::Hangs, "hangs"),
    (Way::Breaks, "breaks"),
];

/// A request for so many words, each one token, and what it is to the provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Errand {
    pub(crate) id: u64,
    /// Input tokens that the provider reports.
    pub(crate) input: u64,
    /// Words of the answer, and output tokens that it reports.
    pub(crate) words: u64,
    /// Words of each event.
    pub(crate) stride: u64,
    pub(crate) way: Way,
}

impl Errand {
    /// As `user` carries it.
    pub(crate) fn written(&self) -> String {
        let way = WAYS.iter().find(|(way, _)| *way == self.way).expect("every way has a word").1;
        format!("{} {} {} {} {way}", self.id, self.input, self.words, self.stride)
    }

    fn read(text: &str) -> Option<Self> {
        let words: Vec<_> = text.split(' ').collect();
        let number = |n: usize| words.get(n)?.parse().ok();
        let way = WAYS.iter().find(|(_, word)| words.get(4) == Some(word))?.0;
        Some(Self { id: number(0)?, input: number(1)?, words: number(2)?, stride: number(3)?, way })
    }
}

/// A provider that knows when each errand arrived and lets streams stand still.
pub(crate) struct Provider {
    pub(crate) upstream: Upstream,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    arrived: HashMap<u64, Instant>,
    gates: VecDeque<Gate>,
}

/// Streams that stand still at once.
const STANDING: usize = 4;

impl Provider {
    pub(crate) async fn start() -> Self {
        let (upstream, state) = (Upstream::start().await, Arc::new(Mutex::new(State::default())));
        let told = Arc::clone(&state);
        upstream.keep_nothing();
        upstream.otherwise(move |request| told.lock().unwrap_or_else(PoisonError::into_inner).script(request));
        Self { upstream, state }
    }

    fn with<T>(&self, act: impl FnOnce(&mut State) -> T) -> T {
        act(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// When this errand arrived, if it did. It is forgotten.
    pub(crate) fn arrived(&self, id: u64) -> Option<(u64, Instant)> {
        self.with(|state| state.arrived.remove_entry(&id))
    }

    /// Lets the stream go on that has stood still longest.
    pub(crate) fn open_one(&self) {
        self.with(|state| state.gates.pop_front().iter().for_each(Gate::open));
    }

    /// Lets all go on that stand still.
    pub(crate) fn open_all(&self) {
        self.with(|state| state.gates.drain(..).for_each(|gate| gate.open()));
    }
}

impl State {
    fn script(&mut self, request: &Received) -> Script {
        let body = request.json();
        let Some(mut errand) = body["user"].as_str().and_then(Errand::read) else { return Script::error(404, "nothing") };
        // What a client asks for again is answered.
        match self.arrived.entry(errand.id) {
            Entry::Occupied(_) => errand.way = Way::Answer,
            Entry::Vacant(first) => drop(first.insert(Instant::now())),
        }
        match errand.way {
            Way::Busy => Script::rate_limited(1),
            Way::Fails => Script::error(500, "broken"),
            Way::Hangs => Script::hang(),
            Way::Answer | Way::Gated | Way::Breaks if body["stream"] == true => {
                let gate = (errand.way == Way::Gated).then(|| self.gate());
                streamed(&errand, gate.as_ref())
            }
            Way::Answer | Way::Gated | Way::Breaks => {
                let whole = whole(&errand);
                match errand.way {
                    Way::Gated => whole.after(&self.gate()),
                    Way::Breaks => whole.reset_after(200),
                    Way::Answer | Way::Busy | Way::Fails | Way::Hangs => whole,
                }
            }
        }
    }

    fn gate(&mut self) -> Gate {
        let gate = Gate::new();
        self.gates.push_back(gate.clone());
        if self.gates.len() > STANDING {
            self.gates.pop_front().iter().for_each(Gate::open);
        }
        gate
    }
}

/// So many words of a text, the first of it or not.
fn text(words: u64, is_first: bool) -> String {
    let all = " hello".repeat(usize::try_from(words).expect("few words"));
    if is_first { all.trim_start().into() } else { all }
}

fn streamed(errand: &Errand, gate: Option<&Gate>) -> Script {
    let (mut sse, mut written) = (Sse::new(), 0);
    let mut gate = gate;
    while written < errand.words {
        if written >= errand.words / 2 {
            match (errand.way, gate.take()) {
                (Way::Breaks, _) => return sse.reset(),
                (_, Some(gate)) => sse = sse.gate(gate),
                (_, None) => {}
            }
        }
        let piece = errand.stride.clamp(1, errand.words - written);
        sse = sse.event(&chat_chunk("m", &text(piece, written == 0)));
        written += piece;
    }
    let stop = json!({"id": "cmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "m",
                      "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]});
    sse.event(&stop).event(&chat_usage_chunk("m", errand.input, errand.words)).done()
}

fn whole(errand: &Errand) -> Script {
    let usage: Value =
        json!({"prompt_tokens": errand.input, "completion_tokens": errand.words, "total_tokens": errand.input + errand.words});
    let choice = json!({"index": 0, "message": {"role": "assistant", "content": text(errand.words, true)}, "finish_reason": "stop"});
    let body = json!({"id": "cmpl-1", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice], "usage": usage});
    Script::json(200, &body)
}

/// How many words are in a text.
pub(crate) fn words_in(text: &str) -> u64 {
    text.matches("hello").count() as u64
}
