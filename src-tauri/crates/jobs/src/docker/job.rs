//! A job in a container. A supervisor that comes after a dead one finds the container by its name and goes on with it:
//! with the log where it ended, and with the time limit that was running.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::time::{Duration, Instant};

use bollard::Docker;
use bollard::models::{ContainerInspectResponse, ContainerStateStatusEnum};
use bollard::query_parameters::{
    InspectContainerOptions, LogsOptions, LogsOptionsBuilder, RemoveContainerOptionsBuilder,
    StartContainerOptions, StopContainerOptionsBuilder,
};
use futures_util::StreamExt as _;
use lapwing_core::Timestamp;

use super::making::Making;
use super::{DockerHost, RemoteDockerSpec, block_on, connect, container, image, tracked, travel};
use crate::folder::Folder;
use crate::ssh::{self, Keeper, Memory};
use crate::state::{ENGINE_AWAY, JobState, Outcome, set_why};
use crate::{DockerSpec, Error, Image, JobSpec, Mount, Result, process};

const POLL: Duration = Duration::from_millis(100);
/// Between two tries to reach an engine that is away.
const FAR_POLL: Duration = Duration::from_secs(2);
const HEARTBEAT: Duration = Duration::from_secs(20);
const FETCH_TRIES: usize = 5;
/// An engine that restarts takes so long at most.
const ENGINE_LIMIT: Duration = Duration::from_secs(60);
const REMOVE_TRIES: usize = 5;

fn name(spec: &JobSpec) -> String {
    format!("lapwing-{}", spec.id)
}

/// Where a container runs, how it is made, and what travels when that is not here.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    pub engine: DockerHost,
    pub image: Image,
    pub mounts: Vec<Mount>,
    pub memory_bytes: Option<i64>,
    pub cpus: Option<f64>,
    pub away: Option<RemoteDockerSpec>,
    /// Ports there that lead to ports here.
    pub tunnels: BTreeMap<u16, u16>,
}

impl Place {
    pub fn local(how: &DockerSpec) -> Self {
        Self {
            engine: DockerHost::Local,
            image: how.image.clone(),
            mounts: how.mounts.clone(),
            memory_bytes: how.memory_bytes,
            cpus: how.cpus,
            away: None,
            tunnels: BTreeMap::new(),
        }
    }

    pub fn away(away: &RemoteDockerSpec) -> Self {
        Self {
            engine: away.engine.clone(),
            image: away.image.clone(),
            mounts: Vec::new(),
            memory_bytes: away.memory_bytes,
            cpus: away.cpus,
            away: Some(away.clone()),
            tunnels: BTreeMap::new(),
        }
    }

    /// The variables of the container: addresses of this machine are those of the tunnels there.
    pub fn env(&self, env: &BTreeMap<String, String>) -> BTreeMap<String, String> {
        let mut env = env.clone();
        for name in self.away.iter().flat_map(|away| &away.tunnels) {
            if let Some(value) = env.get_mut(name) {
                *value = ssh::moved(value, &self.tunnels);
            }
        }
        if self.tracked(&env).is_some() {
            tracked::into_files(&mut env);
        }
        env
    }

    /// The run that is tracked in files, because its server is not reached from there.
    fn tracked<'a>(&self, env: &'a BTreeMap<String, String>) -> Option<&'a str> {
        let away = self.away.as_ref()?;
        let wanted = away.tunnels.iter().any(|name| name == tracked::SERVER);
        match &self.engine {
            DockerHost::Tcp { .. } if wanted => env.get(tracked::RUN).map(String::as_str),
            DockerHost::Tcp { .. } | DockerHost::Local | DockerHost::Ssh { .. } => None,
        }
    }

    /// A tunnel ends at the other machine's own loopback, which only its own network sees.
    pub fn network(&self) -> Option<String> {
        (!self.tunnels.is_empty()).then(|| "host".to_owned())
    }

    fn open_tunnels(&mut self, spec: &JobSpec, memory: &mut Memory) -> Result<()> {
        if let (Some(away), DockerHost::Ssh { host, .. }) = (&self.away, &self.engine) {
            let wanted = ssh::ports(&spec.env, &away.tunnels);
            ssh::open_tunnels(host, &wanted, memory)?;
        }
        self.tunnels = memory.tunnels.clone();
        Ok(())
    }

    fn keeper(&self) -> Option<Keeper> {
        match &self.engine {
            DockerHost::Ssh { host, .. } => Some(Keeper::start(host, &self.tunnels)),
            DockerHost::Local | DockerHost::Tcp { .. } => None,
        }
    }
}

