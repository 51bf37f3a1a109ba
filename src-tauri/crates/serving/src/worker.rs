//! Python models in processes of their own: started by the gateway, fed over pipes, restarted when they die.
//!
//! A pickle is code, so it is loaded there and never in the gateway. A worker ends when its standard input closes, so none outlives
//! a gateway that was killed.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::sync::{Mutex, mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::answer::{Answer, Refusal};
use crate::{Error, Result};

const SCRIPT: &str = include_str!("worker.py");
/// Importing a large framework from a cold disk takes this long at worst.
const LOAD_TIMEOUT: Duration = Duration::from_secs(300);
/// Requests that wait for a worker; more are answered with 429.
const MAX_WAITING: usize = 64;
const MAX_FRAME_BYTES: usize = 256 * 1024 * 1024;
const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

#[derive(Deserialize)]
struct Reply {
    #[serde(default)]
    ready: bool,
    #[serde(default)]
    error: Option<String>,
    /// The model refused the input, as opposed to failing by itself.
    #[serde(default)]
    invalid: bool,
    #[serde(default)]
    predictions: Value,
    #[serde(default)]
    scores: Option<Vec<Option<f64>>>,
}

struct Question {
    body: Vec<u8>,
    answer: oneshot::Sender<std::result::Result<Answer, Refusal>>,
}

/// The workers of one revision.
pub(crate) struct Workers {
    questions: mpsc::Sender<Question>,
    tasks: Vec<JoinHandle<()>>,
    limit: Duration,
}

impl Drop for Workers {
    fn drop(&mut self) {
        for task in &self.tasks {
            // The child is killed with the task that owns it (`kill_on_drop`).
            task.abort();
        }
    }
}

struct Process {
    child: Child,
    stdin: ChildStdin,
    stdout: ChildStdout,
}

struct Start {
    python: PathBuf,
    script: PathBuf,
    model: PathBuf,
}

impl Workers {
    /// Starts the processes and waits until each has loaded the model. The script is kept in `folder`.
    pub(crate) async fn start(
        python: &Path,
        model: &Path,
        folder: &Path,
        count: u32,
        limit: Duration,
    ) -> Result<Self> {
        let script = folder.join("worker.py");
        crate::config::write_whole(&script, SCRIPT.as_bytes())?;
        let start = Arc::new(Start {
            python: python.to_owned(),
            script,
            model: model.to_owned(),
        });
        let (questions, waiting) = mpsc::channel(MAX_WAITING);
        let waiting = Arc::new(Mutex::new(waiting));
        let mut processes = Vec::new();
        for _ in 0..count.max(1) {
            processes.push(launch(&start).await?);
        }
        let tasks = processes
            .into_iter()
            .map(|process| {
                tokio::spawn(serve(
                    process,
                    Arc::clone(&start),
                    Arc::clone(&waiting),
                    limit,
                ))
            })
            .collect();
        Ok(Self {
            questions,
            tasks,
            limit,
        })
    }

    /// Asks the next free worker.
    pub(crate) async fn ask(&self, question: &Value) -> std::result::Result<Answer, Refusal> {
        let body =
            serde_json::to_vec(question).map_err(|error| Refusal::internal(error.to_string()))?;
        let (sender, receiver) = oneshot::channel();
        self.questions
            .try_send(Question {
                body,
                answer: sender,
            })
            .map_err(|_| Refusal::overloaded())?;
        match timeout(self.limit, receiver).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) => Err(Refusal::unavailable(
                "the model's process ended; it is being restarted",
            )),
            Err(_) => Err(Refusal::timeout(self.limit.as_secs())),
        }
    }
}

