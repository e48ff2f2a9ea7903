//! What test runners print, as numbers. It runs nothing.

use std::fmt;
use std::ops::Add;

use anyhow::ensure;

/// How many tests or checks ended how.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
    pub(crate) skipped: u64,
}

impl Counts {
    /// One check that passed or failed as a whole.
    pub(crate) fn of_check(ok: bool) -> Self {
        Self { passed: u64::from(ok), failed: u64::from(!ok), skipped: 0 }
    }

    /// One failure.
    pub(crate) fn failure() -> Self {
        Self::of_check(false)
    }

    /// Takes the runner's exit into account: a runner that fails without naming a test (it did not compile, it
    /// crashed) has failed once, and one that ran no test has not passed.
    pub(crate) fn with_exit(mut self, ok: bool) -> anyhow::Result<Self> {
        if !ok && self.failed == 0 {
            self.failed = 1;
        }
        ensure!(!ok || self.passed + self.failed > 0, "the runner ran no test");
        Ok(self)
    }

    /// The sum of all `test result:` lines of `cargo test`.
    pub(crate) fn of_cargo(text: &str) -> Self {
        let results = text.lines().filter(|line| line.trim_start().starts_with("test result:"));
        results
            .map(|line| Self { passed: before(line, "passed"), failed: before(line, "failed"), skipped: before(line, "ignored") })
            .fold(Self::default(), Add::add)
    }

    /// The closing line of pytest: `=== 3 failed, 5 passed, 1 error in 0.12s ===`.
    pub(crate) fn of_pytest(text: &str) -> Self {
        let closing = |line: &&str| line.contains(" in ") && [" passed", " failed", " error"].iter().any(|word| line.contains(word));
        let Some(line) = text.lines().rev().find(closing) else { return Self::default() };
        let errors = before(line, "error") + before(line, "errors");
        Self { passed: before(line, "passed"), failed: before(line, "failed") + errors, skipped: before(line, "skipped") }
    }

    /// The closing lines of `node --test --test-reporter=tap`: `# pass 5`.
    pub(crate) fn of_node(text: &str) -> Self {
        let last = |name: &str| {
            let value = |line: &str| line.strip_prefix("# ")?.strip_prefix(name)?.trim().parse::<u64>().ok();
            text.lines().rev().find_map(value).unwrap_or(0)
        };
        Self { passed: last("pass "), failed: last("fail ") + last("cancelled "), skipped: last("skipped ") + last("todo ") }
    }
}

/// The number in front of `word`: 3 in `ok. 3 passed; 0 failed`.
fn before(line: &str, word: &str) -> u64 {
    let words: Vec<_> = line.split(|c: char| !c.is_ascii_alphanumeric()).filter(|w| !w.is_empty()).collect();
    let pair = words.windows(2).find(|pair| pair.last() == Some(&word));
    pair.and_then(|pair| pair.first()).and_then(|n| n.parse().ok()).unwrap_or(0)
}

impl Add for Counts {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self { passed: self.passed + other.passed, failed: self.failed + other.failed, skipped: self.skipped + other.skipped }
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} passed, {} failed", self.passed, self.failed)?;
        if self.skipped > 0 { write!(f, ", {} skipped", self.skipped) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(passed: u64, failed: u64, skipped: u64) -> Counts {
        Counts { passed, failed, skipped }
    }

    #[test]
    fn cargo_s_results_are_added_up() {
        let text = "running 2 tests\ntest result: ok. 12 passed; 0 failed; 1 ignored; 0 measured; 3 filtered out; finished in 0.00s\n\
                    noise 5 passed\ntest result: FAILED. 3 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out\n";
        assert_eq!(Counts::of_cargo(text), counts(15, 2, 1));
    }

    #[test]
    fn pytest_s_closing_line_is_read() {
        assert_eq!(Counts::of_pytest("x\n==== 2 failed, 5 passed, 1 error in 0.12s ====\n"), counts(5, 3, 0));
        assert_eq!(Counts::of_pytest("5 passed, 1 skipped in 1.50s\n"), counts(5, 0, 1));
        assert_eq!(Counts::of_pytest("Traceback\n"), counts(0, 0, 0));
    }

    #[test]
    fn node_s_closing_lines_are_read() {
        let text = "# Subtest: x\n# tests 9\n# pass 5\n# fail 1\n# cancelled 1\n# skipped 2\n# todo 0\n# duration_ms 12.3\n";
        assert_eq!(Counts::of_node(text), counts(5, 2, 2));
    }

    #[test]
    fn a_runner_that_dies_or_runs_nothing_does_not_pass() {
        assert_eq!(counts(7, 0, 0).with_exit(false).unwrap(), counts(7, 1, 0));
        assert_eq!(counts(7, 2, 0).with_exit(false).unwrap(), counts(7, 2, 0));
        assert!(counts(0, 0, 0).with_exit(true).is_err());
    }
}
