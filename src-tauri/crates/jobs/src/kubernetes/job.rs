//! One job there: its Job is made unless it is there, its pod waited for, and what runs in it is left to the machinery of every
//! other machine. Every step can be done again by a supervisor that comes after a dead one.

use std::io::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

use k8s_openapi::api::batch::v1::Job as ApiJob;
use k8s_openapi::api::core::v1::{Event, Pod as ApiPod};
use kube::Api;
use kube::api::{DeleteParams, ListParams, PostParams};

use super::cluster::{Connected, bounded};
use super::pod::{LAST_WORD, cancelled};
use super::status::{self, Stage};
use super::{KubernetesSpec, Pod, block_on, failure, manifest, tail};
use crate::folder::Folder;
use crate::ssh::{self, Memory};
use crate::state::{JobState, Outcome, set_why};
use crate::{Error, JobSpec, Result};

/// Between two looks at a pod that waits.
const LOOK: Duration = Duration::from_secs(1);
/// Between two tries to reach a cluster: the first is short, and none is longer than the last.
const FIRST_WAIT: Duration = Duration::from_millis(500);
const LAST_WAIT: Duration = Duration::from_secs(30);
const REMOVE_TRIES: usize = 5;
/// A request without an answer has arrived by then, or never will.
const ARRIVAL: Duration = Duration::from_secs(10);
/// Of what was said about a pod, what is read.
const MAX_EVENTS: u32 = 200;

pub(crate) fn run_job(folder: &Folder, spec: &JobSpec, kube: &KubernetesSpec) -> Result<Outcome> {
    let job = Job::new(folder, spec, kube);
    match follow(&job) {
        Ok(Outcome::Cancelled) | Err(Error::Cancelled) => {
            // What was started there is ended there before anybody is told so.
            if Memory::of(folder)?.greeted {
                block_on(job.remove_at_last())??;
            }
            Ok(Outcome::Cancelled)
        }
        other => other,
    }
}

fn follow(job: &Job<'_>) -> Result<Outcome> {
    let Job {
        folder, spec, kube, ..
    } = job;
    match block_on(job.place())?? {
        Placed::Runs => {}
        Placed::Ended(outcome) => return Ok(outcome),
    }
    let mut limited = JobSpec::clone(spec);
    limited.timeout_seconds = manifest::limit_seconds(spec, kube);
    let remote = kube.remote(&job.name);
    match ssh::run_job(folder, &limited, &remote, None) {
        Err(Error::NoPod { .. }) => block_on(job.ended())?,
        Ok(outcome @ (Outcome::Signalled { .. } | Outcome::NotFetched { .. } | Outcome::Lost)) => {
            job.explained(outcome)
        }
        other => other,
    }
}

/// Removes the Job with its pod, after its result is written. One whose outputs are not at home has to stay, for as long as its
/// pod waits.
pub(crate) fn discard(folder: &Folder, spec: &JobSpec, kube: &KubernetesSpec) {
    let kept = matches!(
        folder.read(&folder.state()),
        Ok(Some(JobState::Ended(ended))) if matches!(ended.outcome, Outcome::NotFetched { .. })
    );
    let made = Memory::of(folder).is_ok_and(|memory| memory.greeted);
    if kept || !made {
        return;
    }
    let job = Job::new(folder, spec, kube);
    match block_on(job.remove()) {
        Ok(Ok(())) => {}
        Ok(Err(error)) | Err(error) => {
            tracing::warn!(%error, "the Job {} stays behind in the cluster", job.name);
        }
    }
}

struct Job<'a> {
    folder: &'a Folder,
    spec: &'a JobSpec,
    kube: &'a KubernetesSpec,
    name: String,
    pod: Pod,
}

enum Placed {
    Runs,
    Ended(Outcome),
}

enum Removed {
    Now,
    /// It was not there.
    Before,
}

/// What the cluster knows of a job now.
struct Seen {
    job: Option<ApiJob>,
    pod: Option<ApiPod>,
    events: Vec<Event>,
}

impl<'a> Job<'a> {
    fn new(folder: &'a Folder, spec: &'a JobSpec, kube: &'a KubernetesSpec) -> Self {
        let name = manifest::name(spec);
        Self {
            pod: Pod {
                cluster: kube.cluster.clone(),
                job: name.clone(),
            },
            folder,
            spec,
            kube,
            name,
        }
    }

    async fn connected(&self) -> Result<Connected> {
        self.kube.cluster.connected().await
    }

    async fn jobs(&self) -> Result<Api<ApiJob>> {
        let connected = self.connected().await?;
        Ok(Api::namespaced(connected.client, &connected.namespace))
    }

