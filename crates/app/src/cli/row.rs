//! A custom limit row as the command line writes it: `category=large,rpm=500,tpm=1000000`. The server checks the rest.

use anyhow::{Context as _, bail};
use serde_json::{Map, Value};

pub(crate) fn parse(text: &str) -> anyhow::Result<Value> {
    let mut row = Map::new();
    for pair in text.split(',').filter(|pair| !pair.trim().is_empty()) {
        let (key, value) = pair.split_once('=').with_context(|| format!("\"{pair}\" in row \"{text}\" is not KEY=VALUE"))?;
        let (key, value) = (key.trim(), value.trim());
        let parsed = match key {
            "model" | "category" | "from" | "until" | "reason" => Value::from(value),
            "rpm" | "tpm" | "rpd" | "tpd" | "concurrent" => {
                Value::from(value.replace('_', "").parse::<u64>().with_context(|| format!("{key} in row \"{text}\" is no whole number"))?)
            }
            "window_seconds" => Value::from(value.parse::<f64>().with_context(|| format!("{key} in row \"{text}\" is no number"))?),
            "any" | "enforce" => {
                Value::from(value.parse::<bool>().with_context(|| format!("{key} in row \"{text}\" is not true or false"))?)
            }
            _ => bail!(
                "unknown key \"{key}\" in row \"{text}\"; known: model, category, any, rpm, tpm, rpd, tpd, concurrent, window_seconds, enforce, from, until, reason"
            ),
        };
        row.insert(key.into(), parsed);
    }
    Ok(Value::Object(row))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn rows_are_read_and_faults_are_named() {
        let row = parse("category=large, rpm=500,tpm=1_000_000,until=2027-01-01T00:00:00Z").unwrap();
        assert_eq!(row, json!({ "category": "large", "rpm": 500, "tpm": 1_000_000, "until": "2027-01-01T00:00:00Z" }));
        assert_eq!(parse("any=true,enforce=false").unwrap(), json!({ "any": true, "enforce": false }));
        for (text, part) in [("large", "is not KEY=VALUE"), ("rpm=x", "no whole number"), ("rmp=1", "unknown key \"rmp\"")] {
            assert!(parse(text).unwrap_err().to_string().contains(part), "{text}");
        }
    }
}