pub(crate) fn run_job(folder: &Folder, spec: &JobSpec, place: &Place) -> Result<Outcome> {
    block_on(run(folder, spec, place.clone()))?
}

/// Whether the job has a container. Asked on a thread of its own, because the caller may be inside a runtime.
pub(crate) fn has_container(spec: &JobSpec) -> bool {
    let name = name(spec);
    let asked =
        std::thread::spawn(move || block_on(async { inspect(&connect().await?, &name).await })?);
    // An engine that does not answer runs nothing that could be gone on with.
    matches!(asked.join(), Ok(Ok(Some(_))))
}

/// Removes the container of a job whose result is written. What cannot be removed stays, and does no harm. One whose
/// outputs are not at home has to stay.
pub(crate) fn discard(folder: &Folder, spec: &JobSpec, place: Place) {
    let engine = place.engine.clone();
    remove_unless_kept(folder, spec, place);
    if let DockerHost::Ssh { host, .. } = &engine {
        ssh::forget_socket(host);
    }
}

fn remove_unless_kept(folder: &Folder, spec: &JobSpec, place: Place) {
    let kept = matches!(
        folder.read(&folder.state()),
        Ok(Some(JobState::Ended(ended))) if matches!(ended.outcome, Outcome::NotFetched { .. })
    );
    // One that could not be reached has no container of ours.
    let unknown = place.away.is_some() && !Memory::of(folder).is_ok_and(|memory| memory.greeted);
    if kept || unknown {
        return;
    }
    let name = name(spec);
    let removed = std::thread::spawn(move || block_on(remove(&place.engine, &name))?);
    match removed.join() {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::warn!(%error, "a container stays behind"),
        Err(_) => tracing::warn!("a container stays behind"),
    }
}

async fn remove(engine: &DockerHost, name: &str) -> Result<()> {
    let mut tries = 0;
    loop {
        tries += 1;
        match try_remove(engine, name).await {
            Err(_) if tries < REMOVE_TRIES => tokio::time::sleep(POLL * 5).await,
            last => return last,
        }
    }
}

