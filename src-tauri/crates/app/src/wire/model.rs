//! Wire types of registered models and of lineage.

use std::collections::BTreeMap;

use lapwing_core::{RunId, Timestamp};
use serde::{Deserialize, Serialize};
use specta::Type;

use super::count::Count;

#[derive(Debug, Clone, Serialize, Deserialize, Type)]
pub struct ModelRow {
    pub name: String,
    pub description: String,
    pub latest: Option<u32>,
    /// alias → version
    pub aliases: BTreeMap<String, u32>,
    pub versions: u32,
    pub updated: Timestamp,
}

#[derive(Debug, Clone, Serialize, Deserialize, Type)]
pub struct ModelName {
    pub name: String,
}

#[derive(Debug, Clone, Serialize, Deserialize, Type)]
pub struct VersionRow {
    pub version: u32,
    pub created: Timestamp,
    pub run_id: Option<RunId>,
    pub run_name: Option<String>,
    pub source: String,
    pub aliases: Vec<String>,
    pub stage: String,
    pub description: String,
    pub tags: BTreeMap<String, String>,
    /// Metrics of the run that made it.
    pub metrics: BTreeMap<String, f64>,
    pub commit: Option<String>,
    pub size: Option<Count>,
    /// Deployments that serve this version now.
    pub deployments: Vec<String>,
}

#[derive(Debug, Clone, Serialize, Deserialize, Type)]
pub struct SignatureColumn {
    pub name: String,
    /// MLflow's type: `double`, `long`, `string`, …
    pub kind: String,
    pub required: bool,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize, Type)]
pub struct Signature {
    pub inputs: Vec<SignatureColumn>,
    pub outputs: Vec<SignatureColumn>,
}

#[derive(Debug, Clone, Serialize, Deserialize, Type)]
pub struct ModelDetail {
    pub row: ModelRow,
    /// Newest first.
    pub versions: Vec<VersionRow>,
}

#[derive(Debug, Clone, Serialize, Deserialize, Type)]
pub struct VersionRef {
    pub name: String,
    pub version: u32,
}

#[derive(Debug, Clone, Serialize, Deserialize, Type)]
pub struct VersionDetail {
    pub row: VersionRow,
    pub flavors: Vec<String>,
    pub signature: Signature,
    pub requirements: Vec<String>,
    /// What a scan of pickled parts says: `safe`, `unknown` or `unsafe`, and why.
    pub safety: String,
    pub safety_detail: Vec<String>,
}

#[derive(Debug, Clone, Serialize, Deserialize, Type)]
pub struct RegisterModel {
    pub name: String,
    /// `runs:/…`, `models:/m-…` or a folder with an `MLmodel` file.
    pub source: String,
    pub alias: Option<String>,
}

#[derive(Debug, Clone, Serialize, Deserialize, Type)]
pub struct SetAlias {
    pub name: String,
    pub alias: String,
    /// `None` removes the alias.
    pub version: Option<u32>,
}

/// What a node of the lineage graph is.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Type,
)]
#[serde(rename_all = "snake_case")]
pub enum LineageKind {
    Commit,
    /// What git keeps, a script above all: not data that has versions of its own.
    File,
    Dataset,
    Stage,
    Run,
    ModelVersion,
    Revision,
    Deployment,
    Prediction,
}

#[derive(Debug, Clone, Serialize, Deserialize, Type)]
pub struct LineageNode {
    pub id: String,
    pub kind: LineageKind,
    pub title: String,
    pub detail: String,
    pub at: Option<Timestamp>,
    /// Where it is shown in the window.
    pub route: Option<String>,
}

#[derive(Debug, Clone, Serialize, Deserialize, Type)]
pub struct LineageEdge {
    pub from: String,
    pub to: String,
}

/// From what made it to what it made: edges point in the direction of time.
#[derive(Debug, Clone, Serialize, Deserialize, Type)]
pub struct Lineage {
    /// The node that was asked for.
    pub focus: String,
    pub nodes: Vec<LineageNode>,
    pub edges: Vec<LineageEdge>,
}

#[derive(Debug, Clone, Serialize, Deserialize, Type)]
pub struct Trace {
    /// A prediction id, run id, `NAME@ALIAS`, `NAME/VERSION`, deployment name, dataset hash, dataset path or commit.
    pub id: String,
    pub project: Option<String>,
}

/// A model version to a registry elsewhere.
#[derive(Debug, Clone, Serialize, Deserialize, Type)]
pub struct PushModel {
    pub project: Option<String>,
    /// `NAME@ALIAS` or `NAME/VERSION`.
    pub model: String,
    pub remote: String,
    /// Its name there; the same without it.
    pub name: Option<String>,
    /// Points there at the pushed version.
    pub alias: Option<String>,
}

#[derive(Debug, Clone, Serialize, Deserialize, Type)]
pub struct Pushed {
    /// `REMOTE:NAME/VERSION`.
    pub address: String,
    /// False where the same files were there already.
    pub new: bool,
    pub files: u32,
    pub bytes: Count,
}

/// A model version from a registry elsewhere.
#[derive(Debug, Clone, Serialize, Deserialize, Type)]
pub struct PullModel {
    pub project: Option<String>,
    /// `REMOTE:NAME`, `REMOTE:NAME@ALIAS` or `REMOTE:NAME/VERSION`.
    pub address: String,
    /// Its name here; the same without it.
    pub name: Option<String>,
    pub alias: Option<String>,
}

#[derive(Debug, Clone, Serialize, Deserialize, Type)]
pub struct Pulled {
    pub name: String,
    pub version: u32,
    /// `REMOTE:NAME/VERSION`.
    pub origin: String,
    /// False where it was here already.
    pub new: bool,
}

#[derive(Debug, Clone, Serialize, Deserialize, Type)]
pub struct SearchRemoteModels {
    pub project: Option<String>,
    pub remote: String,
    /// Part of a name; all without it.
    pub text: String,
}

/// What a search found in a registry elsewhere.
#[derive(Debug, Clone, Serialize, Deserialize, Type)]
pub struct FoundModels {
    pub rows: Vec<RemoteModelRow>,
    /// There are others: more of the name finds them.
    pub more: bool,
}

/// A model in a registry elsewhere.
#[derive(Debug, Clone, Serialize, Deserialize, Type)]
pub struct RemoteModelRow {
    /// `REMOTE:NAME`.
    pub address: String,
    pub name: String,
    pub description: String,
    pub latest: Option<String>,
    /// alias → version
    pub aliases: BTreeMap<String, String>,
}
