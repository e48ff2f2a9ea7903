//! `application/x-www-form-urlencoded`, as others' APIs take it: in bodies and in queries.

use std::fmt::Write as _;

/// Names and values, encoded.
#[derive(Clone, Debug, Default)]
pub(crate) struct Form(String);

impl Form {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// One more pair.
    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        let between = if self.0.is_empty() { "" } else { "&" };
        self.0 += &format!("{between}{}={}", encoded(name), encoded(value));
        self
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

/// A text of which only what RFC 3986 reserves for nothing stays as it is.
pub(crate) fn encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            // Writing to a string can't fail.
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_has_a_meaning_is_encoded() {
        let form = Form::new().with("metadata[org]", "a&b=c d").with("name", "Köln+1");
        assert_eq!(form.as_str(), "metadata%5Borg%5D=a%26b%3Dc%20d&name=K%C3%B6ln%2B1");
    }
}
