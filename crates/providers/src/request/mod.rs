//! What a client's JSON body asks for, read in one borrowed pass.
//! It refuses to know the model catalogue, and keeps no copy of the body.

mod contents;
mod fault;
mod names;

use std::ops::Range;

use domain::{Endpoint, Feature, Features};

use crate::json::{Cursor, Flaw, Kind, What, place, whole_number};

use contents::Contents;
pub(crate) use contents::media_figure;
pub use fault::RequestFault;
use fault::{BODY, Stop};
use names::{Named, Param, looks_like, named};

/// What the gateway must know of a request. Spans are byte ranges of the body it was read from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestFacts {
    /// Which endpoint it was read for.
    pub endpoint: Endpoint,
    /// The requested model's name, unescaped.
    pub model: String,
    /// The model's JSON string with its quotes.
    pub model_span: Range<usize>,
    /// Whether the answer is to be streamed; always false for embeddings.
    pub stream: bool,
    /// The client's `stream_options.include_usage`; `None`: it said nothing about it.
    pub include_usage: Option<bool>,
    /// The larger of `max_completion_tokens` and `max_tokens`, in tokens for each choice; `None`: neither is stated.
    pub max_output: Option<u64>,
    /// How many texts the provider may produce: `n`, for completions the larger of `n` and `best_of` times the number of prompts, for embeddings 0.
    pub choices: u64,
    /// How many messages (chat), prompts (completions) or texts (embeddings) there are.
    pub messages: u64,
    /// Whether tools or functions are declared.
    pub has_tools: bool,
    /// What it needs beyond text.
    pub features: Features,
    /// How many images, audio clips, videos and files there are.
    pub media: u64,
    /// The media's figures added up, in tokens.
    pub(crate) media_tokens: u64,
    pub(crate) usage_slot: UsageSlot,
}

/// Where `stream_options.include_usage` stands, or would stand, in the body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum UsageSlot {
    /// There is no `stream_options`; it can be inserted here, before the first member.
    NoOptions { at: usize },
    /// `stream_options` is `null`, standing here.
    NullOptions(Range<usize>),
    /// `stream_options` is an object without the member; it can be inserted here, before what follows.
    NoMember { at: usize, is_empty: bool },
    /// The member's value.
    Member(Range<usize>),
}

/// Reads a client's body, which must be one JSON object as `endpoint` takes it; the whole of it is checked.
pub fn read_request(endpoint: Endpoint, body: &[u8]) -> Result<RequestFacts, RequestFault> {
    if !body.is_ascii()
        && let Err(fault) = std::str::from_utf8(body)
    {
        let (line, column) = place(body, fault.valid_up_to());
        return Err(RequestFault::NotUtf8 { line, column });
    }
    let mut cursor = Cursor::new(body);
    read(endpoint, body, &mut cursor).map_err(|stop| stop.into_fault(body, cursor.flaw()))
}

fn read(endpoint: Endpoint, body: &[u8], cursor: &mut Cursor<'_>) -> Result<RequestFacts, Stop> {
    check_start(cursor, body)?;
    let mut reading = Reading::new(endpoint, cursor.at() + 1);
    cursor.members(|cursor, name| match named(&name) {
        Named::Known(param) => reading.member(cursor, param, name.start),
        Named::LooksLike(param) => Err(Stop::misspelt(param, name.start)),
        Named::Other => Ok(cursor.skip()?),
    })?;
    cursor.end()?;
    reading.facts()
}

fn check_start(cursor: &mut Cursor<'_>, body: &[u8]) -> Result<(), Stop> {
    if body.starts_with("\u{feff}".as_bytes()) {
        return Err(Flaw { at: 0, what: What::ByteOrderMark }.into());
    }
    match cursor.kind() {
        Ok(Kind::Object) => Ok(()),
        Ok(other) => Err(Stop::wrong_kind(BODY, "a JSON object", other, cursor.at())),
        Err(_) if cursor.at() == body.len() => Err(Flaw { at: 0, what: What::Empty }.into()),
        Err(halt) => Err(halt.into()),
    }
}

