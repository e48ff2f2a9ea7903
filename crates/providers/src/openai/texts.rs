//! What an answer's choices say: the texts that are output tokens, in answers and in a stream's chunks alike.
//! It refuses to count them.

use crate::json::{Cursor, Halt, Kind, Text, whole_number};

/// Which running text a piece belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Lane {
    pub(crate) choice: u32,
    pub(crate) kind: LaneKind,
    /// Which tool call.
    pub(crate) call: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LaneKind {
    Content,
    Reasoning,
    Refusal,
    ToolName,
    ToolArguments,
}

/// What the choices are besides their texts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Choices {
    pub(crate) number: u32,
    /// Whether some choice says why it finished.
    pub(crate) is_finished: bool,
}

/// Reads the value of `choices`; every text that isn't empty goes to `sink`.
pub(crate) fn choices<'a>(cursor: &mut Cursor<'a>, sink: &mut impl FnMut(Lane, &Text<'a>)) -> Result<Choices, Halt> {
    let mut found = Choices::default();
    if cursor.peek() != b'[' {
        cursor.skip()?;
        return Ok(found);
    }
    cursor.elements(|cursor| {
        if cursor.peek() == b'{' {
            choice(cursor, found.number, &mut found.is_finished, sink)?;
        } else {
            cursor.skip()?;
        }
        found.number += 1;
        Ok::<(), Halt>(())
    })?;
    Ok(found)
}

fn choice<'a>(cursor: &mut Cursor<'a>, position: u32, is_finished: &mut bool, sink: &mut impl FnMut(Lane, &Text<'a>)) -> Result<(), Halt> {
    let mut index = None;
    let mut before_index = None;
    cursor.members(|cursor, name| match name.raw {
        b"index" => {
            index = small_number(cursor)?;
            Ok(())
        }
        b"delta" | b"message" | b"text" => match index {
            Some(choice) => message(cursor, choice, sink),
            None => {
                before_index = Some(cursor.clone());
                cursor.skip()
            }
        },
        b"finish_reason" if cursor.peek() == b'"' => {
            *is_finished |= !cursor.string()?.raw.is_empty();
            Ok(())
        }
        _ => cursor.skip(),
    })?;
    before_index.map_or(Ok(()), |mut cursor| message(&mut cursor, index.unwrap_or(position), sink))
}

fn small_number(cursor: &mut Cursor<'_>) -> Result<Option<u32>, Halt> {
    if cursor.kind()? != Kind::Number {
        return cursor.skip().map(|()| None);
    }
    Ok(whole_number(cursor.number()?).and_then(|number| u32::try_from(number).ok()))
}

/// Reads a delta, a message, or a completion's text.
fn message<'a>(cursor: &mut Cursor<'a>, choice: u32, sink: &mut impl FnMut(Lane, &Text<'a>)) -> Result<(), Halt> {
    let lane = |kind| Lane { choice, kind, call: 0 };
    if cursor.peek() != b'{' {
        return said(cursor, lane(LaneKind::Content), sink);
    }
    let mut has_reasoning = false;
    cursor.members(|cursor, name| match name.raw {
        b"content" => said(cursor, lane(LaneKind::Content), sink),
        // Some servers send the same reasoning under both names.
        b"reasoning_content" | b"reasoning" if !has_reasoning && cursor.peek() == b'"' => {
            has_reasoning = true;
            said(cursor, lane(LaneKind::Reasoning), sink)
        }
        b"refusal" => said(cursor, lane(LaneKind::Refusal), sink),
        b"tool_calls" if cursor.peek() == b'[' => {
            let mut position = 0;
            cursor.elements(|cursor| {
                position += 1;
                tool_call(cursor, choice, position - 1, sink)
            })
        }
        b"function_call" => function(cursor, choice, 0, sink),
        _ => cursor.skip(),
    })
}

/// A text, or the parts of one.
fn said<'a>(cursor: &mut Cursor<'a>, lane: Lane, sink: &mut impl FnMut(Lane, &Text<'a>)) -> Result<(), Halt> {
    match cursor.peek() {
        b'"' => {
            let text = cursor.string()?;
            if !text.raw.is_empty() {
                sink(lane, &text);
            }
            Ok(())
        }
        b'[' => cursor.elements(|cursor| part(cursor, lane, sink)),
        _ => cursor.skip(),
    }
}

fn part<'a>(cursor: &mut Cursor<'a>, lane: Lane, sink: &mut impl FnMut(Lane, &Text<'a>)) -> Result<(), Halt> {
    if cursor.peek() != b'{' {
        return cursor.skip();
    }
    cursor.members(|cursor, name| match name.raw {
        b"text" | b"refusal" => said(cursor, lane, sink),
        // Mistral's reasoning: a part with parts of its own.
        b"thinking" => said(cursor, Lane { kind: LaneKind::Reasoning, ..lane }, sink),
        _ => cursor.skip(),
    })
}

fn tool_call<'a>(cursor: &mut Cursor<'a>, choice: u32, position: u32, sink: &mut impl FnMut(Lane, &Text<'a>)) -> Result<(), Halt> {
    if cursor.peek() != b'{' {
        return cursor.skip();
    }
    let mut call = position;
    cursor.members(|cursor, name| match name.raw {
        b"index" => {
            call = small_number(cursor)?.unwrap_or(position);
            Ok(())
        }
        b"function" => function(cursor, choice, call, sink),
        _ => cursor.skip(),
    })
}

fn function<'a>(cursor: &mut Cursor<'a>, choice: u32, call: u32, sink: &mut impl FnMut(Lane, &Text<'a>)) -> Result<(), Halt> {
    if cursor.peek() != b'{' {
        return cursor.skip();
    }
    cursor.members(|cursor, name| match name.raw {
        b"name" => said(cursor, Lane { choice, kind: LaneKind::ToolName, call }, sink),
        b"arguments" => said(cursor, Lane { choice, kind: LaneKind::ToolArguments, call }, sink),
        _ => cursor.skip(),
    })
}
