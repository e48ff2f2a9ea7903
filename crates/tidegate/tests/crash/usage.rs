//! What clients saw beside what the server wrote down: for each request its key's usage, to the token.

use std::collections::HashMap;
use std::time::Duration;

use serde_json::Value;
use tokio::time::sleep;

use crate::client::{End, Seen};
use crate::server::Server;

/// What is written down of one key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counted {
    pub(crate) requests: u64,
    pub(crate) refused: u64,
    pub(crate) failed: u64,
    pub(crate) input: u64,
    pub(crate) output: u64,
}

impl Counted {
    pub(crate) fn add(&mut self, other: Self) {
        self.requests += other.requests;
        self.refused += other.refused;
        self.failed += other.failed;
        self.input += other.input;
        self.output += other.output;
    }

    pub(crate) fn of(point: &Value) -> Self {
        let number = |name: &str| point[name].as_u64().unwrap_or_else(|| panic!("no {name} in {point}"));
        Self {
            requests: number("requests"),
            refused: number("refused"),
            failed: number("failed"),
            input: number("input_tokens"),
            output: number("output_tokens"),
        }
    }
}

/// The usage of an organisation by key, and its totals, once these keys have a record each and so many refusals are counted, or in vain
/// for long.
pub(crate) async fn by_key(server: &Server, org: &str, keys: &[&str], refusals: u64) -> (HashMap<String, Counted>, Counted) {
    let path = format!("/orgs/{org}/usage?group_by=key");
    let mut found = (HashMap::new(), Counted::default());
    for _ in 0..PATIENCE {
        let usage = server.operator("GET", &path, &Value::Null).await;
        let series = usage["series"].as_array().expect("a series");
        let of_keys = series.iter().map(|point| (point["key"].as_str().expect("a key").to_owned(), Counted::of(point)));
        found = (of_keys.collect(), Counted::of(&usage["totals"]));
        let has_record = |key: &&str| found.0.get(*key).is_some_and(|counted: &Counted| counted.requests + counted.failed > 0);
        if found.1.refused >= refusals && keys.iter().all(has_record) {
            break;
        }
        sleep(Duration::from_millis(50)).await;
    }
    found
}

/// How often usage is looked at before it is taken as it is.
const PATIENCE: u64 = 100;

/// What is wrong with what was written down of one request; `arrived`: whether the provider got it.
pub(crate) fn faults(seen: &Seen, counted: Counted, arrived: bool) -> Vec<String> {
    let mut faults = Vec::new();
    let mut demand = |is_so: bool, what: &str| {
        if !is_so {
            let Seen { ask, key, refusals, end, .. } = seen;
            faults.push(format!(
                "{what}: {key} {end:?}, {} words received, {refusals} refusals; written down {counted:?}; {ask:?}",
                seen.words()
            ));
        }
    };
    let records = counted.requests + counted.failed;
    let most_output = seen.ask.max_tokens.unwrap_or(u64::MAX);
    match seen.end {
        End::Whole { input, output } => {
            demand((counted.requests, counted.failed) == (1, 0), "a completed answer is one record");
            demand((counted.input, counted.output) == (input, output), "a completed answer's tokens are those of its usage");
            demand(seen.words() == output, "every word of a completed answer was received");
        }
        End::Cut | End::Left | End::Broken => {
            demand(records <= 1, "a record is written once");
            demand(records == 1 || !arrived, "a provider got it, so it has a record");
            demand(counted.output >= seen.words(), "what was relayed is written down");
            demand(counted.output <= most_output.max(seen.words()), "no more output is written down than it could have");
            demand(counted.input <= seen.body_bytes + 128, "no more input is written down than its bound");
            demand(seen.head.is_none() || counted.input >= seen.ask.errand.input, "no less input is written down than there was");
        }
        End::Failed(_) => {
            demand(records <= 1 && counted.requests == 0, "an answer that failed is at most one record");
            demand((counted.input, counted.output) == (0, 0), "what failed cost nothing");
        }
        End::GaveUp => demand((records, counted.input, counted.output) == (0, 0, 0), "what was refused cost nothing"),
    }
    let unsure = u64::from(seen.end == End::Cut && seen.head.is_none());
    demand((seen.refusals..=seen.refusals + unsure).contains(&counted.refused), "each refusal is counted once");
    faults
}
