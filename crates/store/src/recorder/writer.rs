//! The task that writes what is recorded: in batches, again and again until the database takes each.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, TryRecvError};
use std::time::Duration;

use domain::Clock;
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep, sleep_until};

use super::batch::Batch;
use super::{Front, Queued};
use crate::sql::{Database, records};
use crate::{DatabaseFault, Pools, caps};

pub(super) struct Writer {
    front: Arc<Front>,
    queue: Receiver<Queued>,
    database: Database,
    pools: Pools,
    clock: Arc<dyn Clock>,
}

/// What was taken out of the queue at once.
#[derive(Default)]
struct Drained {
    batch: Batch,
    /// Who waits for it to be written.
    answers: Vec<oneshot::Sender<()>>,
    closing: bool,
}

impl Writer {
    pub(super) fn new(front: Arc<Front>, queue: Receiver<Queued>, database: Database, pools: Pools, clock: Arc<dyn Clock>) -> Self {
        Self { front, queue, database, pools, clock }
    }

    pub(super) async fn run(mut self) {
        let minute = Duration::from_secs(caps::SWEEP_S);
        let mut sweep_at = Instant::now() + minute;
        let mut gather = true;
        loop {
            if Instant::now() >= sweep_at {
                self.pools.sweep(self.clock.now().mono_us);
                sweep_at = Instant::now() + minute;
            }
            if !self.has_work() {
                tokio::select! {
                    () = self.front.wake.notified() => {}
                    () = sleep_until(sweep_at) => {}
                }
                continue;
            }
            if gather {
                self.gather().await;
            }
            let mut drained = self.drain();
            gather = drained.batch.rows < caps::BATCH_ROWS;
            if drained.batch.rows > 0 {
                self.write(&mut drained.batch).await;
            }
            for answer in drained.answers {
                let _nobody_waits_any_more = answer.send(());
            }
            if drained.closing {
                return;
            }
        }
    }

    fn has_work(&self) -> bool {
        self.front.unwritten.load(Ordering::Relaxed) > 0 || self.front.urgent.load(Ordering::Acquire)
    }

    /// Lets a batch come together.
    async fn gather(&mut self) {
        let end = Instant::now() + Duration::from_millis(caps::BATCH_MS);
        while !self.front.urgent.load(Ordering::Acquire) {
            tokio::select! {
                () = self.front.wake.notified() => {}
                () = sleep_until(end) => return,
            }
        }
    }

    fn drain(&self) -> Drained {
        // Before the queue is read: what hurries afterwards is either read now or hurries again.
        self.front.urgent.store(false, Ordering::Release);
        let mut drained = Drained::default();
        while drained.closing || drained.batch.rows < caps::BATCH_ROWS {
            match self.queue.try_recv() {
                Ok(Queued::Usage(record)) => drained.batch.add_usage(record),
                Ok(Queued::Refusal(event)) => drained.batch.add_refusal(event),
                Ok(Queued::Flush(answer)) => drained.answers.push(answer),
                Ok(Queued::Close(answer)) => {
                    drained.answers.push(answer);
                    drained.closing = true;
                }
                Err(TryRecvError::Empty) => return drained,
                Err(TryRecvError::Disconnected) => {
                    drained.closing = true;
                    return drained;
                }
            }
        }
        // There may be a word further on that somebody waits for.
        self.front.urgent.store(true, Ordering::Release);
        drained
    }

    /// Tries until it is written.
    async fn write(&mut self, batch: &mut Batch) {
        let mut pause = Duration::from_millis(caps::FIRST_PAUSE_MS);
        let rows = batch.rows;
        let mut again = false;
        loop {
            match self.try_to_write(batch, again).await {
                Ok(()) => return self.front.note_success(rows),
                Err(fault) => self.front.note_failure(fault.to_string()),
            }
            sleep(pause).await;
            pause = (pause * 2).min(Duration::from_millis(caps::LAST_PAUSE_MS));
            again = true;
        }
    }

    async fn try_to_write(&mut self, batch: &mut Batch, again: bool) -> Result<(), DatabaseFault> {
        let mut transaction = self.database.begin().await?;
        if again {
            // A commit may have succeeded though it said otherwise.
            let mut there = records::existing(&mut transaction, batch).await?;
            batch.without(|request| !there.insert(request));
        }
        records::insert(&mut transaction, batch).await?;
        Database::commit(transaction).await
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::atomic::AtomicU64;

    use domain::{Catalogue, Counted, Endpoint, KeyId, Money, Now, OrgId, Outcome, RequestId, TokenUsage, UnixMicros, UsageRecord};
    use sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions};
    use tokio_util::task::TaskTracker;

    use super::super::Recorder;
    use super::*;
    use crate::Directory;
    use crate::directory::Filling;
    use crate::sql::migrate::{MIGRATIONS, migrate};

    struct Still;
    impl Clock for Still {
        fn now(&self) -> Now {
            Now { mono_us: 1, wall: UnixMicros(1) }
        }
    }

