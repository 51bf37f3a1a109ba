//! Commands in a pod that runs, through `exec`.

use std::io::{BufReader, Read, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::Pod as ApiPod;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Status;
use kube::Api;
use kube::api::{AttachParams, AttachedProcess, ListParams};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::mpsc;

use super::cluster::{Connected, bounded};
use super::{Cluster, block_on, failure, manifest, runtime, status, trainer};
use crate::ssh::{Feed, Take};
use crate::{Error, Result};

/// What is on its way between the socket and whoever reads it.
const BUFFER: usize = 256 << 10;
const PIECES: usize = 8;
/// So often the pod itself is asked for: a connection can die without a word, and so can a pod.
const HEARTBEAT: Duration = Duration::from_secs(20);
const POLL: Duration = Duration::from_millis(30);
/// A pod that has ended is known to have a moment later.
pub(super) const LAST_WORD: Duration = Duration::from_secs(10);
const LOOK: Duration = Duration::from_millis(500);
/// Of a command's own talk, what is read.
const MAX_SAID: u64 = 16 << 10;
/// A shell's code for what a signal ended is more than this. Everything in a container gets one when the container ends.
pub(super) const SIGNALLED: i32 = 128;
/// What came in is not what was sent: the connection was cut on the way.
const SHORT: i32 = 77;

/// The pod of a job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pod {
    pub cluster: Cluster,
    /// The name of its Job there.
    pub job: String,
    /// Of a TrainJob, which of its pods.
    #[serde(default)]
    pub node: Option<Node>,
}

/// A node of a TrainJob.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Node {
    pub rank: u32,
    /// Once it has run: another pod in its place knows nothing of the command.
    #[serde(default)]
    pub uid: Option<String>,
}

/// A command that ended, and what it said.
pub(crate) struct Called {
    pub code: i32,
    pub said: String,
}

impl Pod {
    /// Runs `line` in a shell there. What `feed` gives is its standard input, whole: a command never sees a part of it.
    pub(crate) fn call(
        &self,
        line: &str,
        cancel: Option<&Path>,
        feed: Feed<'_>,
        take: Take<'_>,
    ) -> Result<Called> {
        let mut input = tempfile::tempfile()?;
        feed(&mut input)?;
        let size = input.stream_position()?;
        input.seek(SeekFrom::Start(0))?;
        let (to, from) = mpsc::channel(PIECES);
        let exchange = Exchange {
            pod: self.clone(),
            // Where it starts is the image's business; ssh starts at home.
            line: format!("cd \"$HOME\" || exit 70; {}", framed(line, size)),
            input: (size > 0).then_some(input),
            cancel: cancel.map(Path::to_owned),
        };
        let running = runtime()?.spawn(exchange.run(to));
        let taken = take(&mut BufReader::with_capacity(BUFFER, Pieces::new(from)));
        if taken.is_err() {
            running.abort();
        }
        let called = block_on(running)?;
        match (called, taken) {
            (Ok(Err(error)), _) => Err(error),
            (Ok(Ok(called)), taken) if called.code == 0 => taken.map(|()| called),
            // Why it answered nothing is what it said.
            (Ok(Ok(called)), _) => Ok(called),
            (Err(_), taken) => Err(taken.err().unwrap_or(Error::Cancelled)),
        }
    }

    /// The pod as the cluster knows it; `None` when there is none (any more).
    pub(super) async fn find(&self, connected: &Connected) -> Result<Option<ApiPod>> {
        Ok(self.pick(&self.all(connected).await?).cloned())
    }

    /// Those of all nodes of its job.
    pub(super) async fn all(&self, connected: &Connected) -> Result<Vec<ApiPod>> {
        let selector = match self.node {
            Some(_) => trainer::selector(&self.job),
            None => format!("{}={}", manifest::LABEL, self.job),
        };
        let pods: Api<ApiPod> = Api::namespaced(connected.client.clone(), &connected.namespace);
        let wanted = ListParams::default().labels(&selector);
        Ok(bounded(&self.cluster, pods.list(&wanted)).await?.items)
    }

