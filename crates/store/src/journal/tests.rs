//! The journal as a whole: what is written is read again, whatever byte is the last, whatever the disk does wrong.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;

use domain::{Clock, OrgId, PoolId, PoolLimit, PoolLimits, PoolName, RequestId, Source, TokenUsage};
use limits::{Cover, Retry, Settlement};
use proptest::prelude::*;

use super::disk::{Disk, Folder};
use super::format::HEADER;
use super::records::Recordable;
use super::tail::Position;
use super::testing::{self, BEGIN, Faults, Faulty, HandClock};
use super::{Extent, Journal, JournalRefuses};
use crate::open_journal::open_on;
use crate::pools::{Demand, End, Hold};
use crate::{Directory, Pools, Recorder, caps};

const BOOT: [u8; 16] = [7; 16];
const MINUTE: u64 = 60_000_000;
const DAY: u64 = 86_400_000_000;
const N: u64 = 100_000;

fn limits() -> PoolLimits {
    let limit = |kind, window_us, n| PoolLimit { kind, window_us, n };
    let limits = vec![
        limit(domain::Kind::Requests, MINUTE, 1_000),
        limit(domain::Kind::Tokens, MINUTE, N),
        limit(domain::Kind::Tokens, DAY, 1_000_000),
        limit(domain::Kind::Concurrent, 0, 500),
    ];
    PoolLimits { name: PoolName::Row("any".into()), id: PoolId(9), source: Source::Plan, enforce: true, limits: limits.into() }
}

/// One server's life on a folder.
struct Life {
    clock: Arc<HandClock>,
    directory: Arc<Directory>,
    journal: Arc<Journal>,
    pools: Pools,
}

impl Life {
    fn begin(disk: Box<dyn Disk>, boot: [u8; 16], clock: &Arc<HandClock>) -> Self {
        let directory = testing::directory(3);
        let shared: Arc<dyn Clock> = Arc::clone(clock) as Arc<dyn Clock>;
        let (journal, pools) = open_on(disk, boot, &directory, None, Position::default(), &shared).unwrap();
        Self { clock: Arc::clone(clock), directory, journal, pools }
    }

    fn on(folder: &Path, clock: &Arc<HandClock>) -> Self {
        Self::begin(Faulty::new(folder, &Faults::none()), BOOT, clock)
    }

    fn ask(&self, request: u128, input: u64, output: u64) -> Option<Hold> {
        let (limits, demand) = (limits(), Demand { request: RequestId::from_bits(request), input, output });
        let org = self.directory.org(OrgId::from_bits(1 + request % 3)).unwrap();
        let mut hold = self.pools.reserve(&org, &[&limits], None, demand, self.clock.us()).ok()?;
        match self.pools.write_grant(&[&limits], demand, &mut hold, testing::facts()) {
            Ok(()) => Some(hold),
            Err(_) => {
                hold.end(End::AllBack, self.clock.us());
                None
            }
        }
    }

    fn finish(&self, hold: Hold, input: u64, output: u64) {
        let end = End::Settled(Settlement { input: Some(input), output });
        let mut record = testing::usage(hold.request().bits());
        record.org = hold.org();
        record.tokens = TokenUsage { input, output, cached: 0, reasoning: 0 };
        let (_, entry) = hold.end_in_ledger(end, self.clock.us());
        entry.unwrap().end(end, self.clock.us(), Some(&record));
    }

    /// Requests used, then tokens used and owed of the minute, and of the day.
    fn used(&self, org: u128) -> [u64; 3] {
        let org = self.directory.org(OrgId::from_bits(org)).unwrap();
        let limits = limits();
        [0, 1, 2].map(|n| {
            let limit = &limits.limits[n];
            let status = org.ledger().with(|l| l.status(crate::pools::key_of(&limits, limit), limit.n, self.clock.us()));
            assert_eq!(status.held, 0);
            status.used + status.debt
        })
    }

    /// Everything that goes to the database: request, input, output.
    fn recorded(&self) -> Vec<(u128, u64, u64)> {
        let passage = self.journal.read_on(Position::default(), usize::MAX).unwrap();
        assert!(passage.is_all);
        let usage = passage.found.into_iter().filter_map(|recordable| match recordable {
            Recordable::Usage(record) => Some((record.request.bits(), record.tokens.input, record.tokens.output)),
            Recordable::Refusal(_) => None,
        });
        let mut usage: Vec<_> = usage.collect();
        usage.sort_unstable();
        usage
    }