    async fn start(file: &Path, tasks: &TaskTracker) -> (Recorder, Database) {
        std::fs::File::options().create(true).append(true).open(file).unwrap();
        let database = Database::connect(file, Duration::from_millis(1)).await.unwrap();
        migrate(&database, MIGRATIONS, UnixMicros(1)).await.unwrap();
        let catalogue = Catalogue::build(vec![], vec![], vec![], 1);
        let directory = Directory::new(Filling::new(0), Filling::new(0), catalogue, Default::default());
        let recorder = Recorder::start(database.clone(), Pools::new(Arc::new(directory)), Arc::new(Still), tasks);
        (recorder, database)
    }

    fn record() -> UsageRecord {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        UsageRecord {
            request: RequestId::from_bits(u128::from(NEXT.fetch_add(1, Ordering::Relaxed))),
            at: UnixMicros(1),
            org: OrgId::from_bits(1),
            key: KeyId::from_bits(1),
            plan: "p".into(),
            model: "m".into(),
            category: None,
            pool: "any".into(),
            provider: None,
            endpoint: Endpoint::Embeddings,
            stream: false,
            status: 200,
            outcome: Outcome::Answered,
            tokens: TokenUsage { input: 1, output: 0, cached: 0 },
            counted: Counted::Tidegate,
            cost: Money(0),
            attempts: 1,
            first_byte_us: 0,
            duration_us: 0,
            waited_us: 0,
            paused_us: 0,
            debt: 0,
        }
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
    async fn a_locked_database_loses_nothing() {
        let (folder, tasks) = (tempfile::tempdir().unwrap(), TaskTracker::new());
        let file = folder.path().join("test.db");
        let (recorder, database) = start(&file, &tasks).await;
        let other = SqlitePoolOptions::new().connect_with(SqliteConnectOptions::new().filename(&file)).await.unwrap();
        let lock = other.begin_with("BEGIN IMMEDIATE").await.unwrap();
        (0..300).for_each(|_| recorder.usage(record()));
        failed(&recorder).await;
        let health = recorder.health();
        assert_eq!((health.queued, health.written), (300, 0));
        assert!(health.last_fault.unwrap().contains("another process holds a lock"));
        (0..300).for_each(|_| recorder.usage(record()));
        lock.rollback().await.unwrap();
        recorder.flush().await;
        assert!(recorder.health().writable && recorder.health().last_fault.is_none());
        assert_eq!((counted(&database).await, recorder.queued()), ((600, 600), 0));
        recorder.close().await;
    }

    #[tokio::test]
    async fn a_full_disk_loses_nothing() {
        let (folder, tasks) = (tempfile::tempdir().unwrap(), TaskTracker::new());
        let (recorder, database) = start(&folder.path().join("test.db"), &tasks).await;
        // The one connection that writes may not make the file larger.
        database.limit_pages(true).await;
        (0..3_000).for_each(|_| recorder.usage(record()));
        failed(&recorder).await;
        assert!(recorder.health().last_fault.unwrap().contains("make room"));
        database.limit_pages(false).await;
        recorder.flush().await;
        assert_eq!(counted(&database).await, (3_000, 3_000));
        recorder.close().await;
    }

    #[tokio::test]
    async fn a_commit_that_succeeded_unnoticed_counts_once() {
        let (folder, tasks) = (tempfile::tempdir().unwrap(), TaskTracker::new());
        let (recorder, database) = start(&folder.path().join("test.db"), &tasks).await;
        let records: Vec<_> = (0..100).map(|_| record()).collect();
        records.iter().take(40).for_each(|record| recorder.usage(record.clone()));
        recorder.flush().await;
        records.iter().for_each(|record| recorder.usage(record.clone()));
        recorder.flush().await;
        assert_eq!(counted(&database).await, (100, 100));
        recorder.close().await;
        tasks.close();
        tasks.wait().await;
    }

    #[tokio::test]
    async fn a_queue_beyond_its_mark_is_full() {
        let (folder, tasks) = (tempfile::tempdir().unwrap(), TaskTracker::new());
        let file = folder.path().join("test.db");
        let (recorder, _database) = start(&file, &tasks).await;
        let other = SqlitePoolOptions::new().connect_with(SqliteConnectOptions::new().filename(&file)).await.unwrap();
        let lock = other.begin_with("BEGIN IMMEDIATE").await.unwrap();
        (1..caps::QUEUE_HIGH_WATER).for_each(|_| recorder.usage(record()));
        assert!(!recorder.is_full() && recorder.health().is_ready());
        recorder.usage(record());
        assert!(recorder.is_full() && !recorder.health().is_ready());
        lock.rollback().await.unwrap();
        recorder.flush().await;
        assert!(!recorder.is_full());
        assert_eq!(recorder.health().written, caps::QUEUE_HIGH_WATER as u64);
    }
}
