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
