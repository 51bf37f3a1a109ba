//! Many hands for many small things.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::{Error, Result};

/// Does `work` for each item, up to `hands` at the same time. After a failure nothing new is begun; the first one is the answer.
pub(crate) fn each<T: Sync>(
    items: &[T],
    hands: usize,
    work: &(dyn Fn(&T) -> Result<()> + Sync),
) -> Result<()> {
    let next = AtomicUsize::new(0);
    let failed: Mutex<Option<Error>> = Mutex::new(None);
    std::thread::scope(|scope| {
        for _ in 0..hands.min(items.len()) {
            scope.spawn(|| {
                while let Some(item) = items.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let Err(error) = work(item) else { continue };
                    // Whoever comes behind finds nothing more to do.
                    next.store(items.len(), Ordering::Relaxed);
                    if let Ok(mut failed) = failed.lock() {
                        failed.get_or_insert(error);
                    }
                }
            });
        }
    });
    match failed.into_inner() {
        Ok(None) => Ok(()),
        Ok(Some(error)) => Err(error),
        // A thread that panicked has ended the scope already.
        Err(poisoned) => poisoned.into_inner().map_or(Ok(()), Err),
    }
}
