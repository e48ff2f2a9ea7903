//! A server that runs, and how it stops: nothing new is accepted, what was begun is finished or cut, and every record is
//! written before it is over.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use control::Cashier;
use gateway::Gateway;
use secrecy::SecretString;
use store::Store;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::caps::{CUT_WAIT, FLUSH_WAIT, LOOK_AGAIN};
use crate::first_run::{Announcement, DemoAccess, FileFault, SetupLink, TOKEN_FILE, note_private};
use listener::{Connections, Order, Routes};

/// Where a running server leaves its address for the command line.
pub(crate) const URL_FILE: &str = "server-url";

/// A server that runs. Dropping it without `shutdown` leaves its tasks to the runtime.
pub struct Running {
    /// Where it listens, with the port it was given.
    pub addr: SocketAddr,
    /// Where `/metrics` listens, if apart.
    pub metrics_addr: Option<SocketAddr>,
    /// Where clients reach it.
    pub url: String,
    /// The data folder.
    pub data_dir: PathBuf,
    /// The operator token.
    pub operator_token: SecretString,
    /// The link to set up the first operator; `None`: there was one at the start.
    pub setup: Option<SetupLink>,
    /// The demo, where its key works.
    pub demo: Option<DemoAccess>,
    /// How the command line on this machine reaches it.
    pub(crate) local_url: String,
    pub(crate) is_token_given: bool,
    pub(crate) store: Store,
    pub(crate) gateway: Arc<Gateway>,
    pub(crate) cashier: Cashier,
    pub(crate) connections: Arc<Connections>,
    pub(crate) routes: Arc<Routes>,
    pub(crate) tasks: TaskTracker,
    pub(crate) stopping: Stopping,
}

/// How it is stopped.
pub(crate) struct Stopping {
    /// Nothing new is accepted, periodic work ends.
    pub(crate) stop: CancellationToken,
    /// Handshakes end.
    pub(crate) cut: CancellationToken,
    pub(crate) grace: Duration,
}

impl std::fmt::Debug for Running {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Running").field("addr", &self.addr).finish_non_exhaustive()
    }
}

impl Running {
    /// The store, for tests that look behind the API.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// The data plane, for tests that look behind the API.
    pub fn gateway(&self) -> &Arc<Gateway> {
        &self.gateway
    }

    /// Whoever sells plans, for tests that do not wait for the next minute.
    pub fn cashier(&self) -> &Cashier {
        &self.cashier
    }

    /// What to say of it.
    pub fn announcement(&self) -> Announcement {
        let token_file = (!self.is_token_given).then(|| self.data_dir.join(TOKEN_FILE));
        Announcement { url: self.url.clone(), token_file, setup: self.setup.clone(), demo: self.demo.clone() }
    }

    /// Finishes what was begun, for as long as the configuration grants, and writes every record.
    pub async fn shutdown(self) {
        self.shutdown_or(std::future::pending()).await;
    }

    /// As `shutdown`, but cuts what is open as soon as `hurry` is ready. Records are written all the same.
    pub async fn shutdown_or(self, hurry: impl Future<Output = ()>) {
        self.routes.is_stopping.store(true, Relaxed);
        self.gateway.begin_shutdown();
        self.stopping.stop.cancel();
        self.connections.order(Order::Finish);
        tokio::select! {
            () = self.all_finished() => {}
            () = tokio::time::sleep(self.stopping.grace) => {}
            () = hurry => {}
        }
        let open = self.gateway.open_requests();
        if open > 0 {
            tracing::warn!(open_requests = open, "requests are cut off, since the server stops");
        }
        self.stopping.cut.cancel();
        self.connections.order(Order::Cut);
        if tokio::time::timeout(CUT_WAIT, self.all_finished()).await.is_err() {
            tracing::warn!(open_requests = self.gateway.open_requests(), "some requests did not end when they were cut off");
        }
        if tokio::time::timeout(FLUSH_WAIT, self.store.flush_and_close()).await.is_err() {
            let (records, lost) = (self.store.health().queued, self.store.leave_to_next_start().await);
            if lost == 0 {
                tracing::warn!(records, "the database took no more records in time: they wait in the journal for the next start");
            } else {
                tracing::error!(
                    records,
                    lost,
                    "neither the database nor the journal took the last records, and some are lost: look at their disk"
                );
            }
        }
        self.tasks.close();
        if tokio::time::timeout(CUT_WAIT, self.tasks.wait()).await.is_err() {
            tracing::warn!(tasks = self.tasks.len(), "some tasks did not end");
        }
        // Gone with the server; a file that stays behind only makes the command line say so.
        let _ = std::fs::remove_file(self.data_dir.join(URL_FILE));
        tracing::info!("stopped");
    }

    /// Ready once no connection is open and no request is in progress.
    async fn all_finished(&self) {
        self.connections.none_open().await;
        // What a client left is read on for a moment, by tasks that no connection holds.
        while self.gateway.open_requests() > 0 {
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }

    pub(crate) fn publish_url(&self) -> Result<(), FileFault> {
        note_private(&self.data_dir.join(URL_FILE), &format!("{}\n", self.local_url))
    }

    /// Does something again and again until the server stops.
    pub(crate) fn every(&self, interval: Duration, mut act: impl FnMut() + Send + 'static) {
        self.until_stopped(async move {
            let mut ticks = tokio::time::interval(interval);
            ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
            loop {
                ticks.tick().await;
                act();
            }
        });
    }

    /// Runs something until it ends or the server stops.
    pub(crate) fn until_stopped(&self, work: impl Future<Output = ()> + Send + 'static) {
        let stop = self.stopping.stop.clone();
        self.tasks.spawn(async move {
            tokio::select! {
                () = stop.cancelled() => {}
                () = work => {}
            }
        });
    }
}
