//! What `tidegate replay` takes. Every text here is help.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use domain::{Category, HoldPolicy, LimitRow, OnExhausted};

use crate::cli::row;

#[derive(Debug, Args)]
pub(crate) struct ReplayArgs {
    /// The workload: rows of TIMESTAMP,ContextTokens,GeneratedTokens, or JSON lines with timestamp, input_length and output_length,
    /// or with at, model, org, input_tokens and output_tokens
    pub(crate) trace: PathBuf,
    /// A plan to run it on; again for more [default: all plans of the configuration, else those that are built in]
    #[arg(long = "plan", value_name = "ID")]
    pub(crate) plans: Vec<String>,
    /// A plan made up for this, such as rpm=500,tpm=1000000 (category=C or model=ID, rpd, tpd, concurrent, window_seconds as well);
    /// again for more
    #[arg(long = "limit", value_name = "ROW", value_parser = limit)]
    pub(crate) limits: Vec<Limit>,
    /// The model of requests that name none
    #[arg(long, value_name = "ID")]
    pub(crate) model: Option<String>,
    /// The category of models that aren't known
    #[arg(long, value_name = "CATEGORY", value_parser = category)]
    pub(crate) category: Option<Category>,
    /// How many times as densely requests arrive
    #[arg(long, value_name = "FACTOR", default_value = "1", value_parser = positive)]
    pub(crate) speed_up: f64,
    /// How much output is held at admission [default: as the plan says]
    #[arg(long, value_name = "RULE")]
    pub(crate) hold: Option<Hold>,
    /// max_tokens of requests that state none
    #[arg(long, value_name = "N")]
    pub(crate) max_tokens: Option<u32>,
    /// What happens to a stream whose hold can't be extended [default: as the plan says]
    #[arg(long, value_name = "WHAT")]
    pub(crate) on_exhausted: Option<Exhausted>,
    /// How fast answers are produced where the workload doesn't say how long they took
    #[arg(long, value_name = "N", default_value = "50", value_parser = positive)]
    pub(crate) tokens_per_second: f64,
    /// Clients come back when they are told, for so many seconds after they first asked; without it they give up
    #[arg(long, value_name = "SECONDS", default_value = "0", value_parser = seconds_us)]
    pub(crate) wait: u64,
    /// A request that will fit within so many milliseconds waits for it instead of being refused [default: 250, or micro_wait_ms in
    /// [limits]]
    #[arg(long, value_name = "MS", value_parser = milliseconds_us)]
    pub(crate) micro_wait: Option<u64>,
    /// Count lines that can't be read instead of stopping there
    #[arg(long)]
    pub(crate) skip_bad_lines: bool,
    /// Tell refusals minute by minute
    #[arg(long)]
    pub(crate) by_minute: bool,
    /// How to write the result
    #[arg(long, value_name = "FORMAT", conflicts_with = "json")]
    pub(crate) format: Option<Format>,
    /// Draw use and refusals over time into this SVG file
    #[arg(long, value_name = "FILE")]
    pub(crate) plot: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people
    Table,
    /// Everything there is
    Json,
    /// A line for each plan and pool
    Csv,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
#[value(rename_all = "snake_case")]
pub(crate) enum Hold {
    /// What such requests have needed so far
    Learned,
    /// What the request allows
    MaxTokens,
    /// The model's default
    Fixed,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Exhausted {
    /// It pauses until there is room
    Pace,
    /// It goes on, and owes
    Overdraft,
    /// It ends
    Cut,
}

impl From<Hold> for HoldPolicy {
    fn from(hold: Hold) -> Self {
        match hold {
            Hold::Learned => Self::Learned,
            Hold::MaxTokens => Self::MaxTokens,
            Hold::Fixed => Self::Fixed,
        }
    }
}

impl From<Exhausted> for OnExhausted {
    fn from(exhausted: Exhausted) -> Self {
        match exhausted {
            Exhausted::Pace => Self::Pace,
            Exhausted::Overdraft => Self::Overdraft,
            Exhausted::Cut => Self::Cut,
        }
    }
}

/// A made-up plan of one row.
#[derive(Clone, Debug)]
pub(crate) struct Limit {
    /// As it was written, which names the plan.
    pub(crate) text: String,
    pub(crate) row: LimitRow,
}

fn limit(text: &str) -> Result<Limit, String> {
    let mut row = row::parse(text).map_err(|error| format!("{error:#}"))?;
    if let Some(row) = row.as_object_mut()
        && !["model", "category", "any"].iter().any(|selector| row.contains_key(*selector))
    {
        row.insert("any".into(), true.into());
    }
    let row = serde_json::from_value(row).map_err(|error| error.to_string())?;
    Ok(Limit { text: text.to_owned(), row })
}

fn category(text: &str) -> Result<Category, String> {
    serde_json::from_value(text.into()).map_err(|_| "expected small, medium or large".into())
}

fn positive(text: &str) -> Result<f64, String> {
    let number = text.parse().ok().filter(|number: &f64| (1e-6..=1e9).contains(number));
    number.ok_or_else(|| "expected a number above 0".into())
}

fn seconds_us(text: &str) -> Result<u64, String> {
    micros(text, 1e6)
}

fn milliseconds_us(text: &str) -> Result<u64, String> {
    micros(text, 1e3)
}

fn micros(text: &str, unit_us: f64) -> Result<u64, String> {
    let number = text.parse().ok().filter(|number: &f64| (0.0..=1e9).contains(number));
    number.map(|number| (number * unit_us).round() as u64).ok_or_else(|| "expected a number of at least 0".into())
}
