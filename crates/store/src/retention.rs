//! How long records and counters are kept, and the task that sees to it. It knows no table.

use std::sync::Arc;
use std::time::Duration;

use domain::{Clock, UnixMicros};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use crate::sql::Database;
use crate::sql::counters::DAY;
use crate::sql::kept::Kept;
use crate::sql::retain::{self, Cursor, Job};
use crate::{DatabaseFault, Store, caps};

const DAY_US: i64 = DAY * 60_000_000;

/// How many days things are kept. A day of UTC is deleted as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// Usage records.
    pub records_days: u32,
    /// Refusals.
    pub refusals_days: u32,
    /// Counters by the minute, which become quarters of an hour.
    pub minutes_days: u32,
    /// Those by the quarter of an hour, which become days of UTC; at least as many as `minutes_days`.
    pub hours_days: u32,
}

impl Default for Retention {
    fn default() -> Self {
        Self { records_days: 30, refusals_days: 30, minutes_days: 30, hours_days: 400 }
    }
}

impl Retention {
    /// Since when what is kept: beginnings of days of UTC.
    fn due(self, now: UnixMicros) -> Kept {
        let since = |days: u32| {
            let at = now.0.saturating_sub(i64::from(days).saturating_mul(DAY_US));
            at - at.rem_euclid(DAY_US)
        };
        let minute = |days: u32| since(days) / 60_000_000;
        Kept {
            records: UnixMicros(since(self.records_days)),
            refusals: UnixMicros(since(self.refusals_days)),
            minutes: minute(self.minutes_days),
            quarters: minute(self.hours_days.max(self.minutes_days)),
        }
    }
}

/// What is being done.
struct Round {
    jobs: std::slice::Iter<'static, Job>,
    job: Option<(Job, Cursor)>,
}

impl Round {
    fn begin() -> Self {
        let mut jobs = const { &Job::ALL }.iter();
        let job = jobs.next().map(|job| (*job, Cursor::default()));
        Self { jobs, job }
    }

    /// Does the next piece; returns whether more may be left.
    async fn step(&mut self, database: &Database, due: Kept) -> Result<bool, DatabaseFault> {
        let Some((job, cursor)) = self.job else { return Ok(false) };
        let mut transaction = database.begin().await?;
        // What was deleted once doesn't come back because more is kept from now on, or the clock was set back.
        let before = Kept::read(&mut transaction).await?;
        let kept = before.later(due);
        if kept != before {
            kept.write(&mut transaction).await?;
        }
        let next = retain::piece(&mut transaction, job, kept, cursor).await?;
        Database::commit(transaction).await?;
        self.job = match next {
            Some(cursor) => Some((job, cursor)),
            None => self.jobs.next().map(|job| (*job, Cursor::default())),
        };
        Ok(self.job.is_some())
    }
}

/// Looks once a minute whether a new day has begun, and works a fifth of the time, so that whoever else writes hardly waits.
pub(crate) async fn run(database: Database, retention: Retention, clock: Arc<dyn Clock>, ended: CancellationToken) {
    let mut done = None;
    loop {
        tokio::select! {
            () = sleep(Duration::from_secs(caps::RETAIN_LOOK_S)) => {}
            () = ended.cancelled() => return,
        }
        let due = retention.due(clock.now().wall);
        let mut round = Round::begin();
        while done != Some(due) {
            let begun = Instant::now();
            match round.step(&database, due).await {
                Ok(true) => sleep(begun.elapsed() * 4).await,
                Ok(false) => done = Some(due),
                Err(fault) => {
                    tracing::debug!(%fault, "what is older than it is kept can't be deleted now; it is tried again in a minute");
                    break;
                }
            }
            if ended.is_cancelled() {
                return;
            }
        }
    }
}

impl Store {
    /// Does at most so many small pieces of deleting what is older than it is kept, as a task does by itself. Returns whether
    /// more may be left.
    pub async fn retain(&self, most: usize) -> Result<bool, DatabaseFault> {
        let mut round = Round::begin();
        for _ in 0..most {
            if !round.step(&self.inner.database, self.inner.retention.due(self.inner.now().wall)).await? {
                return Ok(false);
            }
        }
        Ok(true)
    }
}