    /// As if the process were killed now: nothing more is written.
    fn kill(self) {
        self.journal.kill();
    }
}

#[test]
fn a_clean_stop_keeps_everything_as_it_was() {
    let (folder, clock) = (tempfile::tempdir().unwrap(), HandClock::new());
    let life = Life::on(folder.path(), &clock);
    let hold = life.ask(3, 10, 50).unwrap();
    clock.advance(1_000);
    life.finish(hold, 8, 20);
    life.journal.close(&life.pools);
    assert!(life.ask(6, 1, 1).is_none());
    for (segment, len) in life.journal.disk.list().unwrap() {
        assert!(len < 4_096, "segment {segment} keeps room: {len} bytes");
    }
    for boot in [BOOT, [8; 16]] {
        let life = Life::begin(Faulty::new(folder.path(), &Faults::none()), boot, &clock);
        assert_eq!((life.used(1), life.recorded()), ([1, 28, 28], vec![(3, 8, 20)]));
        life.journal.close(&life.pools);
    }
    clock.advance(MINUTE - 1_000);
    let life = Life::on(folder.path(), &clock);
    // The request and its input have expired, its output hasn't.
    assert_eq!(life.used(1), [0, 20, 28]);
    clock.advance(1_000);
    assert_eq!(life.used(1), [0, 0, 28]);
}

#[test]
fn a_kill_charges_what_was_held_and_records_it_once() {
    let (folder, clock) = (tempfile::tempdir().unwrap(), HandClock::new());
    let life = Life::on(folder.path(), &clock);
    let mut hold = life.ask(3, 10, 50).unwrap();
    hold.charge(30, clock.us());
    assert_eq!(hold.cover(64, 100, clock.us()), Cover::Covered(100));
    let silent = life.ask(4, 5, 7).unwrap();
    let ended = life.ask(5, 1, 1).unwrap();
    life.finish(ended, 1, 1);
    clock.advance(5_000_000);
    life.kill();
    for _ in 0..3 {
        let life = Life::on(folder.path(), &clock);
        assert_eq!(life.recorded(), [(3, 10, 130), (4, 5, 7), (5, 1, 1)]);
        assert_eq!((life.used(1), life.used(2)), ([1, 140, 140], [1, 12, 12]));
        life.kill();
    }
    drop((hold, silent));
}

#[test]
fn what_a_task_abandons_is_recorded_as_after_a_crash() {
    let (folder, clock) = (tempfile::tempdir().unwrap(), HandClock::new());
    let life = Life::on(folder.path(), &clock);
    let mut hold = life.ask(3, 10, 50).unwrap();
    hold.charge(30, clock.us());
    drop(hold);
    assert_eq!((life.recorded(), life.journal.health().open_requests), (vec![(3, 10, 50)], 0));
    assert_eq!(life.used(1), [1, 60, 60]);
    life.kill();
    assert_eq!(Life::on(folder.path(), &clock).recorded(), [(3, 10, 50)]);
}

#[test]
fn snapshots_carry_what_is_open_and_let_old_files_go() {
    let (folder, clock) = (tempfile::tempdir().unwrap(), HandClock::new());
    let life = Life::on(folder.path(), &clock);
    let mut open = life.ask(3, 10, 50).unwrap();
    let old = life.ask(4, 3, 3).unwrap();
    life.finish(old, 2, 2);
    open.charge(11, clock.us());
    for round in 0..3 {
        clock.advance(1_000_000);
        life.journal.take_snapshot(&life.pools).unwrap();
        life.journal.note_recorded(life.journal.lock().current().segment);
        life.journal.step(&life.pools);
        assert_eq!(life.journal.disk.list().unwrap().len(), 1, "round {round}");
        open.charge(20 + round, clock.us());
        assert_eq!(open.cover(40, 40, clock.us()), Cover::Covered(40));
    }
    life.kill();
    let life = Life::on(folder.path(), &clock);
    assert_eq!((life.used(1), life.used(2), life.recorded()), ([1, 72, 72], [1, 4, 4], vec![(3, 10, 62)]));
    drop(open);
}

