//! Wire types of deployments.

use lapwing_core::{DeploymentName, JobId, RunId, Timestamp};
use serde::{Deserialize, Serialize};
use specta::Type;

use super::count::Count;
use specta_typescript::Unknown;

use super::model::SignatureColumn;
use super::pipeline::Target;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Type)]
#[serde(rename_all = "snake_case")]
pub enum DeploymentState {
    Starting,
    Running,
    Stopped,
    Failed,
}

#[derive(Debug, Clone, Serialize, Deserialize, Type)]
pub struct DeploymentRow {
    pub name: DeploymentName,
    pub state: DeploymentState,
    /// Why it failed, when it did.
    pub why: Option<String>,
    pub url: Option<String>,
    pub target: Target,
    pub project: Option<String>,
    /// The revision that gets the traffic.
    pub revision: Option<u32>,
    pub model: String,
    pub model_version: Option<u32>,
    /// `onnx` or `python`.
    pub runtime: String,
    pub updated: Timestamp,
    pub requests: Count,
    pub errors: Count,
    /// Milliseconds, of the last hour.
    pub p50: Option<f64>,
    pub p95: Option<f64>,
    pub open_alerts: u32,
}

#[derive(Debug, Clone, Serialize, Deserialize, Type)]
pub struct DeploymentRef {
    pub name: DeploymentName,
}

#[derive(Debug, Clone, Serialize, Deserialize, Type)]
pub struct RevisionRow {
    pub number: u32,
    pub created: Timestamp,
    pub model: String,
    pub model_version: Option<u32>,
    pub run_id: Option<RunId>,
    pub runtime: String,
    /// Why it is served by this runtime: the result of the conversion to ONNX.
    pub runtime_note: String,
    /// Share of the traffic, 0 to 1.
    pub traffic: f64,
    /// Who released it: `you`, or the name of an automation.
    pub released_by: String,
}

#[derive(Debug, Clone, Serialize, Deserialize, Type)]
pub struct Snippet {
    /// `curl`, `Python`.
    pub title: String,
    pub code: String,
}

#[derive(Debug, Clone, Serialize, Deserialize, Type)]
pub struct DeploymentDetail {
    pub row: DeploymentRow,
    /// Newest first.
    pub revisions: Vec<RevisionRow>,
    pub inputs: Vec<SignatureColumn>,
    /// One row that the endpoint accepts, column → value: what the try-it form starts with.
    #[specta(type = Unknown)]
    pub example: serde_json::Value,
    pub snippets: Vec<Snippet>,
    pub docs_url: Option<String>,
    pub metrics_url: Option<String>,
}

#[derive(Debug, Clone, Serialize, Deserialize, Type)]
pub struct Deploy {
    /// `NAME@ALIAS`, `models:/NAME/3`, `runs:/ID/model`, or a folder with an `MLmodel` file.
    pub model: String,
    pub name: DeploymentName,
    /// `None`: as `lapwing.toml` says, as before, or any free one.
    pub port: Option<u16>,
    /// `None`: as `lapwing.toml` says, as before, or a process.
    pub target: Option<Target>,
    pub project: Option<String>,
}

/// Work that goes on as a job of its own; follow it with `jobs.log`.
#[derive(Debug, Clone, Serialize, Deserialize, Type)]
pub struct Started {
    pub job: JobId,
}

#[derive(Debug, Clone, Serialize, Deserialize, Type)]
pub struct Rollback {
    pub name: DeploymentName,
    /// `None` means the one before.
    pub revision: Option<u32>,
}

#[derive(Debug, Clone, Serialize, Deserialize, Type)]
pub struct Predict {
    pub name: DeploymentName,
    /// A list of rows, each an object of column → value.
    #[specta(type = Unknown)]
    pub records: serde_json::Value,
}

#[derive(Debug, Clone, Serialize, Deserialize, Type)]
pub struct Predicted {
    pub status: u16,
    pub latency_ms: f64,
    /// The body as it came: predictions, scores and prediction ids, or the error.
    #[specta(type = Unknown)]
    pub body: serde_json::Value,
}

#[derive(Debug, Clone, Serialize, Deserialize, Type)]
pub struct ReadTraffic {
    pub name: DeploymentName,
    /// How far back, in minutes.
    pub minutes: u32,
}

#[derive(Debug, Clone, Serialize, Deserialize, Type)]
pub struct TrafficBucket {
    pub at: Timestamp,
    pub requests: Count,
    pub errors: Count,
    pub p50: Option<f64>,
    pub p95: Option<f64>,
    pub p99: Option<f64>,
}

#[derive(Debug, Clone, Serialize, Deserialize, Type)]
pub struct Traffic {
    pub buckets: Vec<TrafficBucket>,
    pub requests: Count,
    pub errors: Count,
    pub p50: Option<f64>,
    pub p95: Option<f64>,
    pub p99: Option<f64>,
}

#[derive(Debug, Clone, Serialize, Deserialize, Type)]
pub struct RecentPredictions {
    pub name: DeploymentName,
    pub limit: u32,
}

#[derive(Debug, Clone, Serialize, Deserialize, Type)]
pub struct LoggedPrediction {
    pub prediction_id: String,
    pub at: Timestamp,
    pub revision: u32,
    pub prediction: String,
    pub score: Option<f64>,
    pub label: Option<String>,
    pub latency_ms: f64,
    #[specta(type = Unknown)]
    pub features: serde_json::Value,
}

#[derive(Debug, Clone, Serialize, Deserialize, Type)]
pub struct ReadDeploymentLog {
    pub name: DeploymentName,
    pub from: f64,
    pub max: u32,
}

/// What an endpoint is exported as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Type)]
#[serde(rename_all = "snake_case")]
pub enum Package {
    /// A Docker build context.
    Image,
    Compose,
    /// A Deployment and a Service.
    Kubernetes,
    /// An InferenceService.
    Kserve,
}

#[derive(Debug, Clone, Serialize, Deserialize, Type)]
pub struct PushDeployment {
    pub project: Option<String>,
    pub name: DeploymentName,
    /// An OCI registry.
    pub remote: String,
    /// Of the image there; the deployment's name without it.
    pub repository: Option<String>,
}

#[derive(Debug, Clone, Serialize, Deserialize, Type)]
pub struct PushedImage {
    /// What `docker pull` takes.
    pub image: String,
}

#[derive(Debug, Clone, Serialize, Deserialize, Type)]
pub struct ExportDeployment {
    pub name: DeploymentName,
    pub package: Package,
    /// What the image is called where it is pulled from; `NAME:rREVISION` without it.
    pub image: Option<String>,
    /// Base of the image; that of Docker deployments without it.
    pub base: Option<String>,
    pub namespace: Option<String>,
    /// One without it.
    pub replicas: Option<u32>,
    /// Limit of memory in GiB; two without it.
    pub memory_gib: Option<f64>,
    /// KServe's own MLflow runtime serves the model from here, and no image is needed.
    pub storage_uri: Option<String>,
    /// An absolute path of a folder: what belongs to the export is written into it.
    pub out: Option<String>,
}
