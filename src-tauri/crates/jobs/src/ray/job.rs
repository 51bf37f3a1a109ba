//! One submission, from the first greeting to its outputs at home. Every step can be done again, so that whoever comes after a
//! cut or a dead supervisor begins at the first one that is not done.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use lapwing_core::Timestamp;
use lapwing_remote::ray::{Ray, RuntimeEnv, Submission, Taken};
use serde_json::json;

use super::{RaySpec, Tracking, home, package};
use crate::docker::block_on;
use crate::folder::Folder;
use crate::ssh::{self, Memory};
use crate::state::{JobState, Outcome, set_why};
use crate::{Error, JobSpec, Result};

/// What the package has besides the project's files.
pub(super) const SCRIPT_NAME: &str = ".lapwing-job.py";
/// The folder of the project there: the script knows which one it is.
const TREE: &str = "/lapwing-tree";
const POLL: Duration = Duration::from_millis(100);
const FIRST_WAIT: Duration = Duration::from_millis(500);
const LAST_WAIT: Duration = Duration::from_secs(30);
/// A job that removes a few files is given so long.
const CLEAN_LIMIT: Duration = Duration::from_secs(60);
const CLEAN_POLL: Duration = Duration::from_secs(1);
/// Ray itself looks after its jobs every second: one that is taken off its list between end and look comes back as one that failed.
const NOTED: Duration = Duration::from_secs(3);
/// What was sent without an answer has arrived by then, or never will.
const ARRIVAL: Duration = Duration::from_secs(10);
/// Of a node, so much as a job that removes a file needs to be put on it.
const TOUCH: f64 = 0.001;

pub(crate) fn run_job(folder: &Folder, spec: &JobSpec, ray: &RaySpec) -> Result<Outcome> {
    let job = Job::new(folder, spec, ray)?;
    match block_on(job.run())? {
        // One that ended there as told is not asked about again.
        Err(Error::Cancelled) => {
            // What may have arrived there is ended there before anybody is told so.
            block_on(job.withdraw())??;
            Ok(Outcome::Cancelled)
        }
        other => other,
    }
}

/// Removes what lies there for a job whose result is written. What cannot be removed stays, and does no harm.
pub(crate) fn discard(folder: &Folder, spec: &JobSpec, ray: &RaySpec) {
    let keep = matches!(
        folder.read(&folder.state()),
        Ok(Some(JobState::Ended(ended))) if matches!(ended.outcome, Outcome::NotFetched { .. })
    );
    let sent = Memory::of(folder).is_ok_and(|memory| memory.log_start.is_some() && !memory.unsent);
    if keep || !sent {
        return;
    }
    let cleaned = Job::new(folder, spec, ray).and_then(|job| block_on(job.clean())?);
    if let Err(error) = cleaned {
        tracing::warn!(%error, "something of the job stays behind on the Ray cluster");
    }
}

pub(super) struct Job<'a> {
    pub folder: &'a Folder,
    pub spec: &'a JobSpec,
    pub ray: &'a RaySpec,
    /// With the credential that was the last one known.
    cluster: Mutex<Ray>,
    /// Of the submission.
    pub id: String,
}

impl<'a> Job<'a> {
    fn new(folder: &'a Folder, spec: &'a JobSpec, ray: &'a RaySpec) -> Result<Self> {
        Ok(Self {
            folder,
            spec,
            ray,
            cluster: Mutex::new(ray.cluster()?),
            id: format!("lapwing-{}", spec.id),
        })
    }