    /// Makes the Job unless it was made, and waits until its pod runs.
    async fn place(&self) -> Result<Placed> {
        let mut memory = Memory::of(self.folder)?;
        if !memory.greeted {
            set_why(
                self.folder,
                Some(format!("connecting to {}", self.kube.cluster.name())),
            )?;
            let cancel = self.folder.cancel();
            tokio::select! {
                // The first time a person waits for the answer: what is wrong is said at once.
                known = self.known() => known?,
                () = cancelled(Some(&cancel)) => return Err(Error::Cancelled),
            };
            // Before it may be there: whoever cancels it has to remove it.
            memory.greeted = true;
            memory.keep(self.folder)?;
        }
        if !memory.submitted && memory.log_start.is_none() {
            self.make_at_last().await?;
            memory.submitted = true;
            memory.keep(self.folder)?;
        }
        let mut told = String::new();
        loop {
            let stage = self.patiently(|| self.look()).await?;
            match stage {
                (Stage::Runs, _) => return Ok(Placed::Runs),
                (Stage::Ended, seen) => return Ok(Placed::Ended(self.last_word(&seen).await?)),
                (Stage::Never(why, hint), _) => {
                    return Ok(Placed::Ended(Outcome::NotStarted {
                        why,
                        hint: Some(hint.to_owned()),
                    }));
                }
                (Stage::Waits(why), _) => {
                    set_why(self.folder, Some(why.clone()))?;
                    // Behind the command's own first byte its log is its alone.
                    if memory.log_start.is_none() && why != told {
                        self.log(&why)?;
                        told = why;
                    }
                }
            }
            self.rest(LOOK).await?;
        }
    }

