//! One job there: its Job is made unless it is there, its pod waited for, and what runs in it is left to the machinery of every
//! other machine. Every step can be done again by a supervisor that comes after a dead one.

use std::io::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

use k8s_openapi::api::batch::v1::Job as ApiJob;
use k8s_openapi::api::core::v1::{Event, Pod as ApiPod};
use kube::Api;
use kube::api::{ApiResource, DeleteParams, DynamicObject, ListParams, PostParams};

use super::cluster::{Connected, bounded};
use super::pod::{LAST_WORD, Node, cancelled};
use super::status::{self, Stage};
use super::{KubernetesSpec, Pod, block_on, failure, manifest, nodes, tail, trainer};
use crate::folder::Folder;
use crate::ssh::Memory;
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
/// The exit code of a plain Job's pod that nobody sent a command.
const NOBODY_CAME: i32 = 75;
const WAIT_LONGER: &str = "give it more `keep_minutes`: of several nodes each waits so long for the last one, and all of them for this machine";
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
    let ended = ended(job);
    // The end of each log may come with the verdict.
    let shown = nodes::show_others(job.folder, job.nodes());
    let ended = ended?;
    shown.map(|()| ended)
}

fn ended(job: &Job<'_>) -> Result<Outcome> {
    let Job {
        folder, spec, kube, ..
    } = job;
    let pods = match block_on(job.place())?? {
        Placed::Runs(pods) => pods,
        Placed::Ended(outcome) => return Ok(outcome),
    };
    let mut limited = JobSpec::clone(spec);
    limited.timeout_seconds = manifest::limit_seconds(spec, kube);
    let remotes: Vec<_> = pods.iter().map(|pod| kube.remote(pod)).collect();
    let (at, ended) = nodes::run(folder, &limited, &remotes)?;
    match (ended, pods.get(at)) {
        (Err(Error::NoPod { .. }), _) => block_on(job.ended(at))?,
        (
            Ok(outcome @ (Outcome::Signalled { .. } | Outcome::NotFetched { .. } | Outcome::Lost)),
            Some(pod),
        ) => job.explained(at, pod, outcome),
        (other, _) => other,
    }
}

/// Removes the Job with its pod, after its result is written. One whose outputs are not at home has to stay, for as long as its
/// pod waits.
pub(crate) fn discard(folder: &Folder, spec: &JobSpec, kube: &KubernetesSpec) {
    let kept = matches!(
        folder.read(&folder.state()),
        Ok(Some(JobState::Ended(ended))) if matches!(ended.outcome, Outcome::NotFetched { .. })
    );
    let made = Memory::of(folder).is_ok_and(|memory| memory.greeted && !memory.unsent);
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
}

enum Placed {
    /// In these, one for each node.
    Runs(Vec<Pod>),
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
    /// Of several the first that does not run.
    pod: Option<ApiPod>,
    rank: usize,
    container: &'static str,
    /// Of the pods, when all of them run, in the order in which they were asked.
    uids: Vec<String>,
}

impl<'a> Job<'a> {
    fn new(folder: &'a Folder, spec: &'a JobSpec, kube: &'a KubernetesSpec) -> Self {
        Self {
            folder,
            spec,
            kube,
            name: manifest::name(spec),
        }
    }

    fn nodes(&self) -> usize {
        let nodes = self.kube.trainer.as_ref().map_or(1, |wanted| wanted.nodes);
        usize::try_from(nodes).unwrap_or(1)
    }

    /// One for each node.
    fn pods(&self) -> Result<Vec<Pod>> {
        let Some(trainer) = &self.kube.trainer else {
            return Ok(vec![self.pod(None)]);
        };
        let known = Memory::of(self.folder)?.pods;
        let nodes = (0..trainer.nodes).map(|rank| Node {
            rank,
            uid: usize::try_from(rank)
                .ok() // More than memory holds: none is known.
                .and_then(|at| known.get(at).cloned()),
        });
        Ok(nodes.map(|node| self.pod(Some(node))).collect())
    }

    fn pod(&self, node: Option<Node>) -> Pod {
        Pod {
            cluster: self.kube.cluster.clone(),
            job: self.name.clone(),
            node,
        }
    }

