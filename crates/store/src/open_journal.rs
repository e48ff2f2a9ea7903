//! Opening the journal: ledgers made again, records of requests that were under way, and what a loss of power leaves unknown.
//! It knows no bytes.

use std::path::Path;
use std::sync::Arc;

use domain::{Clock, Now, UsageRecord};

use crate::journal::disk::{self, Disk, Folder};
use crate::journal::format::BootId;
use crate::journal::records::{Grant, Whose};
use crate::journal::replay::{Files, Replay, ReplayFault};
use crate::journal::tail::Position;
use crate::journal::{Begin, Journal};
use crate::pools::{COMMON, CommonPool, End, loss};
use crate::{Directory, OpenError, Pools, caps};

/// The folder of the journal within the data folder.
pub(crate) const FOLDER: &str = "journal";

/// Opens the journal of a data folder; `recorded` is where the database stopped. The ledgers of `directory` are as they were, and what
/// was under way has lapsed.
pub(crate) fn open(
    data_dir: &Path,
    directory: &Arc<Directory>,
    common: Option<Arc<CommonPool>>,
    recorded: Position,
    clock: &Arc<dyn Clock>,
) -> Result<(Arc<Journal>, Pools), OpenError> {
    let path = data_dir.join(FOLDER);
    let folder = Folder::open(&path).map_err(|source| OpenError::Folder { path, source })?;
    open_on(Box::new(folder), disk::boot_id(), directory, common, recorded, clock)
}

/// The same on any disk, in the boot of that name.
pub(crate) fn open_on(
    disk: Box<dyn Disk>,
    boot: BootId,
    directory: &Arc<Directory>,
    common: Option<Arc<CommonPool>>,
    recorded: Position,
    clock: &Arc<dyn Clock>,
) -> Result<(Arc<Journal>, Pools), OpenError> {
    let files = Files::read(disk.as_ref(), recorded).map_err(unreadable)?;
    let now = clock.now();
    if files.is_gone {
        let folder = disk.path(files.next);
        tracing::error!(path = %folder.display(), "the journal's files are gone: usage records that the database had not taken yet are lost");
    }
    let mut replay = Replay::of(&files, common.as_deref(), boot, now);
    let interrupted = records_of(&replay);
    let loss_at = replay.loss_at.filter(|at| now.mono_us < at.saturating_add(caps::LOSS_WINDOW_US));
    if let Some(at) = replay.loss_at {
        tell_loss(now, at);
        fill_long_limits(&mut replay, directory, now, at);
        fill_common(&mut replay, common.as_deref(), at);
    }
    let begin = Begin { extents: files.extents.clone(), segment: files.next, recordables: files.recordables, recorded: files.recorded };
    let path = disk.path(begin.segment);
    let journal = Journal::begin(disk, Arc::clone(clock), boot, begin).map_err(|source| OpenError::Folder { path, source })?;
    let journal = Arc::new(journal);
    for (whose, record) in &interrupted {
        journal.end(None, *whose, End::Lapsed, now.mono_us, Some(record));
    }
    for (org, ledger) in replay.finish() {
        if let Some(org) = directory.org(org) {
            org.ledger().with(|empty| *empty = ledger);
        } else if let Some(common) = common.as_ref().filter(|_| org == COMMON) {
            common.ledger().with(|empty| *empty = ledger);
        }
    }
    if !interrupted.is_empty() {
        let requests = interrupted.len();
        tracing::warn!(requests, "requests were in progress when the server ended; what they held is charged and recorded");
    }
    let pools = Pools::new(Arc::clone(directory), Arc::clone(&journal), loss_at, common);
    if let Err(fault) = journal.settle_in(&pools, loss_at) {
        tracing::warn!(%fault, "the journal's first snapshot can't be written; older files of it are kept");
    }
    Ok((journal, pools))
}

fn unreadable(fault: ReplayFault) -> OpenError {
    match fault {
        ReplayFault::Io { path, source } => OpenError::Folder { path, source },
        ReplayFault::Version { path, found } => OpenError::NewerJournal { path, found },
    }
}

/// What is written down of those that were under way.
fn records_of(replay: &Replay<'_>) -> Vec<(Whose, UsageRecord)> {
    let record = |open: &crate::journal::replay::Interrupted<'_>| {
        let grant = Grant::take(open.grant, &mut Vec::new())?;
        let lasted_us = open.seen.saturating_sub(grant.at);
        Some((open.whose, grant.interrupted(open.input.unwrap_or(grant.input), open.charged, open.covered, lasted_us)))
    };
    replay.interrupted().filter_map(record).collect()
}

fn tell_loss(now: Now, at: u64) {
    let ago_s = now.mono_us.saturating_sub(at) / 1_000_000;
    tracing::warn!(
        ago_s,
        "the end of the journal may be missing, as after a loss of power: limits count as full for their window after it"
    );
}

/// Counts for each limit of a long window what it may have used unknown.
fn fill_long_limits(replay: &mut Replay<'_>, directory: &Directory, now: Now, at: u64) {
    let catalogue = directory.catalogue_now();
    directory.for_each_org(|org| {
        let state = org.state();
        let pools = catalogue.pools(&state.effective_plan, &state.custom_pools, now.wall);
        let own = directory.limited_keys(org).into_iter().filter_map(|key| key.pool()).map(Arc::new);
        for pool in pools.into_iter().chain(own) {
            for limit in pool.limits.iter().filter(|limit| limit.window_us > caps::LOSS_WINDOW_US) {
                if now.mono_us < at.saturating_add(limit.window_us) {
                    let key = crate::pools::key_of(&pool, limit);
                    let moved = at.saturating_add_signed(replay.shift_us(org.id()).saturating_neg());
                    replay.recovery(org.id()).fill(key, limit.n, loss::unknown_use(&pool, limit), moved);
                }
            }
        }
    });
}

/// The same for what organisations share: as much as it lets through.
fn fill_common(replay: &mut Replay<'_>, common: Option<&CommonPool>, at: u64) {
    let Some(common) = common.filter(|common| !loss::waits_for_loss(common.limit())) else { return };
    let ask = common.ask(0, 0);
    let moved = at.saturating_add_signed(replay.shift_us(COMMON).saturating_neg());
    replay.recovery(COMMON).fill(ask.key, ask.n, ask.n, moved);
}
