//! The store: one handle for everything durable and shared.

use std::sync::Arc;

use domain::{Clock, Entropy};
use tokio_util::task::TaskTracker;

use crate::{Directory, OpenError, Pools, Recorder, StoreConfig, StoreHealth};

/// Everything durable and shared. Cheap to clone.
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

struct Inner {
    directory: Arc<Directory>,
    pools: Pools,
    recorder: Recorder,
}

impl Store {
    /// Opens the data folder and loads the directory. The writer of records runs on `tasks` until `flush_and_close`.
    pub async fn open(
        config: StoreConfig,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
        tasks: &TaskTracker,
    ) -> Result<Self, OpenError> {
        let _ = (config, clock, entropy, tasks);
        todo!()
    }

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
        todo!()
    }

    /// Whether this opening made the database.
    pub fn is_new(&self) -> bool {
        todo!()
    }

    /// Writes everything that is queued, ends the writer and gives the data folder free. Operations fail afterwards.
    pub async fn flush_and_close(&self) {}
}
