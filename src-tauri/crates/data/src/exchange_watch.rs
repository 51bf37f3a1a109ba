//! How far an exchange with a git remote is, and how it is ended from another thread.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::{Path, PathBuf};
use std::process::Child;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use git2::RemoteCallbacks;

use crate::Progress;

/// The end of one exchange, for whoever carries it out and whoever wants it.
#[derive(Debug, Clone, Default)]
pub struct Stop(Arc<Wanted>);

#[derive(Debug, Default)]
struct Wanted {
    now: AtomicBool,
    /// The `ssh` of this exchange: it may wait for a server that says nothing.
    children: Mutex<Vec<Weak<Mutex<Child>>>>,
    /// Where a clone arrives.
    arriving: Mutex<Option<PathBuf>>,
}

impl Stop {
    /// Ends the exchange: at once where it goes through `ssh`, over https with the next bytes.
    pub fn now(&self) {
        self.0.now.store(true, Ordering::SeqCst);
        let children = locked(&self.0.children);
        for child in children.iter().filter_map(Weak::upgrade) {
            // Whoever holds it waits for its end already, and without its pipes it ends.
            if let Ok(mut child) = child.try_lock() {
                // Over by itself: nothing to end.
                let _ = child.kill();
            }
        }
    }

    #[must_use]
    pub fn is_wanted(&self) -> bool {
        self.0.now.load(Ordering::SeqCst)
    }

    /// Nobody waits for it any more, and it may hang for as long as its connection does: what a clone has made so far goes.
    pub fn abandon(&self) {
        self.now();
        if let Some(folder) = locked(&self.0.arriving).take() {
            // Gone already, or it cannot go: it is hidden, and no clone takes it for its own.
            let _ = fs_err::remove_dir_all(folder);
        }
    }

    pub(crate) fn arrives_in(&self, folder: &Path) {
        *locked(&self.0.arriving) = Some(folder.to_owned());
    }

    /// From now on the end of the exchange is the end of this program.
    pub(crate) fn ends(&self, child: &Arc<Mutex<Child>>) {
        locked(&self.0.children).push(Arc::downgrade(child));
        if self.is_wanted() {
            self.now();
        }
    }
}

/// What is kept here is whole at any time.
fn locked<T>(kept: &Mutex<T>) -> MutexGuard<'_, T> {
    kept.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Tells how far a download is, and ends it when somebody wants that.
pub(crate) fn received<'a>(
    callbacks: &mut RemoteCallbacks<'a>,
    progress: &'a dyn Fn(Progress),
    stop: &'a Stop,
) {
    callbacks.transfer_progress(move |stats| {
        let (done, total) = (stats.received_objects(), stats.total_objects());
        let what = match (stats.indexed_deltas(), stats.total_deltas()) {
            (resolved, deltas) if done == total && deltas > 0 => {
                format!("Resolved {resolved} of {deltas} deltas")
            }
            _ => format!("Received {done} of {total} objects"),
        };
        progress(Progress {
            what,
            done_bytes: done as u64,
            total_bytes: total as u64,
        });
        !stop.is_wanted()
    });
    callbacks.sideband_progress(|_| !stop.is_wanted());
}

/// The wish to end an upload, on its way through libgit2.
struct Unwound;

/// Tells how far an upload is, and ends it when somebody wants that: for work in [`stoppable`].
pub(crate) fn sent<'a>(
    callbacks: &mut RemoteCallbacks<'a>,
    progress: &'a dyn Fn(Progress),
    stop: &'a Stop,
) {
    callbacks.pack_progress(|_, _, _| leave(stop));
    callbacks.push_transfer_progress(move |done, total, _| {
        progress(Progress {
            what: format!("Sent {done} of {total} objects"),
            done_bytes: done as u64,
            total_bytes: total as u64,
        });
        // When all has gone, the branch there moves: who stops now comes too late, and is told so.
        if done < total {
            leave(stop);
        }
    });
}

fn leave(stop: &Stop) {
    if stop.is_wanted() {
        // git2 gives these two callbacks no other way to say no. Without a panic there is no message of one.
        resume_unwind(Box::new(Unwound));
    }
}

/// Does work that [`sent`] may end.
pub(crate) fn stoppable<T>(
    work: impl FnOnce() -> Result<T, git2::Error>,
) -> Result<T, git2::Error> {
    // What the work uses is dropped with it.
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(done) => done,
        Err(cause) if cause.is::<Unwound>() => Err(git2::Error::from_str("stopped")),
        Err(cause) => resume_unwind(cause),
    }
}