    /// Itself among those of its job. The cluster may have made another one in the place of one that failed.
    pub(super) fn pick<'a>(&self, all: &'a [ApiPod]) -> Option<&'a ApiPod> {
        let Some(node) = &self.node else {
            return all.first();
        };
        all.iter()
            .filter(|pod| trainer::rank(pod) == Some(node.rank))
            .filter(|pod| node.uid.is_none() || pod.metadata.uid == node.uid)
            .max_by_key(|pod| pod.metadata.creation_timestamp.clone())
    }

    pub(super) fn container(&self) -> &'static str {
        match self.node {
            Some(_) => trainer::CONTAINER,
            None => manifest::CONTAINER,
        }
    }

    /// An error when the pod does not run.
    pub(super) async fn lives(&self) -> Result<String> {
        let connected = self.cluster.connected().await?;
        let found = self.find(&connected).await?;
        match found {
            Some(pod) if status::runs(&pod) => Ok(pod.metadata.name.unwrap_or_default()),
            Some(_) | None => Err(Error::NoPod {
                cluster: self.cluster.name().to_owned(),
            }),
        }
    }

    pub(super) async fn exec(&self, argv: &[&str], stdin: bool) -> Result<AttachedProcess> {
        let name = self.lives().await?;
        let connected = self.cluster.connected().await?;
        let pods: Api<ApiPod> = Api::namespaced(connected.client, &connected.namespace);
        let how = AttachParams::default()
            .container(self.container())
            .stdin(stdin)
            .max_stdin_buf_size(BUFFER)
            .max_stdout_buf_size(BUFFER)
            .max_stderr_buf_size(BUFFER);
        bounded(&self.cluster, pods.exec(&name, argv.iter().copied(), &how)).await
    }

    /// True when it does not run (any more) within that time: its state is known a moment after its processes.
    pub(super) async fn ends_within(&self, time: Duration) -> bool {
        let begun = Instant::now();
        loop {
            match self.lives().await {
                Err(Error::NoPod { .. }) => return true,
                Ok(_) | Err(_) if begun.elapsed() >= time => return false,
                Ok(_) | Err(_) => tokio::time::sleep(LOOK).await,
            }
        }
    }

    /// The connection ended without the command's end: why?
    pub(super) async fn why_cut(&self) -> Error {
        match self.lives().await {
            Ok(_) => failure::unreachable(&self.cluster, "the connection was cut"),
            Err(error) => error,
        }
    }
}

/// Not every version of the protocol can say that the input ends: it is counted, and the command begins when all of it is there.
fn framed(line: &str, size: u64) -> String {
    if size == 0 {
        return format!("{line} </dev/null");
    }
    format!(
        "umask 077; f=\"$HOME/.lapwing-in.$$\"; trap 'rm -f \"$f\"' EXIT; head -c {size} >\"$f\"; \
         [ \"$(wc -c <\"$f\")\" -eq {size} ] || exit {SHORT}; {line} <\"$f\""
    )
}

struct Exchange {
    pod: Pod,
    line: String,
    input: Option<std::fs::File>,
    cancel: Option<PathBuf>,
}

impl Exchange {
    async fn run(self, to: mpsc::Sender<Vec<u8>>) -> Result<Called> {
        let argv = ["/bin/sh", "-c", &self.line];
        let begun = self.pod.exec(&argv, self.input.is_some());
        let mut process = tokio::select! {
            begun = begun => begun?,
            () = cancelled(self.cancel.as_deref()) => return Err(Error::Cancelled),
        };
        let status = process.take_status();
        let (stdin, stdout, stderr) = (process.stdin(), process.stdout(), process.stderr());
        let feeding = async {
            if let (Some(file), Some(mut stdin)) = (self.input, stdin) {
                // A cut shows as the end of the other streams.
                let _ = tokio::io::copy(&mut tokio::fs::File::from_std(file), &mut stdin).await;
                let _ = stdin.flush().await;
                // Closing it would end the whole connection in the older protocol.
                std::future::pending::<()>().await;
            }
            std::future::pending::<()>().await;
        };
        let ending = async {
            let ((), said) = tokio::join!(pass_on(stdout, to), heard(stderr));
            let status = match status {
                Some(status) => status.await,
                None => None,
            };
            (status, said)
        };
        let ended = tokio::select! {
            ended = ending => Ok(ended),
            () = feeding => unreachable!("it waits for ever"),
            () = cancelled(self.cancel.as_deref()) => Err(Error::Cancelled),
            error = ends(&self.pod) => Err(error),
        };
        process.abort();
        let (status, said) = ended?;
        let Some(status) = status else {
            return Err(self.pod.why_cut().await);
        };
        match exit_code(&status) {
            Some(SHORT) => Err(failure::unreachable(
                &self.pod.cluster,
                "the connection was cut",
            )),
            Some(code) if code > SIGNALLED && self.pod.ends_within(LAST_WORD).await => {
                Err(Error::NoPod {
                    cluster: self.pod.cluster.name().to_owned(),
                })
            }
            Some(code) => Ok(Called { code, said }),
            // The container would not take the command.
            None => match self.pod.lives().await {
                Ok(_) => Err(Error::Cluster {
                    cluster: self.pod.cluster.name().to_owned(),
                    said: status.message.unwrap_or_default(),
                }),
                Err(error) => Err(error),
            },
        }
    }
}

