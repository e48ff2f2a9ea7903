//! The store: one handle for everything durable and shared.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use arc_swap::ArcSwap;
use domain::{Clock, Entropy, Now};
use tokio_util::task::TaskTracker;

use crate::attempts::Attempts;
use crate::data_folder::DataFolder;
use crate::definitions::Definitions;
use crate::ops::once::{self, UnderWay};
use crate::seal::Sealer;
use crate::sql::Database;
use crate::{DatabaseFault, Directory, Pools, Recorder, Retention, StoreHealth};

/// Everything durable and shared. Cheap to clone.
#[derive(Clone)]
pub struct Store {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) database: Database,
    pub(crate) directory: Arc<Directory>,
    pub(crate) definitions: ArcSwap<Definitions>,
    pub(crate) pools: Pools,
    pub(crate) recorder: Recorder,
    pub(crate) sealer: Sealer,
    pub(crate) attempts: Attempts,
    pub(crate) under_way: UnderWay,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) entropy: Arc<dyn Entropy>,
    pub(crate) window_us: u64,
    pub(crate) retention: Retention,
    pub(crate) is_new: bool,
    pub(crate) tasks: TaskTracker,
    pub(crate) turn: Arc<tokio::sync::Mutex<()>>,
    pub(crate) folder: Mutex<Option<DataFolder>>,
    /// What a look through the database has found.
    pub(crate) damage: Arc<OnceLock<String>>,
}

impl Inner {
    pub(crate) fn now(&self) -> Now {
        self.clock.now()
    }
}

impl Store {
    /// Callers, organisations and the catalogue, in memory.
    pub fn directory(&self) -> &Arc<Directory> {
        &self.inner.directory
    }

    /// The organisations' pools.
    pub fn pools(&self) -> &Pools {
        &self.inner.pools
    }

    /// Where usage records and refusals go.
    pub fn recorder(&self) -> &Recorder {
        &self.inner.recorder
    }

    /// How the store is doing.
    pub fn health(&self) -> StoreHealth {
        StoreHealth { damage: self.inner.damage.get().cloned(), ..self.inner.recorder.health() }
    }

    /// Whether this opening made the database.
    pub fn is_new(&self) -> bool {
        self.inner.is_new
    }

    /// Writes everything that is queued, ends the writer and gives the data folder free. Operations fail afterwards.
    /// While the database takes nothing it goes on trying: bound it with a timeout.
    pub async fn flush_and_close(&self) {
        let _turn = self.inner.turn.lock().await;
        self.inner.recorder.close().await;
        self.inner.database.close().await;
        self.inner.folder.lock().unwrap_or_else(PoisonError::into_inner).take();
    }

    /// For when `flush_and_close` takes too long: ends the journal in peace, so that the next start takes over what waits in it. Returns how
    /// many records are lost because not even the journal could be written. Nothing is recorded afterwards.
    pub async fn leave_to_next_start(&self) -> usize {
        self.inner.recorder.close_journal().await
    }

    /// Does the work of one write when its turn comes, to its end even if the caller goes away: otherwise SQL could have what
    /// the directory never learns.
    pub(crate) async fn turn<T, E, F>(&self, work: impl FnOnce(Arc<Inner>) -> F) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<DatabaseFault> + Send + 'static,
        F: Future<Output = Result<T, E>> + Send + 'static,
    {
        let inner = Arc::clone(&self.inner);
        let work = work(Arc::clone(&inner));
        let task = self.inner.tasks.spawn(once::on_behalf(async move {
            let _turn = inner.turn.lock().await;
            work.await
        }));
        task.await.unwrap_or_else(|_| Err(DatabaseFault::interrupted().into()))
    }
}
