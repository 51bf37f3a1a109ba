//! A job in a container. A supervisor that comes after a dead one finds the container by its name and goes on with it:
//! with the log where it ended, and with the time limit that was running.

use std::io::Write as _;
use std::time::{Duration, Instant};

use bollard::Docker;
use bollard::models::{ContainerInspectResponse, ContainerStateStatusEnum};
use bollard::query_parameters::{
    InspectContainerOptions, LogsOptionsBuilder, RemoveContainerOptionsBuilder,
    StartContainerOptions, StopContainerOptionsBuilder,
};
use futures_util::StreamExt as _;
use lapwing_core::Timestamp;

use super::{block_on, connect, container, image};
use crate::folder::Folder;
use crate::state::{JobState, Outcome};
use crate::{DockerSpec, JobSpec, Result, process};

const POLL: Duration = Duration::from_millis(100);
/// An engine that restarts takes so long at most.
const ENGINE_LIMIT: Duration = Duration::from_secs(60);
const REMOVE_TRIES: usize = 5;

fn name(spec: &JobSpec) -> String {
    format!("lapwing-{}", spec.id)
}

pub(crate) fn run_job(folder: &Folder, spec: &JobSpec, docker: &DockerSpec) -> Result<Outcome> {
    block_on(run(folder, spec, docker))?
}

/// Whether the job has a container. Asked on a thread of its own, because the caller may be inside a runtime.
pub(crate) fn has_container(spec: &JobSpec) -> bool {
    let name = name(spec);
    let asked =
        std::thread::spawn(move || block_on(async { inspect(&connect().await?, &name).await })?);
    // An engine that does not answer runs nothing that could be gone on with.
    matches!(asked.join(), Ok(Ok(Some(_))))
}

/// Removes the container of a job whose result is written. What cannot be removed stays, and does no harm.
pub(crate) fn discard(spec: &JobSpec) {
    let name = name(spec);
    let removed = std::thread::spawn(move || block_on(remove(&name))?);
    match removed.join() {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::warn!(%error, "a container stays behind"),
        Err(_) => tracing::warn!("a container stays behind"),
    }
}

async fn remove(name: &str) -> Result<()> {
    let mut tries = 0;
    loop {
        tries += 1;
        match try_remove(name).await {
            Err(_) if tries < REMOVE_TRIES => tokio::time::sleep(POLL * 5).await,
            last => return last,
        }
    }
}

