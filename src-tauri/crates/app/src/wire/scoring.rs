//! Wire types of batch scoring.

use lapwing_core::{JobId, RunId};
use serde::{Deserialize, Serialize};
use specta::Type;

use super::count::Count;
use super::pipeline::Target;

#[derive(Debug, Clone, Serialize, Deserialize, Type)]
pub struct StartScoring {
    /// As `deployments.deploy` takes it: `NAME@ALIAS`, `models:/NAME/3`, a folder with an `MLmodel` file.
    pub model: String,
    /// An absolute path: of a CSV, Parquet or JSON-lines file, or of a folder with such files.
    pub data: String,
    /// An absolute path that ends with `.csv`, `.tsv` or `.parquet`.
    pub out: String,
    pub target: Target,
    /// The remote that it runs on.
    pub on: Option<String>,
    pub project: Option<String>,
}

/// Work that goes on as a job of its own; follow it with `jobs.log`.
#[derive(Debug, Clone, Serialize, Deserialize, Type)]
pub struct StartedScoring {
    pub job: JobId,
    pub run_id: RunId,
    pub out: String,
}

/// Why a file goes along.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Type)]
#[serde(rename_all = "snake_case")]
pub enum ScoringPart {
    Model,
    Data,
    /// Lapwing's own: what runs there, and which packages it needs.
    Script,
}

#[derive(Debug, Clone, Serialize, Deserialize, Type)]
pub struct ScoringFile {
    pub path: String,
    pub size: Count,
    pub part: ScoringPart,
}

/// What would travel to another machine.
#[derive(Debug, Clone, Serialize, Deserialize, Type)]
pub struct ScoringUpload {
    pub files: Vec<ScoringFile>,
    pub bytes: Count,
}

/// What a job scores, and what came of it.
#[derive(Debug, Clone, Serialize, Deserialize, Type)]
pub struct ScoringDetail {
    pub job: JobId,
    pub run_id: RunId,
    pub model: String,
    pub version: Option<u32>,
    pub data: String,
    pub out: String,
    /// When it has succeeded.
    pub result: Option<ScoringResult>,
    /// A next step, when it has failed and one is known.
    pub hint: Option<String>,
}

#[derive(Debug, Clone, Serialize, Deserialize, Type)]
pub struct ScoringResult {
    pub rows: Count,
    /// With the loading of the model.
    pub seconds: f64,
    pub bytes: Count,
}
