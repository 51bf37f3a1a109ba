//! Ending a job from any process, and forgetting one.

use std::time::{Duration, Instant};

use lapwing_core::{JobId, Workspace};

use crate::folder::Folder;
use crate::state::{JobState, Started, state};
use crate::{Error, Result, process};

const POLL: Duration = Duration::from_millis(20);
/// A container takes a little longer than a process.
const SLACK: Duration = Duration::from_secs(10);
/// Another machine has to be reached, and a cluster's scheduler takes its time.
const FAR_SLACK: Duration = Duration::from_secs(60);

/// Ends the job and everything that it started, and returns when it has ended. A job that has ended stays as it is.
///
/// # Errors
/// When there is no such job, or it does not end.
pub fn stop(workspace: &Workspace, id: &JobId) -> Result<()> {
    let folder = Folder::of(workspace, id);
    if matches!(state(workspace, id)?, JobState::Ended(_)) {
        return Ok(());
    }
    fs_err::write(folder.cancel(), "")?;
    let asked = Instant::now();
    let started: Option<Started> = folder.read(&folder.spec())?;
    let far = started.is_some_and(|started| started.spec.is_remote());
    let limit = process::GRACE + if far { FAR_SLACK } else { SLACK };
    while asked.elapsed() < limit {
        if matches!(state(workspace, id)?, JobState::Ended(_)) {
            return Ok(());
        }
        std::thread::sleep(POLL);
    }
    Err(Error::Stubborn(limit.as_secs()))
}

/// Removes a job's folder with its log. A job that goes on is ended first.
///
/// # Errors
/// As [`stop`], or when the folder cannot be removed.
pub fn remove(workspace: &Workspace, id: &JobId) -> Result<()> {
    stop(workspace, id)?;
    Ok(fs_err::remove_dir_all(Folder::of(workspace, id).root())?)
}
