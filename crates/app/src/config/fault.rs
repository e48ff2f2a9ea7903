//! What is wrong with a configuration, where, and what to do. It never quotes a value that may be a secret.

use std::fmt;
use std::sync::Arc;

/// Where something was written.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// The file as a whole, where no line can be named.
    WholeFile {
        /// Its path as it was given.
        file: Arc<str>,
    },
    /// A line of a file; both numbers start at 1, columns count characters.
    File {
        /// Its path as it was given.
        file: Arc<str>,
        /// The line.
        line: usize,
        /// The column.
        column: usize,
    },
    /// An environment variable.
    Environment {
        /// Its name.
        variable: String,
    },
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::WholeFile { file } => f.write_str(file),
            Self::File { file, line, column } => write!(f, "{file}:{line}:{column}"),
            Self::Environment { variable } => write!(f, "environment variable {variable}"),
        }
    }
}

/// One fault, or one warning.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Fault {
    /// Where.
    pub place: Place,
    /// What is wrong and what to do.
    pub message: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.message)
    }
}

/// Every fault of a configuration, in the order of its lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Faults(pub Vec<Fault>);

impl fmt::Display for Faults {
    /// One line a fault.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, fault) in self.0.iter().enumerate() {
            let line_break = if index == 0 { "" } else { "\n" };
            write!(f, "{line_break}{fault}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Faults {}

/// A text with a name, which turns offsets into lines and columns.
pub(crate) struct Source<'a> {
    file: Arc<str>,
    text: &'a str,
}

impl<'a> Source<'a> {
    pub(crate) fn new(file: &str, text: &'a str) -> Self {
        Self { file: file.into(), text }
    }

    pub(crate) fn place(&self, offset: usize) -> Place {
        let before = self.text.get(..offset).unwrap_or(self.text);
        let line = before.bytes().filter(|b| *b == b'\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or(before).chars().count() + 1;
        Place::File { file: Arc::clone(&self.file), line, column }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_become_lines_and_columns_of_characters() {
        let source = Source::new("t.toml", "a = 1\nü = 2\n");
        assert_eq!(source.place(0).to_string(), "t.toml:1:1");
        assert_eq!(source.place(6).to_string(), "t.toml:2:1");
        assert_eq!(source.place(9).to_string(), "t.toml:2:3");
        assert_eq!(source.place(99).to_string(), "t.toml:3:1");
    }
}