#[test]
fn a_loss_of_power_closes_short_limits_until_their_window_has_passed() {
    let (folder, clock) = (tempfile::tempdir().unwrap(), HandClock::new());
    let life = Life::on(folder.path(), &clock);
    let hold = life.ask(3, 10, 50).unwrap();
    life.finish(hold, 10, 50);
    life.kill();
    clock.advance(10_000_000);
    let at = clock.us();
    clock.set_mono(5 * DAY);
    let life = Life::begin(Faulty::new(folder.path(), &Faults::none()), [8; 16], &clock);
    let demand = Demand { request: RequestId::from_bits(9), input: 1, output: 1 };
    let org = life.directory.org(OrgId::from_bits(2)).unwrap();
    let refused = |life: &Life| life.pools.reserve(&org, &[&limits()], None, demand, life.clock.us()).unwrap_err();
    let opens = 5 * DAY - 10_000_000 + MINUTE;
    assert_eq!(refused(&life).retry, Retry::At { at: opens, estimate: false });
    assert_eq!(refused(&life).blocked.len(), 2);
    // What is known is there, moved to the new clock.
    assert_eq!(life.used(1), [1, 60, 60]);
    // Whoever asks how they stand is told so: of limits that a minute opens, and no others.
    let mut standing = Vec::new();
    life.pools.standing(&org, &[&limits()], life.clock.us(), &mut standing);
    let told: Vec<_> = standing.iter().map(|s| (s.used, s.remaining, s.resets_at)).collect();
    assert_eq!(told[..2], [(1_000, 0, Some(opens)), (N, 0, Some(opens))]);
    assert_eq!((told[2].1 > 0, told[3]), (true, (0, 500, None)));
    // It stays so over a further restart.
    life.kill();
    let life = Life::begin(Faulty::new(folder.path(), &Faults::none()), [8; 16], &clock);
    clock.set_mono(opens - 1);
    assert_eq!(refused(&life).retry, Retry::At { at: opens, estimate: false });
    clock.set_mono(opens);
    life.pools.standing(&org, &[&limits()], opens, &mut standing);
    assert_eq!((standing[4].used, standing[4].remaining), (0, 1_000));
    assert!(life.ask(10, 1, 1).is_some());
    assert_eq!(at, BEGIN + 10_000_000);
}

#[test]
fn a_loss_long_ago_and_a_clean_stop_close_nothing() {
    let (folder, clock) = (tempfile::tempdir().unwrap(), HandClock::new());
    let life = Life::on(folder.path(), &clock);
    life.finish(life.ask(3, 10, 50).unwrap(), 10, 50);
    life.kill();
    clock.advance(MINUTE);
    let boot = |n: u8| Life::begin(Faulty::new(folder.path(), &Faults::none()), [n; 16], &clock);
    let life = boot(8);
    assert_eq!(life.used(1), [0, 0, 60]);
    life.finish(life.ask(6, 1, 1).unwrap(), 1, 1);
    life.journal.close(&life.pools);
    // A wall clock that was set back makes nothing younger than now.
    clock.set_wall_back(3_600_000_000);
    let life = boot(9);
    assert_eq!(life.used(1), [1, 2, 62]);
    assert!(life.ask(9, 1, 1).is_some());
}