/// What has been read so far.
struct Reading {
    endpoint: Endpoint,
    seen: u16,
    model: Option<(String, Range<usize>)>,
    stream: bool,
    include_usage: Option<bool>,
    usage_slot: UsageSlot,
    max_output: Option<u64>,
    n: Option<u64>,
    best_of: Option<u64>,
    has_tools: bool,
    format: Features,
    contents: Option<Contents>,
}

impl Reading {
    const fn new(endpoint: Endpoint, behind_brace: usize) -> Self {
        Self {
            endpoint,
            seen: 0,
            model: None,
            stream: false,
            include_usage: None,
            usage_slot: UsageSlot::NoOptions { at: behind_brace },
            max_output: None,
            n: None,
            best_of: None,
            has_tools: false,
            format: Features::NONE,
            contents: None,
        }
    }

    fn member(&mut self, cursor: &mut Cursor<'_>, param: Param, at: usize) -> Result<(), Stop> {
        let generates = self.endpoint != Endpoint::Embeddings;
        if param == Param::ResponseFormat {
            self.format = self.format.and(if generates { response_format(cursor)? } else { cursor.skip().map(|()| Features::NONE)? });
            return Ok(());
        }
        let bit = 1 << param as u16;
        if self.seen & bit != 0 {
            return Err(Stop::repeated(param.name(), at));
        }
        self.seen |= bit;
        match param {
            Param::Model => self.model = Some(model(cursor)?),
            Param::Stream if generates => self.stream = flag(cursor, param.name())?.unwrap_or(false),
            Param::StreamOptions if generates => self.stream_options(cursor)?,
            Param::MaxTokens | Param::MaxCompletionTokens if generates => {
                self.max_output = self.max_output.max(count(cursor, param.name(), 0)?)
            }
            Param::N if generates => self.n = count(cursor, param.name(), 1)?,
            Param::BestOf if self.endpoint == Endpoint::Completions => self.best_of = count(cursor, param.name(), 1)?,
            Param::Messages if self.endpoint == Endpoint::ChatCompletions => self.contents = Some(contents::messages(cursor)?),
            Param::Prompt if self.endpoint == Endpoint::Completions => self.contents = Some(contents::texts(cursor, param.name())?),
            Param::Input if self.endpoint == Endpoint::Embeddings => self.contents = Some(contents::texts(cursor, param.name())?),
            Param::Stream | Param::StreamOptions | Param::MaxTokens | Param::MaxCompletionTokens | Param::N | Param::BestOf => {
                cursor.skip()?
            }
            Param::Tools | Param::Functions => {
                self.has_tools |= cursor.kind()? == Kind::Array;
                cursor.skip()?;
            }
            Param::Messages | Param::Prompt | Param::Input | Param::ResponseFormat => cursor.skip()?,
        }
        Ok(())
    }

    fn stream_options(&mut self, cursor: &mut Cursor<'_>) -> Result<(), Stop> {
        const INCLUDE_USAGE: &str = "include_usage";
        const PARAM: &str = "stream_options.include_usage";
        match cursor.kind()? {
            Kind::Object => {}
            Kind::Null => {
                self.usage_slot = UsageSlot::NullOptions(cursor.span()?);
                return Ok(());
            }
            other => return Err(Stop::wrong_kind(Param::StreamOptions.name(), "an object", other, cursor.at())),
        }
        let behind_brace = cursor.at() + 1;
        let (mut is_empty, mut member) = (true, None);
        cursor.members(|cursor, name| {
            is_empty = false;
            if looks_like(&name, INCLUDE_USAGE) {
                return Err(Stop::misspelt(PARAM, name.start));
            }
            if !name.is(INCLUDE_USAGE) {
                return Ok(cursor.skip()?);
            }
            if member.is_some() {
                return Err(Stop::repeated(PARAM, name.start));
            }
            cursor.peek();
            let start = cursor.at();
            self.include_usage = flag(cursor, PARAM)?;
            member = Some(start..cursor.at());
            Ok(())
        })?;
        self.usage_slot = member.map_or(UsageSlot::NoMember { at: behind_brace, is_empty }, UsageSlot::Member);
        Ok(())
    }

