//! Several plans at once, each on a thread of its own, while the trace is read once. It knows no file and no plan.

use std::io::Read;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use anyhow::{anyhow, bail};
use replay::{Labels, Outcome, Reader, Row, Simulation};

use super::progress::Progress;

/// Rows handed over at once, and batches that may lie before a thread.
const BATCH_ROWS: usize = 4_096;
const BATCHES: usize = 4;

/// Rows with the names they refer to.
struct Batch {
    rows: Vec<Row>,
    models: Arc<Labels>,
}

/// Runs all requests of a trace through all simulations; `check` sees the first. Outcomes are in the simulations' order.
///
/// # Errors
/// What `check` or the trace says is wrong; or there is no request in it.
pub(crate) fn run<R: Read>(
    reader: &mut Reader<R>,
    simulations: Vec<Simulation<'_>>,
    check: impl FnOnce(&Row) -> anyhow::Result<()>,
    progress: &mut Progress<'_>,
) -> anyhow::Result<Vec<Outcome>> {
    thread::scope(|scope| {
        let mut senders = Vec::new();
        let mut threads = Vec::new();
        for simulation in simulations {
            let (sender, receiver) = sync_channel(BATCHES);
            senders.push(sender);
            threads.push(scope.spawn(move || simulate(simulation, &receiver)));
        }
        let read = read(reader, &senders, check, progress);
        // They end when nothing more can come.
        drop(senders);
        let outcomes: Vec<_> = threads.into_iter().map(thread::ScopedJoinHandle::join).collect();
        read?;
        let outcomes: Result<Vec<_>, _> = outcomes.into_iter().collect();
        outcomes.map_err(|_| anyhow!("a defect of Tidegate ended the simulation"))
    })
}

fn simulate(mut simulation: Simulation<'_>, batches: &Receiver<Arc<Batch>>) -> Outcome {
    for batch in batches {
        batch.rows.iter().for_each(|row| simulation.arrive(row, &batch.models));
    }
    simulation.finish().0
}

fn read<R: Read>(
    reader: &mut Reader<R>,
    senders: &[SyncSender<Arc<Batch>>],
    check: impl FnOnce(&Row) -> anyhow::Result<()>,
    progress: &mut Progress<'_>,
) -> anyhow::Result<()> {
    let (mut check, mut count, mut models) = (Some(check), 0, Arc::new(Labels::default()));
    loop {
        let mut rows = Vec::with_capacity(BATCH_ROWS);
        while rows.len() < BATCH_ROWS
            && let Some(row) = reader.next_row()?
        {
            rows.push(row);
        }
        let Some(first) = rows.first() else { break };
        if let Some(check) = check.take() {
            check(first)?;
        }
        count += rows.len() as u64;
        progress.at(reader.bytes(), count);
        if reader.models().len() > models.len() {
            models = Arc::new(reader.models().clone());
        }
        let batch = Arc::new(Batch { rows, models: Arc::clone(&models) });
        for sender in senders {
            // A thread that is gone has failed, which is told when it is joined.
            let _ = sender.send(Arc::clone(&batch));
        }
    }
    if count == 0 {
        bail!("there is no request in it");
    }
    Ok(())
}
