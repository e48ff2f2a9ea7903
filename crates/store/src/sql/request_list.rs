//! Reading requests of one organisation in the order of time. Records lie by time alone, so the counters say where to look.

use domain::{OrgId, RequestId, UnixMicros};
use sqlx::{QueryBuilder, Row as _};

use super::counters::Tier;
use super::kept::Kept;
use super::requests::{RECORD_COLUMNS, REFUSAL_COLUMNS, record, refusal};
use super::usage::Minutes;
use super::value::{IdBytes as _, int};
use super::{Connection, Dialect, pending};
use crate::ops::request_list::Position;
use crate::{DatabaseFault, RequestStory, UsageFilter, caps};

/// What is looked for.
pub(crate) struct Wanted<'a> {
    pub(crate) org: OrgId,
    pub(crate) filter: &'a UsageFilter,
    pub(crate) from: UnixMicros,
    pub(crate) to: UnixMicros,
    pub(crate) kept: Kept,
    pub(crate) oldest_first: bool,
    /// Only older ones; where the oldest come first, newer ones.
    pub(crate) after: Option<Position>,
}

impl Wanted<'_> {
    const fn direction(&self) -> &'static str {
        if self.oldest_first { "ASC" } else { "DESC" }
    }
}

/// The last minutes in which there may be something, as far as they follow each other; where the oldest come first, the first.
pub(crate) async fn next_run(connection: &mut Connection, wanted: &Wanted<'_>, minutes: Minutes) -> Result<Option<Minutes>, DatabaseFault> {
    let since = wanted.kept.records.min(wanted.kept.refusals).0.div_euclid(60_000_000);
    let minutes = Minutes { first: minutes.first.max(since), end: minutes.end };
    let mut found: Option<Minutes> = None;
    let mut waiting = Vec::new();
    pending::for_each(connection, |of, _| {
        if of.org == wanted.org && (minutes.first..minutes.end).contains(&of.minute) {
            waiting.push(of.minute);
        }
    })
    .await?;
    let next = if wanted.oldest_first { waiting.into_iter().min() } else { waiting.into_iter().max() };
    if let Some(minute) = next {
        found = Some(Minutes { first: minute, end: minute + 1 });
    }
    for tier in [Tier::Minutes, Tier::Quarters, Tier::Days] {
        let run = next_of_tier(connection, wanted, tier, minutes).await?;
        let is_before = |a: Minutes, b: Minutes| if wanted.oldest_first { b.first < a.first } else { b.end > a.end };
        found = match (found, run) {
            (Some(a), Some(b)) if is_before(a, b) => Some(b),
            (Some(a), _) => Some(a),
            (None, run) => run,
        };
    }
    Ok(found.map(|run| Minutes { first: run.first.max(minutes.first), end: run.end.min(minutes.end) }))
}

async fn next_of_tier(
    connection: &mut Connection,
    wanted: &Wanted<'_>,
    tier: Tier,
    minutes: Minutes,
) -> Result<Option<Minutes>, DatabaseFault> {
    let (first, end) = match tier {
        Tier::Minutes => (minutes.first.max(wanted.kept.minutes), minutes.end),
        Tier::Quarters | Tier::Days => (tier.floor(minutes.first), minutes.end.min(wanted.kept.minutes)),
    };
    if first >= end {
        return Ok(None);
    }
    let mut builder = QueryBuilder::<Dialect>::new("SELECT DISTINCT minute FROM ");
    builder.push(tier.table()).push(" WHERE org_id = ").push_bind(wanted.org.bytes().to_vec());
    builder.push(" AND minute >= ").push_bind(first).push(" AND minute < ").push_bind(end);
    // What limits that only record would have refused is no request.
    builder.push(" AND requests + refused + failed > 0");
    wanted.filter.push_for_counters(&mut builder);
    builder.push(" ORDER BY minute ").push(wanted.direction()).push(" LIMIT ").push_bind(caps::RUN_ROWS);
    let rows = builder.build().fetch_all(connection).await?;
    let mut run: Option<Minutes> = None;
    for row in &rows {
        let minute: i64 = row.try_get("minute")?;
        match &mut run {
            Some(run) if tier.ceil(minute + 1) == run.first => run.first = minute,
            Some(run) if minute == run.end => run.end = tier.ceil(minute + 1),
            Some(_) => break,
            None => run = Some(Minutes { first: minute, end: tier.ceil(minute + 1) }),
        }
    }
    Ok(run)
}

