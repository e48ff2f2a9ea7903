//! `[signup]`: who may make an account, and what organisations of their own begin with.

use control::{SignUpConfig, SignUpMode};
use serde::Deserialize;

use super::cross::Places;
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

/// The highest of limits that plans may have, too.
const MOST_TPM: u64 = 1_000_000_000_000;

/// With what all organisations on its plan may use together, in tokens a minute.
pub(super) fn read(table: Table<'_>, places: &mut Places) -> (SignUpConfig, Option<u64>) {
    let mode = match table.get("mode") {
        None | Some(Word(Mode::Invite)) => SignUpMode::Invite,
        Some(Word(Mode::Open)) => SignUpMode::Open,
        Some(Word(Mode::Closed)) => SignUpMode::Closed,
    };
    let plan: Option<String> = table.get("plan");
    let orgs_per_person = table.whole("orgs_per_person", 1, 1_000).unwrap_or(ORGS_PER_PERSON);
    let total_tpm = table.whole("total_tpm", 1, MOST_TPM);
    places.add("section", "signup", table.place());
    table.close();
    (SignUpConfig { mode, plan: plan.as_deref().unwrap_or(PLAN).into(), orgs_per_person }, total_tpm)
}
