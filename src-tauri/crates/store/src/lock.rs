//! Locks that die with their process: a lock file held open, never a file that is merely there.

use std::fs::{File, TryLockError};

use lapwing_core::Workspace;

use crate::Result;

/// Held until it is dropped, or its process ends.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

/// Takes the named lock if nobody holds it.
///
/// # Errors
/// When the lock file cannot be made.
pub fn try_acquire(workspace: &Workspace, name: &str) -> Result<Option<Lock>> {
    let folder = workspace.locks();
    fs_err::create_dir_all(&folder)?;
    let path = folder.join(format!("{name}.lock"));
    let file = fs_err::OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&path)?
        .into_file();
    match file.try_lock() {
        Ok(()) => Ok(Some(Lock { _file: file })),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(error.into()),
    }
}
