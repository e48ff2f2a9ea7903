//! One request of a recorded workload, whatever it was recorded in.
//! It knows no plan and no file.

use domain::{Category, UnixMicros};
use hashbrown::HashMap;

use crate::caps;

/// A name of the trace, as a number. The trace's [`Labels`] tell which.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Label(pub u32);

impl Label {
    /// Of a row that names nothing.
    pub const NONE: Self = Self(0);
}

/// One request.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Row {
    /// When it arrived, in microseconds: since 1970 where the trace says so, else since whatever the trace counts from.
    pub at: UnixMicros,
    /// Input tokens.
    pub input: u32,
    /// Output tokens.
    pub output: u32,
    /// The client's `max_tokens`.
    pub max_tokens: Option<u32>,
    /// How long the answer took, in milliseconds.
    pub duration_ms: Option<u32>,
    /// The model that was asked for.
    pub model: Label,
    /// Whose request it was.
    pub org: Label,
    /// The model's category.
    pub category: Option<Category>,
    /// Whether the answer was streamed; the limits are kept alike.
    pub stream: bool,
}

impl Row {
    /// A request of nothing at a time of nothing.
    pub const EMPTY: Self = Self {
        at: UnixMicros(0),
        input: 0,
        output: 0,
        max_tokens: None,
        duration_ms: None,
        model: Label::NONE,
        org: Label::NONE,
        category: None,
        stream: true,
    };
}

/// The names of one kind in a trace, each kept once.
#[derive(Clone, Debug, Default)]
pub struct Labels {
    names: Vec<Box<str>>,
    numbers: HashMap<Box<str>, Label>,
    last: Label,
}

impl Labels {
    /// The label of a name; none when there are too many.
    pub fn of(&mut self, name: &str) -> Option<Label> {
        // Neighbours often have the same name.
        if self.name(self.last) == Some(name) {
            return Some(self.last);
        }
        if let Some(label) = self.numbers.get(name) {
            self.last = *label;
            return Some(*label);
        }
        if self.names.len() >= caps::LABELS {
            return None;
        }
        self.names.push(name.into());
        let label = Label(u32::try_from(self.names.len()).ok()?);
        self.numbers.insert(name.into(), label);
        self.last = label;
        Some(label)
    }

    /// How many names there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.names.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// The name of a label; none for that of nothing.
    #[must_use]
    pub fn name(&self, label: Label) -> Option<&str> {
        let index = label.0.checked_sub(1)?;
        self.names.get(index as usize).map(|name| &**name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_kept_once() {
        let mut labels = Labels::default();
        let [a, b, again] = ["a", "b", "a"].map(|name| labels.of(name).unwrap());
        assert_eq!((a == again, a == b), (true, false));
        assert_eq!((labels.name(a), labels.name(b), labels.name(Label::NONE)), (Some("a"), Some("b"), None));
    }

    #[test]
    fn there_are_only_so_many_names() {
        let mut labels = Labels::default();
        assert!((0..caps::LABELS).all(|n| labels.of(&n.to_string()).is_some()));
        assert_eq!(labels.of("one more"), None);
        assert!(labels.of("0").is_some());
    }
}
