//! Sums by bucket and group, from whatever keeps the counters of their time. It knows no calendar.

use std::collections::{BTreeMap, BTreeSet};

use super::input;
use super::usage::{Group, UsageError, Used};
use super::usage_spans::{self, Span};
use crate::sql::Connection;
use crate::sql::kept::Kept;
use crate::sql::usage::{self, Asked, Minutes};
use crate::{Times, UsageCounters, caps};

/// By the first minute of the bucket, then by group.
pub(crate) type Sums = BTreeMap<(i64, Group), Used>;

/// Sums by the first minute of the bucket and the group, as of one moment.
pub(crate) async fn read(
    connection: &mut Connection,
    asked: Asked<'_>,
    span: Span,
    buckets: &[Minutes],
    kept: Kept,
    with_times: bool,
) -> Result<Sums, UsageError> {
    let parts = usage_spans::parts(span);
    let cells = usage_spans::cells(buckets, parts.whole, kept);
    let most = caps::MAX_SERIES + 1;
    let mut found = Vec::new();
    for (tier, cells) in &cells {
        found.extend(usage::of_rows(connection, asked, *tier, cells, most).await?);
        if found.len() >= most {
            let message = format!("this would give more than {} elements: ask for a shorter span or a longer bucket", caps::MAX_SERIES);
            return Err(input::fault("bucket", message).into());
        }
    }
    for sum in usage::of_waiting(connection, asked, parts.whole).await? {
        let bucket = kept.tier_of(sum.bucket).floor(sum.bucket);
        found.push(usage::Sum { bucket, ..sum });
    }
    let edges: Vec<_> = parts.edges.into_iter().flatten().map(|(minute, part)| (minute, (part.from, part.to))).collect();
    for (minute, part) in &edges {
        found.extend(usage::of_moments(connection, asked, *minute, *part).await?);
    }
    let place = |minute, group| (usage_spans::bucket_of(buckets, minute), Group::Of(group));
    let mut sums = Sums::new();
    for usage::Sum { bucket, group, counters, times } in found {
        sums.entry(place(bucket, group)).or_default().add(&Used { counters, times });
    }
    sums.retain(|_, used| used.counters != UsageCounters::default());
    if with_times {
        let mut add = |minute, group, times: &Times| {
            if let Some(used) = sums.get_mut(&place(minute, group)) {
                used.times.add_all(times);
            }
        };
        for (tier, cells) in &cells {
            usage::times_of_rows(connection, asked, *tier, cells, &mut add).await?;
        }
        for (minute, part) in &edges {
            usage::times_of_moments(connection, asked, *minute, *part, &mut add).await?;
        }
    } else {
        sums.values_mut().for_each(|used| used.times = Times::default());
    }
    Ok(sums)
}

/// Keeps so many groups, those with most requests of any kind, and adds up the others.
pub(crate) fn keep_greatest(sums: &mut Sums, top: usize) {
    let mut requests: BTreeMap<Group, u64> = BTreeMap::new();
    for ((_, group), Used { counters, .. }) in &*sums {
        let all = counters.requests.saturating_add(counters.refused).saturating_add(counters.failed);
        let sum = requests.entry(group.clone()).or_default();
        *sum = sum.saturating_add(all);
    }
    let mut order: Vec<_> = requests.into_iter().collect();
    order.sort_by(|(a, of_a), (b, of_b)| of_b.cmp(of_a).then_with(|| a.cmp(b)));
    let kept: BTreeSet<_> = order.into_iter().take(top).map(|(group, _)| group).collect();
    for ((minute, group), used) in std::mem::take(sums) {
        let group = if kept.contains(&group) { group } else { Group::Others };
        sums.entry((minute, group)).or_default().add(&used);
    }
}
