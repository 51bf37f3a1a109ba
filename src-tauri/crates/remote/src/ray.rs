//! Ray's Jobs API, and of its State API the files beside a job's log. Seen with Ray 2.60.
//!
//! All of it goes through the address of the dashboard: the cluster's other ports need not be reachable.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use percent_encoding::utf8_percent_encode;
use reqwest::{Method, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::engine::SEGMENT;
use crate::{Client, Error, Moved, Result, client};

/// Without an answer to a small question for so long, the cluster counts as away.
const LIMIT: Duration = Duration::from_secs(60);
/// Seconds in which a node has to answer the dashboard.
const NODE_LIMIT: &str = "120";

/// Of a refusal, the part worth showing.
const SHOWN_CHARS: usize = 400;

/// A cluster's dashboard.
#[derive(Debug, Clone)]
pub struct Ray {
    client: Client,
}

/// What is submitted.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Submission {
    pub submission_id: String,
    /// A line for the shell there.
    pub entrypoint: String,
    pub runtime_env: RuntimeEnv,
    pub metadata: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub entrypoint_num_cpus: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub entrypoint_num_gpus: Option<f64>,
    /// In bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub entrypoint_memory: Option<u64>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub entrypoint_resources: BTreeMap<String, f64>,
}

/// Where a job finds itself.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct RuntimeEnv {
    /// `gcs://_ray_pkg_….zip`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub working_dir: Option<String>,
    pub env_vars: BTreeMap<String, String>,
    /// Lines of a requirements file.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub pip: Vec<String>,
}

/// How far a submission is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Status {
    Pending,
    Running,
    Stopped,
    Succeeded,
    Failed,
}

impl Status {
    /// Nothing will follow.
    #[must_use]
    pub fn is_final(self) -> bool {
        match self {
            Self::Pending | Self::Running => false,
            Self::Stopped | Self::Succeeded | Self::Failed => true,
        }
    }
}

/// A submission as the cluster sees it now.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Job {
    pub status: Status,
    /// In Ray's words: what it waits for, or what went wrong.
    #[serde(default)]
    pub message: Option<String>,
    /// Of the command, where it ran; negative for a signal.
    #[serde(default)]
    pub driver_exit_code: Option<i32>,
    #[serde(default)]
    pub driver_node_id: Option<String>,
}

/// What became of a package that was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Taken {
    Yes,
    /// It is larger than the cluster, or a proxy in front of it, takes; with the words of who said so, which may be none.
    TooLarge(String),
}

#[derive(Deserialize)]
struct Logs {
    logs: String,
}

impl Ray {
    #[must_use]
    pub fn new(client: Client) -> Self {
        Self { client }
    }

    #[must_use]
    pub fn base(&self) -> &str {
        self.client.base()
    }

    /// What answers: `Ray 2.60.0`.
    ///
    /// # Errors
    /// When nothing does, or it is no Ray.
    pub async fn greet(&self) -> Result<String> {
        let kind = lapwing_core::RemoteKind::Ray;
        Ok(crate::check::check(kind, &self.client).await?.server)
    }

    /// Whether the cluster has a package already.
    ///
    /// # Errors
    /// When it cannot be asked.
    pub async fn has_package(&self, name: &str) -> Result<bool> {
        let request = self.client.request(Method::GET, &package(name));
        found(self.client.ask(request.timeout(LIMIT)).await).map(|answer| answer.is_some())
    }

    /// Sends a package: a zip archive with the files at its root.
    ///
    /// # Errors
    /// When it cannot be read or sent.
    pub async fn send_package(
        &self,
        name: &str,
        archive: &Path,
        moved: impl Fn(u64) + Send + Sync + 'static,
    ) -> Result<Taken> {
        let request = self.client.request(Method::PUT, &package(name));
        match self.client.send_file(request, archive, moved).await {
            Ok(_) => Ok(Taken::Yes),
            Err(Error::Answered {
                status, message, ..
            }) if status == StatusCode::PAYLOAD_TOO_LARGE.as_u16() => Ok(Taken::TooLarge(message)),
            Err(error) => Err(error),
        }
    }

    /// Submits a job. One with that id that is there already is this one: an answer may have been lost.
    ///
    /// # Errors
    /// When the cluster refuses it.
    pub async fn submit(&self, submission: &Submission) -> Result<()> {
        let id = &submission.submission_id;
        if self.job(id).await?.is_some() {
            return Ok(());
        }
        let request = self.client.request(Method::POST, "api/jobs/");
        let answer = self
            .client
            .send(request.json(submission).timeout(LIMIT))
            .await?;
        let status = answer.status();
        if !status.is_server_error() {
            return client::accepted(answer).await.map(drop);
        }
        let said = client::bytes(answer).await?;
        // For an id that exists Ray answers 500 with a traceback: somebody may have been quicker.
        match self.job(id).await? {
            Some(_) => Ok(()),
            None => Err(Error::Answered {
                url: self.client.url("api/jobs/"),
                status: status.as_u16(),
                message: last_line(&said),
            }),
        }
    }