async fn try_remove(engine: &DockerHost, name: &str) -> Result<()> {
    let options = RemoveContainerOptionsBuilder::new()
        .force(true)
        .v(true)
        .build();
    match engine
        .connect()
        .await?
        .remove_container(name, Some(options))
        .await
    {
        Ok(())
        | Err(bollard::errors::Error::DockerResponseServerError {
            status_code: 404, ..
        }) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

async fn run(folder: &Folder, spec: &JobSpec, mut place: Place) -> Result<Outcome> {
    let name = name(spec);
    let written = folder.read(&folder.state())?;
    let mut memory = Memory::of(folder)?;
    if let Some(JobState::Running {
        started, log_start, ..
    }) = written
    {
        place.tunnels = memory.tunnels;
        let job = Job {
            name,
            folder,
            spec,
            place,
            started,
            log_start: log_start.unwrap_or_default(),
        };
        return job.to_the_end().await;
    }
    let docker = reach(folder, &place.engine, &memory).await?;
    if place.away.is_some() && !memory.greeted {
        memory.greeted = true;
        memory.keep(folder)?;
    }
    let found = inspect(&docker, &name).await?;
    let is_new = found.as_ref().is_none_or(is_new);
    if folder.cancel().exists() && is_new {
        return Ok(Outcome::Cancelled);
    }
    if found.is_none() {
        let image = tokio::select! {
            image = image_of(folder, &docker, &place.image) => image?,
            () = cancelled(folder) => return Ok(Outcome::Cancelled),
        };
        if folder.cancel().exists() {
            return Ok(Outcome::Cancelled);
        }
        place.open_tunnels(spec, &mut memory)?;
        if place.away.is_some() {
            memory.keep(folder)?;
        }
        container::create(&docker, &name, &image, spec, &place).await?;
    }
    place.tunnels = memory.tunnels;
    if is_new && let Some(away) = &place.away {
        let size = tokio::select! {
            size = travel::upload(&docker, &name, &spec.cwd, away, place.tracked(&spec.env)) => size?,
            () = cancelled(folder) => return Ok(Outcome::Cancelled),
        };
        say(folder)(&format!(
            "sent {} files ({})\n",
            away.files.len(),
            ssh::size(size)
        ));
        if place.tracked(&spec.env).is_some() {
            say(folder)("metrics come home as files, when the command has ended\n");
        }
    }
    let log_start = fs_err::metadata(folder.output())?.len();
    if is_new {
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
        place,
        started,
        log_start,
    };
    job.to_the_end().await
}

/// An engine that is away and has answered once is waited for: a container of ours may run there.
async fn reach(folder: &Folder, engine: &DockerHost, memory: &Memory) -> Result<Docker> {
    loop {
        match engine.connect().await {
            Err(error) if memory.greeted => set_why(folder, Some(error.to_string()))?,
            answer => return answer,
        }
        tokio::time::sleep(FAR_POLL).await;
    }
}

/// Made, but never started: its supervisor died in between.
fn is_new(found: &ContainerInspectResponse) -> bool {
    let status = found.state.as_ref().and_then(|state| state.status);
    status == Some(ContainerStateStatusEnum::CREATED)
}

/// What is said while it is made goes into the log, and how far it is into the job's state.
async fn image_of(folder: &Folder, docker: &Docker, image: &Image) -> Result<String> {
    let (mut log, mut making) = (say(folder), Making::default());
    let mut hear = |text: &str| {
        log(text);
        if let Some(why) = making.hear(text)
            && let Err(error) = set_why(folder, Some(why))
        {
            tracing::debug!(%error, "how far the image is cannot be said");
        }
    };
    let made = image::ensure_on(docker, image, &mut hear).await?;
    set_why(folder, None)?;
    Ok(made)
}

/// Into the job's log.
fn say(folder: &Folder) -> impl FnMut(&str) + Send {
    let log = fs_err::OpenOptions::new()
        .append(true)
        .create(true)
        .open(folder.output());
    let mut log = log.ok(); // The log is for people; a full disk shows when the command itself writes.
    move |text| {
        if let Some(log) = &mut log {
            let _ = log.write_all(text.as_bytes());
        }
    }
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
    place: Place,
    started: Timestamp,
    log_start: u64,
}

impl Job<'_> {
    async fn to_the_end(&self) -> Result<Outcome> {
        let keeper = self.place.keeper();
        let outcome = self.follow().await?;
        // Its last act waits for child processes.
        tokio::task::spawn_blocking(move || drop(keeper));
        match (&self.place.away, &outcome) {
            (None, _) | (Some(_), Outcome::Cancelled | Outcome::Lost) => Ok(outcome),
            (Some(away), _) => Ok(match self.bring_home(away).await {
                Ok(()) => outcome,
                Err(Error::Cancelled) => Outcome::Cancelled,
                Err(error) => Outcome::NotFetched {
                    why: error.to_string(),
                },
            }),
        }
    }

    /// Outputs of everything that ended by itself. A connection that fails is tried again until somebody cancels.
    async fn bring_home(&self, away: &RemoteDockerSpec) -> Result<()> {
        let mut tries = 0;
        loop {
            let fetched = match self.place.engine.connect().await {
                Ok(docker) => {
                    tries += 1;
                    self.fetch(&docker, away).await
                }
                Err(error) => Err(error),
            };
            match fetched {
                Err(
                    error @ (Error::Docker(_) | Error::NoDockerThere { .. } | Error::Cut { .. }),
                ) if tries < FETCH_TRIES => {
                    set_why(self.folder, Some(error.to_string()))?;
                }
                last => return last,
            }
            if self.folder.cancel().exists() {
                return Err(Error::Cancelled);
            }
            tokio::time::sleep(FAR_POLL).await;
        }
    }

    async fn fetch(&self, docker: &Docker, away: &RemoteDockerSpec) -> Result<()> {
        travel::fetch(docker, &self.name, away, &self.folder.fetched()).await?;
        if self.place.tracked(&self.spec.env).is_some() {
            tracked::fetch(docker, &self.name, self.folder).await?;
        }
        Ok(())
    }

    /// Goes with the container until it has ended, through a restart of the engine too.
    async fn follow(&self) -> Result<Outcome> {
        let mut answered = Instant::now();
        let mut was_away = false;
        loop {
            match self.attend(&mut answered).await {
                Ok(Some(outcome)) if was_away => return Ok(with_its_engine(outcome)),
                Ok(Some(outcome)) => return Ok(outcome),
                Ok(None) => {}
                Err(_) if self.place.away.is_none() && answered.elapsed() > ENGINE_LIMIT => {
                    return Ok(engine_away());
                }
                // It runs on whether we see it or not.
                Err(error) => {
                    was_away = true;
                    set_why(self.folder, Some(error.to_string()))?;
                    if self.place.away.is_some() {
                        tokio::time::sleep(FAR_POLL).await;
                    }
                }
            }
            tokio::time::sleep(POLL).await;
        }
    }

    /// Copies the rest of the container's log. `None` when the log ended before the container did. `answered` is when the engine was
    /// last there.
    async fn attend(&self, answered: &mut Instant) -> Result<Option<Outcome>> {
        let docker = self.place.engine.connect().await?;
        *answered = Instant::now();
        set_why(self.folder, None)?;
        let mut log = fs_err::OpenOptions::new()
            .append(true)
            .create(true)
            .open(self.folder.output())?;
        let mut known = self.known(&log)?;
        let mut output = docker.logs(&self.name, Some(printed(Follow::Yes)));
        let mut tick = tokio::time::interval(POLL);
        let mut heartbeat = tokio::time::interval(HEARTBEAT);
        loop {
            tokio::select! {
                piece = output.next() => match piece {
                    Some(Ok(piece)) => log.write_all(beyond(&piece.into_bytes(), &mut known))?,
                    Some(Err(_)) | None => break,
                },
                _ = tick.tick() => if let Some(outcome) = self.wanted_end() {
                    stop(&docker, &self.name).await?;
                    return Ok(Some(outcome));
                },
                // A connection that died without a word is noticed by asking.
                _ = heartbeat.tick(), if self.place.away.is_some() => {
                    match tokio::time::timeout(HEARTBEAT, docker.ping()).await {
                        Ok(answer) => answer.map(|_| ())?,
                        Err(_) => break,
                    }
                }
            }
        }
        // It was there until now: whoever followed for an hour waits for its return as long as anybody.
        *answered = Instant::now();
        let ended = self.result(&docker).await?;
        if ended.is_some() {
            self.last_lines(&docker, &mut log).await?;
        }
        Ok(ended)
    }

    /// How much of the container's own output is here. The engine's log is the same bytes in the same order each time: these are
    /// passed over.
    fn known(&self, log: &fs_err::File) -> Result<u64> {
        Ok(log.metadata()?.len().saturating_sub(self.log_start))
    }

    /// A connection that breaks as the container ends takes the end of the log with it.
    async fn last_lines(&self, docker: &Docker, log: &mut fs_err::File) -> Result<()> {
        let mut known = self.known(log)?;
        let mut output = docker.logs(&self.name, Some(printed(Follow::No)));
        while let Some(piece) = output.next().await {
            match piece {
                Ok(piece) => log.write_all(beyond(&piece.into_bytes(), &mut known))?,
                // It keeps no log, or has the container no more.
                Err(bollard::errors::Error::DockerResponseServerError { .. }) => break,
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
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

/// An engine that starts anew ends what ran under the one before, with a signal, or finds it gone. Of a command that ended so while
/// its engine was away nobody can say that it failed by itself.
fn with_its_engine(outcome: Outcome) -> Outcome {
    const KILLED: i32 = 137;
    const TERMINATED: i32 = 143;
    const GONE: i32 = 255;
    match outcome {
        Outcome::Failed {
            code: KILLED | TERMINATED | GONE,
        } => engine_away(),
        other => other,
    }
}

fn engine_away() -> Outcome {
    Outcome::Evicted {
        state: ENGINE_AWAY.to_owned(),
    }
}

enum Follow {
    Yes,
    No,
}

fn printed(follow: Follow) -> LogsOptions {
    LogsOptionsBuilder::new()
        .follow(matches!(follow, Follow::Yes))
        .stdout(true)
        .stderr(true)
        .build()
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
