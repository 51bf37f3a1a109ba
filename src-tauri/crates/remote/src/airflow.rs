//! Airflow's REST API, version 2 (Airflow 3): starts a DAG and says how far its run is.
//!
//! There is no upload of DAG files in it: the file is put where Airflow looks for them. Seen with Airflow 3.3.

use percent_encoding::utf8_percent_encode;
use reqwest::Method;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::engine::{Run, SEGMENT, State, Task};
use crate::{Client, Credential, Error, Result, Secret, Sent};

/// Of the log of a failed task, the part worth showing.
const SHOWN_LINES: usize = 8;
/// A DAG of a pipeline has no more tasks; Airflow answers in pages.
const MAX_TASKS: &str = "500";

/// A signed-in connection.
#[derive(Debug, Clone)]
pub struct Airflow {
    client: Client,
}

#[derive(Deserialize)]
struct Token {
    access_token: String,
}

#[derive(Deserialize)]
struct DagRun {
    dag_run_id: String,
    state: String,
}

#[derive(Deserialize)]
struct TaskInstances {
    task_instances: Vec<TaskInstance>,
}

#[derive(Deserialize)]
struct TaskInstance {
    task_id: String,
    #[serde(default)]
    task_display_name: Option<String>,
    state: Option<String>,
    #[serde(default)]
    try_number: u32,
}

#[derive(Deserialize)]
struct Log {
    content: Value,
}

impl Airflow {
    /// Signs in: a user's password is given for a token of this session, a token is used as it is.
    ///
    /// # Errors
    /// When Airflow cannot be reached or does not know the user.
    pub async fn sign_in(client: Client) -> Result<Self> {
        let Some(Credential {
            user: Some(user),
            secret,
        }) = client.credential()
        else {
            return Ok(Self { client });
        };
        let body = json!({"username": user, "password": secret.reveal()});
        let plain = Client::new(client.base(), None)?;
        let token: Result<Token> = plain.post(Method::POST, "auth/token", &body).await;
        // They are in the body, and not where the client looks for them.
        let token = token.map_err(|error| match error {
            Error::Unauthorized { url, .. } => Error::Unauthorized {
                url,
                sent: Sent::Credential,
            },
            other => other,
        })?;
        let credential = Credential {
            user: None,
            secret: Secret::new(token.access_token),
        };
        Ok(Self {
            client: Client::new(client.base(), Some(credential))?,
        })
    }

    /// Starts a run of a DAG with these parameters, and takes the DAG out of its pause: a paused one would wait for ever.
    ///
    /// # Errors
    /// [`Error::NotFound`] when Airflow has no such DAG (yet), and when it refuses a parameter.
    pub async fn trigger(&self, dag: &str, conf: &Map<String, Value>) -> Result<String> {
        let path = dag_path(dag);
        let unpaused = self
            .client
            .request(Method::PATCH, &format!("{path}?update_mask=is_paused"))
            .json(&json!({"is_paused": false}));
        self.client.ask(unpaused).await?;
        // The date must be there, and be nothing: then runs may have the same one.
        let body = json!({"logical_date": null, "conf": conf});
        let run: DagRun = self
            .client
            .post(Method::POST, &format!("{path}/dagRuns"), &body)
            .await?;
        Ok(run.dag_run_id)
    }

    /// How far a run is.
    ///
    /// # Errors
    /// When Airflow cannot be reached, or has no such run.
    pub async fn run(&self, dag: &str, run: &str) -> Result<Run> {
        let path = run_path(dag, run);
        let found: DagRun = self.client.get(&path, &[]).await?;
        let tasks: TaskInstances = self
            .client
            .get(&format!("{path}/taskInstances"), &[("limit", MAX_TASKS)])
            .await?;
        let mut answer = Run {
            id: found.dag_run_id,
            state: run_state(&found.state),
            why: None,
            tasks: Vec::new(),
        };
        for task in tasks.task_instances {
            let state = task_state(task.state.as_deref());
            let why = match state {
                State::Failed if answer.state.is_final() => self.why(&path, &task).await,
                _ => None,
            };
            let name = task.task_display_name.unwrap_or(task.task_id);
            answer.tasks.push(Task { name, state, why });
        }
        Ok(answer)
    }

    /// The last lines that a failed task printed; a log that cannot be had is no second failure.
    async fn why(&self, run: &str, task: &TaskInstance) -> Option<String> {
        let path = format!(
            "{run}/taskInstances/{}/logs/{}",
            encoded(&task.task_id),
            task.try_number
        );
        let request = self
            .client
            .request(Method::GET, &path)
            .header(reqwest::header::ACCEPT, "application/json");
        let response = self.client.ask(request).await.ok()?;
        let log: Log = crate::client::json(response).await.ok()?;
        let lines: Vec<&str> = log
            .content
            .as_array()?
            .iter()
            .filter(|line| printed(line))
            .filter_map(|line| line.get("event")?.as_str())
            .collect();
        let last = lines.len().saturating_sub(SHOWN_LINES);
        let text = lines.get(last..)?.join("\n");
        (!text.is_empty()).then_some(text)
    }

    #[must_use]
    pub fn address(&self, dag: &str, run: &str) -> String {
        self.client
            .url(&format!("dags/{}/runs/{}", encoded(dag), encoded(run)))
    }
}

/// What the command itself wrote; everything else is Airflow's talk.
fn printed(line: &Value) -> bool {
    line.get("logger")
        .and_then(Value::as_str)
        .is_some_and(|logger| logger.ends_with("SubprocessHook"))
}

fn encoded(text: &str) -> String {
    utf8_percent_encode(text, SEGMENT).to_string()
}

fn dag_path(dag: &str) -> String {
    format!("api/v2/dags/{}", encoded(dag))
}

fn run_path(dag: &str, run: &str) -> String {
    format!("{}/dagRuns/{}", dag_path(dag), encoded(run))
}

fn run_state(word: &str) -> State {
    match word {
        "queued" => State::Waiting,
        "success" => State::Succeeded,
        "failed" => State::Failed,
        _ => State::Running,
    }
}

fn task_state(word: Option<&str>) -> State {
    match word {
        None | Some("scheduled" | "queued" | "up_for_retry" | "up_for_reschedule" | "deferred") => {
            State::Waiting
        }
        Some("success") => State::Succeeded,
        Some("failed") => State::Failed,
        Some("skipped" | "upstream_failed") => State::Skipped,
        Some("removed") => State::Stopped,
        Some(_) => State::Running,
    }
}

/// Whether an answer means that the DAG is not there.
#[must_use]
pub fn is_unknown(error: &Error) -> bool {
    matches!(error, Error::NotFound { .. })
}
