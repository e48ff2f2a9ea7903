//! What text that people write must look like, and how a fault in a value is named. It knows no type in particular.

use crate::caps::MAX_TEXT_CHARS;

/// A value that is JSON but not what is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Invalid {
    /// The member at fault, such as `limits[2].rpm`.
    pub(crate) param: String,
    /// What is wrong with it.
    pub(crate) message: String,
}

impl Invalid {
    /// A fault of the member `param`.
    pub(crate) fn new(param: impl Into<String>, message: impl Into<String>) -> Self {
        Self { param: param.into(), message: message.into() }
    }

    /// The same fault seen from outside of `outer`.
    pub(crate) fn within(self, outer: &str) -> Self {
        let param = if self.param.is_empty() { outer.into() } else { format!("{outer}.{}", self.param) };
        Self { param, ..self }
    }
}

/// Refuses a name or reason that is empty, too long or not printable.
pub(crate) fn printable(param: &str, text: &str) -> Result<(), Invalid> {
    let fits = !text.trim().is_empty() && text.chars().count() <= MAX_TEXT_CHARS && !text.chars().any(char::is_control);
    if fits { Ok(()) } else { Err(Invalid::new(param, format!("use 1 to {MAX_TEXT_CHARS} printable characters"))) }
}

/// Refuses more than `most` entries.
pub(crate) fn at_most(param: &str, entries: usize, most: usize) -> Result<(), Invalid> {
    if entries <= most { Ok(()) } else { Err(Invalid::new(param, format!("{entries} entries are too many; at most {most} are taken"))) }
}

/// Converts every entry, naming the one at fault.
pub(crate) fn each<A, B>(param: &str, entries: Vec<A>, convert: impl Fn(A) -> Result<B, Invalid>) -> Result<Vec<B>, Invalid> {
    let numbered = entries.into_iter().enumerate();
    numbered.map(|(i, entry)| convert(entry).map_err(|fault| fault.within(&format!("{param}[{i}]")))).collect()
}
