//! Refusals minute by minute, for each plan and pool that refused anything.

use super::csv::quoted;
use super::figures;
use super::report::Report;
use super::table::head;
use crate::cli::table::Table;

struct Line<'a> {
    plan: &'a str,
    pool: &'a str,
    /// From the first request, in microseconds.
    from_us: u64,
    refusals: u64,
}

fn lines(report: &Report) -> impl Iterator<Item = Line<'_>> {
    report.pools().flat_map(|(outcome, pool)| {
        let minutes = pool.refusals_over_time.iter().filter(|(_, refusals)| *refusals > 0);
        minutes.map(|(from_us, refusals)| Line { plan: outcome.plan.as_str(), pool: &pool.pool, from_us, refusals })
    })
}

pub(crate) fn table(report: &Report) -> String {
    let table = Table::new(["plan", "pool", "minute", "refusals"]);
    let rows = lines(report).map(|line| {
        let Line { plan, pool, from_us, refusals } = line;
        [plan.to_owned(), pool.to_owned(), (from_us / 60_000_000).to_string(), figures::count(refusals)]
    });
    head(report) + &rows.fold(table, Table::row).to_string()
}

pub(crate) fn csv(report: &Report) -> String {
    let rows = lines(report).map(|line| {
        let Line { plan, pool, from_us, refusals } = line;
        format!("{},{},{},{refusals}", quoted(plan), quoted(pool), from_us / 60_000_000)
    });
    ["plan,pool,minute,refusals".to_owned()].into_iter().chain(rows).collect::<Vec<_>>().join("\n")
}