    fn facts(self) -> Result<RequestFacts, Stop> {
        let Some((model, model_span)) = self.model else { return Err(RequestFault::NoModel.into()) };
        let Some(contents) = self.contents else { return Err(contents::missing(self.endpoint).into()) };
        let choices = match self.endpoint {
            Endpoint::ChatCompletions => self.n.unwrap_or(1),
            Endpoint::Completions => self.n.max(self.best_of).unwrap_or(1).saturating_mul(contents.items),
            Endpoint::Embeddings => 0,
        };
        let tools = if self.has_tools { Features::NONE.with(Feature::Tools) } else { Features::NONE };
        Ok(RequestFacts {
            endpoint: self.endpoint,
            model,
            model_span,
            stream: self.stream,
            include_usage: self.include_usage,
            max_output: self.max_output,
            choices,
            messages: contents.items,
            has_tools: self.has_tools,
            features: contents.features.and(self.format).and(tools),
            media: contents.media,
            media_tokens: contents.media_tokens,
            usage_slot: self.usage_slot,
        })
    }
}

/// What `{"type": "json_schema", …}` asks of the model.
fn response_format(cursor: &mut Cursor<'_>) -> Result<Features, Stop> {
    let mut needed = Features::NONE;
    if cursor.kind()? != Kind::Object {
        cursor.skip()?;
        return Ok(needed);
    }
    cursor.members(|cursor, name| {
        if !name.is("type") || cursor.kind()? != Kind::String {
            return Ok::<_, Stop>(cursor.skip()?);
        }
        let kind = cursor.string()?;
        if kind.is("json_schema") {
            needed = needed.with(Feature::JsonSchema);
        } else if kind.is("json_object") {
            needed = needed.with(Feature::JsonObject);
        }
        Ok(())
    })?;
    Ok(needed)
}

fn model(cursor: &mut Cursor<'_>) -> Result<(String, Range<usize>), Stop> {
    let expected = "a string, the model's name";
    match cursor.kind()? {
        Kind::String => {}
        Kind::Null => return Err(RequestFault::NoModel.into()),
        other => return Err(Stop::wrong_kind(Param::Model.name(), expected, other, cursor.at())),
    }
    let text = cursor.string()?;
    let mut name = String::with_capacity(text.raw.len());
    if !text.decode_into(&mut name) {
        let found = "half of a surrogate pair";
        return Err(Stop::wrong_type(Param::Model.name(), expected, found, text.start));
    }
    if name.is_empty() { Err(RequestFault::EmptyModel.into()) } else { Ok((name, text.span())) }
}

fn flag(cursor: &mut Cursor<'_>, param: &'static str) -> Result<Option<bool>, Stop> {
    match cursor.kind()? {
        Kind::Boolean => Ok(Some(cursor.boolean()?)),
        Kind::Null => Ok(cursor.skip().map(|()| None)?),
        other => Err(Stop::wrong_kind(param, "true or false", other, cursor.at())),
    }
}

fn count(cursor: &mut Cursor<'_>, param: &'static str, least: u64) -> Result<Option<u64>, Stop> {
    let expected = if least == 0 { "a whole number, 0 or more" } else { "a whole number, 1 or more" };
    match cursor.kind()? {
        Kind::Number => {}
        Kind::Null => return Ok(cursor.skip().map(|()| None)?),
        other => return Err(Stop::wrong_kind(param, expected, other, cursor.at())),
    }
    let at = cursor.at();
    let number = cursor.number()?;
    let found = match whole_number(number) {
        Some(count) if count >= least => return Ok(Some(count)),
        Some(_) => "0",
        None if number.starts_with(b"-") => "a negative number",
        None if !number.iter().all(u8::is_ascii_digit) => "a number that isn't written as a whole one",
        None => "a number that is too large",
    };
    Err(Stop::wrong_type(param, expected, found, at))
}

#[cfg(test)]
mod tests;