/// The next requests of a run of minutes.
pub(crate) async fn of_run(
    connection: &mut Connection,
    wanted: &Wanted<'_>,
    run: Minutes,
    most: usize,
) -> Result<Vec<RequestStory>, DatabaseFault> {
    let mut stories = records(connection, wanted, run, most).await?;
    stories.extend(refusals(connection, wanted, run, most).await?);
    stories.sort_by_key(Position::of);
    if !wanted.oldest_first {
        stories.reverse();
    }
    // Several limits may have refused one request.
    stories.dedup_by(|later, first| {
        let is_same = later.usage.is_none() && first.usage.is_none() && Position::of(later) == Position::of(first);
        if is_same {
            first.refusals.append(&mut later.refusals);
        }
        is_same
    });
    stories.truncate(most);
    Ok(stories)
}

fn first_of_ms(ms: i64) -> RequestId {
    RequestId::first_of(UnixMicros(ms.saturating_mul(1_000)))
}

async fn records(connection: &mut Connection, wanted: &Wanted<'_>, run: Minutes, most: usize) -> Result<Vec<RequestStory>, DatabaseFault> {
    let (mut first, mut end) = (first_of_ms(run.first * 60_000).bits(), first_of_ms(run.end * 60_000).bits());
    if let Some(Position { ms, id }) = wanted.after {
        // A record's id begins with its millisecond, that of a refusal perhaps with an earlier one.
        let (begin, past) = (first_of_ms(ms).bits(), first_of_ms(ms.saturating_add(1)).bits());
        if wanted.oldest_first {
            first = first.max(id.saturating_add(1).clamp(begin, past));
        } else {
            end = end.min(id.clamp(begin, past));
        }
    }
    let mut builder = QueryBuilder::<Dialect>::new("SELECT ");
    builder.push(RECORD_COLUMNS).push(" FROM usage_records CROSS JOIN usage_labels ON usage_labels.id = labels WHERE request >= ");
    builder.push_bind(first.to_be_bytes().to_vec()).push(" AND request < ").push_bind(end.to_be_bytes().to_vec());
    builder.push(" AND org_id = ").push_bind(wanted.org.bytes().to_vec());
    builder.push(" AND at >= ").push_bind(wanted.from.max(wanted.kept.records).0).push(" AND at < ").push_bind(wanted.to.0);
    wanted.filter.push_for_records(&mut builder);
    builder.push(" ORDER BY request ").push(wanted.direction()).push(" LIMIT ").push_bind(int(most as u64));
    let rows = builder.build().fetch_all(connection).await?;
    rows.iter().map(|row| Ok(RequestStory { usage: Some(record(row)?), refusals: Vec::new() })).collect()
}

async fn refusals(connection: &mut Connection, wanted: &Wanted<'_>, run: Minutes, most: usize) -> Result<Vec<RequestStory>, DatabaseFault> {
    if !wanted.filter.admits_refusals() {
        return Ok(Vec::new());
    }
    let mut builder = QueryBuilder::<Dialect>::new("SELECT ");
    builder.push(REFUSAL_COLUMNS).push(" FROM refusals WHERE shadow = 0 AND minute >= ");
    builder.push_bind(run.first).push(" AND minute < ").push_bind(run.end);
    builder.push(" AND org_id = ").push_bind(wanted.org.bytes().to_vec());
    builder.push(" AND at >= ").push_bind(wanted.from.max(wanted.kept.refusals).0).push(" AND at < ").push_bind(wanted.to.0);
    if let Some(Position { ms, id }) = wanted.after {
        let (begin, past, id) = (ms.saturating_mul(1_000), ms.saturating_add(1).saturating_mul(1_000), id.to_be_bytes().to_vec());
        if wanted.oldest_first {
            builder.push(" AND (at >= ").push_bind(past).push(" OR (at >= ").push_bind(begin).push(" AND first_request > ");
        } else {
            builder.push(" AND (at < ").push_bind(begin).push(" OR (at < ").push_bind(past).push(" AND first_request < ");
        }
        builder.push_bind(id).push("))");
    }
    wanted.filter.push_for_refusals(&mut builder);
    let direction = wanted.direction();
    builder
        .push(format!(" ORDER BY at / 1000 {direction}, first_request {direction}, pool, kind, window_us LIMIT "))
        .push_bind(int(most as u64 * caps::LIMITS_TOLD));
    let rows = builder.build().fetch_all(connection).await?;
    rows.iter().map(|row| Ok(RequestStory { usage: None, refusals: vec![refusal(row)?] })).collect()
}
