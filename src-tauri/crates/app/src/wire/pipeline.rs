//! Wire types of the pipeline and of jobs.

use lapwing_core::{JobId, Report, RunId, Timestamp};
use serde::{Deserialize, Serialize};
use specta::Type;

pub use lapwing_data::{Stays, UploadList, Why};

use super::count::Count;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Type)]
#[serde(rename_all = "snake_case")]
pub enum StageState {
    /// Would be skipped: nothing changed.
    Fresh,
    Stale,
    Queued,
    Running,
    Failed,
    Frozen,
}

#[derive(Debug, Clone, Serialize, Deserialize, Type)]
pub struct StageRow {
    pub name: String,
    pub file: String,
    pub command: String,
    pub description: Option<String>,
    pub deps: Vec<String>,
    pub outs: Vec<String>,
    pub metrics: Vec<String>,
    /// `key = value` as resolved now.
    pub params: Vec<String>,
    pub state: StageState,
    /// The remote that it runs on, or would; here without one.
    pub on: Option<String>,
    /// What its job waits for, is being done for it, or why nothing is heard of it: only while it goes on.
    pub waits: Option<String>,
    /// Why it would run, one short sentence each.
    pub reasons: Vec<String>,
    /// The newest job of this stage.
    pub job: Option<JobId>,
    pub duration_ms: Option<f64>,
}

#[derive(Debug, Clone, Serialize, Deserialize, Type)]
pub struct Edge {
    pub from: String,
    pub to: String,
}

#[derive(Debug, Clone, Serialize, Deserialize, Type)]
pub struct PipelineView {
    pub stages: Vec<StageRow>,
    pub edges: Vec<Edge>,
    /// `dvc.yaml` cannot be read: stages is empty then.
    pub error: Option<Report>,
    /// The run that is going on, if one is.
    pub current_run: Option<RunId>,
    /// The newest sweep that is going on, if one is.
    pub current_sweep: Option<RunId>,
    pub waiting: Option<WaitingRun>,
}

/// A run whose process is gone, and that goes on only when somebody says so: what lies here is not what was asked for.
#[derive(Debug, Clone, Serialize, Deserialize, Type)]
pub struct WaitingRun {
    pub run_id: RunId,
    pub started: Timestamp,
    /// A clause: "stage `fit` was edited since it began".
    pub why: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, Type)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    #[default]
    Process,
    Docker,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize, Type)]
pub struct StartRun {
    pub project: String,
    /// Empty means the whole pipeline.
    pub stages: Vec<String>,
    pub force: bool,
    pub target: Target,
    /// Remote that the stages run on, whatever they say themselves.
    #[serde(default)]
    pub on: Option<String>,
    /// `key=value`, as `-S` of the command line.
    pub set: Vec<String>,
}

/// Of which stages, all without any: what would travel to another machine.
#[derive(Debug, Clone, Default, Serialize, Deserialize, Type)]
pub struct UploadsOf {
    pub project: String,
    pub stages: Vec<String>,
}

#[derive(Debug, Clone, Serialize, Deserialize, Type)]
pub struct StartedRun {
    /// `None` when nothing was stale, so that nothing had to run.
    pub run_id: Option<RunId>,
    /// The stages that will run, in order.
    pub stages: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Type)]
#[serde(rename_all = "snake_case")]
pub enum JobStatus {
    Queued,
    Running,
    Succeeded,
    Failed,
    Cancelled,
    TimedOut,
    /// Its process is gone and left no result.
    Lost,
}

#[derive(Debug, Clone, Serialize, Deserialize, Type)]
pub struct JobRow {
    pub id: JobId,
    pub title: String,
    pub status: JobStatus,
    /// `exit code 1`, `killed by signal 9`, `out of memory`.
    pub outcome: Option<String>,
    /// What it waits for, is being done for it, or why nothing is heard of it: only while it goes on.
    pub why: Option<String>,
    /// The remote that it runs on.
    pub on: Option<String>,
    pub target: Target,
    pub project: Option<String>,
    pub run_id: Option<RunId>,
    pub stage: Option<String>,
    pub created: Timestamp,
    pub started: Option<Timestamp>,
    pub ended: Option<Timestamp>,
}

#[derive(Debug, Clone, Serialize, Deserialize, Type)]
pub struct JobRef {
    pub id: JobId,
}

#[derive(Debug, Clone, Serialize, Deserialize, Type)]
pub struct ReadLog {
    pub id: JobId,
    /// A byte offset that an earlier chunk named as `next`, or 0. Negative: that many bytes before the end.
    pub from: f64,
    pub max: u32,
}

#[derive(Debug, Clone, Serialize, Deserialize, Type)]
pub struct LogChunk {
    pub text: String,
    pub next: Count,
    /// Nothing will follow.
    pub ended: bool,
}

/// Everything that a person may want to filter jobs by.
#[derive(Debug, Clone, Default, Serialize, Deserialize, Type)]
pub struct ListJobs {
    pub project: Option<String>,
    pub run_id: Option<RunId>,
    /// The newest so many; 500 where it is left out.
    #[serde(default)]
    pub max: Option<u32>,
}

/// Whose file a pipeline is written as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Type)]
#[serde(rename_all = "snake_case")]
pub enum Engine {
    Airflow,
    Kubeflow,
}

#[derive(Debug, Clone, Serialize, Deserialize, Type)]
pub struct ExportPipeline {
    pub project: String,
    pub engine: Engine,
    /// The engine's name of the pipeline; the project's without it.
    pub name: Option<String>,
    /// Five fields; `none` for no schedule. Without it, that of the project's automations.
    pub schedule: Option<String>,
    /// Where the project lies for the stages; without it here, and in Kubeflow's images `/project`.
    pub root: Option<String>,
    /// Image of stages that name none.
    pub image: Option<String>,
    /// How often a failed stage is tried again; once without it.
    pub retries: Option<u32>,
    pub tags: Vec<String>,
    /// Also write it here: an absolute path of a file, or of a folder that is there.
    pub out: Option<String>,
}

/// The text of one file for another program.
#[derive(Debug, Clone, Serialize, Deserialize, Type)]
pub struct Exported {
    /// How such a file is usually called.
    pub file: String,
    pub text: String,
    /// What a person should know before using it, one sentence each.
    pub notes: Vec<String>,
    /// Where it was written.
    pub written: Option<String>,
}
