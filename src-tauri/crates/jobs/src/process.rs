//! A job as a process: a group of its own, so that ending it ends everything that it started.

use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use lapwing_core::Timestamp;

use crate::folder::Folder;
use crate::state::{JobState, Outcome};
use crate::{JobSpec, Result};

const POLL: Duration = Duration::from_millis(20);
/// Between being asked to end and being made to.
pub(crate) const GRACE: Duration = Duration::from_secs(10);
/// The same for what has no supervisor: whoever finds it waits.
const ORPHAN_GRACE: Duration = Duration::from_secs(2);

pub(crate) fn run(folder: &Folder, spec: &JobSpec) -> Result<Outcome> {
    let out = fs_err::OpenOptions::new()
        .create(true)
        .append(true)
        .open(folder.output())?
        .into_file();
    let Some((program, arguments)) = spec.command.argv.split_first() else {
        return Ok(Outcome::NotStarted {
            why: "the command is empty".to_owned(),
            hint: None,
        });
    };
    let mut command = Command::new(program);
    command
        .args(arguments)
        .current_dir(&spec.cwd)
        .envs(&spec.env)
        // Python shows its prints at once, so that a log can be followed.
        .env("PYTHONUNBUFFERED", "1")
        .stdin(Stdio::null())
        .stdout(out.try_clone()?)
        .stderr(out);
    #[cfg(unix)]
    {
        use std::os::unix::process::CommandExt as _;
        command.process_group(0);
    }
    let mut child = match command.spawn() {
        Ok(child) => child,
        Err(error) => {
            return Ok(Outcome::NotStarted {
                why: format!("{program}: {error}"),
                hint: None,
            });
        }
    };
    folder.write(
        &folder.state(),
        &JobState::Running {
            pid: child.id(),
            started: Timestamp::now(),
            born: born(child.id()),
            log_start: None,
            why: None,
        },
    )?;
    watch(folder, spec, &mut child)
}

fn watch(folder: &Folder, spec: &JobSpec, child: &mut Child) -> Result<Outcome> {
    let begun = Instant::now();
    let limit = spec.timeout_seconds.map(Duration::from_secs);
    loop {
        if let Some(status) = child.try_wait()? {
            // What it left behind in its group would go on unseen.
            signal(child.id(), Strength::Kill);
            return Ok(outcome(status));
        }
        if folder.cancel().exists() {
            end(child)?;
            return Ok(Outcome::Cancelled);
        }
        if let Some(limit) = limit.filter(|limit| begun.elapsed() > *limit) {
            end(child)?;
            return Ok(Outcome::TimedOut {
                seconds: limit.as_secs(),
            });
        }
        std::thread::sleep(POLL);
    }
}

fn outcome(status: ExitStatus) -> Outcome {
    if status.success() {
        return Outcome::Succeeded;
    }
    #[cfg(unix)]
    {
        use std::os::unix::process::ExitStatusExt as _;
        if let Some(signal) = status.signal() {
            return Outcome::Signalled { signal };
        }
    }
    Outcome::Failed {
        code: status.code().unwrap_or(-1),
    }
}

/// Asks, waits, and then insists.
fn end(child: &mut Child) -> Result<()> {
    signal(child.id(), Strength::Ask);
    let asked = Instant::now();
    while asked.elapsed() < GRACE {
        if child.try_wait()?.is_some() {
            break;
        }
        std::thread::sleep(POLL);
    }
    signal(child.id(), Strength::Kill);
    #[cfg(not(unix))]
    {
        // It may have ended by itself meanwhile.
        let _ = child.kill();
    }
    child.wait()?;
    Ok(())
}

/// Ends a command whose supervisor is gone, if that process is still the one that was started.
pub(crate) fn end_orphan(pid: u32, begun: &str) {
    let is_it = || born(pid).as_deref() == Some(begun);
    if !is_it() {
        return;
    }
    signal(pid, Strength::Ask);
    let asked = Instant::now();
    while is_it() && asked.elapsed() < ORPHAN_GRACE {
        std::thread::sleep(POLL);
    }
    // The group keeps its number for as long as anything in it lives.
    signal(pid, Strength::Kill);
}

/// When a living process began, in its system's own words.
#[cfg(target_os = "linux")]
fn born(pid: u32) -> Option<String> {
    // None: no such process.
    let stat = fs_err::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name in front may hold anything; behind it come the state, and the start as the 20th.
    let (_, rest) = stat.rsplit_once(") ")?;
    let mut fields = rest.split(' ');
    let state = fields.next()?;
    let ticks = fields.nth(18)?;
    let boot = fs_err::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    (state != "Z").then(|| format!("{ticks} {}", boot.trim()))
}

#[cfg(all(unix, not(target_os = "linux")))]
fn born(pid: u32) -> Option<String> {
    // None: no `ps`, or no such process.
    let output = Command::new("ps")
        .args(["-o", "lstart=", "-p", &pid.to_string()])
        .output()
        .ok()?;
    let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    (!text.is_empty()).then_some(text)
}

#[cfg(not(unix))]
fn born(_: u32) -> Option<String> {
    None
}

#[derive(Clone, Copy)]
enum Strength {
    Ask,
    Kill,
}

/// To everything in the group of `pid`.
#[cfg(unix)]
fn signal(pid: u32, strength: Strength) {
    use rustix::process::{Pid, Signal, kill_process_group};
    let signal = match strength {
        Strength::Ask => Signal::TERM,
        Strength::Kill => Signal::KILL,
    };
    let Some(group) = i32::try_from(pid).ok().and_then(Pid::from_raw) else {
        return;
    }; // No such pid: nothing to end.
    if let Err(error) = kill_process_group(group, signal) {
        tracing::debug!(%error, "the group has ended already");
    }
}

#[cfg(not(unix))]
fn signal(_: u32, _: Strength) {}
