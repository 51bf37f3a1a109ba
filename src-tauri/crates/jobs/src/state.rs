//! How a job is. "Running" is only said of something whose supervisor holds its lock.

use std::fmt;
use std::time::Duration;

use lapwing_core::{JobId, Timestamp, Workspace};
use serde::{Deserialize, Serialize};

use crate::folder::Folder;
use crate::{Error, JobSpec, Result, detached, docker, process};

const POLL: Duration = Duration::from_millis(40);
/// The word for a container that ended with its engine.
pub(crate) const ENGINE_AWAY: &str = "ENGINE_AWAY";
/// A supervisor that was just spawned may need so long until it holds its lock.
const START_GRACE_MILLIS: i64 = 30_000;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JobState {
    /// Written, but its supervisor has not begun yet.
    Queued {
        since: Timestamp,
        /// What it is waiting for, or what is being done for it: `sending 12 files`, `in the queue: Resources`.
        #[serde(default)]
        why: Option<String>,
    },
    Running {
        /// Of the command's process, or 0 for a container.
        pid: u32,
        started: Timestamp,
        /// When the process began, as its system tells it: a number that another process has now is not ended for it.
        #[serde(default)]
        born: Option<String>,
        /// Where a container's own output begins in the log.
        #[serde(default)]
        log_start: Option<u64>,
        /// Why nothing is heard of it just now: `gpu-box does not answer`.
        #[serde(default)]
        why: Option<String>,
    },
    Ended(Ended),
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ended {
    pub outcome: Outcome,
    /// `None` when the command never started.
    pub started: Option<Timestamp>,
    pub ended: Timestamp,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    Succeeded,
    Failed {
        code: i32,
    },
    Signalled {
        signal: i32,
    },
    OutOfMemory,
    TimedOut {
        seconds: u64,
    },
    Cancelled,
    /// The command could not be started, why, and a next step where one is known.
    NotStarted {
        why: String,
        #[serde(default)]
        hint: Option<String>,
    },
    /// The command ended, but what it made could not be brought home. It lies there still.
    NotFetched {
        why: String,
    },
    /// The cluster, or the container's engine, ended it for reasons of its own, in a word: `PREEMPTED`, `NODE_FAIL`, `ENGINE_AWAY`.
    Evicted {
        state: String,
    },
    /// The supervisor died and left no result; or the other machine knows nothing of the command any more.
    Lost,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Succeeded => f.write_str("succeeded"),
            Self::Failed { code } => write!(f, "exit code {code}"),
            Self::Signalled { signal } => write!(f, "ended by signal {signal}"),
            Self::OutOfMemory => f.write_str("out of memory: it used more than its limit"),
            Self::TimedOut { seconds } => write!(f, "not done after {seconds} s"),
            Self::Cancelled => f.write_str("cancelled"),
            Self::NotStarted { why, hint: None } => write!(f, "could not be started: {why}"),
            Self::NotStarted {
                why,
                hint: Some(hint),
            } => write!(f, "could not be started: {why} ({hint})"),
            Self::NotFetched { why } => {
                write!(f, "its outputs could not be brought home: {why}")
            }
            Self::Evicted { state } if state == "PREEMPTED" => f.write_str(
                "its place in the cluster was taken by a more important job (PREEMPTED)",
            ),
            Self::Evicted { state } if state == "FAILED" => f.write_str(
                "the cluster says that it failed, and it left no word itself (FAILED): do all nodes see its folder?",
            ),
            Self::Evicted { state } if state == ENGINE_AWAY => f.write_str(
                "its Docker engine went away while it ran, and did not bring it back (ENGINE_AWAY)",
            ),
            Self::Evicted { state } => write!(f, "the cluster could not go on with it ({state})"),
            Self::Lost => f.write_str("its supervisor ended without leaving a result"),
        }
    }
}

impl JobState {
    /// What it waits for, or why nothing is heard of it.
    #[must_use]
    pub fn why(&self) -> Option<&str> {
        match self {
            Self::Queued { why, .. } | Self::Running { why, .. } => why.as_deref(),
            Self::Ended(_) => None,
        }
    }
}

