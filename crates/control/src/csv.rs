//! Tables as comma-separated values (RFC 4180), of the same shapes that are written as JSON.

use axum::response::{IntoResponse, Response};
use http::{HeaderValue, header};
use serde::Serialize;
use serde_json::Value;

/// The media type.
pub(crate) const CSV: HeaderValue = HeaderValue::from_static("text/csv; charset=utf-8");

/// A table.
pub(crate) struct Csv {
    header: Vec<String>,
    text: String,
}

impl Csv {
    /// An empty table with these columns.
    pub(crate) fn new(header: &[&str]) -> Self {
        let header: Vec<_> = header.iter().map(|name| (*name).to_owned()).collect();
        let mut table = Self { text: String::new(), header };
        let names: Vec<_> = table.header.iter().map(|name| Value::from(name.as_str())).collect();
        table.line(&names);
        table
    }

    /// Adds a row: the members of these names.
    pub(crate) fn row(&mut self, row: &impl Serialize) {
        let members = serde_json::to_value(row).unwrap_or_default();
        let cells: Vec<_> = self.header.iter().map(|name| members.get(name).cloned().unwrap_or_default()).collect();
        self.line(&cells);
    }

    /// What was written since this was asked before.
    pub(crate) fn take(&mut self) -> String {
        std::mem::take(&mut self.text)
    }

    fn line(&mut self, cells: &[Value]) {
        let cells: Vec<_> = cells.iter().map(cell).collect();
        self.text.push_str(&cells.join(","));
        self.text.push_str("\r\n");
    }
}

fn cell(value: &Value) -> String {
    let text = match value {
        Value::Null => return String::new(),
        Value::String(text) => text.clone(),
        other @ (Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_)) => other.to_string(),
    };
    // A spreadsheet would take a text that begins so for a formula.
    let is_formula = value.is_string() && text.starts_with(['=', '+', '-', '@', '\t', '\r']);
    let text = if is_formula { format!("'{text}") } else { text };
    if text.contains([',', '"', '\r', '\n']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text }
}

impl IntoResponse for Csv {
    fn into_response(self) -> Response {
        ([(header::CONTENT_TYPE, CSV)], self.text).into_response()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn cells_are_quoted_and_formulas_are_texts() {
        let mut table = Csv::new(&["name", "n", "gone"]);
        table.row(&json!({"name": "a,\"b\"\n", "n": -1.5, "other": 3}));
        table.row(&json!({"name": "=1+1", "n": true, "gone": null}));
        assert_eq!(table.text, "name,n,gone\r\n\"a,\"\"b\"\"\n\",-1.5,\r\n'=1+1,true,\r\n");
    }
}
