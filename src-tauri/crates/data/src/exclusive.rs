//! One writer at a time: the lock that the real `dvc` takes too.

use std::fs::{File, TryLockError};
use std::path::Path;
use std::time::{Duration, Instant};

use crate::{Error, Result};

/// `dvc` gives up after three seconds; a stage that has just trained for hours is worth more patience.
const PATIENCE: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_millis(50);

/// Holds `.dvc/tmp/lock` until it is dropped. Whoever dies lets go of it. Not reentrant: who holds it must not call
/// [`crate::add()`], [`crate::checkout()`] or [`crate::pull`], which take it themselves.
#[derive(Debug)]
pub struct Exclusive {
    _file: File,
}

impl Exclusive {
    /// Waits for the lock of the project at `root`. Keep it only while project files are rewritten, never while something
    /// is hashed, fetched or runs.
    ///
    /// # Errors
    /// When another program keeps it for a minute, or the folder cannot be written.
    pub fn take(root: &Path) -> Result<Self> {
        let folder = root.join(".dvc/tmp");
        fs_err::create_dir_all(&folder)?;
        let path = folder.join("lock");
        let file = fs_err::OpenOptions::new()
            .create(true)
            .append(true)
            .open(&path)?
            .into_file();
        let deadline = Instant::now() + PATIENCE;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(Self { _file: file }),
                Err(TryLockError::Error(error)) => return Err(error.into()),
                Err(TryLockError::WouldBlock) if Instant::now() > deadline => {
                    return Err(Error::Locked(path));
                }
                Err(TryLockError::WouldBlock) => std::thread::sleep(PAUSE),
            }
        }
    }
}
