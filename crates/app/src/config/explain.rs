//! What to say of a key or a variable that nothing reads: what was meant, where it belongs, what is known.

use std::collections::BTreeSet;

pub(super) fn unknown_key(table: &str, key: &str, known: &BTreeSet<String>) -> String {
    let prefix = if table.is_empty() { String::new() } else { format!("{table}.") };
    let here = known.iter().filter_map(|k| k.strip_prefix(&prefix)).filter(|k| !k.contains('.'));
    let here: Vec<&str> = here.map(|k| k.trim_end_matches("[]")).collect();
    if let Some(near) = nearest(key, here.iter().copied()) {
        return format!("unknown key \"{key}\"; did you mean \"{near}\"?");
    }
    let elsewhere = known.iter().filter_map(|k| k.rsplit_once('.')).filter(|(_, last)| *last == key).map(|(section, _)| header(section));
    let elsewhere: Vec<_> = elsewhere.collect();
    if !elsewhere.is_empty() {
        format!("unknown key \"{key}\" here; it belongs in {}", elsewhere.join(" or "))
    } else if here.is_empty() {
        format!("unknown key \"{key}\": {} has no keys in this version", header(table))
    } else {
        format!("unknown key \"{key}\"; known here: {}", here.join(", "))
    }
}

pub(super) fn unknown_variable(path: &str, known: &BTreeSet<String>) -> String {
    let scalars = known.iter().filter(|k| k.contains('.') && !k.contains("[]"));
    match nearest(path, scalars.map(String::as_str)) {
        Some(near) => format!("sets no known key; did you mean {}?", variable_of(near)),
        None => "sets no known key: variables are TIDEGATE_<SECTION>__<KEY>, such as TIDEGATE_SERVER__LISTEN".into(),
    }
}

fn header(table: &str) -> String {
    match table.strip_suffix("[]") {
        Some(array) => format!("[[{array}]]"),
        None => format!("[{table}]"),
    }
}

/// The variable that sets a key of a section.
fn variable_of(path: &str) -> String {
    format!("TIDEGATE_{}", path.to_uppercase().replace('.', "__"))
}

fn nearest<'k>(word: &str, candidates: impl Iterator<Item = &'k str>) -> Option<&'k str> {
    let scored = candidates.map(|c| (strsim::jaro_winkler(word, c), c)).filter(|(score, _)| *score > 0.82);
    scored.max_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, c)| c)
}