#[test]
fn a_disk_that_fills_refuses_what_is_new_and_loses_nothing_that_is_under_way() {
    let (folder, clock, faults) = (tempfile::tempdir().unwrap(), HandClock::new(), Faults::none());
    let life = Life::begin(Faulty::new(folder.path(), &faults), BOOT, &clock);
    let mut holds: Vec<_> = (0..40).map(|n| life.ask(n, 10, 50).unwrap()).collect();
    let refusals: Vec<_> = [0, 1, 30]
        .into_iter()
        .map(|room| {
            faults.room.store(room, SeqCst);
            let cut = holds.pop().unwrap();
            life.finish(cut, 1, 2);
            let health = life.journal.health();
            assert!(life.ask(100, 1, 1).is_none() && health.pending_bytes > 0 && health.write_failures > 0);
            assert!(health.last_fault.unwrap().contains("make room"));
            health.refuses
        })
        .collect();
    assert_eq!(refusals, [JournalRefuses::Unwritable; 3]);
    // A cover that can't be written is in the copy that the snapshot makes afterwards.
    assert_eq!(holds[36].cover(90, 90, clock.us()), Cover::Covered(90));
    assert!(!life.journal.read_on(Position::default(), 99).unwrap().is_all);
    faults.room.store(u64::MAX, SeqCst);
    life.journal.step(&life.pools);
    assert_eq!(life.journal.health().refuses, JournalRefuses::Nothing);
    life.journal.step(&life.pools);
    assert_eq!(life.recorded(), [(37, 1, 2), (38, 1, 2), (39, 1, 2)]);
    assert_eq!(life.journal.lock().extents().len(), 2);
    life.kill();
    let life = Life::begin(Faulty::new(folder.path(), &faults), BOOT, &clock);
    let recorded = life.recorded();
    assert_eq!((recorded.len(), recorded[36], recorded[0]), (40, (36, 10, 90), (0, 10, 50)));
    drop(holds);
}

#[test]
fn a_torn_end_that_cannot_be_cut_is_left_behind() {
    let (folder, clock, faults) = (tempfile::tempdir().unwrap(), HandClock::new(), Faults::none());
    let life = Life::begin(Faulty::new(folder.path(), &faults), BOOT, &clock);
    let hold = life.ask(3, 10, 50).unwrap();
    faults.room.store(20, SeqCst);
    faults.no_cut.store(true, SeqCst);
    life.finish(hold, 1, 2);
    faults.room.store(u64::MAX, SeqCst);
    life.journal.step(&life.pools);
    assert_eq!(life.journal.health().refuses, JournalRefuses::Unwritable);
    life.journal.take_snapshot(&life.pools).unwrap();
    life.journal.step(&life.pools);
    assert_eq!((life.journal.health().refuses, life.recorded()), (JournalRefuses::Nothing, vec![(3, 1, 2)]));
    life.kill();
    let life = Life::begin(Faulty::new(folder.path(), &faults), BOOT, &clock);
    assert_eq!((life.recorded(), life.used(1)), (vec![(3, 1, 2)], [1, 3, 3]));
    assert!(life.ask(6, 1, 1).is_some());
}

#[test]
fn what_can_only_be_told_is_told() {
    let (folder, clock, faults) = (tempfile::tempdir().unwrap(), HandClock::new(), Faults::none());
    let life = Life::begin(Faulty::new(folder.path(), &faults), BOOT, &clock);
    drop(life.ask(3, 1, 1));
    // A folder that became read-only, and a disk that can't sync: the open file goes on.
    faults.no_create.store(true, SeqCst);
    faults.no_sync.store(true, SeqCst);
    assert!(life.journal.take_snapshot(&life.pools).is_err());
    life.journal.sync();
    let health = life.journal.health();
    assert_eq!((health.refuses, health.rotation_failures, health.fsync_failures), (JournalRefuses::Nothing, 1, 1));
    assert!(life.ask(6, 1, 1).is_some());
    // A disk without room ahead.
    faults.no_reserve.store(true, SeqCst);
    let big = "x".repeat(10_000);
    for n in 0..450 {
        let mut record = testing::usage(n);
        record.pool = big.as_str().into();
        life.journal.usage(&record);
    }
    life.journal.step(&life.pools);
    assert_eq!(life.journal.health().refuses, JournalRefuses::NoReserve);
    assert!(life.ask(9, 1, 1).is_none());
    faults.no_reserve.store(false, SeqCst);
    life.journal.step(&life.pools);
    assert_eq!(life.journal.health().refuses, JournalRefuses::Nothing);
    faults.is_old.store(true, SeqCst);
    faults.no_create.store(false, SeqCst);
    let life = Life::begin(Faulty::new(tempfile::tempdir().unwrap().path(), &faults), BOOT, &clock);
    assert!(life.ask(9, 1, 1).is_some() && life.journal.lock().reserve().is_none());
}

