//! The report: Markdown for people, JSON for programs. It measures nothing.

use std::fmt::Write;
use std::path::Path;
use std::process::Command;

use anyhow::Context;
use serde_json::{Map, Value, json};

use super::figures::{Figure, Goal, Spread, Verdict};
use super::machine::Machine;
use super::options::Options;
use super::rounds::Record;
use super::subject::Subject;

pub(super) struct Report<'a> {
    options: &'a Options,
    records: &'a [Record],
    figures: &'a [Figure],
    machine: Machine,
    date: String,
    commit: String,
}

impl<'a> Report<'a> {
    pub(super) fn new(options: &'a Options, records: &'a [Record], figures: &'a [Figure]) -> anyhow::Result<Self> {
        let date = said("date", &["-u", "+%F"])?;
        let root = super::root().to_string_lossy().into_owned();
        let mut commit = said("git", &["-C", &root, "rev-parse", "--short=10", "HEAD"])?;
        if !said("git", &["-C", &root, "status", "--porcelain", "--", "crates", "Cargo.toml", "Cargo.lock"])?.is_empty() {
            commit += " with changes that were not committed";
        }
        Ok(Self { options, records, figures, machine: Machine::here(), date, commit })
    }

    pub(super) fn markdown(&self) -> String {
        let Options { rounds, secs, chunks, .. } = self.options;
        let mut text = format!(
            "# Measurements\n\nWritten by `cargo xtask bench` on {}, commit {}. How to read and repeat them: README.md beside this file.\n\n{}\n\
             {rounds} rounds, each with everything started afresh, the gateways taking turns in each run of {secs} s; streams of {chunks} events.\n\
             Medians (min..max over the rounds); ratios are taken within a round. Requests of 1 KB, answers of 646 bytes.\n\n",
            self.date,
            self.commit,
            self.machine.text()
        );
        text += "| figure | nginx | floor | Tidegate | Tidegate / nginx | goal (stretch) | met |\n|---|---|---|---|---|---|---|\n";
        for figure in self.figures {
            let cell = |subject| figure.of(subject).map_or("-".into(), |spread| spread_text(spread, figure.decimals));
            // Writing to a string cannot fail.
            let _ = writeln!(
                text,
                "| {}, {} | {} | {} | {} | {} | {} | {} |",
                figure.name,
                figure.unit,
                cell(Subject::Nginx),
                cell(Subject::Floor),
                cell(Subject::Tidegate),
                Spread::of(&figure.ratios).map_or("-".into(), |spread| spread_text(spread, 2)),
                goal_text(figure.goal, figure.unit),
                verdict_text(figure.verdict()),
            );
        }
        text += &self.faults();
        text
    }

    /// Requests that went wrong, run by run: what taints a figure is not kept silent.
    fn faults(&self) -> String {
        let mut text = String::new();
        for record in self.records {
            let failed = record.number("failed").unwrap_or(0.0) + record.number("short").unwrap_or(0.0);
            if failed > 0.0 {
                let note = record.data["note"].as_str().unwrap_or("answers cut short");
                let ok = record.number("ok").unwrap_or(0.0);
                let _ = writeln!(
                    text,
                    "- round {}, {}, {}: {failed} of {} failed ({note})",
                    record.round,
                    record.run.name(),
                    record.subject.name(),
                    ok + failed
                );
            }
        }
        if text.is_empty() { text } else { format!("\nRequests that failed:\n{text}") }
    }

    fn json(&self) -> Value {
        let figures: Vec<Value> = self.figures.iter().map(figure_json).collect();
        let record = |r: &Record| json!({"round": r.round, "subject": r.subject.name(), "run": r.run.name(), "data": r.data});
        let records: Vec<Value> = self.records.iter().map(record).collect();
        json!({
            "date": self.date, "commit": self.commit, "machine": self.machine.json(), "rounds": self.options.rounds,
            "secs": self.options.secs, "chunks": self.options.chunks, "figures": figures, "records": records,
        })
    }

    /// Writes what the options ask for.
    pub(super) fn write(&self, options: &Options) -> anyhow::Result<()> {
        let write = |path: &Path, text: &str| std::fs::write(path, text).with_context(|| format!("writing {}", path.display()));
        if let Some(path) = &options.out {
            write(path, &self.markdown())?;
        }
        if let Some(path) = &options.json {
            write(path, &format!("{:#}\n", self.json()))?;
        }
        Ok(())
    }
}

fn figure_json(figure: &Figure) -> Value {
    let spread = |values: &[f64]| Spread::of(values).map(|s| json!({"median": s.median, "min": s.min, "max": s.max, "all": values}));
    let values: Map<String, Value> =
        figure.values.iter().filter_map(|(subject, values)| Some((subject.name().to_owned(), spread(values)?))).collect();
    let goal = match figure.goal {
        Goal::Ratio(goal, stretch) => json!({"ratio": goal, "stretch": stretch}),
        Goal::AtMost(goal, stretch) => json!({"at_most": goal, "stretch": stretch}),
        Goal::AtLeast(goal, stretch) => json!({"at_least": goal, "stretch": stretch}),
        Goal::Nothing => Value::Null,
    };
    json!({
        "id": figure.id, "name": figure.name, "unit": figure.unit, "values": values, "ratio": spread(&figure.ratios), "goal": goal,
        "met": figure.verdict().map(|verdict| verdict_text(Some(verdict))),
    })
}

fn spread_text(spread: Spread, decimals: usize) -> String {
    let Spread { median, min, max } = spread;
    if min == max {
        return format!("{median:.decimals$}");
    }
    format!("{median:.decimals$} ({min:.decimals$}..{max:.decimals$})")
}

fn goal_text(goal: Goal, unit: &str) -> String {
    match goal {
        Goal::Ratio(goal, stretch) => format!("<= {goal} x ({stretch} x)"),
        Goal::AtMost(goal, stretch) => format!("<= {goal} {unit} ({stretch} {unit})"),
        Goal::AtLeast(goal, stretch) => format!(">= {goal} {unit} ({stretch} {unit})"),
        Goal::Nothing => "-".into(),
    }
}

fn verdict_text(verdict: Option<Verdict>) -> &'static str {
    match verdict {
        Some(Verdict::Stretch) => "stretch",
        Some(Verdict::Goal) => "goal",
        Some(Verdict::Missed) => "no",
        None => "-",
    }
}

/// What a command prints.
fn said(program: &str, args: &[&str]) -> anyhow::Result<String> {
    let output = Command::new(program).args(args).output().with_context(|| format!("running {program}"))?;
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
