//! The task that carries records from the journal to the database: in batches, again and again until the database takes each.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use domain::Clock;
use tokio::time::{Instant, sleep, sleep_until};

use super::Front;
use super::batch::Batch;
use crate::journal::records::Recordable;
use crate::journal::tail::{Passage, Position};
use crate::sql::records::{self, Known};
use crate::sql::{Database, meta, pending};
use crate::{DatabaseFault, Pools, caps};

/// Where in the journal the database has everything before; written along with each batch, so that each counts once.
pub(crate) const POSITION: &str = "journal_position";

pub(super) struct Writer {
    front: Arc<Front>,
    position: Position,
    database: Database,
    pools: Pools,
    clock: Arc<dyn Clock>,
    known: Known,
    /// Counters that wait to be added to their rows. Nobody knows how many those before the start left.
    waiting: usize,
    give_back: fn(),
    /// Rows written since memory was given back.
    busy_rows: u64,
}

impl Writer {
    pub(super) fn new(
        front: Arc<Front>,
        position: Position,
        database: Database,
        pools: Pools,
        clock: Arc<dyn Clock>,
        give_back: fn(),
    ) -> Self {
        // What a start needed is given back as well.
        let busy_rows = caps::BUSY_ROWS;
        Self { front, position, database, pools, clock, known: Known::default(), waiting: 1, give_back, busy_rows }
    }

    pub(super) async fn run(mut self) {
        let _ended = self.front.ended.clone().drop_guard();
        let minute = Duration::from_secs(caps::SWEEP_S);
        let mut sweep_at = Instant::now() + minute;
        let mut gather = true;
        loop {
            if Instant::now() >= sweep_at {
                self.pools.sweep(self.clock.now().mono_us);
                self.settle_counters(1).await;
                sweep_at = Instant::now() + minute;
            }
            let front = Arc::clone(&self.front);
            let backlog = front.journal.backlog();
            if backlog.waiting() == 0 && !backlog.is_urgent() {
                tokio::select! {
                    () = backlog.woken() => {}
                    () = sleep_until(sweep_at) => {}
                    () = sleep(Duration::from_millis(caps::QUIET_MS)), if self.busy_rows >= caps::BUSY_ROWS => self.rest().await,
                }
                continue;
            }
            if gather {
                self.gather().await;
            }
            // Asked before the journal is read, so that what comes meanwhile makes another round.
            let (closing, added) = (front.closing.load(Ordering::Acquire), backlog.added());
            backlog.calm();
            let is_all = self.carry(added).await;
            self.settle_counters(caps::COUNTERS_WAITING).await;
            if closing && is_all {
                return;
            }
            // More than a batch is there, and is taken at once; or what is left is not in the files yet.
            gather = is_all || front.journal.health().pending_bytes > 0;
        }
    }

    /// It has become quiet: what only load needs is given back.
    async fn rest(&mut self) {
        self.busy_rows = 0;
        if let Err(fault) = self.database.shrink().await {
            tracing::debug!(%fault, "the database keeps its memory");
        }
        (self.give_back)();
    }

    /// Lets a batch come together.
    async fn gather(&mut self) {
        let end = Instant::now() + Duration::from_millis(caps::BATCH_MS);
        let backlog = self.front.journal.backlog();
        while !backlog.is_urgent() {
            tokio::select! {
                () = backlog.woken() => {}
                () = sleep_until(end) => return,
            }
        }
    }

    /// Carries one batch over; returns whether nothing was left of what had been added.
    async fn carry(&mut self, added: u64) -> bool {
        let (journal, from) = (Arc::clone(&self.front.journal), self.position);
        let read = tokio::task::spawn_blocking(move || journal.read_on(from, caps::BATCH_ROWS)).await;
        let passage = match read {
            Ok(Ok(passage)) => passage,
            Ok(Err(fault)) => return self.unread(fault.to_string()).await,
            Err(fault) => return self.unread(fault.to_string()).await,
        };
        let Passage { found, end, is_all } = passage;
        let rows = found.len() as u64;
        self.busy_rows = self.busy_rows.saturating_add(rows);
        if end != self.position {
            let mut batch = Batch::default();
            for recordable in found {
                match recordable {
                    Recordable::Usage(record) => batch.add_usage(record),
                    Recordable::Refusal(event) => batch.add_refusal(event),
                }
            }
            if rows > 0 || is_all {
                self.write(&mut batch, end).await;
                self.front.note_success(rows);
            }
            self.position = end;
            self.front.journal.note_recorded(end.segment);
        }
        let backlog = self.front.journal.backlog();
        if is_all {
            backlog.done_up_to(added)
        } else {
            backlog.done(rows)
        }
        is_all
    }