    fn log(&self, text: &str) -> Result<()> {
        let mut log = fs_err::OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.folder.output())?;
        Ok(writeln!(log, "{text}")?)
    }

    async fn known(&self) -> Result<Option<ApiJob>> {
        bounded(&self.kube.cluster, self.jobs().await?.get_opt(&self.name)).await
    }

    /// Until the cluster has answered: one that it made and did not say so would wait there for nobody. Who cancels it meanwhile
    /// waits for the answer, too.
    async fn make_at_last(&self) -> Result<()> {
        let mut wait = FIRST_WAIT;
        loop {
            if self.folder.cancel().exists() {
                return Err(Error::Cancelled);
            }
            set_why(
                self.folder,
                Some(format!("giving it to {}", self.kube.cluster.name())),
            )?;
            match self.make().await {
                Err(error @ Error::ClusterUnreachable { .. }) => {
                    set_why(self.folder, Some(error.to_string()))?;
                }
                answered => return answered,
            }
            self.rest(wait).await?;
            wait = (wait * 2).min(LAST_WAIT);
        }
    }

    /// One that is there already is ours: its name is our id.
    async fn make(&self) -> Result<()> {
        let cluster = &self.kube.cluster;
        let wanted: ApiJob =
            serde_json::from_value(manifest::job(self.spec, self.kube)?).map_err(|error| {
                Error::Cluster {
                    cluster: cluster.name().to_owned(),
                    said: format!("the job cannot be written down: {error}"),
                }
            })?;
        let jobs = self.jobs().await?;
        let how = PostParams::default();
        let made = jobs.create(&how, &wanted);
        match tokio::time::timeout(LAST_WAIT, made).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(kube::Error::Api(status))) if status.code == 409 => Ok(()),
            Ok(Err(error)) => Err(failure::of(cluster, &error)),
            Err(_) => Err(failure::unreachable(cluster, "it does not answer")),
        }
    }

    async fn look(&self) -> Result<(Stage, Seen)> {
        let cluster = &self.kube.cluster;
        let job = self.known().await?;
        let connected = self.connected().await?;
        let pod = self.pod.find(&connected).await?;
        let mut seen = Seen {
            job,
            pod,
            events: Vec::new(),
        };
        let Some(job) = &seen.job else {
            return Ok((Stage::Ended, seen));
        };
        let stage = status::stage(job, seen.pod.as_ref(), &[]);
        if !matches!(stage, Stage::Waits(_)) {
            return Ok((stage, seen));
        }
        let about = seen.pod.as_ref().map_or(&job.metadata, |pod| &pod.metadata);
        let uid = about.uid.clone().unwrap_or_default();
        let said: Api<Event> = Api::namespaced(connected.client, &connected.namespace);
        let wanted = ListParams::default()
            .fields(&format!("involvedObject.uid={uid}"))
            .limit(MAX_EVENTS);
        seen.events = bounded(cluster, said.list(&wanted)).await?.items;
        seen.events
            .sort_by_key(|event| event.last_timestamp.clone());
        Ok((status::stage(job, seen.pod.as_ref(), &seen.events), seen))
    }

    /// The pod has ended under the command: the rest of its log, and why.
    async fn ended(&self) -> Result<Outcome> {
        let begun = Instant::now();
        loop {
            let (stage, seen) = self.patiently(|| self.look()).await?;
            if matches!(stage, Stage::Ended) || begun.elapsed() > LAST_WORD {
                return self.last_word(&seen).await;
            }
            self.rest(FIRST_WAIT).await?;
        }
    }

    async fn last_word(&self, seen: &Seen) -> Result<Outcome> {
        if self.folder.cancel().exists() {
            return Ok(Outcome::Cancelled);
        }
        if let Some(name) = seen.pod.as_ref().and_then(|pod| pod.metadata.name.clone()) {
            // A log that is gone with its pod cannot be had: the outcome counts more.
            if let Err(error) = self.tail(&name).await {
                tracing::warn!(%error, "the end of the log is missing");
            }
        }
        let limit = manifest::limit_seconds(self.spec, self.kube);
        Ok(status::outcome(seen.job.as_ref(), seen.pod.as_ref(), limit))
    }

    /// The container shows the same bytes as the command's log: those that are here already are passed over.
    async fn tail(&self, pod: &str) -> Result<()> {
        let Some(log_start) = Memory::of(self.folder)?.log_start else {
            return Ok(());
        };
        let mut own = fs_err::OpenOptions::new()
            .append(true)
            .open(self.folder.output())?;
        let known = own.metadata()?.len().saturating_sub(log_start);
        tail::append(&self.kube.cluster, pod, known, &mut own).await
    }

    /// What looks like a signal may be the cluster's doing.
    fn explained(&self, own: Outcome) -> Result<Outcome> {
        if self.ran_out_of_memory() {
            return Ok(Outcome::OutOfMemory);
        }
        let is_lost = own == Outcome::Lost;
        let time = if is_lost { LAST_WORD } else { Duration::ZERO };
        if !block_on(self.pod.ends_within(time))? {
            return Ok(own);
        }
        let verdict = block_on(self.ended())??;
        let says_less = matches!(
            verdict,
            Outcome::Failed { .. } | Outcome::NotFetched { .. } | Outcome::Succeeded
        );
        Ok(if says_less && !is_lost { own } else { verdict })
    }

    /// The kernel may end the command alone, which then looks like any other signal.
    fn ran_out_of_memory(&self) -> bool {
        const COUNTS: &str = "cat /sys/fs/cgroup/memory.events /sys/fs/cgroup/memory/memory.oom_control 2>/dev/null; :";
        let mut said = String::new();
        let asked = self.pod.call(COUNTS, None, &mut |_| Ok(()), &mut |reader| {
            Ok(reader.read_to_string(&mut said).map(|_| ())?)
        });
        asked.is_ok()
            && said.lines().any(|line| {
                line.strip_prefix("oom_kill ")
                    .is_some_and(|count| count.trim() != "0")
            })
    }

    async fn remove(&self) -> Result<()> {
        let mut tries = 0;
        loop {
            tries += 1;
            match self.try_remove().await {
                Err(_) if tries < REMOVE_TRIES => tokio::time::sleep(FIRST_WAIT).await,
                last => return last.map(|_| ()),
            }
        }
    }

    /// Until it is gone: a command that was cancelled must not go on unseen.
    async fn remove_at_last(&self) -> Result<()> {
        let answered = Memory::of(self.folder)?.submitted;
        let begun = Instant::now();
        let mut wait = FIRST_WAIT;
        loop {
            match self.try_remove().await {
                Ok(Removed::Now) => return Ok(()),
                Ok(Removed::Before) if answered || begun.elapsed() > ARRIVAL => return Ok(()),
                Ok(Removed::Before) => wait = FIRST_WAIT,
                Err(error) if error.passes() => {
                    set_why(self.folder, Some(error.to_string()))?;
                    wait = (wait * 2).min(LAST_WAIT);
                }
                Err(error) => return Err(error),
            }
            tokio::time::sleep(wait).await;
        }
    }

    /// Pods go with their Job.
    async fn try_remove(&self) -> Result<Removed> {
        let jobs = self.jobs().await?;
        let how = DeleteParams::background();
        match tokio::time::timeout(LAST_WAIT, jobs.delete(&self.name, &how)).await {
            Ok(Ok(_)) => Ok(Removed::Now),
            Ok(Err(kube::Error::Api(status))) if status.code == 404 => Ok(Removed::Before),
            Ok(Err(error)) => Err(failure::of(&self.kube.cluster, &error)),
            Err(_) => Err(failure::unreachable(
                &self.kube.cluster,
                "it does not answer",
            )),
        }
    }

    /// Does `work` again for as long as it fails because the cluster cannot be reached, and says so in the job's state.
    async fn patiently<T>(&self, mut work: impl AsyncFnMut() -> Result<T>) -> Result<T> {
        let mut wait = FIRST_WAIT;
        loop {
            let error = match work().await {
                Ok(done) => return Ok(done),
                Err(error) if error.passes() => error,
                Err(error) => return Err(error),
            };
            set_why(self.folder, Some(error.to_string()))?;
            self.rest(wait).await?;
            wait = (wait * 2).min(LAST_WAIT);
        }
    }

    async fn rest(&self, time: Duration) -> Result<()> {
        let cancel = self.folder.cancel();
        let cancel: Option<&Path> = Some(&cancel);
        tokio::select! {
            () = tokio::time::sleep(time) => Ok(()),
            () = cancelled(cancel) => Err(Error::Cancelled),
        }
    }
}