pub(super) fn exit_code(status: &Status) -> Option<i32> {
    if status.status.as_deref() == Some("Success") {
        return Some(0);
    }
    let causes = status.details.as_ref()?.causes.as_ref()?;
    let code = causes
        .iter()
        .find(|cause| cause.reason.as_deref() == Some("ExitCode"))?;
    code.message.as_ref()?.parse().ok() // No number: not the command's.
}

async fn pass_on(stdout: Option<impl tokio::io::AsyncRead + Unpin>, to: mpsc::Sender<Vec<u8>>) {
    let Some(mut stdout) = stdout else { return };
    let mut piece = vec![0; BUFFER];
    while let Ok(read @ 1..) = stdout.read(&mut piece).await {
        // Who has read enough still waits for the command's end.
        let _ = to
            .send(piece.get(..read).unwrap_or_default().to_vec())
            .await;
    }
}

pub(super) async fn heard(stderr: Option<impl tokio::io::AsyncRead + Unpin>) -> String {
    let mut said = Vec::new();
    if let Some(mut stderr) = stderr {
        let _ = (&mut stderr).take(MAX_SAID).read_to_end(&mut said).await;
        let _ = tokio::io::copy(&mut stderr, &mut tokio::io::sink()).await;
    }
    String::from_utf8_lossy(&said).trim().to_owned()
}

pub(super) async fn cancelled(cancel: Option<&Path>) {
    let Some(cancel) = cancel else {
        return std::future::pending().await;
    };
    while !cancel.exists() {
        tokio::time::sleep(POLL).await;
    }
}

/// Comes back when the pod has ended, or the cluster cannot be asked.
pub(super) async fn ends(pod: &Pod) -> Error {
    loop {
        tokio::time::sleep(HEARTBEAT).await;
        if let Err(error) = pod.lives().await {
            return error;
        }
    }
}

/// What a task sends, as a reader for a thread.
struct Pieces {
    from: mpsc::Receiver<Vec<u8>>,
    piece: Vec<u8>,
    at: usize,
}

impl Pieces {
    fn new(from: mpsc::Receiver<Vec<u8>>) -> Self {
        Self {
            from,
            piece: Vec::new(),
            at: 0,
        }
    }
}

impl Read for Pieces {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        if self.at == self.piece.len() {
            let Some(next) = self.from.blocking_recv() else {
                return Ok(0);
            };
            (self.piece, self.at) = (next, 0);
        }
        let rest = self.piece.get(self.at..).unwrap_or_default();
        let read = rest.len().min(into.len());
        into.get_mut(..read)
            .unwrap_or_default()
            .copy_from_slice(rest.get(..read).unwrap_or_default());
        self.at += read;
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_begins_when_its_input_is_whole() {
        assert_eq!(framed("cat", 0), "cat </dev/null");
        let line = framed("cat", 7);
        assert!(
            line.contains("head -c 7") && line.ends_with("cat <\"$f\""),
            "{line}"
        );
    }

    #[test]
    fn the_code_of_a_command_is_among_the_causes() {
        let status = |text: &str| serde_json::from_str::<Status>(text).expect("a status");
        assert_eq!(exit_code(&status(r#"{"status": "Success"}"#)), Some(0));
        let failed = r#"{"status": "Failure", "reason": "NonZeroExitCode",
            "details": {"causes": [{"reason": "ExitCode", "message": "72"}]}}"#;
        assert_eq!(exit_code(&status(failed)), Some(72));
        assert_eq!(
            exit_code(&status(r#"{"status": "Failure", "message": "no shell"}"#)),
            None
        );
    }
}
