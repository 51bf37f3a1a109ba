//! One writer at a time: the lock that the real `dvc` takes too.

use std::{
    fs::{File, TryLockError},
    path::Path,
    time::{Duration, Instant},
};

use fs_err as fs;

use crate::Result;

/// `dvc` gives up after three seconds; a stage that has just trained for hours is worth more patience.
const PATIENCE: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_millis(50);

/// Holds `.dvc/tmp/lock` until it is dropped. Whoever dies lets go of it.
pub(crate) struct Exclusive {
    _file: File,
}

impl Exclusive {
    /// Waits for the lock. Keep it only while project files are rewritten, never while something is hashed or runs.
    pub(crate) fn take(root: &Path) -> Result<Self> {
        let folder = root.join(".dvc/tmp");
        fs::create_dir_all(&folder)?;
        let path = folder.join("lock");
        let file = fs::OpenOptions::new()
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
                    return Err(lapwing_data::Error::Locked(path).into());
                }
                Err(TryLockError::WouldBlock) => std::thread::sleep(PAUSE),
            }
        }
    }
}