    pub fn cluster(&self) -> Ray {
        let known = self.cluster.lock();
        known.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Nothing is heard of it for a while, and why. Somebody may give a new credential meanwhile.
    fn is_away(&self, error: &Error) {
        self.say(&error.to_string());
        if !is_signed_out(error) {
            return;
        }
        match self.ray.cluster() {
            Ok(again) => {
                *self.cluster.lock().unwrap_or_else(PoisonError::into_inner) = again;
            }
            Err(error) => tracing::warn!(%error, "the credential cannot be read"),
        }
    }

    async fn run(&self) -> Result<Outcome> {
        let mut memory = Memory::of(self.folder)?;
        if !memory.submitted {
            if !memory.greeted {
                // The first time a person waits for the answer: what is wrong is said at once.
                self.cluster().greet().await?;
                memory.greeted = true;
                memory.keep(self.folder)?;
            }
            let submission = self.prepare().await?;
            // Before it may be there: whoever cancels it has to reach it.
            memory.unsent |= memory.log_start.is_none();
            memory.log_start = Some(self.log_size()?);
            memory.keep(self.folder)?;
            self.patiently(Until::Cancelled, || self.submit(&submission))
                .await?;
            memory.submitted = true;
            memory.unsent = false;
            memory.keep(self.folder)?;
        }
        let log_start = memory.log_start.unwrap_or_default();
        let ended = self
            .patiently(Until::Done, || self.follow(log_start))
            .await?;
        Ok(self.bring_home(ended).await)
    }

    /// Sends the files, unless the cluster has them.
    async fn prepare(&self) -> Result<Submission> {
        let archive = self.folder.root().join("package.zip");
        self.say(&format!("packing {} files", self.ray.files.len()));
        let package = package::pack(&self.ray.root, &self.ray.files, archive)?;
        let sent = self
            .patiently(Until::Cancelled, || self.send(&package))
            .await;
        fs_err::remove_file(&package.archive)?;
        sent?;
        match self.ray.tracking {
            Tracking::Files => {
                self.tell("metrics come home as files, when the command has ended");
            }
            Tracking::Direct => self.tell("metrics come here while the command runs"),
        }
        self.submission(&package.name)
    }

    async fn send(&self, package: &package::Package) -> Result<()> {
        let size = ssh::size(package.bytes);
        if self.cluster().has_package(&package.name).await? {
            self.tell(&format!("the cluster has these files already ({size})"));
            return Ok(());
        }
        self.say(&format!("sending {size}"));
        let cluster = self.cluster();
        let sending = cluster.send_package(&package.name, &package.archive, |_| {});
        match self.unless_cancelled(sending).await? {
            Taken::Yes => {
                self.tell(&format!("sent {} files ({size})", self.ray.files.len()));
                Ok(())
            }
            Taken::TooLarge(said) => Err(Error::PackageTooLarge {
                size,
                said,
                largest: package::largest(&self.ray.root, &self.ray.files),
            }),
        }
    }

    fn submission(&self, package: &str) -> Result<Submission> {
        let cwd = self.spec.cwd.strip_prefix(&self.ray.root);
        let cwd = cwd.map_err(|_| Error::BadPath(self.spec.cwd.display().to_string()))?;
        let cwd = ssh::slashes(cwd);
        let mut env_vars = self.env();
        let run = match self.ray.tracking {
            Tracking::Files => self.spec.env.get("MLFLOW_RUN_ID"),
            Tracking::Direct => None,
        };
        let order = json!({
            "id": self.id,
            "argv": self.spec.command.argv,
            "cwd": cwd,
            "folders": ssh::folders(&cwd, &self.ray.outputs),
            "outputs": self.ray.outputs,
            "run": run,
        });
        env_vars.insert("LAPWING_JOB".to_owned(), order.to_string());
        let known = [
            ("lapwing_job", self.spec.id.to_string()),
            ("title", self.spec.title.clone()),
        ];
        Ok(Submission {
            submission_id: self.id.clone(),
            entrypoint: format!("python {SCRIPT_NAME}"),
            runtime_env: RuntimeEnv {
                working_dir: Some(format!("gcs://{package}")),
                env_vars,
                pip: self.ray.pip.clone(),
            },
            metadata: known.map(|(key, value)| (key.to_owned(), value)).into(),
            entrypoint_num_cpus: self.ray.cpus,
            entrypoint_num_gpus: self.ray.gpus,
            entrypoint_memory: self.ray.memory_mib.map(|mib| mib.saturating_mul(1 << 20)),
            entrypoint_resources: BTreeMap::new(),
        })
    }

    /// Paths into the project become paths into the tree there.
    fn env(&self) -> BTreeMap<String, String> {
        // Without a way to our server its address is none, and a token for it is only a secret that the dashboard shows.
        const SERVER: [&str; 2] = ["MLFLOW_TRACKING_URI", "MLFLOW_TRACKING_TOKEN"];
        let direct = self.ray.tracking == Tracking::Direct;
        let there = |value: &String| match Path::new(value).strip_prefix(&self.ray.root) {
            Ok(rest) if rest.as_os_str().is_empty() => TREE.to_owned(),
            Ok(rest) => format!("{TREE}/{}", ssh::slashes(rest)),
            Err(_) => value.clone(),
        };
        self.spec
            .env
            .iter()
            .filter(|(name, _)| direct || !SERVER.contains(&name.as_str()))
            .map(|(name, value)| (name.clone(), there(value)))
            .collect()
    }

    async fn submit(&self, submission: &Submission) -> Result<()> {
        if self.cancelled() {
            return Err(Error::Cancelled);
        }
        self.say(&format!("submitting it to {}", self.cluster().base()));
        // Whoever cancels it now waits a moment: only the answer says whether it is there.
        let given_up = async {
            self.until_cancelled().await;
            tokio::time::sleep(ARRIVAL).await;
        };
        tokio::select! {
            done = self.hand_over(submission) => done,
            () = given_up => Err(Error::Cancelled),
        }
    }

    /// A cluster that is away is noticed by the question: only behind its answer the job may be there.
    async fn hand_over(&self, submission: &Submission) -> Result<()> {
        if self.cluster().job(&self.id).await?.is_some() {
            return Ok(());
        }
        let mut memory = Memory::of(self.folder)?;
        memory.unsent = false;
        memory.keep(self.folder)?;
        Ok(self.cluster().submit(submission).await?)
    }

    /// Until it has ended there, or is known never to have come: a command that was cancelled must not go on unseen.
    async fn withdraw(&self) -> Result<()> {
        let memory = Memory::of(self.folder)?;
        if memory.log_start.is_none() || memory.unsent {
            return Ok(()); // It was never sent.
        }
        let begun = Instant::now();
        let mut wait = FIRST_WAIT;
        loop {
            match self.withdrawn().await {
                Ok(Withdrawn::Ended) => return Ok(()),
                Ok(Withdrawn::Missing) if memory.submitted || begun.elapsed() > ARRIVAL => {
                    return Ok(());
                }
                Ok(Withdrawn::Missing | Withdrawn::Stopping) => wait = FIRST_WAIT,
                Err(error) if passes(&error) => {
                    self.is_away(&error);
                    wait = (wait * 2).min(LAST_WAIT);
                }
                Err(error) => return Err(error),
            }
            tokio::time::sleep(wait).await;
        }
    }

    async fn withdrawn(&self) -> Result<Withdrawn> {
        match self.cluster().job(&self.id).await? {
            None => Ok(Withdrawn::Missing),
            Some(job) if job.status.is_final() => Ok(Withdrawn::Ended),
            Some(_) => {
                self.cluster().stop(&self.id).await?;
                Ok(Withdrawn::Stopping)
            }
        }
    }

    /// The outputs of everything that ended by itself: a failed training's files are worth as much as they are here.
    async fn bring_home(&self, ended: super::follow::End) -> Outcome {
        let (Some(node), false) = (ended.node, matches!(ended.outcome, Outcome::Cancelled)) else {
            return ended.outcome;
        };
        let fetched = self
            .patiently(Until::Cancelled, || home::fetch(self, &node))
            .await;
        match fetched {
            Ok(home::Fetched::All) => ended.outcome,
            // The script ended before it could leave anything; without outputs a success would be none.
            Ok(home::Fetched::Nothing) => match ended.outcome {
                Outcome::Succeeded => Outcome::NotFetched {
                    why: format!("the cluster has no result of {}", self.id),
                },
                failed => failed,
            },
            Err(Error::Cancelled) => Outcome::Cancelled,
            Err(error) => Outcome::NotFetched {
                why: error.to_string(),
            },
        }
    }

    /// Removes the result's files, with a job on the node that has them, and both jobs from the cluster's list.
    async fn clean(&self) -> Result<()> {
        let job = self.cluster().job(&self.id).await?;
        if job.as_ref().is_some_and(|job| !job.status.is_final()) {
            if !self.cancelled() {
                return Ok(()); // Lost sight of, not unwanted: it goes on there.
            }
            // Its supervisor was told to end it while it was submitting it.
            self.cluster().stop(&self.id).await?;
        }
        let mut ended = vec![self.id.clone()];
        let node = job.and_then(|job| job.driver_node_id);
        if let (Some(node), Some(logs)) = (node, home::place(self.folder)?)
            && let Some(address) = self.cluster().node_ip(&node).await?
        {
            let files = format!("{logs}/{}", self.id).replace('\'', r"'\''");
            let id = format!("{}-clean", self.id);
            let submission = Submission {
                submission_id: id.clone(),
                entrypoint: format!("rm -f '{files}.tar' '{files}.json'"),
                entrypoint_resources: [(format!("node:{address}"), TOUCH)].into(),
                ..Submission::default()
            };
            self.cluster().submit(&submission).await?;
            ended.push(id);
        }
        for id in &ended {
            self.ended(id).await?;
        }
        tokio::time::sleep(NOTED).await;
        for id in &ended {
            self.cluster().delete(id).await?;
        }
        Ok(())
    }

    async fn ended(&self, id: &str) -> Result<()> {
        let begun = Instant::now();
        while begun.elapsed() < CLEAN_LIMIT {
            match self.cluster().job(id).await? {
                Some(job) if !job.status.is_final() => tokio::time::sleep(CLEAN_POLL).await,
                Some(_) | None => return Ok(()),
            }
        }
        Ok(())
    }

    /// Does `work` again for as long as it fails because the cluster cannot be reached, and says so in the job's state.
    async fn patiently<T, F: Future<Output = Result<T>>>(
        &self,
        until: Until,
        work: impl Fn() -> F,
    ) -> Result<T> {
        let mut wait = FIRST_WAIT;
        loop {
            let begun = Instant::now();
            let error = match work().await {
                Ok(done) => return Ok(done),
                Err(error) if passes(&error) => error,
                Err(error) => return Err(error),
            };
            if begun.elapsed() > LAST_WAIT {
                wait = FIRST_WAIT; // It went well for a while.
            }
            self.is_away(&error);
            let asked = Instant::now();
            while asked.elapsed() < wait {
                let cancelled = self.cancelled();
                match until {
                    Until::Cancelled if cancelled => return Err(Error::Cancelled),
                    // Somebody waits: try as often as at first.
                    Until::Done if cancelled && asked.elapsed() > FIRST_WAIT => break,
                    Until::Cancelled | Until::Done => tokio::time::sleep(POLL).await,
                }
            }
            wait = (wait * 2).min(LAST_WAIT);
        }
    }

    pub fn cancelled(&self) -> bool {
        self.folder.cancel().exists()
    }

    pub async fn unless_cancelled<T, E>(
        &self,
        work: impl Future<Output = Result<T, E>>,
    ) -> Result<T>
    where
        Error: From<E>,
    {
        tokio::select! {
            done = work => Ok(done?),
            () = self.until_cancelled() => Err(Error::Cancelled),
        }
    }

    async fn until_cancelled(&self) {
        while !self.cancelled() {
            tokio::time::sleep(POLL).await;
        }
    }

    pub fn log_size(&self) -> Result<u64> {
        Ok(fs_err::metadata(self.folder.output())?.len())
    }

    /// In the job's state. A word for people: what cannot be written shows when the result is.
    pub fn say(&self, text: &str) {
        if let Err(error) = set_why(self.folder, Some(text.to_owned())) {
            tracing::debug!(%error, "no word about what is done");
        }
    }

    /// In its log too.
    fn tell(&self, text: &str) {
        self.say(text);
        let log = fs_err::OpenOptions::new()
            .append(true)
            .open(self.folder.output());
        // As above.
        if let Ok(mut log) = log {
            let _ = log.write_all(format!("{text}\n").as_bytes());
        }
    }

    pub fn runs(&self, log_start: u64) -> Result<Timestamp> {
        let started = match self.folder.read(&self.folder.state())? {
            Some(JobState::Running {
                why: None, started, ..
            }) => return Ok(started),
            Some(JobState::Running { started, .. }) => started,
            Some(JobState::Queued { .. } | JobState::Ended(_)) | None => Timestamp::now(),
        };
        self.folder.write(
            &self.folder.state(),
            &JobState::Running {
                pid: 0,
                started,
                born: None,
                log_start: Some(log_start),
                why: None,
            },
        )?;
        Ok(started)
    }
}

/// How far a submission that nobody wants any more is.
enum Withdrawn {
    Ended,
    /// The cluster knows none with that id.
    Missing,
    Stopping,
}

/// How long work is tried again.
#[derive(Clone, Copy)]
enum Until {
    Cancelled,
    Done,
}

/// The cluster, or the way to it, is away for a while.
pub(super) fn passes(error: &Error) -> bool {
    use lapwing_remote::Error as Remote;
    match error {
        Error::Remote(
            Remote::NameLookup { .. }
            | Remote::Refused { .. }
            | Remote::Silent { .. }
            | Remote::Broken { .. },
        ) => true,
        Error::Remote(Remote::Answered { status, .. }) => {
            matches!(status, 429 | 500..=599)
        }
        Error::Io(error) => error.kind() == std::io::ErrorKind::StorageFull,
        error => is_signed_out(error),
    }
}

/// It goes on there without us: whoever signs in again finds it.
fn is_signed_out(error: &Error) -> bool {
    use lapwing_remote::Error as Remote;
    matches!(
        error,
        Error::Remote(
            Remote::Unauthorized { .. } | Remote::Refusal { .. } | Remote::Forbidden { .. }
        )
    )
}
