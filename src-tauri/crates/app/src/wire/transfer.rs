//! Wire types of transfers that go on.

use serde::{Deserialize, Serialize};
use specta::Type;

use super::count::Count;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Type)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    Push,
    Pull,
    /// Both ways.
    Sync,
}

/// What a transfer moves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Type)]
#[serde(rename_all = "snake_case")]
pub enum Cargo {
    Data,
    /// A version of a model, with its run.
    Model,
    /// The image of a deployment.
    Image,
    /// Runs, their artifacts and the versions that they made.
    Runs,
    /// Commits of git; with a name the folder of a clone.
    Commits,
}

/// Those of a project, and those that belong to none; without a project the latter.
#[derive(Debug, Clone, Default, Serialize, Deserialize, Type)]
pub struct TransfersOf {
    pub project: Option<String>,
}

/// A transfer that goes on in this process.
#[derive(Debug, Clone, Serialize, Deserialize, Type)]
pub struct TransferRow {
    pub id: u32,
    pub direction: Direction,
    pub cargo: Cargo,
    /// Of the model, its address, or the deployment; `None` where there is nothing to name.
    pub name: Option<String>,
    /// As it was named; `None` is the default one.
    pub remote: Option<String>,
    /// What it is at, in words: `Pushed 2 of 9 files`.
    pub what: String,
    /// Bytes; of commits objects of git.
    pub done: Count,
    /// As `done`; 0 until it is known.
    pub total: Count,
    /// It was asked to stop, and will soon.
    pub stopping: bool,
}

#[derive(Debug, Clone, Serialize, Deserialize, Type)]
pub struct TransferRef {
    pub id: u32,
}
