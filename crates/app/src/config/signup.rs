//! `[signup]`: who may make an account, and what organisations of their own begin with.

use control::{SignUpConfig, SignUpMode};
use serde::Deserialize;

use super::table::Table;
use super::written::Word;

const PLAN: &str = "free";
const ORGS_PER_PERSON: u64 = 3;

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Mode {
    Invite,
    Open,
    Closed,
}

pub(super) fn read(table: Table<'_>) -> SignUpConfig {
    let mode = match table.get("mode") {
        None | Some(Word(Mode::Invite)) => SignUpMode::Invite,
        Some(Word(Mode::Open)) => SignUpMode::Open,
        Some(Word(Mode::Closed)) => SignUpMode::Closed,
    };
    let plan: Option<String> = table.get("plan");
    let orgs_per_person = table.whole("orgs_per_person", 1, 1_000).unwrap_or(ORGS_PER_PERSON);
    table.close();
    SignUpConfig { mode, plan: plan.as_deref().unwrap_or(PLAN).into(), orgs_per_person }
}
