//! Locks, from the standard library or from the model checker.
//! It knows nothing of what they guard.

#[cfg(loom)]
pub(crate) use loom::sync::{
    Arc, Mutex, MutexGuard,
    atomic::{AtomicBool, Ordering},
};
#[cfg(not(loom))]
pub(crate) use std::sync::{
    Arc, Mutex, MutexGuard,
    atomic::{AtomicBool, Ordering},
};

/// Locks; whether somebody panicked under the lock since it was last asked.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> (MutexGuard<'_, T>, bool) {
    match mutex.lock() {
        Ok(guard) => (guard, false),
        Err(poisoned) => {
            #[cfg(not(loom))]
            mutex.clear_poison();
            (poisoned.into_inner(), true)
        }
    }
}
