//! Whether a gateway lives, from outside: its lock is the truth, `running.json` the details.

use std::fs::{File, TryLockError};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use lapwing_core::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use specta::Type;

use crate::{DeploymentFolder, Error, Exposure, Result, RuntimeKind, config, read_config};

const POLL: Duration = Duration::from_millis(50);
/// Requests in flight end within this time, or the gateway is killed.
const STOP_TIMEOUT: Duration = Duration::from_secs(15);

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Type)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    Starting,
    Serving,
    /// It could not start; `problem` says why.
    Failed,
    /// It was asked to end and did.
    Stopped,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Type)]
pub struct RunningRevision {
    pub number: u32,
    /// Share of the traffic, 0 to 1.
    pub traffic: f64,
    /// What answers for it, which may be Python where ONNX was asked for.
    pub runtime: RuntimeKind,
    /// Why it is this runtime, when it is not the desired one.
    pub note: Option<String>,
}

/// What a gateway says about itself: `running.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Type)]
pub struct Running {
    pub phase: Phase,
    pub pid: u32,
    pub port: u16,
    pub url: String,
    pub revisions: Vec<RunningRevision>,
    pub started: Timestamp,
    /// Why the last change of the configuration was not taken, or why it could not start.
    pub problem: Option<String>,
    /// SHA-256 of the `gateway.json` that was last looked at.
    pub config: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Type)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum State {
    /// It has the lock and is loading; nothing is served yet.
    Starting,
    Running {
        running: Running,
    },
    Stopped,
    Failed {
        why: String,
    },
}

/// How the deployment's gateway is.
pub fn state(folder: &Path) -> Result<State> {
    let places = DeploymentFolder::at(folder);
    let running = read_running(&places);
    if is_locked(&places)? {
        return Ok(match running {
            Some(running) if running.phase == Phase::Serving => State::Running { running },
            _ => State::Starting,
        });
    }
    Ok(match running {
        None => State::Stopped,
        Some(Running {
            phase: Phase::Failed,
            problem,
            ..
        }) => State::Failed {
            why: problem.unwrap_or_else(|| "it could not start".to_owned()),
        },
        Some(Running {
            phase: Phase::Stopped,
            ..
        }) => State::Stopped,
        Some(Running {
            phase: Phase::Starting | Phase::Serving,
            ..
        }) => State::Failed {
            why: "the gateway ended without being asked to".to_owned(),
        },
    })
}

/// Asks the gateway to end and waits until it has. Nothing happens when none runs.
pub fn stop(folder: &Path) -> Result<()> {
    let places = DeploymentFolder::at(folder);
    if !is_locked(&places)? {
        return mark_stopped(&places);
    }
    config::write_whole(&places.stop(), b"")?;
    // A container's process ids mean nothing out here.
    let local = read_config(folder).map_or(true, |config| config.exposure != Exposure::Container);
    if wait_unlocked(&places, STOP_TIMEOUT)? {
        return mark_stopped(&places);
    }
    if local && let Some(running) = read_running(&places) {
        kill(running.pid);
        if wait_unlocked(&places, POLL * 40)? {
            return mark_stopped(&places);
        }
    }
    Err(Error::StillRunning {
        seconds: STOP_TIMEOUT.as_secs(),
    })
}

fn wait_unlocked(places: &DeploymentFolder, limit: Duration) -> Result<bool> {
    let begun = Instant::now();
    while is_locked(places)? {
        if begun.elapsed() > limit {
            return Ok(false);
        }
        std::thread::sleep(POLL);
    }
    Ok(true)
}

/// A gateway that was killed and then stopped is stopped, not failed.
fn mark_stopped(places: &DeploymentFolder) -> Result<()> {
    let _ = fs_err::remove_file(places.stop()); // the gateway removes it too
    match read_running(places) {
        Some(mut running) if running.phase != Phase::Stopped => {
            running.phase = Phase::Stopped;
            write_running(places, &running)
        }
        _ => Ok(()),
    }
}

