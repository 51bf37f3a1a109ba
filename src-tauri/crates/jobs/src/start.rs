//! Starting a job: its folder, then a supervisor that outlives us.

use std::path::Path;
use std::time::{Duration, Instant};

use lapwing_core::{JobId, Timestamp, Workspace};

use crate::folder::Folder;
use crate::state::{JobState, Started};
use crate::{Error, JobSpec, Result, detached};

const POLL: Duration = Duration::from_millis(5);
const START_LIMIT: Duration = Duration::from_secs(20);

/// What a job was started with.
///
/// # Errors
/// When there is no such job, or its folder cannot be read.
pub fn spec(workspace: &Workspace, id: &JobId) -> Result<JobSpec> {
    let folder = Folder::of(workspace, id);
    let started: Option<Started> = folder.read(&folder.spec())?;
    let started = started.ok_or_else(|| Error::Unknown(id.to_string()))?;
    Ok(started.spec)
}

/// Starts `spec` under `<program> __supervise <folder>` and returns once that supervisor has taken over. Starting the
/// same id again changes nothing.
///
/// # Errors
/// When the folder cannot be written, or the supervisor does not come up.
pub fn start(workspace: &Workspace, spec: &JobSpec, program: &Path) -> Result<()> {
    let folder = Folder::of(workspace, &spec.id);
    fs_err::create_dir_all(workspace.jobs())?;
    match fs_err::create_dir(folder.root()) {
        Ok(()) => {}
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => return Ok(()),
        Err(error) => return Err(error.into()),
    }
    folder.write(
        &folder.spec(),
        &Started {
            spec: spec.clone(),
            program: program.to_owned(),
        },
    )?;
    fs_err::File::create(folder.output())?;
    folder.write(
        &folder.state(),
        &JobState::Queued {
            since: Timestamp::now(),
            why: None,
        },
    )?;
    let mut child = detached::supervisor(program, &folder)?;
    let begun = Instant::now();
    loop {
        let state: Option<JobState> = folder.read(&folder.state())?;
        let waits = matches!(state, Some(JobState::Queued { .. }) | None);
        if !waits || folder.try_lock()?.is_none() {
            break;
        }
        if let Some(status) = child.try_wait()? {
            // A short one may have ended since the state was read.
            if let Some(JobState::Ended(_)) = folder.read(&folder.state())? {
                break;
            }
            let said = fs_err::read_to_string(folder.supervisor_log()).unwrap_or_default();
            return Err(Error::NoSupervisor(format!("{status}; {}", said.trim())));
        }
        if begun.elapsed() > START_LIMIT {
            return Err(Error::NoSupervisor("it took too long".to_owned()));
        }
        std::thread::sleep(POLL);
    }
    // Reap the supervisor when it ends, in case we still live then: otherwise it would stay as a zombie.
    std::thread::spawn(move || child.wait());
    Ok(())
}
