//! A replay for programs: everything that was found.

use domain::UnixMicros;
use replay::{Format, LimitOutcome, Outcome, PoolOutcome, Spread};
use serde_json::{Value, json};

use super::report::Report;

pub(crate) fn of(report: &Report) -> Value {
    let demand = report.demand.pools.first();
    json!({
        "trace": report.trace,
        "format": match report.format {
            Format::Csv => "csv",
            Format::JsonLines => "json_lines",
        },
        "bad_lines": report.bad_lines,
        "requests": report.demand.requests,
        "from": from(report.demand.from),
        "seconds": report.demand.span_us as f64 / 1e6,
        "without_limits": demand.map(|pool| pool.limits.iter().map(|limit| json!({
            "kind": limit.kind,
            "window_seconds": seconds(limit.window_us),
            "peak": limit.peak,
            "peak_at_seconds": seconds(limit.peak_at),
        })).collect::<Vec<_>>()),
        "plans": report.outcomes.iter().map(plan).collect::<Vec<_>>(),
        "smallest_plan_that_admits_all": report.smallest().map(|outcome| outcome.plan.as_str()),
    })
}

/// Where the trace's clock is the calendar's: when the first request arrived.
fn from(at: UnixMicros) -> Option<String> {
    const YEAR_US: i64 = 365 * 86_400_000_000;
    (at.0 > YEAR_US).then(|| at.to_string())
}

fn plan(outcome: &Outcome) -> Value {
    json!({
        "plan": outcome.plan.as_str(),
        "requests": outcome.requests,
        "not_in_plan": outcome.not_in_plan,
        "admits_all": outcome.admitted_all(),
        "pools": outcome.pools.iter().map(pool).collect::<Vec<_>>(),
    })
}

fn pool(pool: &PoolOutcome) -> Value {
    let refusals = pool.refusals_over_time.iter().filter(|(_, refusals)| *refusals > 0);
    json!({
        "pool": &*pool.pool,
        "enforce": pool.enforce,
        "limits": pool.limits.iter().map(limit).collect::<Vec<_>>(),
        "requests": pool.requests,
        "admitted": pool.admitted,
        "refused": pool.refused,
        "too_large": pool.too_large,
        "refusals": pool.refusals,
        "refusals_by_minute": refusals.map(|(from_us, refusals)| json!({
            "minute": from_us / 60_000_000,
            "refusals": refusals,
        })).collect::<Vec<_>>(),
        "announced_wait_ms": spread(&pool.announced),
        "waited_ms": spread(&pool.waited),
        "input_tokens": pool.input,
        "output_tokens": pool.output,
        "paused_ms": spread(&pool.paused),
        "cut": pool.cut,
        "cut_tokens": pool.cut_tokens,
        "debt_tokens": pool.debt,
    })
}

fn limit(limit: &LimitOutcome) -> Value {
    json!({
        "kind": limit.kind,
        "window_seconds": seconds(limit.window_us),
        "limit": limit.n,
        "refusals": limit.refusals,
        "peak": limit.peak,
        "peak_ratio": limit.ratio(),
        "peak_at_seconds": seconds(limit.peak_at),
    })
}

fn seconds(micros: u64) -> f64 {
    micros as f64 / 1e6
}

fn spread(spread: &Spread) -> Value {
    let ms = |micros: u64| micros.div_ceil(1_000);
    let total = u64::try_from(spread.total() / 1_000).unwrap_or(u64::MAX);
    json!({
        "count": spread.count(),
        "p50": ms(spread.percentile(50)),
        "p90": ms(spread.percentile(90)),
        "max": ms(spread.most()),
        "total": total,
    })
}
