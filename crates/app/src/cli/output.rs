//! What a command says: a table or a sentence for people, JSON for programs.

use std::io::Write;

use serde_json::Value;

use super::table::Table;

pub(crate) struct Output<'a> {
    out: &'a mut (dyn Write + Send),
    json: bool,
}

impl<'a> Output<'a> {
    pub(crate) fn new(out: &'a mut (dyn Write + Send), json: bool) -> Self {
        Self { out, json }
    }

    /// `value` as JSON, or the text that people read.
    pub(crate) fn say(&mut self, value: &Value, text: impl FnOnce() -> String) -> anyhow::Result<()> {
        let text = if self.json { serde_json::to_string_pretty(value)? } else { text() };
        // Whoever closed the pipe has read enough.
        match writeln!(self.out, "{}", text.trim_end()) {
            Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
            written => Ok(written?),
        }
    }

    /// A list: `{"data": […]}` as JSON, or a table; `empty` is said where there is nothing.
    pub(crate) fn list(&mut self, rows: &[Value], empty: &str, table: impl FnOnce(&[Value]) -> Table) -> anyhow::Result<()> {
        let value = serde_json::json!({ "data": rows });
        self.say(&value, || if rows.is_empty() { empty.into() } else { table(rows).to_string() })
    }
}

/// A member as text; nothing where it is absent or null.
pub(crate) fn text(value: &Value, member: &str) -> String {
    plain(value.get(member).unwrap_or(&Value::Null))
}

/// A value as people write it.
pub(crate) fn plain(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(plain).collect::<Vec<_>>().join(", "),
        Value::Bool(_) | Value::Number(_) | Value::Object(_) => value.to_string(),
    }
}