#[test]
fn it_takes_requests_again_once_a_write_has_succeeded_and_not_before() {
    let (folder, clock, faults) = (tempfile::tempdir().unwrap(), HandClock::new(), Faults::none());
    let life = Life::begin(Faulty::new(folder.path(), &faults), BOOT, &clock);
    faults.room.store(0, SeqCst);
    // A grant that failed is taken back, so nothing waits to be written.
    assert!(life.ask(3, 1, 1).is_none());
    for _ in 0..3 {
        life.journal.step(&life.pools);
        let health = life.journal.health();
        assert_eq!(health.refuses, JournalRefuses::Unwritable);
        assert!(health.pending_bytes < 100 && health.last_fault.unwrap().contains("make room"));
        assert!(!life.journal.is_idle(), "it goes on trying");
    }
    faults.room.store(u64::MAX, SeqCst);
    life.journal.step(&life.pools);
    let health = life.journal.health();
    assert_eq!((health.refuses, health.pending_bytes, health.last_fault), (JournalRefuses::Nothing, 0, None));
    assert!(life.ask(6, 1, 1).is_some());
}

#[test]
fn a_file_that_cannot_be_begun_is_told_until_it_is() {
    let (folder, clock, faults) = (tempfile::tempdir().unwrap(), HandClock::new(), Faults::none());
    let life = Life::begin(Faulty::new(folder.path(), &faults), BOOT, &clock);
    let fault = || life.journal.health().last_fault;
    for (flag, said) in [(&faults.no_create, "no new file can be begun"), (&faults.no_reserve, "no new file can be begun")] {
        flag.store(true, SeqCst);
        let before = life.journal.lock().current();
        assert!(life.journal.take_snapshot(&life.pools).is_err());
        assert_eq!((life.journal.lock().current(), life.journal.disk.list().unwrap().len()), (before, 1), "the present one goes on");
        assert!(fault().unwrap().contains(said));
        assert!(life.ask(3, 1, 1).is_some_and(|hold| {
            life.finish(hold, 1, 1);
            true
        }));
        flag.store(false, SeqCst);
        assert!(!life.journal.is_idle());
        // Sooner than the next snapshot would be.
        for _ in 0..caps::JOURNAL_STEPS_PER_S * caps::JOURNAL_RETRY_S {
            life.journal.step(&life.pools);
        }
        assert_eq!((fault(), life.journal.lock().current().segment), (None, before.segment + 1));
        life.journal.note_recorded(life.journal.lock().current().segment);
        life.journal.step(&life.pools);
    }
}

#[test]
fn a_start_on_a_full_disk_leaves_nothing_behind_and_wastes_no_room() {
    use std::os::unix::fs::MetadataExt as _;
    let (folder, clock, faults) = (tempfile::tempdir().unwrap(), HandClock::new(), Faults::none());
    Life::on(folder.path(), &clock).kill();
    let blocks = || std::fs::metadata(folder.path().join("00000001.tgj")).unwrap().blocks();
    let kept = blocks();
    faults.room.store(30, SeqCst);
    let shared: Arc<dyn Clock> = Arc::clone(&clock) as Arc<dyn Clock>;
    let begun = open_on(Faulty::new(folder.path(), &faults), BOOT, &testing::directory(1), None, Position::default(), &shared);
    let said = begun.err().unwrap().to_string();
    assert!(said.contains("00000002.tgj") && said.contains("make room on its disk"), "{said}");
    assert!(!folder.path().join("00000002.tgj").exists());
    assert!(kept <= 16 || blocks() <= 16, "{kept} blocks, then {}", blocks());
    assert_eq!(Life::on(folder.path(), &clock).journal.lock().current().segment, 2);
}

#[test]
fn a_journal_that_is_gone_closes_limits_for_a_window() {
    let (folder, clock) = (tempfile::tempdir().unwrap(), HandClock::new());
    let begin = |recorded| {
        let shared: Arc<dyn Clock> = Arc::clone(&clock) as Arc<dyn Clock>;
        let (_, pools) =
            open_on(Faulty::new(folder.path(), &Faults::none()), BOOT, &testing::directory(3), None, recorded, &shared).unwrap();
        pools
    };
    let org = Arc::clone(&testing::directory(3).org(OrgId::from_bits(1)).unwrap());
    let demand = Demand { request: RequestId::from_bits(9), input: 1, output: 1 };
    // A first start has no journal either.
    drop(begin(Position::default()).reserve(&org, &[&limits()], None, demand, clock.us()).unwrap());
    std::fs::remove_dir_all(folder.path()).unwrap();
    let pools = begin(Position { segment: 1, offset: 500 });
    let refused = pools.reserve(&org, &[&limits()], None, demand, clock.us()).unwrap_err();
    assert_eq!(refused.retry, Retry::At { at: clock.us() + MINUTE, estimate: false });
    assert!(pools.reserve(&org, &[&limits()], None, demand, clock.us() + MINUTE).is_ok());
}

