//! The task that keeps the journal: figures, room, fsync, snapshots, each off the runtime's threads. It knows no record.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::journal::Journal;
use crate::{Pools, caps};

/// Runs until the journal's reader has ended; closing the journal is not its matter.
pub(super) async fn run(journal: Arc<Journal>, pools: Pools, ended: CancellationToken) {
    let pause = Duration::from_secs(1) / caps::JOURNAL_STEPS_PER_S;
    loop {
        tokio::select! {
            () = sleep(pause) => {}
            () = ended.cancelled() => return,
        }
        if journal.is_idle() {
            continue;
        }
        let (journal, pools) = (Arc::clone(&journal), pools.clone());
        drop(tokio::task::spawn_blocking(move || journal.step(&pools)).await);
    }
}