    async fn connected(&self) -> Result<Connected> {
        self.kube.cluster.connected().await
    }

    async fn jobs(&self) -> Result<Api<DynamicObject>> {
        let connected = self.connected().await?;
        let resource = match &self.kube.trainer {
            Some(_) => trainer::resource(),
            None => ApiResource::erase::<ApiJob>(&()),
        };
        let (client, namespace) = (connected.client, &connected.namespace);
        Ok(Api::namespaced_with(client, namespace, &resource))
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
                known = self.greeted() => known?,
                () = cancelled(Some(&cancel)) => return Err(Error::Cancelled),
            };
            // Before it may be there: whoever cancels it has to remove it.
            memory.greeted = true;
            memory.unsent = true;
            memory.keep(self.folder)?;
        }
        if !memory.submitted && memory.log_start.is_none() {
            self.make_at_last(&mut memory).await?;
            memory.submitted = true;
            memory.unsent = false;
            memory.keep(self.folder)?;
        }
        let mut told = String::new();
        loop {
            let stage = self.patiently(|| self.look(0)).await?;
            match stage {
                (Stage::Runs, seen) => {
                    memory.pods = seen.uids;
                    memory.keep(self.folder)?;
                    return Ok(Placed::Runs(self.pods()?));
                }
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

    async fn greeted(&self) -> Result<()> {
        if let Some(wanted) = &self.kube.trainer {
            self.kube.cluster.check_trainer(wanted).await?;
        }
        self.known().await.map(|_| ())
    }

    async fn known(&self) -> Result<Option<ApiJob>> {
        let cluster = &self.kube.cluster;
        let Some(found) = bounded(cluster, self.jobs().await?.get_opt(&self.name)).await? else {
            return Ok(None);
        };
        let read = match &self.kube.trainer {
            Some(_) => trainer::as_job(found),
            None => serde_json::to_value(found).and_then(serde_json::from_value),
        };
        read.map(Some).map_err(|error| Error::Cluster {
            cluster: cluster.name().to_owned(),
            said: format!("what it says about {} cannot be read: {error}", self.name),
        })
    }

    /// Until the cluster has answered: one that it made and did not say so would wait there for nobody. Who cancels it meanwhile
    /// waits for the answer, too.
    async fn make_at_last(&self, memory: &mut Memory) -> Result<()> {
        let mut wait = FIRST_WAIT;
        loop {
            if self.folder.cancel().exists() {
                return Err(Error::Cancelled);
            }
            set_why(
                self.folder,
                Some(format!("giving it to {}", self.kube.cluster.name())),
            )?;
            match self.make(memory).await {
                Err(error @ Error::ClusterUnreachable { .. }) => {
                    set_why(self.folder, Some(error.to_string()))?;
                }
                answered => return answered,
            }
            self.rest(wait).await?;
            wait = (wait * 2).min(LAST_WAIT);
        }
    }

    /// One that is there already is ours: its name is our id. A cluster that is away is noticed by the question: only behind its
    /// answer the job may be there.
    async fn make(&self, memory: &mut Memory) -> Result<()> {
        let cluster = &self.kube.cluster;
        let wanted = match &self.kube.trainer {
            Some(trainer) => manifest::train_job(self.spec, self.kube, trainer)?,
            None => manifest::job(self.spec, self.kube)?,
        };
        let wanted: DynamicObject =
            serde_json::from_value(wanted).map_err(|error| Error::Cluster {
                cluster: cluster.name().to_owned(),
                said: format!("the job cannot be written down: {error}"),
            })?;
        if self.known().await?.is_some() {
            return Ok(());
        }
        let jobs = self.jobs().await?;
        memory.unsent = false;
        memory.keep(self.folder)?;
        let how = PostParams::default();
        let made = jobs.create(&how, &wanted);
        match tokio::time::timeout(LAST_WAIT, made).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(kube::Error::Api(status))) if status.code == 409 => Ok(()),
            Ok(Err(error)) => Err(failure::of(cluster, &error)),
            Err(_) => Err(failure::unreachable(cluster, "it does not answer")),
        }
    }

    /// At the node `first` before the others: when one has failed, the rest ends after it.
    async fn look(&self, first: usize) -> Result<(Stage, Seen)> {
        let connected = self.connected().await?;
        let mut seen = Seen {
            job: self.known().await?,
            pod: None,
            rank: first,
            container: manifest::CONTAINER,
            uids: Vec::new(),
        };
        let Some(job) = &seen.job else {
            return Ok((Stage::Ended, seen));
        };
        let pods = self.pods()?;
        let others = pods.iter().enumerate().filter(|(rank, _)| *rank != first);
        let in_order = pods.get(first).map(|pod| (first, pod));
        let in_order = in_order.into_iter().chain(others);
        let all = match pods.first() {
            Some(pod) => pod.all(&connected).await?,
            None => Vec::new(),
        };
        let mut stage = Stage::Runs;
        for (rank, pod) in in_order {
            let found = pod.pick(&all);
            stage = match &pod.node {
                // Another one in its place knows nothing of the command.
                Some(Node { uid: Some(_), .. }) if found.is_none() => Stage::Ended,
                Some(_) | None => status::stage(job, found, &[]),
            };
            seen.container = pod.container();
            seen.pod = found.cloned();
            seen.rank = rank;
            if stage != Stage::Runs {
                break;
            }
            let uid = found.and_then(|found| found.metadata.uid.clone());
            seen.uids.push(uid.unwrap_or_default());
        }
        if matches!(stage, Stage::Waits(_)) {
            let events = self.events(&connected, job, seen.pod.as_ref()).await?;
            stage = status::stage(job, seen.pod.as_ref(), &events);
        }
        Ok((stage, seen))
    }

    /// What was said about what it waits for.
    async fn events(
        &self,
        connected: &Connected,
        job: &ApiJob,
        pod: Option<&ApiPod>,
    ) -> Result<Vec<Event>> {
        let about = pod.map_or(&job.metadata, |pod| &pod.metadata);
        let uid = about.uid.clone().unwrap_or_default();
        let mut about = vec![format!("involvedObject.uid={uid}")];
        if self.kube.trainer.is_some() && pod.is_none() {
            let nodes = trainer::job_of_nodes(&self.name);
            about.push(format!(
                "involvedObject.kind=Job,involvedObject.name={nodes}"
            ));
        }
        let said: Api<Event> = Api::namespaced(connected.client.clone(), &connected.namespace);
        let mut all = Vec::new();
        for about in about {
            let wanted = ListParams::default().fields(&about).limit(MAX_EVENTS);
            all.extend(bounded(&self.kube.cluster, said.list(&wanted)).await?.items);
        }
        all.sort_by_key(|event| event.last_timestamp.clone());
        Ok(all)
    }

    /// The pod of that node has ended under the command: the rest of its log, and why.
    async fn ended(&self, at: usize) -> Result<Outcome> {
        let begun = Instant::now();
        loop {
            let (stage, seen) = self.patiently(|| self.look(at)).await?;
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
            if let Err(error) = self.tail(seen.rank, &name, seen.container).await {
                tracing::warn!(%error, "the end of the log is missing");
            }
        }
        let limit = manifest::limit_seconds(self.spec, self.kube);
        let outcome = status::outcome(seen.job.as_ref(), seen.pod.as_ref(), limit);
        let node = nodes::of_node(self.folder, seen.rank);
        let began = Memory::of(&node)?.log_start.is_some();
        Ok(match outcome {
            // Its own end, as it ends where nobody sends the command.
            Outcome::NotFetched { .. } | Outcome::Failed { code: NOBODY_CAME } if !began => {
                Outcome::NotStarted {
                    why: "its pod waited for the command until its time was over".to_owned(),
                    hint: Some(WAIT_LONGER.to_owned()),
                }
            }
            outcome => outcome,
        })
    }

    /// The container shows the same bytes as the command's log: those that are here already are passed over.
    async fn tail(&self, rank: usize, pod: &str, container: &str) -> Result<()> {
        let node = nodes::of_node(self.folder, rank);
        let Some(log_start) = Memory::of(&node)?.log_start else {
            return Ok(());
        };
        let mut own = fs_err::OpenOptions::new()
            .append(true)
            .open(node.output())?;
        let known = own.metadata()?.len().saturating_sub(log_start);
        tail::append(&self.kube.cluster, (pod, container), known, &mut own).await
    }

    /// What looks like a signal may be the cluster's doing.
    fn explained(&self, at: usize, pod: &Pod, own: Outcome) -> Result<Outcome> {
        if ran_out_of_memory(pod) {
            return Ok(Outcome::OutOfMemory);
        }
        let is_lost = own == Outcome::Lost;
        let time = if is_lost { LAST_WORD } else { Duration::ZERO };
        if !block_on(pod.ends_within(time))? {
            return Ok(own);
        }
        let verdict = block_on(self.ended(at))??;
        let says_less = matches!(
            verdict,
            Outcome::Failed { .. } | Outcome::NotFetched { .. } | Outcome::Succeeded
        );
        Ok(if says_less && !is_lost { own } else { verdict })
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
        let memory = Memory::of(self.folder)?;
        if memory.unsent {
            return Ok(());
        }
        let answered = memory.submitted;
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

/// The kernel may end the command alone, which then looks like any other signal.
fn ran_out_of_memory(pod: &Pod) -> bool {
    const COUNTS: &str =
        "cat /sys/fs/cgroup/memory.events /sys/fs/cgroup/memory/memory.oom_control 2>/dev/null; :";
    let mut said = String::new();
    let asked = pod.call(COUNTS, None, &mut |_| Ok(()), &mut |reader| {
        Ok(reader.read_to_string(&mut said).map(|_| ())?)
    });
    asked.is_ok()
        && said.lines().any(|line| {
            line.strip_prefix("oom_kill ")
                .is_some_and(|count| count.trim() != "0")
        })
}

#[cfg(test)]
mod tests {
    use lapwing_core::{JobId, Timestamp};

    use super::*;
    use crate::{Cluster, Command, Host, RemoteSpec, Target};

    #[test]
    fn a_job_that_never_left_needs_no_cluster_to_be_cancelled() {
        let root = tempfile::tempdir().expect("a folder");
        let free = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let at = free.local_addr().expect("its address");
        drop(free); // Nothing listens there.
        let kubeconfig = root.path().join("kubeconfig");
        let text = format!(
            "{{apiVersion: v1, kind: Config, current-context: c, users: [{{name: u, user: {{}}}}], \
             contexts: [{{name: c, context: {{cluster: c, user: u}}}}], \
             clusters: [{{name: c, cluster: {{server: 'http://{at}'}}}}]}}"
        );
        std::fs::write(&kubeconfig, text).expect("a kubeconfig");
        let cluster = Cluster {
            kubeconfigs: vec![kubeconfig],
            ..Cluster::default()
        };
        let here = root.path().to_owned();
        let remote = RemoteSpec::new(Host::Here { folder: None }, here.clone());
        let kube = KubernetesSpec::new(cluster, "any".to_owned(), remote);
        let spec = JobSpec {
            id: JobId::random(),
            title: "train".to_owned(),
            command: Command { argv: Vec::new() },
            cwd: here,
            env: [].into(),
            timeout_seconds: None,
            target: Target::Process,
            inputs: None,
            deliver: Vec::new(),
        };
        let folder = Folder::at(root.path());
        let since = Timestamp::now();
        let queued = JobState::Queued { since, why: None };
        folder.write(&folder.state(), &queued).expect("a state");
        let memory = Memory {
            greeted: true,
            unsent: true,
            ..Memory::default()
        };
        memory.keep(&folder).expect("a memory");
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let is_away =
                    |state: &JobState| state.why().is_some_and(|why| why.contains("not reachable"));
                while !matches!(folder.read(&folder.state()), Ok(Some(state)) if is_away(&state)) {
                    std::thread::sleep(FIRST_WAIT / 10);
                }
                std::fs::write(folder.cancel(), "").expect("a wish");
            });
            let ended = run_job(&folder, &spec, &kube).expect("an end");
            assert_eq!(ended, Outcome::Cancelled);
        });
    }
}
