//! What a request carries to the model, as far as a bound needs it: how many messages or texts, and how many media.
//! It refuses to read what they say.

use domain::{Endpoint, Feature, Features};

use crate::caps;
use crate::json::{Cursor, Halt, Kind, Text};

use super::fault::{RequestFault, Stop};
use super::names::Param;

const MESSAGES: &str = "an array of messages, at least one";
const TEXTS: &str = "a string, or an array of strings or of token ids, not empty";

/// What was found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Contents {
    /// Messages or texts.
    pub(super) items: u64,
    pub(super) media: u64,
    /// What the media need.
    pub(super) features: Features,
    /// The media's figures added up.
    pub(super) media_tokens: u64,
}

/// The input tokens that a member of a message or of a content part stands for, if it holds an image, audio, video or a file.
pub(crate) fn media_figure(name: &Text<'_>) -> Option<u64> {
    medium(name).map(|(figure, _)| figure)
}

fn medium(name: &Text<'_>) -> Option<(u64, Feature)> {
    let medium = |name: &[u8]| match name {
        b"image_url" | b"image" | b"input_image" | b"image_embeds" | b"image_pil" => Some((caps::TOKENS_PER_IMAGE, Feature::Vision)),
        b"input_audio" | b"audio_url" | b"audio" => Some((caps::TOKENS_PER_AUDIO, Feature::Audio)),
        b"video_url" | b"video" => Some((caps::TOKENS_PER_VIDEO, Feature::Video)),
        b"file" | b"input_file" => Some((caps::TOKENS_PER_FILE, Feature::Files)),
        _ => None,
    };
    if name.plain { medium(name.raw) } else { medium(name.decode().as_bytes()) }
}

/// The fault of a request that carries nothing.
pub(super) const fn missing(endpoint: Endpoint) -> RequestFault {
    match endpoint {
        Endpoint::ChatCompletions => RequestFault::Missing { param: Param::Messages.name(), expected: MESSAGES },
        Endpoint::Completions => RequestFault::Missing { param: Param::Prompt.name(), expected: TEXTS },
        Endpoint::Embeddings => RequestFault::Missing { param: Param::Input.name(), expected: TEXTS },
    }
}

/// Reads the value of `messages`.
pub(super) fn messages(cursor: &mut Cursor<'_>) -> Result<Contents, Stop> {
    let param = Param::Messages.name();
    let mut found = Contents::default();
    let message = |cursor: &mut Cursor<'_>| {
        let kind = cursor.kind()?;
        if kind != Kind::Object {
            return Err(Stop::wrong_kind(param, "an array of objects", kind, cursor.at()));
        }
        found.items += 1;
        Ok(message(cursor, &mut found)?)
    };
    match cursor.kind()? {
        Kind::Array => cursor.elements(message)?,
        Kind::Null => cursor.skip()?,
        other => return Err(Stop::wrong_kind(param, MESSAGES, other, cursor.at())),
    }
    if found.items == 0 { Err(RequestFault::Missing { param, expected: MESSAGES }.into()) } else { Ok(found) }
}

fn message(cursor: &mut Cursor<'_>, found: &mut Contents) -> Result<(), Halt> {
    cursor.members(|cursor, name| {
        if cursor.peek() == b'[' && name.is("content") {
            return cursor.elements(|cursor| part(cursor, found));
        }
        media(cursor, name, found)
    })
}

fn part(cursor: &mut Cursor<'_>, found: &mut Contents) -> Result<(), Halt> {
    if cursor.peek() != b'{' {
        return cursor.skip();
    }
    cursor.members(|cursor, name| media(cursor, name, found))
}

fn media(cursor: &mut Cursor<'_>, name: Text<'_>, found: &mut Contents) -> Result<(), Halt> {
    if let Some((figure, feature)) = medium(&name)
        && cursor.peek() != b'n'
    {
        found.media += 1;
        found.features = found.features.with(feature);
        found.media_tokens += figure;
    }
    cursor.skip()
}

/// Reads the value of `prompt` or `input`: a text, texts, token ids, or arrays of token ids.
pub(super) fn texts(cursor: &mut Cursor<'_>, param: &'static str) -> Result<Contents, Stop> {
    let mut found = Contents::default();
    match cursor.kind()? {
        Kind::String => found.items = u64::from(!cursor.string()?.raw.is_empty()),
        Kind::Array => found.items = elements(cursor, param)?,
        Kind::Null => cursor.skip()?,
        other => return Err(Stop::wrong_kind(param, TEXTS, other, cursor.at())),
    }
    if found.items == 0 { Err(RequestFault::Missing { param, expected: TEXTS }.into()) } else { Ok(found) }
}

fn elements(cursor: &mut Cursor<'_>, param: &'static str) -> Result<u64, Stop> {
    let (mut texts, mut has_ids) = (0, false);
    cursor.elements(|cursor| {
        match cursor.kind()? {
            Kind::Number => has_ids = true,
            Kind::String | Kind::Array => texts += 1,
            other => return Err(Stop::wrong_kind(param, TEXTS, other, cursor.at())),
        }
        Ok(cursor.skip()?)
    })?;
    Ok(texts + u64::from(has_ids))
}
