//! `tidegate explain`: what was decided about one request, by which pool, and why.

use serde_json::Value;

use super::Exit;
use super::client::{Client, encode};
use super::output::{Output, text};
use super::table::Table;

pub(crate) async fn run(id: &str, client: &Client, output: &mut Output<'_>) -> anyhow::Result<Exit> {
    let request = client.get(&format!("/requests/{}", encode(id))).await?;
    output.say(&request, || told(&request))?;
    Ok(Exit::Done)
}

/// The request in paragraphs: what was decided, how it fared, each attempt, each limit that refused.
fn told(request: &Value) -> String {
    let of = |member| text(request, member);
    let (decision, pool) = (of("decision"), of("pool"));
    let mut parts = vec![format!(
        "{} for {}, at {}\norganisation {}, key {}, plan {}\n{decision} by {pool}",
        of("id"),
        of("model"),
        of("at"),
        of("org"),
        of("key"),
        of("plan")
    )];
    if let Some(outcome) = request.get("outcome").filter(|outcome| outcome.is_object()) {
        parts.push(fared(outcome));
    }
    parts.extend(table_of(request, "attempts", attempts));
    parts.extend(table_of(request, "refusals", refusals));
    parts.join("\n\n")
}

fn fared(outcome: &Value) -> String {
    let of = |member| text(outcome, member);
    let is = |member: &str| outcome.get(member).and_then(Value::as_bool).unwrap_or(false);
    let provider = Some(of("provider")).filter(|name| !name.is_empty()).map(|name| format!(" by {name}")).unwrap_or_default();
    let recovered = if is("recovered") { ", after another had failed" } else { "" };
    let debt = Some(of("debt_tokens")).filter(|debt| debt != "0").map(|debt| format!(", {debt} of them without room")).unwrap_or_default();
    format!(
        "{}{provider} with status {}{recovered}; {} at providers\n{} input tokens ({} cached), {} output tokens{debt}, counted by {}; cost {}\n\
         waited {} ms, first byte after {} ms, paused {} ms, ended after {} ms",
        of("end"),
        of("status"),
        match of("attempts").as_str() {
            "1" => "1 attempt".to_owned(),
            many => format!("{many} attempts"),
        },
        of("input_tokens"),
        of("cached_tokens"),
        of("output_tokens"),
        of("counted"),
        of("cost"),
        of("waited_ms"),
        of("first_byte_ms"),
        of("paused_ms"),
        of("duration_ms")
    )
}

/// A table of a member's elements, where there are any.
fn table_of(request: &Value, member: &str, table: fn(&[Value]) -> Table) -> Option<String> {
    let rows = request.get(member)?.as_array().filter(|rows| !rows.is_empty())?;
    Some(table(rows).to_string())
}

fn attempts(rows: &[Value]) -> Table {
    let header = ["attempt at", "model there", "ended", "status", "began after ms", "took ms"];
    rows.iter().fold(Table::new(header), |table, row| {
        table.row(["provider", "model", "end", "status", "begun_ms", "lasted_ms"].map(|member| text(row, member)))
    })
}

fn refusals(rows: &[Value]) -> Table {
    let header = ["limit of", "kind", "window s", "limit", "used", "held", "requested", "wait ms", "decision"];
    rows.iter().fold(Table::new(header), |table, row| {
        let is_enforced = row.get("enforce").and_then(Value::as_bool).unwrap_or(true);
        let decision = if is_enforced { "refused" } else { "would have refused" };
        let [pool, kind, window, limit, used, held, requested, wait] =
            ["pool", "kind", "window_seconds", "limit", "used", "held", "requested", "retry_after_ms"].map(|member| text(row, member));
        table.row([pool, kind, window, limit, used, held, requested, wait, decision.to_owned()])
    })
}
