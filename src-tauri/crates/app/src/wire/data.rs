//! Wire types of datasets and their versions.

use lapwing_core::Timestamp;
use serde::{Deserialize, Serialize};
use specta::Type;

use super::count::Count;
use specta_typescript::Unknown;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Type)]
#[serde(rename_all = "snake_case")]
pub enum DataState {
    Clean,
    Modified,
    Deleted,
    New,
    NotInCache,
}

#[derive(Debug, Clone, Serialize, Deserialize, Type)]
pub struct DatasetRow {
    /// Relative to the project.
    pub path: String,
    /// The `.dvc` file, or `dvc.lock` for what a stage made.
    pub tracked_by: String,
    /// The stage that makes it, if one does.
    pub stage: Option<String>,
    pub state: DataState,
    pub size: Count,
    pub files: Option<Count>,
    pub hash: Option<String>,
    pub is_dir: bool,
}

#[derive(Debug, Clone, Serialize, Deserialize, Type)]
pub struct AddData {
    pub project: String,
    /// Absolute, or relative to the project. A path outside the project is copied into `data/` first.
    pub paths: Vec<String>,
    /// Commit the new version with this message; `None` leaves it uncommitted.
    pub message: Option<String>,
}

#[derive(Debug, Clone, Serialize, Deserialize, Type)]
pub struct AddedData {
    pub path: String,
    pub hash: String,
    pub size: Count,
    pub files: Option<Count>,
    /// False when the same content was already tracked.
    pub changed: bool,
}

#[derive(Debug, Clone, Serialize, Deserialize, Type)]
pub struct DataPath {
    pub project: String,
    pub path: String,
}

#[derive(Debug, Clone, Serialize, Deserialize, Type)]
pub struct CheckoutData {
    pub project: String,
    /// Empty means everything.
    pub paths: Vec<String>,
    /// Overwrite files whose content is nowhere else.
    pub force: bool,
}

#[derive(Debug, Clone, Serialize, Deserialize, Type)]
pub struct DataVersion {
    pub commit: String,
    pub short: String,
    pub message: String,
    pub author: String,
    pub at: Timestamp,
    pub hash: String,
    pub size: Count,
    pub files: Option<Count>,
}

#[derive(Debug, Clone, Serialize, Deserialize, Type)]
pub struct DiffData {
    pub project: String,
    pub from: String,
    /// `None` compares with the working tree.
    pub to: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Type)]
#[serde(rename_all = "snake_case")]
pub enum DiffKind {
    Added,
    Modified,
    Deleted,
    Renamed,
}

#[derive(Debug, Clone, Serialize, Deserialize, Type)]
pub struct DiffRow {
    pub kind: DiffKind,
    pub path: String,
    pub old_path: Option<String>,
    pub old_size: Option<Count>,
    pub new_size: Option<Count>,
}

/// A file that can be previewed: tabular files below the project, tracked or not.
#[derive(Debug, Clone, Serialize, Deserialize, Type)]
pub struct FileRow {
    pub path: String,
    pub size: Count,
    pub modified: Timestamp,
}

#[derive(Debug, Clone, Serialize, Deserialize, Type)]
pub struct PreviewData {
    pub project: Option<String>,
    pub path: String,
    pub offset: Count,
    pub limit: u32,
}

#[derive(Debug, Clone, Serialize, Deserialize, Type)]
pub struct PreviewColumn {
    pub name: String,
    /// `int64`, `double`, `string`, `bool`, `timestamp`, as the file says.
    pub kind: String,
    pub numeric: bool,
}

#[derive(Debug, Clone, Serialize, Deserialize, Type)]
pub struct Preview {
    pub columns: Vec<PreviewColumn>,
    /// One list of JSON scalars for each row.
    #[specta(type = Vec<Vec<Unknown>>)]
    pub rows: Vec<Vec<serde_json::Value>>,
    pub offset: Count,
    pub total_rows: Count,
}

#[derive(Debug, Clone, Serialize, Deserialize, Type)]
pub struct TransferData {
    pub project: String,
    pub remote: Option<String>,
    pub paths: Vec<String>,
}

#[derive(Debug, Clone, Serialize, Deserialize, Type)]
pub struct Transferred {
    pub remote: String,
    pub files: Count,
    pub bytes: Count,
    /// Already there.
    pub skipped: Count,
    /// After a push: commits that name data and are only here.
    pub unpushed_commits: Count,
}