    async fn unread(&self, fault: String) -> bool {
        self.front.note_failure(format!("the journal can't be read: {fault}"));
        sleep(Duration::from_millis(caps::LAST_PAUSE_MS)).await;
        false
    }

    /// Tries until it is written.
    async fn write(&mut self, batch: &mut Batch, end: Position) {
        let mut pause = Duration::from_millis(caps::FIRST_PAUSE_MS);
        let mut again = false;
        loop {
            match self.try_to_write(batch, end, again).await {
                Ok(()) => return,
                Err(fault) => self.front.note_failure(fault.to_string()),
            }
            self.known.forget();
            sleep(pause).await;
            pause = (pause * 2).min(Duration::from_millis(caps::LAST_PAUSE_MS));
            again = true;
        }
    }

    async fn try_to_write(&mut self, batch: &mut Batch, end: Position, again: bool) -> Result<(), DatabaseFault> {
        let mut transaction = self.database.begin().await?;
        if again {
            // A commit may have succeeded though it said otherwise.
            let (usage, refusals) = records::existing(&mut transaction, batch).await?;
            batch.without(usage, &refusals);
        }
        let waiting = records::insert(&mut transaction, batch, &mut self.known).await?;
        meta::set(&mut transaction, POSITION, &end.to_bytes()).await?;
        Database::commit(transaction).await?;
        self.waiting += waiting;
        Ok(())
    }

    /// Adds the counters that wait to their rows, where there are so many. If it fails they go on waiting.
    async fn settle_counters(&mut self, least: usize) {
        if self.waiting < least {
            return;
        }
        match self.try_to_settle().await {
            Ok(()) => self.waiting = 0,
            Err(fault) => {
                self.known.forget();
                self.front.note_failure(fault.to_string());
            }
        }
    }

    async fn try_to_settle(&mut self) -> Result<(), DatabaseFault> {
        let mut transaction = self.database.begin().await?;
        pending::settle(&mut transaction, &mut self.known.counters).await?;
        Database::commit(transaction).await
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::path::Path;

    use domain::{KeyId, UnixMicros, UsageRecord};
    use sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions};
    use tokio_util::task::TaskTracker;

    use super::super::Recorder;
    use super::*;
    use crate::journal::testing::{self, HandClock};
    use crate::open_journal;
    use crate::sql::migrate::{MIGRATIONS, migrate};

    /// The recorder on the files of a folder, as after a start.
    async fn start(folder: &Path, tasks: &TaskTracker) -> (Recorder, Database) {
        let file = folder.join("test.db");
        std::fs::File::options().create(true).append(true).open(&file).unwrap();
        let database = Database::connect(&file, Duration::from_millis(1)).await.unwrap();
        migrate(&database, MIGRATIONS, UnixMicros(1)).await.unwrap();
        let bytes = meta::get(&mut database.reads.acquire().await.unwrap(), POSITION).await.unwrap();
        let position = bytes.and_then(|bytes| Position::of_bytes(&bytes)).unwrap_or_default();
        let clock: Arc<dyn Clock> = HandClock::new();
        let (journal, pools) = open_journal::open(folder, &testing::directory(1), None, position, &clock).unwrap();
        (Recorder::start(journal, position, database.clone(), pools, clock, note_given_back, tasks), database)
    }

    fn record(n: u128) -> UsageRecord {
        testing::usage(n)
    }

    async fn counted(database: &Database) -> (i64, i64) {
        let records = sqlx::query_scalar("SELECT COUNT(*) FROM usage_records").fetch_one(&database.reads).await.unwrap();
        let requests = sqlx::query_scalar("SELECT COALESCE(SUM(requests), 0) FROM usage_minutes").fetch_one(&database.reads).await.unwrap();
        (records, requests)
    }

