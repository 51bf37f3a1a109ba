//! Locks that die with their process: a lock file held open, never a file that is merely there.

use std::fs::{File, TryLockError};
use std::time::Duration;

use lapwing_core::Workspace;

use crate::Result;

/// Held until it is dropped, or its process ends.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

/// Whoever only looks holds a lock for microseconds: so often it is tried again before somebody is said to hold it.
const TRIES: u32 = 4;
const BETWEEN_TRIES: Duration = Duration::from_millis(5);

/// Takes the named lock if nobody holds it.
///
/// # Errors
/// When the lock file cannot be made.
pub fn try_acquire(workspace: &Workspace, name: &str) -> Result<Option<Lock>> {
    for _ in 1..TRIES {
        if let Some(lock) = try_once(workspace, name)? {
            return Ok(Some(lock));
        }
        std::thread::sleep(BETWEEN_TRIES);
    }
    try_once(workspace, name)
}

/// Whether somebody holds the named lock now.
///
/// # Errors
/// When the lock file cannot be made.
pub fn is_held(workspace: &Workspace, name: &str) -> Result<bool> {
    Ok(try_once(workspace, name)?.is_none())
}

/// Takes the named lock, after whoever holds it now: for work that ends by itself and soon.
///
/// # Errors
/// When the lock file cannot be made or locked.
pub(crate) fn wait(workspace: &Workspace, name: &str) -> Result<Lock> {
    let file = open(workspace, name)?;
    file.lock()?;
    Ok(Lock { _file: file })
}

fn open(workspace: &Workspace, name: &str) -> Result<File> {
    let folder = workspace.locks();
    fs_err::create_dir_all(&folder)?;
    let path = folder.join(format!("{name}.lock"));
    let file = fs_err::OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&path)?;
    Ok(file.into_file())
}

fn try_once(workspace: &Workspace, name: &str) -> Result<Option<Lock>> {
    let file = open(workspace, name)?;
    match file.try_lock() {
        Ok(()) => Ok(Some(Lock { _file: file })),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(error.into()),
    }
}
