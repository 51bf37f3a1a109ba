//! The REST API of Kubeflow Pipelines 2 (v2beta1): starts a pipeline and says how far its run is.
//!
//! The specification travels with the run, as `kfp`'s own client does it when it is given a file. No live server was at hand: paths,
//! bodies and states are those of `kfp` 2.17 and its generated client, and the tests' server speaks only these.

use percent_encoding::utf8_percent_encode;
use reqwest::Method;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::engine::{Run, SEGMENT, State, Task};
use crate::{Client, Result};

const RUNS: &str = "apis/v2beta1/runs";

/// A connection.
#[derive(Debug, Clone)]
pub struct Kubeflow {
    client: Client,
}

#[derive(Deserialize)]
struct Found {
    run_id: String,
    #[serde(default)]
    state: Option<String>,
    #[serde(default)]
    error: Option<Status>,
    #[serde(default)]
    run_details: Option<Details>,
}

#[derive(Deserialize)]
struct Details {
    #[serde(default)]
    task_details: Vec<TaskDetail>,
}

#[derive(Deserialize)]
struct TaskDetail {
    #[serde(default)]
    display_name: Option<String>,
    #[serde(default)]
    state: Option<String>,
    #[serde(default)]
    error: Option<Status>,
}

#[derive(Deserialize)]
struct Status {
    #[serde(default)]
    message: Option<String>,
}

impl Kubeflow {
    #[must_use]
    pub fn new(client: Client) -> Self {
        Self { client }
    }

    /// Starts a run of a specification with these parameters, and answers its id.
    ///
    /// # Errors
    /// When Kubeflow cannot be reached, or refuses the specification.
    pub async fn start(
        &self,
        name: &str,
        specification: &Value,
        parameters: &Map<String, Value>,
    ) -> Result<String> {
        let body = json!({
            "display_name": name,
            "pipeline_spec": specification,
            "runtime_config": {"parameters": parameters},
        });
        let run: Found = self.client.post(Method::POST, RUNS, &body).await?;
        Ok(run.run_id)
    }

    /// How far a run is.
    ///
    /// # Errors
    /// When Kubeflow cannot be reached, or has no such run.
    pub async fn run(&self, run: &str) -> Result<Run> {
        let id = utf8_percent_encode(run, SEGMENT);
        let found: Found = self.client.get(&format!("{RUNS}/{id}"), &[]).await?;
        let details = found.run_details.map(|details| details.task_details);
        let tasks = details.unwrap_or_default().into_iter().filter_map(|task| {
            // The graph itself and the drivers of tasks are listed too.
            let name = task.display_name?;
            let own = name == "root" || name.ends_with("-driver") || name == "executor";
            (!own).then(|| Task {
                name,
                state: state(task.state.as_deref()),
                why: task.error.and_then(|error| error.message),
            })
        });
        Ok(Run {
            id: found.run_id,
            state: state(found.state.as_deref()),
            why: found.error.and_then(|error| error.message),
            tasks: tasks.collect(),
        })
    }

    #[must_use]
    pub fn address(&self, run: &str) -> String {
        self.client.url(&format!("#/runs/details/{run}"))
    }
}

fn state(word: Option<&str>) -> State {
    match word {
        Some("SUCCEEDED") => State::Succeeded,
        Some("FAILED") => State::Failed,
        Some("SKIPPED") => State::Skipped,
        Some("CANCELED") => State::Stopped,
        Some("RUNNING" | "CANCELING") => State::Running,
        _ => State::Waiting,
    }
}