#[cfg(unix)]
fn kill(pid: u32) {
    use rustix::process::{Pid, Signal, kill_process};
    if let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) {
        let _ = kill_process(pid, Signal::KILL); // it may have ended just now
    }
}

#[cfg(not(unix))]
fn kill(pid: u32) {
    let _ = Command::new("taskkill")
        .args(["/F", "/PID", &pid.to_string()])
        .status(); // it may have ended just now
}

/// Starts `program __gateway FOLDER` so that it outlives the caller; its talk goes to `gateway.log`.
pub fn spawn(program: &Path, folder: &Path) -> Result<()> {
    let places = DeploymentFolder::at(folder);
    let log = fs_err::OpenOptions::new()
        .create(true)
        .append(true)
        .open(places.log())?
        .into_parts()
        .0;
    let mut child = Command::new(program)
        .arg("__gateway")
        .arg(folder)
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log)
        .spawn()?;
    // Reaped here while the caller lives, by the system afterwards.
    std::thread::spawn(move || child.wait());
    Ok(())
}

/// Makes this process the leader of its own session, so that a closed terminal does not end it. For the gateway program, first thing.
pub fn detach() {
    #[cfg(unix)]
    let _ = rustix::process::setsid(); // already a leader: then it is detached
}

/// Waits until the gateway serves what `gateway.json` says now.
///
/// # Errors
/// With the gateway's own reason when it refuses the configuration or cannot start.
pub fn wait_until_serving(folder: &Path, limit: Duration) -> Result<Running> {
    let places = DeploymentFolder::at(folder);
    let begun = Instant::now();
    let mut seen_alive = false;
    loop {
        let wanted = digest(&fs_err::read(places.config())?);
        let state = state(folder)?;
        let alive = matches!(state, State::Starting | State::Running { .. });
        seen_alive |= alive;
        if let Some(running) = read_running(&places).filter(|running| running.config == wanted) {
            match (running.phase, &running.problem) {
                (Phase::Serving, None) if alive => return Ok(running),
                (Phase::Serving | Phase::Failed, Some(why)) => {
                    return Err(Error::Config { why: why.clone() });
                }
                _ => {}
            }
        }
        if begun.elapsed() > limit || (seen_alive && !alive) {
            let why = match state {
                State::Failed { why } => why,
                State::Starting | State::Running { .. } | State::Stopped => {
                    format!("it did not serve within {} seconds", limit.as_secs())
                }
            };
            return Err(Error::Config { why });
        }
        std::thread::sleep(POLL);
    }
}

pub(super) fn digest(bytes: &[u8]) -> String {
    Sha256::digest(bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

pub(super) fn read_running(places: &DeploymentFolder) -> Option<Running> {
    // A missing or foreign file says nothing about a gateway.
    serde_json::from_slice(&fs_err::read(places.running()).ok()?).ok()
}

pub(super) fn write_running(places: &DeploymentFolder, running: &Running) -> Result<()> {
    let bytes = serde_json::to_vec_pretty(running).map_err(std::io::Error::from)?;
    config::write_whole(&places.running(), &bytes)
}

pub(super) fn lock(places: &DeploymentFolder) -> Result<File> {
    let file = open_lock(places)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(Error::AlreadyRunning {
            folder: places.root().to_owned(),
        }),
        Err(TryLockError::Error(error)) => Err(error.into()),
    }
}

fn is_locked(places: &DeploymentFolder) -> Result<bool> {
    if !places.lock().is_file() {
        return Ok(false);
    }
    // A shared lock: two observers at once do not look like a gateway to each other.
    match open_lock(places)?.try_lock_shared() {
        Ok(()) => Ok(false),
        Err(TryLockError::WouldBlock) => Ok(true),
        Err(TryLockError::Error(error)) => Err(error.into()),
    }
}

fn open_lock(places: &DeploymentFolder) -> Result<File> {
    Ok(fs_err::OpenOptions::new()
        .create(true)
        .truncate(false)
        .read(true)
        .write(true)
        .open(places.lock())?
        .into_parts()
        .0)
}
