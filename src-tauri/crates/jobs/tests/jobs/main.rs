//! Real processes under real supervisors, and a real Docker engine where `LAPWING_TEST_DOCKER` names a base image.
#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a failed step of a test should stop it where it is"
)]

mod docker;
#[cfg(target_os = "linux")]
mod docker_away;
mod environment;
#[cfg(target_os = "linux")]
mod kube;
#[cfg(target_os = "linux")]
mod kubernetes;
mod left_out;
mod process;
#[cfg(target_os = "linux")]
mod ray;
#[cfg(target_os = "linux")]
mod slurm;
#[cfg(target_os = "linux")]
mod slurmd;
#[cfg(target_os = "linux")]
mod ssh;
#[cfg(target_os = "linux")]
mod ssh_python;
#[cfg(target_os = "linux")]
mod sshd;
#[cfg(target_os = "linux")]
mod trainer;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use lapwing_core::{JobId, Workspace};
use lapwing_jobs::{Command, Ended, JobSpec, JobState, Target, state};

/// The example that `cargo test` builds beside this program.
fn supervisor() -> PathBuf {
    let here = std::env::current_exe().unwrap();
    here.parent()
        .unwrap()
        .parent()
        .unwrap()
        .join("examples/supervisor")
}

fn shell(script: &str) -> JobSpec {
    JobSpec {
        id: JobId::random(),
        title: "a test".to_owned(),
        command: Command {
            argv: vec!["/bin/sh".to_owned(), "-c".to_owned(), script.to_owned()],
        },
        cwd: std::env::temp_dir(),
        env: BTreeMap::new(),
        timeout_seconds: None,
        target: Target::Process,
        inputs: None,
        deliver: Vec::new(),
    }
}

fn ended(workspace: &Workspace, id: &JobId) -> Ended {
    let mut found = None;
    until("the job's end", || match state(workspace, id).unwrap() {
        JobState::Ended(ended) => {
            found = Some(ended);
            true
        }
        JobState::Queued { .. } | JobState::Running { .. } => false,
    });
    found.unwrap()
}

fn until(what: &str, mut done: impl FnMut() -> bool) {
    const LIMIT: Duration = Duration::from_secs(180);
    let start = Instant::now();
    while !done() {
        assert!(start.elapsed() < LIMIT, "{what} did not come");
        std::thread::sleep(Duration::from_millis(10));
    }
}