/// How the job is now. What lost its supervisor is ended and recorded as lost; a container, or a command on
/// another machine, whose supervisor died gets a new one.
///
/// # Errors
/// When there is no such job, or its folder cannot be read.
pub fn state(workspace: &Workspace, id: &JobId) -> Result<JobState> {
    let folder = Folder::of(workspace, id);
    let Some(written) = folder.read::<JobState>(&folder.state())? else {
        return Err(Error::Unknown(id.to_string()));
    };
    if matches!(written, JobState::Ended(_)) {
        return Ok(written);
    }
    let Some(lock) = folder.try_lock()? else {
        return Ok(written);
    };
    // Nobody supervises it. Between the read and the lock it may have ended well.
    let Some(written) = folder.read::<JobState>(&folder.state())? else {
        return Err(Error::Unknown(id.to_string()));
    };
    let started = match &written {
        JobState::Ended(_) => return Ok(written),
        JobState::Queued { since, .. }
            if Timestamp::now().millis_since(*since) < START_GRACE_MILLIS =>
        {
            return Ok(written);
        }
        JobState::Queued { .. } => None,
        JobState::Running { started, .. } => Some(*started),
    };
    let spec: Option<Started> = folder.read(&folder.spec())?;
    let goes_on = |spec: &Started| {
        spec.spec.is_remote()
            || spec.spec.is_docker() && (started.is_some() || docker::has_container(&spec.spec))
    };
    if let Some(spec) = spec.filter(goes_on) {
        drop(lock);
        detached::supervisor(&spec.program, &folder)?;
        return Ok(written);
    }
    if let JobState::Running {
        pid,
        born: Some(born),
        ..
    } = &written
    {
        process::end_orphan(*pid, born);
    }
    let lost = JobState::Ended(Ended {
        outcome: Outcome::Lost,
        started,
        ended: Timestamp::now(),
    });
    folder.write(&folder.state(), &lost)?;
    Ok(lost)
}

/// Says in the state of a living job what it waits for, or that it does not any more.
pub(crate) fn set_why(folder: &Folder, wanted: Option<String>) -> Result<()> {
    let Some(mut state) = folder.read::<JobState>(&folder.state())? else {
        return Ok(());
    };
    match &mut state {
        JobState::Queued { why, .. } | JobState::Running { why, .. } if *why != wanted => {
            *why = wanted;
        }
        JobState::Queued { .. } | JobState::Running { .. } | JobState::Ended(_) => return Ok(()),
    }
    folder.write(&folder.state(), &state)
}

/// A spec as it lies in the folder: with the program that supervises.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Started {
    pub spec: JobSpec,
    pub program: std::path::PathBuf,
}

/// Ids of all jobs that have a folder.
///
/// # Errors
/// When the workspace cannot be read.
pub fn list(workspace: &Workspace) -> Result<Vec<JobId>> {
    let folder = workspace.jobs();
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let mut ids = Vec::new();
    for entry in fs_err::read_dir(folder)? {
        // A folder of another name is no job of ours.
        if let Ok(id) = entry?.file_name().to_string_lossy().parse() {
            ids.push(id);
        }
    }
    Ok(ids)
}

/// The true state of every job: after a crash or a reboot nothing stays "running" without a process.
///
/// # Errors
/// When the workspace cannot be read.
pub fn reconcile(workspace: &Workspace) -> Result<Vec<(JobId, JobState)>> {
    list(workspace)?
        .into_iter()
        .map(|id| state(workspace, &id).map(|state| (id, state)))
        .collect()
}

/// Waits until the job has ended.
///
/// # Errors
/// As [`state`].
pub async fn wait(workspace: &Workspace, id: &JobId) -> Result<Ended> {
    loop {
        if let JobState::Ended(ended) = state(workspace, id)? {
            return Ok(ended);
        }
        tokio::time::sleep(POLL).await;
    }
}