    /// The address of a node inside of the cluster.
    ///
    /// # Errors
    /// When the cluster cannot be asked.
    pub async fn node_ip(&self, node: &str) -> Result<Option<String>> {
        let all: Value = self.client.get("api/v0/nodes", &[]).await?;
        let nodes = all.pointer("/data/result/result").and_then(Value::as_array);
        Ok(nodes
            .into_iter()
            .flatten()
            .find(|found| found["node_id"] == node)
            .and_then(|found| found["node_ip"].as_str())
            .map(str::to_owned))
    }

    /// A job; `None` when the cluster knows none with that id.
    ///
    /// # Errors
    /// When it cannot be asked.
    pub async fn job(&self, id: &str) -> Result<Option<Job>> {
        let request = self.client.request(Method::GET, &job(id));
        match found(self.client.ask(request.timeout(LIMIT)).await)? {
            Some(answer) => client::json(answer).await.map(Some),
            None => Ok(None),
        }
    }

    /// All that a job has printed so far.
    ///
    /// # Errors
    /// When it cannot be asked.
    pub async fn logs(&self, id: &str) -> Result<String> {
        let path = format!("{}/logs", job(id));
        let request = self.client.request(Method::GET, &path).timeout(LIMIT);
        match found(self.client.ask(request).await)? {
            Some(answer) => Ok(client::json::<Logs>(answer).await?.logs),
            None => Ok(String::new()),
        }
    }

    /// Ends a job. One that has ended, or is gone, stays so.
    ///
    /// # Errors
    /// When the cluster cannot be asked.
    pub async fn stop(&self, id: &str) -> Result<()> {
        let path = format!("{}/stop", job(id));
        let request = self.client.request(Method::POST, &path).timeout(LIMIT);
        found(self.client.ask(request).await).map(drop)
    }

    /// Takes a job that has ended off the cluster's list.
    ///
    /// # Errors
    /// When the cluster cannot be asked, or the job goes on.
    pub async fn delete(&self, id: &str) -> Result<()> {
        let request = self.client.request(Method::DELETE, &job(id));
        found(self.client.ask(request.timeout(LIMIT)).await).map(drop)
    }

    /// Fetches a file from the folder of a node's logs into `to`, byte for byte. False when there is none with that name.
    ///
    /// # Errors
    /// When it cannot be fetched, or `to` cannot be written.
    pub async fn log_file(
        &self,
        node: &str,
        name: &str,
        to: &Path,
        moved: Moved<'_>,
    ) -> Result<bool> {
        let listed = [("node_id", node), ("glob", name), ("timeout", NODE_LIMIT)];
        let listed: Value = self.client.get("api/v0/logs", &listed).await?;
        if !mentions(&listed, name) {
            return Ok(false);
        }
        // Every try begins anew: this API knows no ranges.
        let request = || {
            let query = [
                ("node_id", node),
                ("filename", name),
                ("lines", "-1"),
                ("timeout", NODE_LIMIT),
            ];
            self.client
                .request(Method::GET, "api/v0/logs/file")
                .query(&query)
        };
        self.client.fetch(request, to, moved).await?;
        Ok(true)
    }
}

fn package(name: &str) -> String {
    format!("api/packages/gcs/{}", utf8_percent_encode(name, SEGMENT))
}

fn job(id: &str) -> String {
    format!("api/jobs/{}", utf8_percent_encode(id, SEGMENT))
}

/// Of a traceback, the line that says something.
fn last_line(said: &[u8]) -> String {
    let text = String::from_utf8_lossy(said);
    let mut lines = text.lines().rev().map(str::trim);
    let last = lines.find(|line| line.len() > 1).unwrap_or_default();
    last.chars().take(SHOWN_CHARS).collect()
}

/// What is not there is an answer.
fn found<T>(answer: Result<T>) -> Result<Option<T>> {
    match answer {
        Ok(answer) => Ok(Some(answer)),
        Err(Error::NotFound { .. }) => Ok(None),
        Err(error) => Err(told(error)),
    }
}

/// Ray knows no rights: with 403 it answers a token that is not its own, with 401 that there is none.
pub(crate) fn told(error: Error) -> Error {
    match error {
        Error::Forbidden { url, .. } => Error::Refusal {
            url,
            why: "the token is not that of the cluster".to_owned(),
        },
        other => other,
    }
}

/// The list sorts files by what Ray takes them for.
fn mentions(listed: &Value, name: &str) -> bool {
    match listed {
        Value::String(text) => text == name,
        Value::Array(all) => all.iter().any(|value| mentions(value, name)),
        Value::Object(all) => all.values().any(|value| mentions(value, name)),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}