async fn try_remove(name: &str) -> Result<()> {
    let options = RemoveContainerOptionsBuilder::new()
        .force(true)
        .v(true)
        .build();
    match connect().await?.remove_container(name, Some(options)).await {
        Ok(())
        | Err(bollard::errors::Error::DockerResponseServerError {
            status_code: 404, ..
        }) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

async fn run(folder: &Folder, spec: &JobSpec, how: &DockerSpec) -> Result<Outcome> {
    let name = name(spec);
    let written = folder.read(&folder.state())?;
    if let Some(JobState::Running {
        started, log_start, ..
    }) = written
    {
        let job = Job {
            name,
            folder,
            spec,
            started,
            log_start: log_start.unwrap_or_default(),
        };
        return job.follow().await;
    }
    let docker = connect().await?;
    let found = inspect(&docker, &name).await?;
    if found.is_none() {
        let image = tokio::select! {
            image = image_of(folder, how) => image?,
            () = cancelled(folder) => return Ok(Outcome::Cancelled),
        };
        if folder.cancel().exists() {
            return Ok(Outcome::Cancelled);
        }
        container::create(&docker, &name, &image, spec, how).await?;
    }
    let log_start = fs_err::metadata(folder.output())?.len();
    if found.is_none_or(|found| is_new(&found)) {
        docker
            .start_container(&name, None::<StartContainerOptions>)
            .await?;
    }
    let started = Timestamp::now();
    folder.write(
        &folder.state(),
        &JobState::Running {
            pid: 0,
            started,
            born: None,
            log_start: Some(log_start),
            why: None,
        },
    )?;
    let job = Job {
        name,
        folder,
        spec,
        started,
        log_start,
    };
    job.follow().await
}

/// Made, but never started: its supervisor died in between.
fn is_new(found: &ContainerInspectResponse) -> bool {
    let status = found.state.as_ref().and_then(|state| state.status);
    status == Some(ContainerStateStatusEnum::CREATED)
}

async fn image_of(folder: &Folder, how: &DockerSpec) -> Result<String> {
    let mut log = fs_err::OpenOptions::new()
        .append(true)
        .create(true)
        .open(folder.output())?;
    let mut say = |text: &str| {
        // The log is for people; a full disk shows when the command itself writes.
        let _ = log.write_all(text.as_bytes());
    };
    image::ensure(&how.image, &mut say).await
}

async fn cancelled(folder: &Folder) {
    while !folder.cancel().exists() {
        tokio::time::sleep(POLL).await;
    }
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

/// A container that was started, and where its output begins in the job's log.
struct Job<'a> {
    name: String,
    folder: &'a Folder,
    spec: &'a JobSpec,
    started: Timestamp,
    log_start: u64,
}

impl Job<'_> {
    /// Goes with the container until it has ended, through a restart of the engine too.
    async fn follow(&self) -> Result<Outcome> {
        let mut answered = Instant::now();
        loop {
            match self.attend().await {
                Ok(Some(outcome)) => return Ok(outcome),
                Ok(None) => answered = Instant::now(),
                Err(error) if answered.elapsed() > ENGINE_LIMIT => return Err(error),
                Err(error) => tracing::debug!(%error, "the engine does not answer: trying again"),
            }
            tokio::time::sleep(POLL).await;
        }
    }

    /// Copies the rest of the container's log. `None` when the log ended before the container did.
    async fn attend(&self) -> Result<Option<Outcome>> {
        let docker = connect().await?;
        let mut log = fs_err::OpenOptions::new()
            .append(true)
            .create(true)
            .open(self.folder.output())?;
        let options = LogsOptionsBuilder::new()
            .follow(true)
            .stdout(true)
            .stderr(true)
            .build();
        // The engine's log is the same bytes in the same order each time: those that are here already are passed over.
        let mut known = log.metadata()?.len().saturating_sub(self.log_start);
        let mut output = docker.logs(&self.name, Some(options));
        let mut tick = tokio::time::interval(POLL);
        loop {
            tokio::select! {
                piece = output.next() => match piece {
                    Some(Ok(piece)) => log.write_all(beyond(&piece.into_bytes(), &mut known))?,
                    Some(Err(_)) | None => break,
                },
                _ = tick.tick() => if let Some(outcome) = self.wanted_end() {
                    stop(&docker, &self.name).await?;
                    return Ok(Some(outcome));
                }
            }
        }
        self.result(&docker).await
    }

    fn wanted_end(&self) -> Option<Outcome> {
        if self.folder.cancel().exists() {
            return Some(Outcome::Cancelled);
        }
        let seconds = self.spec.timeout_seconds?;
        let run = Timestamp::now().millis_since(self.started);
        let late = u64::try_from(run).is_ok_and(|run| run > seconds.saturating_mul(1000));
        late.then_some(Outcome::TimedOut { seconds })
    }

    async fn result(&self, docker: &Docker) -> Result<Option<Outcome>> {
        let Some(found) = inspect(docker, &self.name).await? else {
            return Ok(Some(Outcome::Lost));
        };
        let state = found.state.unwrap_or_default();
        if state.running == Some(true) {
            return Ok(None);
        }
        Ok(Some(match state.exit_code.unwrap_or(-1) {
            0 => Outcome::Succeeded,
            _ if self.folder.cancel().exists() => Outcome::Cancelled,
            _ if state.oom_killed == Some(true) => Outcome::OutOfMemory,
            code => Outcome::Failed {
                code: i32::try_from(code).unwrap_or(-1),
            },
        }))
    }
}

/// What of `piece` lies behind the first `known` bytes.
fn beyond<'a>(piece: &'a [u8], known: &mut u64) -> &'a [u8] {
    let skipped = usize::try_from(*known).map_or(piece.len(), |known| known.min(piece.len()));
    *known -= skipped as u64;
    piece.get(skipped..).unwrap_or_default()
}

async fn stop(docker: &Docker, name: &str) -> Result<()> {
    let grace = i32::try_from(process::GRACE.as_secs()).unwrap_or(i32::MAX);
    let options = StopContainerOptionsBuilder::new().t(grace).build();
    match docker.stop_container(name, Some(options)).await {
        Ok(())
        | Err(bollard::errors::Error::DockerResponseServerError {
            status_code: 304 | 404,
            ..
        }) => Ok(()),
        Err(error) => Err(error.into()),
    }
}
