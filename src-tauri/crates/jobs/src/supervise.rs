//! The supervisor: one process for one job, until the command has ended and its result is written.

use std::fs::File;
use std::path::Path;
use std::time::{Duration, Instant};

use lapwing_core::Timestamp;

use crate::docker::Place;
use crate::folder::Folder;
use crate::spec::{Delivery, Target};
use crate::state::{Ended, JobState, Outcome, Started};
use crate::{Error, JobSpec, Result, detached, docker, kubernetes, process, ray, ssh};

const LOOKED_AT: Duration = Duration::from_millis(300);
const BETWEEN_TRIES: Duration = Duration::from_millis(5);

/// Supervises the job in `folder`: the body of the hidden command `__supervise`.
///
/// # Errors
/// When the folder is no job, another supervisor has it, or its state cannot be written.
pub fn supervise(folder: &Path) -> Result<()> {
    detached::leave_session();
    let folder = Folder::at(folder);
    let Some(_lock) = own_lock(&folder)? else {
        return Ok(());
    };
    let Some(Started { spec, .. }) = folder.read(&folder.spec())? else {
        return Err(Error::Unknown(folder.root().display().to_string()));
    };
    if let Some(JobState::Ended(_)) = folder.read(&folder.state())? {
        return Ok(());
    }
    let outcome = match &spec.target {
        Target::Process => process::run(&folder, &spec),
        Target::Docker(docker) => docker::run_job(&folder, &spec, &Place::local(docker)),
        Target::RemoteDocker(away) => docker::run_job(&folder, &spec, &Place::away(away)),
        Target::Ssh(remote) => ssh::run_job(&folder, &spec, remote, None),
        Target::Slurm(slurm) => ssh::run_job(&folder, &spec, &slurm.remote, Some(slurm)),
        Target::Ray(cluster) => ray::run_job(&folder, &spec, cluster),
        Target::Kubernetes(kube) => kubernetes::run_job(&folder, &spec, kube),
    };
    let started = match folder.read(&folder.state())? {
        Some(JobState::Running { started, .. }) => Some(started),
        Some(JobState::Queued { .. } | JobState::Ended(_)) | None => None,
    };
    let outcome = match outcome {
        Ok(Outcome::Succeeded) => delivered(&spec),
        Ok(outcome) => outcome,
        Err(Error::Cancelled) => Outcome::Cancelled,
        Err(error) if started.is_none() => Outcome::NotStarted {
            why: error.to_string(),
            hint: error.report().hint,
        },
        Err(error) => {
            tracing::error!(%error, "the job was lost sight of");
            Outcome::Lost
        }
    };
    folder.write(
        &folder.state(),
        &JobState::Ended(Ended {
            outcome,
            started,
            ended: Timestamp::now(),
        }),
    )?;
    // After the result is written: nothing that goes wrong here can change it.
    match &spec.target {
        Target::Process => {}
        Target::Docker(docker) => docker::discard(&folder, &spec, Place::local(docker)),
        Target::RemoteDocker(away) => docker::discard(&folder, &spec, Place::away(away)),
        Target::Ssh(remote) => ssh::discard(&folder, &spec, remote),
        Target::Slurm(slurm) => ssh::discard(&folder, &spec, &slurm.remote),
        Target::Ray(cluster) => ray::discard(&folder, &spec, cluster),
        Target::Kubernetes(kube) => kubernetes::discard(&folder, &spec, kube),
    }
    Ok(())
}

/// `None` when another supervisor has the job. Whoever looks how it is holds the lock for a moment.
fn own_lock(folder: &Folder) -> Result<Option<File>> {
    let begun = Instant::now();
    loop {
        let lock = folder.try_lock()?;
        if lock.is_some() || begun.elapsed() > LOOKED_AT {
            return Ok(lock);
        }
        std::thread::sleep(BETWEEN_TRIES);
    }
}

/// Puts what was made where it is wanted. It stays here too: a supervisor that dies now has one after it.
fn delivered(spec: &JobSpec) -> Outcome {
    for Delivery { made, wanted } in &spec.deliver {
        if let Err(error) = ssh::settle(made, wanted) {
            let (made, wanted) = (made.display(), wanted.display());
            return Outcome::NotFetched {
                why: format!("{wanted} cannot be written: {error}; they lie in {made}"),
            };
        }
    }
    Outcome::Succeeded
}
