//! A replay for people: what the workload is, a line for each plan and pool, and which plan is enough.

use domain::Kind;
use replay::{LimitOutcome, Outcome, PoolOutcome};

use super::figures;
use super::report::Report;
use crate::cli::table::Table;

pub(crate) fn write(report: &Report) -> String {
    let mut text = head(report);
    text += &table(report).to_string();
    for outcome in report.outcomes.iter().filter(|outcome| outcome.not_in_plan > 0) {
        let (refused, all) = (figures::count(outcome.not_in_plan), figures::count(outcome.requests));
        text += &format!("\nPlan {} has no row for the models of {refused} of {all} requests.", outcome.plan.as_str());
    }
    text + "\n" + &verdict(report)
}

/// What the workload is and needs.
pub(crate) fn head(report: &Report) -> String {
    let demand = &report.demand;
    let tokens: u64 = demand.pools.iter().map(|pool| pool.input + pool.output).sum();
    let (requests, tokens, span) = (figures::count(demand.requests), figures::count(tokens), figures::time(demand.span_us));
    let mut text = format!("{}: {requests} requests and {tokens} tokens in {span}\n", report.trace);
    if report.bad_lines > 0 {
        text += &format!("{} lines could not be read\n", figures::count(report.bad_lines));
    }
    let peak = |kind| limit_of(demand.pools.first(), kind).map_or(0, |limit| limit.peak);
    let [requests, tokens, open] = [Kind::Requests, Kind::Tokens, Kind::Concurrent].map(|kind| figures::count(peak(kind)));
    let window = limit_of(demand.pools.first(), Kind::Requests).map_or(0, |limit| limit.window_us);
    let window = if window == 60_000_000 { "60 s".into() } else { figures::time(window) };
    text + &format!("Without limits: at most {requests} requests and {tokens} tokens in any {window}, {open} at once\n\n")
}

/// The shortest limit of a kind.
fn limit_of(pool: Option<&PoolOutcome>, kind: Kind) -> Option<&LimitOutcome> {
    pool?.limits.iter().filter(|limit| limit.kind == kind).min_by_key(|limit| limit.window_us)
}

fn table(report: &Report) -> Table {
    let header = ["plan", "pool", "limits", "requests", "admitted", "refused", "told to wait", "waited", "peak", "tokens", "paused", "cut"];
    report.pools().fold(Table::new(header), |table, (outcome, pool)| table.row(row(outcome, pool)))
}

fn row(outcome: &Outcome, pool: &PoolOutcome) -> [String; 12] {
    let limits = pool.limits.iter().map(figures::limit).collect::<Vec<_>>().join(", ");
    let peaks = pool.limits.iter().map(figures::ratio).collect::<Vec<_>>().join(", ");
    let spread = |spread: &replay::Spread, counts: bool| match spread.count() {
        0 => String::new(),
        count => {
            let times = format!("{}, at most {}", figures::time(spread.percentile(50)), figures::time(spread.most()));
            if counts { format!("{}: {times}", figures::count(count)) } else { times }
        }
    };
    [
        outcome.plan.as_str().to_owned(),
        if pool.enforce { pool.pool.to_string() } else { format!("{} (only recorded)", pool.pool) },
        limits,
        figures::count(pool.requests),
        figures::count(pool.admitted),
        figures::count(pool.refused),
        spread(&pool.announced, false),
        spread(&pool.waited, true),
        peaks,
        figures::count(pool.input + pool.output),
        spread(&pool.paused, true),
        figures::count(pool.cut),
    ]
}

fn verdict(report: &Report) -> String {
    match (report.smallest(), report.outcomes.len()) {
        (Some(outcome), 1) => format!("{} admits all of it.", outcome.plan.as_str()),
        (Some(outcome), _) => format!("{} is the smallest of these plans that admits all of it.", outcome.plan.as_str()),
        (None, 1) => "It does not admit all of it.".into(),
        (None, _) => "None of these plans admits all of it.".into(),
    }
}