#[test]
fn a_newer_format_is_refused_by_name() {
    let (folder, clock) = (tempfile::tempdir().unwrap(), HandClock::new());
    Life::on(folder.path(), &clock).kill();
    let file = folder.path().join("00000001.tgj");
    let mut bytes = std::fs::read(&file).unwrap();
    bytes[8] = 2;
    let check = crc32fast::hash(&bytes[..HEADER - 8]).to_le_bytes();
    bytes[HEADER - 8..HEADER - 4].copy_from_slice(&check);
    std::fs::write(&file, bytes).unwrap();
    let shared: Arc<dyn Clock> = clock;
    let disk = Faulty::new(folder.path(), &Faults::none());
    let said = open_on(disk, BOOT, &testing::directory(1), None, Position::default(), &shared).err().unwrap().to_string();
    assert!(said.contains("00000001.tgj has format 2"), "{said}");
}

/// What was true of one request when so many bytes of the last file had been written.
#[derive(Clone, Copy, Debug, Default)]
struct Truth {
    granted_at: u64,
    input: u64,
    charged: u64,
    covered: u64,
    ended: Option<(u64, u64)>,
}

/// A small history; returns after each step the last file, its length, and what was true.
fn live(life: &Life, steps: &[(u8, u8, u16)]) -> Vec<(Extent, Vec<Truth>)> {
    let mut truths: Vec<Truth> = Vec::new();
    let mut holds: Vec<Option<Hold>> = Vec::new();
    let mut told = vec![(life.journal.lock().current(), Vec::new())];
    for (what, which, amount) in steps {
        let (amount, which) = (u64::from(*amount), usize::from(*which));
        let index = which % holds.len().max(1);
        match what % 7 {
            0 | 1 => {
                let request = truths.len() as u128;
                let (input, output) = (amount % 100, amount / 7 % 200);
                holds.push(Some(life.ask(request, input, output).unwrap()));
                truths.push(Truth { granted_at: life.clock.us(), input, covered: output, ..Truth::default() });
            }
            2 | 3 => {
                if let Some(hold) = holds.get_mut(index).and_then(Option::as_mut) {
                    let truth = &mut truths[index];
                    let wanted = truth.charged + amount % 60;
                    if let Cover::Covered(left) = hold.cover(amount % 60, amount % 90, life.clock.us()) {
                        truth.covered = truth.covered.max(truth.charged + left);
                        truth.charged = wanted.min(truth.covered);
                        hold.charge(truth.charged, life.clock.us());
                    }
                }
            }
            4 => {
                if let Some(hold) = holds.get_mut(index).and_then(Option::take) {
                    let truth = &mut truths[index];
                    truth.ended = Some((truth.input.min(amount), truth.charged));
                    life.finish(hold, truth.input.min(amount), truth.charged);
                }
            }
            5 => {
                life.clock.advance(amount * 1_000);
                life.journal.write_figures(life.clock.now());
            }
            _ => life.journal.take_snapshot(&life.pools).unwrap(),
        }
        told.push((life.journal.lock().current(), truths.clone()));
    }
    life.journal.lock().is_closed = true;
    told
}

