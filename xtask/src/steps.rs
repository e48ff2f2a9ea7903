//! Runs steps one after the other, goes on after failures, and says at the end what passed. It knows no step.

use std::fmt::Write as _;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::bail;

use crate::counts::Counts;
use crate::shell::{Shell, say, stopwatch};

/// One thing to be done, and counted.
pub(crate) struct Step {
    /// What people read.
    pub(crate) name: &'static str,
    /// Does it. An error counts as one failure.
    pub(crate) run: fn(&Shell) -> anyhow::Result<Counts>,
}

/// The steps whose names hold one of the words, whatever their case; all of them where there are no words.
pub(crate) fn named(mut steps: Vec<Step>, words: &[String]) -> anyhow::Result<Vec<Step>> {
    let names: Vec<_> = steps.iter().map(|step| step.name).collect();
    let holds = |name: &str, word: &str| name.to_lowercase().contains(&word.to_lowercase());
    if let Some(word) = words.iter().find(|word| !names.iter().any(|name| holds(name, word))) {
        bail!("no step is named `{word}`: there are {}", names.join("; "));
    }
    steps.retain(|step| words.is_empty() || words.iter().any(|word| holds(step.name, word)));
    Ok(steps)
}

struct Done {
    name: &'static str,
    counts: Counts,
    took: Duration,
}

/// Runs every step, whatever becomes of the others. The last line printed is the sum.
pub(crate) fn run(shell: &Shell, steps: &[Step]) -> anyhow::Result<ExitCode> {
    let whole = stopwatch();
    let mut all = Vec::new();
    for step in steps {
        say(&format!("\n=== {}\n", step.name));
        let watch = stopwatch();
        let counts = (step.run)(shell).unwrap_or_else(|error| {
            say(&format!("{} failed: {error:#}\n", step.name));
            Counts::failure()
        });
        all.push(Done { name: step.name, counts, took: watch() });
    }
    say(&summary(&all, whole()));
    let failed = all.iter().any(|done| done.counts.failed > 0);
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn summary(all: &[Done], whole: Duration) -> String {
    let mut text = String::from("\n");
    for Done { name, counts, took } in all {
        let verdict = if counts.failed > 0 { "FAILED" } else { "ok" };
        // Writing to a string can't fail.
        let _ = writeln!(text, "{verdict:>6}  {:>7.1} s  {name}: {counts}", took.as_secs_f64());
    }
    let sum = all.iter().fold(Counts::default(), |sum, done| sum + done.counts);
    let _ = writeln!(text, "{:>6}  {:>7.1} s  in all\n\n{sum}", "", whole.as_secs_f64());
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_chosen_by_words_and_a_wrong_word_is_said() {
        let steps = || ["format", "SDK for Node"].map(|name| Step { name, run: |_| Ok(Counts::of_check(true)) }).into();
        let named = |words: &[&str]| named(steps(), &words.iter().map(|w| (*w).to_owned()).collect::<Vec<_>>());
        assert_eq!(named(&[]).unwrap().len(), 2);
        assert_eq!(named(&["node"]).unwrap()[0].name, "SDK for Node");
        assert!(named(&["format", "ndoe"]).is_err());
    }

    #[test]
    fn the_last_line_is_the_sum_and_stands_alone() {
        let done = |name, passed, failed| Done { name, counts: Counts { passed, failed, skipped: 0 }, took: Duration::from_secs(1) };
        let text = summary(&[done("a", 3, 0), done("b", 2, 1)], Duration::from_secs(2));
        assert_eq!(text.lines().last(), Some("5 passed, 1 failed"));
        assert!(text.contains("FAILED      1.0 s  b: 2 passed, 1 failed"), "{text}");
    }
}
