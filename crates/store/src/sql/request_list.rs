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
    /// Only older ones.
    pub(crate) after: Option<Position>,
}

/// The last minutes in which there may be something, as far as they follow each other.
pub(crate) async fn last_run(connection: &mut Connection, wanted: &Wanted<'_>, minutes: Minutes) -> Result<Option<Minutes>, DatabaseFault> {
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
    if let Some(last) = waiting.into_iter().max() {
        found = Some(Minutes { first: last, end: last + 1 });
    }
    for tier in [Tier::Minutes, Tier::Quarters, Tier::Days] {
        let run = last_of_tier(connection, wanted, tier, minutes).await?;
        found = match (found, run) {
            (Some(a), Some(b)) if b.end > a.end => Some(b),
            (Some(a), _) => Some(a),
            (None, run) => run,
        };
    }
    Ok(found.map(|run| Minutes { first: run.first.max(minutes.first), end: run.end.min(minutes.end) }))
}

async fn last_of_tier(
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
    builder.push(" ORDER BY minute DESC LIMIT ").push_bind(caps::RUN_ROWS);
    let rows = builder.build().fetch_all(connection).await?;
    let mut run: Option<Minutes> = None;
    for row in &rows {
        let minute: i64 = row.try_get("minute")?;
        match &mut run {
            Some(run) if tier.ceil(minute + 1) == run.first => run.first = minute,
            Some(_) => break,
            None => run = Some(Minutes { first: minute, end: tier.ceil(minute + 1) }),
        }
    }
    Ok(run)
}

/// The last requests of a run of minutes, newest first.
pub(crate) async fn of_run(
    connection: &mut Connection,
    wanted: &Wanted<'_>,
    run: Minutes,
    most: usize,
) -> Result<Vec<RequestStory>, DatabaseFault> {
    let mut stories = records(connection, wanted, run, most).await?;
    stories.extend(refusals(connection, wanted, run, most).await?);
    stories.sort_by_key(|story| std::cmp::Reverse(Position::of(story)));
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
    let end = first_of_ms(run.end * 60_000);
    // A record's id begins with its millisecond, that of a refusal perhaps with an earlier one.
    let end = wanted.after.map_or(end, |Position { ms, id }| {
        let before = RequestId::from_bits(id).bits().max(first_of_ms(ms).bits()).min(first_of_ms(ms.saturating_add(1)).bits());
        RequestId::from_bits(before.min(end.bits()))
    });
    let mut builder = QueryBuilder::<Dialect>::new("SELECT ");
    builder.push(RECORD_COLUMNS).push(" FROM usage_records CROSS JOIN usage_labels ON usage_labels.id = labels WHERE request >= ");
    builder.push_bind(first_of_ms(run.first * 60_000).bytes().to_vec()).push(" AND request < ").push_bind(end.bytes().to_vec());
    builder.push(" AND org_id = ").push_bind(wanted.org.bytes().to_vec());
    builder.push(" AND at >= ").push_bind(wanted.from.max(wanted.kept.records).0).push(" AND at < ").push_bind(wanted.to.0);
    wanted.filter.push_for_records(&mut builder);
    builder.push(" ORDER BY request DESC LIMIT ").push_bind(int(most as u64));
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
        builder.push(" AND (at < ").push_bind(ms.saturating_mul(1_000)).push(" OR (at < ");
        builder.push_bind(ms.saturating_add(1).saturating_mul(1_000)).push(" AND first_request < ");
        builder.push_bind(RequestId::from_bits(id).bytes().to_vec()).push("))");
    }
    wanted.filter.push_for_refusals(&mut builder);
    builder
        .push(" ORDER BY at / 1000 DESC, first_request DESC, pool, kind, window_us LIMIT ")
        .push_bind(int(most as u64 * caps::LIMITS_TOLD));
    let rows = builder.build().fetch_all(connection).await?;
    rows.iter().map(|row| Ok(RequestStory { usage: None, refusals: vec![refusal(row)?] })).collect()
}
