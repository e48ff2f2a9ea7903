//! Rules on single source files: how they open, how long they are, what they must not hold.

use super::{Breach, File};

const MOST_LINES: usize = 600;

/// Put together here, so that this file does not hold what it looks for.
const LEFTOVERS: [&str; 3] = [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X")];
const LAX: [&str; 3] = [concat!("#[all", "ow("), concat!("#![all", "ow("), concat!(", all", "ow(")];
const VAGUE: [&str; 3] = ["util", "manager", "helper"];
const CLOCKS: [&str; 5] = ["Instant::now(", "SystemTime::now(", "Timestamp::now(", "Zoned::now(", "clock_gettime("];

/// The one file that reads the machine's clocks. Tasks, benchmarks and examples measure by them, outside the product.
const CLOCK_READER: &str = "crates/app/src/system_clock.rs";

/// Crates in which something can grow, so that they keep their bounds in one file.
const BOUNDED: [&str; 6] = ["control", "gateway", "limits", "providers", "replay", "store"];

/// Everything that is wrong with one Rust file.
pub(super) fn breaches(file: &File) -> Vec<Breach> {
    let mut found = Vec::new();
    let mut whole = |what: String| found.push(Breach::new(&file.path, what));
    if !file.text.starts_with("//! ") {
        whole("opens without `//!`: say in one to three lines what it is and what it refuses to know".into());
    }
    let lines = file.text.lines().count();
    if lines > MOST_LINES {
        whole(format!("{lines} lines, the most is {MOST_LINES}: split it by noun"));
    }
    let words = file.path.split(['/', '.', '_']);
    if let Some(word) = words.into_iter().find(|word| VAGUE.iter().any(|vague| *word == *vague || word.strip_suffix('s') == Some(vague))) {
        whole(format!("named `{word}`: name the noun it is about"));
    }
    for (number, line) in file.text.lines().enumerate() {
        found.extend(of_line(file, line).map(|what| Breach::new(format!("{}:{}", file.path, number + 1), what)));
    }
    found
}

fn of_line(file: &File, line: &str) -> Option<String> {
    let holds_word = |word: &&str| line.split(|c: char| !c.is_ascii_alphanumeric()).any(|w| w == *word);
    if let Some(word) = LEFTOVERS.iter().find(|word| holds_word(word)) {
        return Some(format!("`{word}`: do it, or write an issue"));
    }
    if LAX.iter().any(|lax| line.contains(lax)) {
        return Some("an attribute that silences a lint for good: use `#[expect(…, reason = \"…\")]`".into());
    }
    let is_measuring = file.path.contains("/examples/");
    let may_read = file.path == CLOCK_READER || !file.path.starts_with("crates/") || is_measuring || is_comment(line);
    if !may_read && CLOCKS.iter().any(|clock| line.contains(clock)) && !is_timer(file, line) {
        return Some(format!("reads a clock: take `Now` as a parameter; only {CLOCK_READER} reads the machine's"));
    }
    None
}

fn is_comment(line: &str) -> bool {
    line.trim_start().starts_with("//")
}

/// Tokio's clock sets deadlines of input and output; nothing is decided by it.
fn is_timer(file: &File, line: &str) -> bool {
    let imported = || file.text.lines().any(|l| l.trim_start().starts_with("use tokio::time::") && l.contains("Instant"));
    line.contains("tokio::time::Instant::now(") || (line.contains("Instant::now(") && imported())
}

/// Crates that need bounds and have no file for them.
pub(super) fn missing_caps(files: &[File]) -> Vec<Breach> {
    let paths = BOUNDED.iter().map(|name| format!("crates/{name}/src/caps.rs"));
    let missing = paths.filter(|path| !files.iter().any(|file| file.path == *path));
    missing.map(|path| Breach::new(path, "missing: every bound of the crate stands in this one file")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(path: &str, text: &str) -> Vec<String> {
        breaches(&File { path: path.into(), text: text.into() }).iter().map(ToString::to_string).collect()
    }

    fn fires(path: &str, text: &str, words: &str) {
        let said = said(path, text);
        assert!(said.len() == 1 && said[0].contains(words), "{path}: {said:?}");
    }

    #[test]
    fn a_proper_file_passes() {
        assert_eq!(said("crates/x/src/relay.rs", "//! The relay.\nfn f() {}\n"), [""; 0]);
    }

    #[test]
    fn a_file_opens_with_what_it_is() {
        fires("crates/x/src/relay.rs", "use std::fs;\n", "opens without");
    }

    #[test]
    fn a_file_has_at_most_600_lines() {
        let lines = |n: usize| format!("//! Long.\n{}", "\n".repeat(n - 1));
        fires("crates/x/src/long.rs", &lines(601), "601 lines");
        assert_eq!(said("crates/x/src/long.rs", &lines(600)), [""; 0]);
    }

    #[test]
    fn nothing_is_left_for_later() {
        for word in LEFTOVERS {
            fires("crates/x/src/relay.rs", &format!("//! The relay.\n// {word}: more\n"), "relay.rs:2: ");
        }
    }

    #[test]
    fn lints_are_not_silenced_for_good() {
        for text in ["#[allX(dead_code)]", "#![allX(dead_code)]", "#[cfg_attr(test, allX(dead_code))]"] {
            fires("crates/x/src/relay.rs", &format!("//! The relay.\n{}\n", text.replace('X', "ow")), "silences a lint");
        }
        assert_eq!(said("crates/x/src/relay.rs", "//! The relay.\nfn allowed() { is_allowed(1) }\n"), [""; 0]);
    }

    #[test]
    fn only_the_clock_reads_clocks() {
        for clock in CLOCKS {
            fires("crates/x/src/relay.rs", &format!("//! The relay.\nlet t = {clock});\n"), "reads a clock");
            assert_eq!(said(CLOCK_READER, &format!("//! The clock.\nlet t = {clock});\n")), [""; 0]);
        }
        assert_eq!(said("crates/x/src/relay.rs", "//! The relay.\nlet t = tokio::time::Instant::now();\n"), [""; 0]);
        assert_eq!(
            said("crates/x/src/relay.rs", "//! The relay.\nuse tokio::time::{Instant, sleep_until};\nlet t = Instant::now();\n"),
            [""; 0]
        );
        assert_eq!(said("crates/x/examples/cost.rs", "//! Costs.\nlet t = Instant::now();\n"), [""; 0]);
        fires("crates/x/src/relay.rs", "//! The relay.\nuse std::time::Instant;\nlet t = Instant::now();\n", "reads a clock");
    }

    #[test]
    fn names_say_what_a_file_is_about() {
        for name in ["util", "utils", "key_manager", "helpers", "test_helper"] {
            fires(&format!("crates/x/src/{name}.rs"), "//! Things.\n", "named `");
            fires(&format!("crates/x/src/{name}/mod.rs"), "//! Things.\n", "named `");
        }
        assert_eq!(said("crates/x/src/utilisation.rs", "//! How much is used.\n"), [""; 0]);
    }

    #[test]
    fn crates_that_grow_have_caps() {
        let file = |name: &&str| File { path: format!("crates/{name}/src/caps.rs"), text: String::new() };
        let all: Vec<_> = BOUNDED.iter().map(file).collect();
        assert_eq!(missing_caps(&all), []);
        let without_store: Vec<_> = BOUNDED.iter().filter(|name| **name != "store").map(file).collect();
        assert_eq!(missing_caps(&without_store).len(), 1);
    }
}
