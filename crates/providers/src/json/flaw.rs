//! Where a JSON text is wrong, and how that place is told to people.

/// What is wrong, at a byte offset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Flaw {
    pub(crate) at: usize,
    pub(crate) what: What,
}

/// The ways in which a text is not JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum What {
    ByteOrderMark,
    ControlCharacter,
    Empty,
    EndsEarly,
    HalfEscape,
    MoreAfterEnd,
    NoArray,
    NoColon,
    NoCommaInArray,
    NoCommaInObject,
    NoDigit,
    NoName,
    NoObject,
    NoString,
    NoValue,
    OpenString,
    TooDeep,
    UnknownEscape,
}

impl What {
    /// In words that follow "it is not valid JSON:".
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::ByteOrderMark => "it starts with a byte order mark, which JSON does not allow",
            Self::ControlCharacter => "a control character stands in a string and must be escaped",
            Self::Empty => "it is empty",
            Self::EndsEarly => "it ends too early",
            Self::HalfEscape => "`\\u` must be followed by four hexadecimal digits",
            Self::MoreAfterEnd => "something follows after the end",
            Self::NoArray => "an array was expected",
            Self::NoColon => "`:` was expected after a member's name",
            Self::NoCommaInArray => "`,` or `]` was expected after an element",
            Self::NoCommaInObject => "`,` or `}` was expected after a member's value",
            Self::NoDigit => "a digit was expected",
            Self::NoName => "a member's name in double quotes was expected",
            Self::NoObject => "an object was expected",
            Self::NoString => "a string was expected",
            Self::NoValue => "a value was expected",
            Self::OpenString => "it ends inside a string",
            Self::TooDeep => "it is nested too deeply",
            Self::UnknownEscape => "an unknown escape stands in a string",
        }
    }
}

/// Line and column, both from 1, of a byte offset; columns count characters.
pub(crate) fn place(bytes: &[u8], at: usize) -> (usize, usize) {
    let before = bytes.get(..at).unwrap_or(bytes);
    let line = 1 + memchr::memchr_iter(b'\n', before).count();
    let line_start = memchr::memrchr(b'\n', before).map_or(0, |newline| newline + 1);
    let is_start_of_character = |byte: &&u8| **byte & 0xC0 != 0x80;
    let column = 1 + before.get(line_start..).unwrap_or_default().iter().filter(is_start_of_character).count();
    (line, column)
}

#[cfg(test)]
mod tests {
    use super::place;

    #[test]
    fn columns_count_characters_and_start_again_on_each_line() {
        let text = "{\n  \"é\": x".as_bytes();
        assert_eq!(place(text, 0), (1, 1));
        assert_eq!(place(text, 2), (2, 1));
        assert_eq!(place(text, text.len() - 1), (2, 8));
        assert_eq!(place(text, 999), (2, 9));
    }
}
