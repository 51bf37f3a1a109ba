//! Wire types of tracked runs.

use std::collections::BTreeMap;

use lapwing_core::{RunId, Timestamp};
use serde::{Deserialize, Serialize};
use specta::Type;

use super::count::Count;

use super::pipeline::JobRow;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Type)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum RunStatus {
    Running,
    Scheduled,
    Finished,
    Failed,
    Killed,
}

#[derive(Debug, Clone, Serialize, Deserialize, Type)]
pub struct ExperimentRow {
    pub id: String,
    pub name: String,
    pub runs: u32,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize, Type)]
pub struct ListRuns {
    /// Only the runs of this project.
    pub project: Option<String>,
    pub experiment: Option<String>,
    /// MLflow's search grammar: `metrics.auc > 0.7 and params.model = 'gbm'`.
    pub filter: Option<String>,
    /// `metrics.auc DESC`.
    pub order_by: Vec<String>,
    pub max: Option<u32>,
    pub page_token: Option<String>,
    pub deleted: bool,
}

#[derive(Debug, Clone, Serialize, Deserialize, Type)]
pub struct RunRow {
    pub run_id: RunId,
    pub name: String,
    pub experiment: String,
    pub status: RunStatus,
    /// Why a run that goes on waits for somebody to say so, as in [`WaitingRun`](super::WaitingRun).
    pub waits: Option<String>,
    pub user: String,
    pub start: Timestamp,
    pub end: Option<Timestamp>,
    /// Short commit id.
    pub commit: Option<String>,
    /// Latest values; `null` stands for NaN and the infinities.
    pub metrics: BTreeMap<String, f64>,
    pub params: BTreeMap<String, String>,
    /// `name v3` for each registered version made from this run.
    pub models: Vec<String>,
    /// The run that this one belongs to: a trial's sweep.
    pub parent: Option<RunId>,
    /// How many runs belong to it: a sweep's trials.
    pub children: u32,
}

#[derive(Debug, Clone, Serialize, Deserialize, Type)]
pub struct RunsPage {
    pub rows: Vec<RunRow>,
    pub next_page_token: Option<String>,
    pub metric_keys: Vec<String>,
    pub param_keys: Vec<String>,
    /// Of the trials among the rows: the metrics that their sweeps compare them by, and the parameters that differ.
    pub goals: Vec<String>,
    pub swept: Vec<String>,
}

#[derive(Debug, Clone, Serialize, Deserialize, Type)]
pub struct RunRef {
    pub run_id: RunId,
}

/// A dataset version that a run read or wrote.
#[derive(Debug, Clone, Serialize, Deserialize, Type)]
pub struct RunData {
    pub path: String,
    pub hash: String,
    pub role: DataRole,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Type)]
#[serde(rename_all = "snake_case")]
pub enum DataRole {
    Input,
    Output,
}

#[derive(Debug, Clone, Serialize, Deserialize, Type)]
pub struct LoggedModelRow {
    /// `models:/m-…` or `runs:/…`, what Register and Deploy take.
    pub uri: String,
    pub name: String,
    pub flavors: Vec<String>,
}

#[derive(Debug, Clone, Serialize, Deserialize, Type)]
pub struct RunDetail {
    pub row: RunRow,
    /// What is being done for it or what it waits for, while it goes on: its image is built, a machine is busy.
    pub doing: Option<String>,
    pub tags: BTreeMap<String, String>,
    pub jobs: Vec<JobRow>,
    pub data: Vec<RunData>,
    pub logged_models: Vec<LoggedModelRow>,
    pub artifact_uri: String,
    /// The folder of the artifacts on this machine.
    pub artifact_folder: Option<String>,
}

#[derive(Debug, Clone, Serialize, Deserialize, Type)]
pub struct ReadMetric {
    pub run_id: RunId,
    pub key: String,
    /// At most this many points come back: the least and greatest of each bucket are kept.
    pub max_points: u32,
}

#[derive(Debug, Clone, Serialize, Deserialize, Type)]
pub struct Point {
    pub step: f64,
    pub at: Timestamp,
    pub value: f64,
}

#[derive(Debug, Clone, Serialize, Deserialize, Type)]
pub struct Series {
    pub run_id: RunId,
    pub key: String,
    pub points: Vec<Point>,
    /// How many were logged.
    pub total: Count,
}

#[derive(Debug, Clone, Serialize, Deserialize, Type)]
pub struct CompareRuns {
    pub run_ids: Vec<RunId>,
}

/// One line of a comparison; values in the order of the runs, `None` where a run has none.
#[derive(Debug, Clone, Serialize, Deserialize, Type)]
pub struct ComparedValue {
    pub key: String,
    pub values: Vec<Option<String>>,
    pub differs: bool,
}

#[derive(Debug, Clone, Serialize, Deserialize, Type)]
pub struct Comparison {
    pub runs: Vec<RunRow>,
    pub metrics: Vec<ComparedValue>,
    pub params: Vec<ComparedValue>,
    pub data: Vec<ComparedValue>,
}

#[derive(Debug, Clone, Serialize, Deserialize, Type)]
pub struct ListArtifacts {
    pub run_id: RunId,
    /// Relative to the run's artifacts; empty for the root.
    pub path: String,
}

#[derive(Debug, Clone, Serialize, Deserialize, Type)]
pub struct ArtifactRow {
    pub path: String,
    pub is_dir: bool,
    pub size: Option<Count>,
}

#[derive(Debug, Clone, Serialize, Deserialize, Type)]
pub struct TextContent {
    /// `None` when it is not text.
    pub text: Option<String>,
    pub truncated: bool,
    pub size: Count,
}

#[derive(Debug, Clone, Serialize, Deserialize, Type)]
pub struct RenameRun {
    pub run_id: RunId,
    pub name: String,
}
