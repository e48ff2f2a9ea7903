//! What is asked for under a client's own key is done once. That it was done is written in its own transaction, with the audit entry; the
//! answer follows, sealed, since it may hold a secret. It knows no HTTP.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use domain::UnixMicros;

use crate::sql::once::Kept;
use crate::sql::{self, Connection, Database};
use crate::{Actor, DatabaseFault, Store, caps};

tokio::task_local! {
    /// The request that this task does the work of, so that whatever writes on its behalf can say so.
    static ASKED: Arc<Asked>;
}

/// A request while it is worked on.
#[derive(Default)]
struct Asked(OnceLock<Wish>);

/// What is to be done once.
struct Wish {
    name: Name,
    print: [u8; 32],
    expires: UnixMicros,
    _turn: Turn,
}

/// Who asks, under which key.
type Name = (Actor, String);

/// What is being done now.
#[derive(Clone, Default)]
pub(crate) struct UnderWay(Arc<Mutex<HashSet<Name>>>);

/// Nobody else does this meanwhile.
struct Turn {
    all: UnderWay,
    name: Name,
}

impl UnderWay {
    fn take(&self, name: Name) -> Option<Turn> {
        let is_new = self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(name.clone());
        is_new.then(|| Turn { all: self.clone(), name })
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.all.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.name);
    }
}

/// Why something that is to be done once can't be begun.
#[derive(Debug, thiserror::Error)]
pub enum OnceError {
    /// It is being done.
    #[error("a request with this key is under way; wait for its answer")]
    UnderWay,
    /// The key was used for something else.
    #[error("this key was used for another request; take a new key for each")]
    Differs,
    /// It was done, and the answer is not there.
    #[error("this was done, but its answer is lost; look at what there is before you ask with a new key")]
    Lost,
    /// The database failed.
    #[error(transparent)]
    Unavailable(#[from] DatabaseFault),
}

impl Store {
    /// Does `work` to its end, even if nobody waits for it any more. In it `begin_once` says what is to be done once. `None`: it panicked.
    pub async fn to_its_end<T: Send + 'static>(&self, work: impl Future<Output = T> + Send + 'static) -> Option<T> {
        self.inner.tasks.spawn(ASKED.scope(Arc::default(), work)).await.ok()
    }

    /// Begins what `caller` asks for under `key`, unless it was done: then its answer. `request` is all that makes it the same.
    pub async fn begin_once(&self, caller: Actor, key: &str, request: &[&[u8]]) -> Result<Option<Vec<u8>>, OnceError> {
        let Ok(asked) = ASKED.try_with(Arc::clone) else { return Ok(None) };
        let name = (caller, key.to_owned());
        let print = self.inner.sealer.print_of(&place(&name), request);
        let turn = self.inner.under_way.take(name.clone()).ok_or(OnceError::UnderWay)?;
        let now = self.inner.now().wall;
        if let Some(kept) = sql::once::get(&self.inner.database.reads, caller, key, now).await? {
            if kept.print != print {
                return Err(OnceError::Differs);
            }
            let answer = kept.answer.and_then(|sealed| self.inner.sealer.unseal(&place(&name), &sealed).ok());
            return answer.map(Some).ok_or(OnceError::Lost);
        }
        let expires = UnixMicros(now.0 + caps::ONCE_US);
        // Nothing is begun twice in one request.
        drop(asked.0.set(Wish { name, print, expires, _turn: turn }));
        Ok(None)
    }

    /// Keeps the answer of what was begun, if anything was.
    pub async fn keep_answer(&self, answer: Vec<u8>) -> Result<(), DatabaseFault> {
        let Ok(asked) = ASKED.try_with(Arc::clone) else { return Ok(()) };
        self.turn(move |inner| async move {
            let Some(Wish { name, print, expires, .. }) = asked.0.get() else { return Ok(()) };
            let is_short = answer.len() <= caps::MAX_ONCE_ANSWER_BYTES;
            let answer = is_short.then(|| inner.sealer.seal(&place(name), &answer, inner.entropy.as_ref()));
            let mut transaction = inner.database.begin().await?;
            sql::once::sweep(&mut transaction, inner.now().wall).await?;
            sql::once::put(&mut transaction, name.0, &name.1, &Kept { print: print.to_vec(), answer }, *expires).await?;
            sql::once::keep_newest(&mut transaction, name.0).await?;
            Database::commit(transaction).await
        })
        .await
    }

    /// Forgets answers whose time is over. Returns how many.
    pub async fn forget_answers(&self) -> Result<u64, DatabaseFault> {
        self.turn(move |inner| async move {
            let mut transaction = inner.database.begin().await?;
            let gone = sql::once::sweep(&mut transaction, inner.now().wall).await?;
            Database::commit(transaction).await?;
            Ok(gone)
        })
        .await
    }
}

/// Where an answer is sealed for.
fn place((caller, key): &Name) -> String {
    format!("once:{caller}:{key}")
}

/// The work, wherever it is done, on behalf of the request that this task does the work of.
pub(crate) fn on_behalf<F: Future>(work: F) -> impl Future<Output = F::Output> {
    ASKED.scope(ASKED.try_with(Arc::clone).unwrap_or_default(), work)
}

/// Writes that what was begun has been done, with whatever else the transaction holds.
pub(crate) async fn done(connection: &mut Connection) -> Result<(), DatabaseFault> {
    let Ok(asked) = ASKED.try_with(Arc::clone) else { return Ok(()) };
    let Some(Wish { name, print, expires, .. }) = asked.0.get() else { return Ok(()) };
    sql::once::put(connection, name.0, &name.1, &Kept { print: print.to_vec(), answer: None }, *expires).await
}
