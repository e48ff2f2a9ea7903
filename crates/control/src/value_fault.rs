//! What serde says of a wrong value, for people who know JSON and not Rust. It has text only to go by.

/// A fault of a value.
pub(crate) struct ValueFault<'a> {
    /// Its stable name.
    pub(crate) code: &'static str,
    /// The member that is unknown, missing or there twice; `None`: the value itself is at fault.
    pub(crate) member: Option<&'a str>,
    /// What is wrong, without the member's name.
    pub(crate) message: String,
}

impl<'a> ValueFault<'a> {
    /// Reads serde's text, without its place.
    pub(crate) fn read(text: &'a str) -> Self {
        let member = text.split('`').nth(1);
        if let Some((_, known)) = text.strip_prefix("unknown field ").and_then(|rest| rest.split_once(", ")) {
            let message = format!("there is no such member; {}", plain(known).replace("there are no fields", "none is expected"));
            return Self { code: "unknown_member", member, message };
        }
        if text.starts_with("missing field ") {
            return Self { code: "missing_member", member, message: "this member is missing".into() };
        }
        if text.starts_with("duplicate field ") {
            return Self { code: "duplicate_member", member, message: "this member is there twice".into() };
        }
        Self { code: "invalid_value", member: None, message: wrong(text) }
    }
}

/// What is said of a text that is not one of the choices, or of any other wrong value.
pub(crate) fn wrong(text: &str) -> String {
    if text == "expected value" {
        return "expected a text".into();
    }
    if let Some(rest) = text.strip_prefix("unknown variant ") {
        return plain(&format!("there is no {rest}"));
    }
    let of_kind = text.strip_prefix("invalid type: ").or_else(|| text.strip_prefix("invalid value: "));
    match of_kind.and_then(|rest| rest.rsplit_once(", expected ")) {
        Some((found, expected)) => format!("expected {}, found {}", expected_words(expected), found_words(found)),
        None => plain(text),
    }
}

fn expected_words(expected: &str) -> &str {
    match expected {
        "u16" | "u32" | "u64" => "a whole number of 0 or more",
        "f64" => "a number",
        "a boolean" => "true or false",
        "a sequence" => "a list",
        "a map" => "an object",
        name if name.starts_with("struct ") => "an object",
        other => other,
    }
}

fn found_words(found: &str) -> &str {
    match found {
        "map" => "an object",
        "sequence" => "a list",
        scalar => match scalar.split_once('`').and_then(|(_, rest)| rest.strip_suffix('`')) {
            Some(value) => value,
            None => scalar.strip_prefix("string ").unwrap_or(scalar),
        },
    }
}

fn plain(text: &str) -> String {
    text.replace('`', "\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrong_values_are_told_in_the_words_of_json() {
        for (text, said) in [
            ("invalid type: integer `-1`, expected u64", "expected a whole number of 0 or more, found -1"),
            ("invalid value: string \"a, expected b\", expected a time", "expected a time, found \"a, expected b\""),
            ("invalid type: sequence, expected struct OrgInput", "expected an object, found a list"),
            ("invalid type: null, expected a boolean", "expected true or false, found null"),
            ("unknown variant `huge`, expected one of `small`, `large`", "there is no \"huge\", expected one of \"small\", \"large\""),
            ("expected value", "expected a text"),
            ("something else", "something else"),
        ] {
            assert_eq!(wrong(text), said);
        }
    }
}
