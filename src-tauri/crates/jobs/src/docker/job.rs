//! A job in a container. A supervisor that comes after a dead one finds the container by its name and goes on with it.

use std::io::Write as _;
use std::time::{Duration, Instant};

use bollard::Docker;
use bollard::models::{ContainerCreateBody, ContainerInspectResponse, HostConfig};
use bollard::query_parameters::{
    CreateContainerOptionsBuilder, InspectContainerOptions, LogsOptionsBuilder,
    RemoveContainerOptionsBuilder, StartContainerOptions, StopContainerOptionsBuilder,
};
use futures_util::StreamExt as _;
use lapwing_core::Timestamp;

use super::{LABEL, MAX_PIDS, block_on, connect, image, user};
use crate::folder::Folder;
use crate::state::{JobState, Outcome};
use crate::{DockerSpec, JobSpec, Mount, Result, process};

const POLL: Duration = Duration::from_millis(100);

pub(crate) fn run_job(folder: &Folder, spec: &JobSpec, docker: &DockerSpec) -> Result<Outcome> {
    block_on(run(folder, spec, docker))?
}

async fn run(folder: &Folder, spec: &JobSpec, how: &DockerSpec) -> Result<Outcome> {
    let docker = connect().await?;
    let name = format!("lapwing-{}", spec.id);
    if inspect(&docker, &name).await?.is_none() {
        let mut log = fs_err::OpenOptions::new()
            .append(true)
            .create(true)
            .open(folder.output())?;
        let image = image::ensure(&how.image, &mut |text| {
            // The log is for people; a full disk shows when the command itself writes.
            let _ = log.write_all(text.as_bytes());
        })
        .await?;
        create(&docker, &name, &image, spec, how).await?;
        docker
            .start_container(&name, None::<StartContainerOptions>)
            .await?;
    }
    let started = match folder.read(&folder.state())? {
        Some(JobState::Running { started, .. }) => started,
        Some(JobState::Queued { .. } | JobState::Ended(_)) | None => Timestamp::now(),
    };
    folder.write(&folder.state(), &JobState::Running { pid: 0, started })?;
    let outcome = follow(&docker, &name, folder, spec).await?;
    let options = RemoveContainerOptionsBuilder::new()
        .force(true)
        .v(true)
        .build();
    docker.remove_container(&name, Some(options)).await?;
    Ok(outcome)
}

async fn inspect(docker: &Docker, name: &str) -> Result<Option<ContainerInspectResponse>> {
    match docker
        .inspect_container(name, None::<InspectContainerOptions>)
        .await
    {
        Ok(found) => Ok(Some(found)),
        Err(bollard::errors::Error::DockerResponseServerError {
            status_code: 404, ..
        }) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

pub(super) fn binds(mounts: &[Mount]) -> Vec<String> {
    mounts
        .iter()
        .map(|mount| {
            let mode = if mount.read_only { "ro" } else { "rw" };
            format!(
                "{}:{}:{mode}",
                mount.host.display(),
                mount.container.display()
            )
        })
        .collect()
}

async fn create(
    docker: &Docker,
    name: &str,
    image: &str,
    spec: &JobSpec,
    how: &DockerSpec,
) -> Result<()> {
    let mut env: Vec<String> = spec
        .env
        .iter()
        .map(|(key, value)| format!("{key}={value}"))
        .collect();
    env.push("HOME=/tmp".to_owned());
    let body = ContainerCreateBody {
        image: Some(image.to_owned()),
        entrypoint: Some(spec.command.argv.clone()),
        cmd: Some(Vec::new()),
        working_dir: Some(spec.cwd.display().to_string()),
        env: Some(env),
        user: user(),
        labels: Some([(LABEL.to_owned(), name.to_owned())].into()),
        host_config: Some(HostConfig {
            binds: Some(binds(&how.mounts)),
            memory: how.memory_bytes,
            nano_cpus: how.cpus.map(|cpus| (cpus * 1e9) as i64),
            pids_limit: Some(MAX_PIDS),
            cap_drop: Some(vec!["ALL".to_owned()]),
            security_opt: Some(vec!["no-new-privileges".to_owned()]),
            extra_hosts: Some(vec!["host.docker.internal:host-gateway".to_owned()]),
            init: Some(true),
            ..HostConfig::default()
        }),
        ..ContainerCreateBody::default()
    };
    let options = CreateContainerOptionsBuilder::new().name(name).build();
    docker.create_container(Some(options), body).await?;
    Ok(())
}

/// Copies the container's log, all of it from the beginning, until it has ended or is told to.
async fn follow(docker: &Docker, name: &str, folder: &Folder, spec: &JobSpec) -> Result<Outcome> {
    let begun = Instant::now();
    let limit = spec.timeout_seconds.map(Duration::from_secs);
    let mut log = fs_err::OpenOptions::new()
        .append(true)
        .create(true)
        .open(folder.output())?;
    let options = LogsOptionsBuilder::new()
        .follow(true)
        .stdout(true)
        .stderr(true)
        .build();
    let mut output = docker.logs(name, Some(options));
    let mut ended = None;
    loop {
        tokio::select! {
            piece = output.next() => match piece {
                Some(Ok(piece)) => log.write_all(&piece.into_bytes())?,
                Some(Err(_)) | None => break,
            },
            () = tokio::time::sleep(POLL) => {
                let late = limit.filter(|limit| begun.elapsed() > *limit);
                if folder.cancel().exists() {
                    ended = Some(Outcome::Cancelled);
                } else if let Some(limit) = late {
                    ended = Some(Outcome::TimedOut { seconds: limit.as_secs() });
                }
                if ended.is_some() {
                    stop(docker, name).await?;
                    break;
                }
            }
        }
    }
    match ended {
        Some(outcome) => Ok(outcome),
        None => result(docker, name, folder).await,
    }
}

async fn stop(docker: &Docker, name: &str) -> Result<()> {
    let grace = i32::try_from(process::GRACE.as_secs()).unwrap_or(i32::MAX);
    Ok(docker
        .stop_container(
            name,
            Some(StopContainerOptionsBuilder::new().t(grace).build()),
        )
        .await?)
}

/// The log has ended; the container's own end follows at once.
async fn result(docker: &Docker, name: &str, folder: &Folder) -> Result<Outcome> {
    loop {
        let Some(found) = inspect(docker, name).await? else {
            return Ok(Outcome::Lost);
        };
        let state = found.state.unwrap_or_default();
        if state.running != Some(true) {
            let code = state.exit_code.unwrap_or(-1);
            return Ok(match code {
                _ if state.oom_killed == Some(true) => Outcome::OutOfMemory,
                0 => Outcome::Succeeded,
                code => Outcome::Failed {
                    code: i32::try_from(code).unwrap_or(-1),
                },
            });
        }
        if folder.cancel().exists() {
            stop(docker, name).await?;
            return Ok(Outcome::Cancelled);
        }
        tokio::time::sleep(POLL).await;
    }
}
