//! A replay for spreadsheets: a line for each plan and pool.

use domain::Kind;
use replay::{Outcome, PoolOutcome};

use super::report::Report;

const HEADER: &str = "plan,pool,requests,admitted,refused,too_large,refusals,announced_p50_ms,announced_max_ms,waited,waited_p50_ms,\
waited_max_ms,requests_limit,requests_peak,tokens_limit,tokens_peak,input_tokens,output_tokens,paused,paused_p50_ms,paused_max_ms,cut,\
debt_tokens,not_in_plan,admits_all";

pub(crate) fn write(report: &Report) -> String {
    let pools = report.pools().map(|(outcome, pool)| line(outcome, pool));
    [HEADER.to_owned()].into_iter().chain(pools).collect::<Vec<_>>().join("\n")
}

fn line(outcome: &Outcome, pool: &PoolOutcome) -> String {
    let ms = |micros: u64| micros.div_ceil(1_000).to_string();
    let of_kind = |kind| {
        let limits = pool.limits.iter().filter(|limit| limit.kind == kind);
        let limit = limits.min_by_key(|limit| limit.window_us);
        limit.map_or([String::new(), String::new()], |limit| [limit.n.to_string(), limit.peak.to_string()])
    };
    let [requests_limit, requests_peak] = of_kind(Kind::Requests);
    let [tokens_limit, tokens_peak] = of_kind(Kind::Tokens);
    [
        quoted(outcome.plan.as_str()),
        quoted(&pool.pool),
        pool.requests.to_string(),
        pool.admitted.to_string(),
        pool.refused.to_string(),
        pool.too_large.to_string(),
        pool.refusals.to_string(),
        ms(pool.announced.percentile(50)),
        ms(pool.announced.most()),
        pool.waited.count().to_string(),
        ms(pool.waited.percentile(50)),
        ms(pool.waited.most()),
        requests_limit,
        requests_peak,
        tokens_limit,
        tokens_peak,
        pool.input.to_string(),
        pool.output.to_string(),
        pool.paused.count().to_string(),
        ms(pool.paused.percentile(50)),
        ms(pool.paused.most()),
        pool.cut.to_string(),
        pool.debt.to_string(),
        outcome.not_in_plan.to_string(),
        outcome.admitted_all().to_string(),
    ]
    .join(",")
}

/// RFC 4180.
pub(crate) fn quoted(text: &str) -> String {
    if text.contains([',', '"', '\n', '\r']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text.to_owned() }
}