/// Recovers what is left of the files and compares it with the truth.
fn recovers(folder: &Path, clock: &Arc<HandClock>, truths: &[Truth]) {
    let life = Life::on(folder, clock);
    let recorded = life.recorded();
    let mut least = [[0_u64; 3]; 4];
    let mut most = [[0_u64; 3]; 4];
    let mut expected = 0;
    for (request, truth) in truths.iter().enumerate() {
        expected += 1;
        let of: Vec<_> = recorded.iter().filter(|(id, ..)| *id == request as u128).collect();
        assert_eq!(of.len(), 1, "request {request} {truth:?}: {of:?}");
        let (_, input, output) = *of[0];
        let org = 1 + request % 3;
        let in_window = clock.us() - truth.granted_at < MINUTE;
        let (low, high) = match truth.ended {
            Some((exact_input, exact_output)) => {
                assert_eq!((input, output), (exact_input, exact_output), "request {request}");
                (exact_input + exact_output, exact_input + exact_output)
            }
            None => {
                assert!(
                    input == truth.input && output >= truth.charged && output <= truth.covered.max(truth.charged),
                    "{truth:?} {output}"
                );
                (truth.input + truth.charged, truth.input + truth.covered)
            }
        };
        least[org][0] += u64::from(in_window);
        most[org][0] += 1;
        least[org][1] += if in_window { low } else { 0 };
        most[org][1] += high;
        least[org][2] += low;
        most[org][2] += high;
    }
    assert_eq!(recorded.len(), expected);
    for org in 1..=3 {
        let used = life.used(org as u128);
        for n in 0..3 {
            assert!(used[n] >= least[org][n] && used[n] <= most[org][n], "org {org}: {:?} <= {used:?} <= {:?}", least[org], most[org]);
        }
    }
    life.kill();
}

/// The files up to a place, in a copy, and `tail` behind it.
fn cut_copy(folder: &Path, at: Extent, tail: &[u8]) -> tempfile::TempDir {
    let copy = tempfile::tempdir().unwrap();
    let disk = Folder::open(folder).unwrap();
    for segment in 1..=at.segment {
        let mut bytes = std::fs::read(disk.path(segment)).unwrap();
        if segment == at.segment {
            bytes.truncate(at.len as usize);
            bytes.extend_from_slice(tail);
        }
        std::fs::write(copy.path().join(disk.path(segment).file_name().unwrap()), bytes).unwrap();
    }
    copy
}

#[test]
fn every_byte_may_be_the_last() {
    let (folder, clock) = (tempfile::tempdir().unwrap(), HandClock::new());
    let life = Life::on(folder.path(), &clock);
    let steps = [(0, 0, 777), (2, 0, 55), (5, 0, 300), (0, 0, 50), (4, 0, 9), (2, 1, 30), (5, 0, 1)];
    let told = live(&life, &steps);
    let end = told.last().unwrap().0;
    for len in 0..=end.len {
        let tail: &[u8] = if len % 3 == 0 { &[0; 10] } else { b"" };
        let copy = cut_copy(folder.path(), Extent { len, ..end }, tail);
        match told.iter().rev().find(|(at, _)| at.len == len) {
            Some((_, truths)) => recovers(copy.path(), &clock, truths),
            // Between two steps what the second wrote in part may count already.
            None => Life::on(copy.path(), &clock).kill(),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    /// I8: recovery dominates the truth, and errs by no more than what was held.
    #[test]
    fn recovery_dominates_the_truth(
        steps in proptest::collection::vec((any::<u8>(), any::<u8>(), any::<u16>()), 1..60),
        cut in any::<prop::sample::Index>(),
        garbage in proptest::collection::vec(any::<u8>(), 0..40),
        later in 0_u64..70_000_000,
    ) {
        let (folder, clock) = (tempfile::tempdir().unwrap(), HandClock::new());
        let life = Life::on(folder.path(), &clock);
        let told = live(&life, &steps);
        let (at, truths) = &told[cut.index(told.len())];
        clock.advance(later);
        let copy = cut_copy(folder.path(), *at, &garbage);
        recovers(copy.path(), &clock, truths);
    }
}

#[test]
fn bounds_are_such_that_what_is_in_progress_can_end() {
    const { assert!(caps::JOURNAL_RESERVE_LEAST < caps::JOURNAL_RESERVE_LOW && caps::JOURNAL_RESERVE_LOW < caps::JOURNAL_RESERVE) };
    const { assert!(caps::JOURNAL_SEGMENT_BYTES * 4 < caps::JOURNAL_BYTES) };
    let _recorder_is_cheap_to_clone: fn(&Recorder) -> Recorder = Clone::clone;
}