async fn launch(start: &Start) -> Result<Process> {
    let mut child = Command::new(&start.python)
        .arg("-u")
        .arg(&start.script)
        .arg(&start.model)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("MLFLOW_DISABLE_TELEMETRY", "true")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(|source| Error::Python {
            program: start.python.clone(),
            source,
        })?;
    let (Some(stdin), Some(stdout)) = (child.stdin.take(), child.stdout.take()) else {
        return Err(Error::Load {
            revision: 0,
            why: "the model's process has no pipes".to_owned(),
        });
    };
    let mut process = Process {
        child,
        stdin,
        stdout,
    };
    let load = |why: String| Error::Load { revision: 0, why };
    match timeout(LOAD_TIMEOUT, process.read()).await {
        Ok(Ok(reply)) if reply.ready => Ok(process),
        Ok(Ok(reply)) => {
            Err(load(reply.error.unwrap_or_else(|| {
                "the model's process gave no reason".to_owned()
            })))
        }
        Ok(Err(_)) => {
            let status = process.child.wait().await?;
            Err(load(format!(
                "the model's process ended while it loaded the model ({status})"
            )))
        }
        Err(_) => Err(load(format!(
            "the model did not load within {} seconds",
            LOAD_TIMEOUT.as_secs()
        ))),
    }
}

impl Process {
    async fn exchange(&mut self, body: &[u8]) -> std::io::Result<Reply> {
        let length = u32::try_from(body.len())
            .map_err(|_| std::io::Error::other("the request is too large"))?;
        self.stdin.write_all(&length.to_be_bytes()).await?;
        self.stdin.write_all(body).await?;
        self.stdin.flush().await?;
        self.read().await
    }

    async fn read(&mut self) -> std::io::Result<Reply> {
        let mut head = [0_u8; 4];
        self.stdout.read_exact(&mut head).await?;
        let length = usize::try_from(u32::from_be_bytes(head)).map_err(std::io::Error::other)?;
        if length > MAX_FRAME_BYTES {
            return Err(std::io::Error::other("the model's answer is too large"));
        }
        let mut body = vec![0; length];
        self.stdout.read_exact(&mut body).await?;
        serde_json::from_slice(&body).map_err(std::io::Error::from)
    }
}

/// One worker: answers one question after the other, and comes back when its process dies or hangs.
async fn serve(
    process: Process,
    start: Arc<Start>,
    waiting: Arc<Mutex<mpsc::Receiver<Question>>>,
    limit: Duration,
) {
    let mut current = Some(process);
    let mut pause = FIRST_PAUSE;
    loop {
        let Some(mut process) = current.take() else {
            tokio::time::sleep(pause).await;
            match launch(&start).await {
                Ok(process) => {
                    tracing::info!("the model's process is back");
                    pause = FIRST_PAUSE;
                    current = Some(process);
                }
                Err(error) => {
                    tracing::warn!(%error, "the model's process cannot be restarted");
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
            }
            continue;
        };
        let next = tokio::select! {
            next = async { waiting.lock().await.recv().await } => next,
            status = process.child.wait() => {
                tracing::warn!(?status, "the model's process ended while it was idle");
                continue;
            }
        };
        let Some(question) = next else { return };
        if question.answer.is_closed() {
            // Nobody waits for this one any more: its time is over.
            current = Some(process);
            continue;
        }
        match timeout(limit, process.exchange(&question.body)).await {
            Ok(Ok(reply)) => {
                // A client that went away needs no answer.
                let _ = question.answer.send(answer(reply));
                current = Some(process);
            }
            Ok(Err(error)) => {
                tracing::warn!(%error, "the model's process ended during a request");
                let refusal = Refusal::unavailable(
                    "the model's process ended during this request; it is being restarted",
                );
                let _ = question.answer.send(Err(refusal));
            }
            Err(_) => {
                tracing::warn!("the model's process hangs and is replaced");
                let _ = question.answer.send(Err(Refusal::timeout(limit.as_secs())));
            }
        }
    }
}

fn answer(reply: Reply) -> std::result::Result<Answer, Refusal> {
    if let Some(error) = reply.error {
        return Err(if reply.invalid {
            Refusal::bad_request(format!("The model refused the input. {error}"))
        } else {
            Refusal::internal(format!("The model failed. {error}"))
        });
    }
    let scores = reply.scores.map(|scores| {
        scores
            .into_iter()
            .map(|score| score.unwrap_or(f64::NAN))
            .collect()
    });
    Ok(match reply.predictions {
        Value::Array(predictions) => Answer {
            predictions,
            scores,
            whole: None,
        },
        whole => Answer {
            predictions: Vec::new(),
            scores: None,
            whole: Some(whole),
        },
    })
}