    /// Waits, without a clock, until the writer has failed.
    async fn failed(recorder: &Recorder) {
        while recorder.health().writable {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn a_locked_database_loses_nothing_and_refuses_nothing() {
        let (folder, tasks) = (tempfile::tempdir().unwrap(), TaskTracker::new());
        let (recorder, database) = start(folder.path(), &tasks).await;
        let other =
            SqlitePoolOptions::new().connect_with(SqliteConnectOptions::new().filename(folder.path().join("test.db"))).await.unwrap();
        let lock = other.begin_with("BEGIN IMMEDIATE").await.unwrap();
        (0..300).for_each(|n| recorder.usage(record(n)));
        failed(&recorder).await;
        let health = recorder.health();
        assert_eq!((health.queued, health.written, health.is_ready()), (300, 0, true));
        assert!(health.database_trouble().unwrap().contains("another process holds a lock"));
        (300..600).for_each(|n| recorder.usage(record(n)));
        lock.rollback().await.unwrap();
        recorder.flush().await;
        assert!(recorder.health().writable && recorder.health().database_trouble().is_none());
        assert_eq!((counted(&database).await, recorder.queued()), ((600, 600), 0));
        recorder.close().await;
    }

    #[tokio::test]
    async fn a_full_disk_loses_nothing() {
        let (folder, tasks) = (tempfile::tempdir().unwrap(), TaskTracker::new());
        let (recorder, database) = start(folder.path(), &tasks).await;
        // The one connection that writes may not make the file larger.
        database.limit_pages(true).await;
        (0..3_000).for_each(|n| recorder.usage(record(n)));
        failed(&recorder).await;
        assert!(recorder.health().last_fault.unwrap().contains("make room"));
        database.limit_pages(false).await;
        recorder.flush().await;
        assert_eq!(counted(&database).await, (3_000, 3_000));
        recorder.close().await;
    }

    #[tokio::test]
    async fn what_is_written_again_counts_once() {
        let (folder, tasks) = (tempfile::tempdir().unwrap(), TaskTracker::new());
        let (recorder, database) = start(folder.path(), &tasks).await;
        (0..40).for_each(|n| recorder.usage(record(n)));
        recorder.flush().await;
        (0..100).for_each(|n| recorder.usage(record(n)));
        recorder.flush().await;
        assert_eq!(counted(&database).await, (100, 100));
        recorder.close().await;
        tasks.close();
        tasks.wait().await;
    }

    thread_local! {
        static GIVEN_BACK: Cell<u32> = const { Cell::new(0) };
    }

    fn note_given_back() {
        GIVEN_BACK.set(GIVEN_BACK.get() + 1);
    }

    #[tokio::test]
    async fn memory_is_given_back_when_it_has_become_quiet() {
        let (folder, tasks) = (tempfile::tempdir().unwrap(), TaskTracker::new());
        let (recorder, database) = start(folder.path(), &tasks).await;
        for times in 1..=2 {
            while GIVEN_BACK.get() < times {
                tokio::task::yield_now().await;
            }
            let first = u128::from(times) * 2_000;
            (first..first + 1_000).for_each(|n| recorder.usage(record(n)));
            recorder.flush().await;
            assert_eq!(GIVEN_BACK.get(), times, "not while there is work");
        }
        assert_eq!(counted(&database).await, (2_000, 2_000));
        recorder.close().await;
    }

    async fn waiting(database: &Database) -> i64 {
        sqlx::query_scalar("SELECT COUNT(*) FROM usage_pending").fetch_one(&database.reads).await.unwrap()
    }

    #[tokio::test]
    async fn counters_of_many_keys_wait_and_are_added_to_their_rows_once() {
        let (folder, tasks) = (tempfile::tempdir().unwrap(), TaskTracker::new());
        let (recorder, database) = start(folder.path(), &tasks).await;
        let keys = caps::COUNTERS_AT_ONCE as u128 + 1;
        let records = |from: u128| (0..keys).map(move |n| UsageRecord { key: KeyId::from_bits(n), ..record(from + n) });
        for round in 0..3 {
            records(round * keys).for_each(|record| recorder.usage(record));
            recorder.flush().await;
        }
        recorder.usage(record(3 * keys));
        recorder.flush().await;
        let written = i64::try_from(3 * keys + 1).unwrap();
        assert_eq!((counted(&database).await, waiting(&database).await), ((written, 1), 3), "those of a few keys don't wait");
        for _ in 0..2 {
            let mut transaction = database.begin().await.unwrap();
            pending::settle(&mut transaction, &mut Known::default().counters).await.unwrap();
            Database::commit(transaction).await.unwrap();
            assert_eq!((counted(&database).await, waiting(&database).await), ((written, written), 0));
        }
        let rows: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM usage_minutes").fetch_one(&database.reads).await.unwrap();
        assert_eq!(rows, i64::try_from(keys).unwrap());
        recorder.close().await;
    }

    #[tokio::test]
    async fn a_start_goes_on_where_the_database_stopped() {
        let folder = tempfile::tempdir().unwrap();
        for round in 0..4_u128 {
            let tasks = TaskTracker::new();
            let (recorder, database) = start(folder.path(), &tasks).await;
            recorder.flush().await;
            let before = i64::try_from(round * 70).unwrap();
            assert_eq!(counted(&database).await, (before, before));
            (0..50).for_each(|n| recorder.usage(record(round * 70 + n)));
            recorder.flush().await;
            let stopped = round % 2 == 0;
            if stopped {
                // As if the process ended here: what follows is in the journal only.
                database.close().await;
            }
            (50..70).for_each(|n| recorder.usage(record(round * 70 + n)));
            if !stopped {
                recorder.close().await;
                database.close().await;
            }
        }
    }
}
