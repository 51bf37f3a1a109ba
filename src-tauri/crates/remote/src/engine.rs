//! What Airflow and Kubeflow Pipelines have in common: a run with tasks, each somewhere between waiting and done.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC};
use serde::Serialize;

/// What is escaped in one part of a path.
pub(crate) const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~');

/// How far a run or a task is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    Waiting,
    Running,
    Succeeded,
    Failed,
    /// It did not have to run, or could not because another one failed.
    Skipped,
    /// Somebody ended it.
    Stopped,
}

impl State {
    /// Nothing will follow.
    #[must_use]
    pub fn is_final(self) -> bool {
        match self {
            Self::Waiting | Self::Running => false,
            Self::Succeeded | Self::Failed | Self::Skipped | Self::Stopped => true,
        }
    }
}

/// One task of a run, under the name that people know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Task {
    pub name: String,
    pub state: State,
    /// Why it failed, in the engine's own words, where it says so.
    pub why: Option<String>,
}

/// A run as the engine sees it now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Run {
    pub id: String,
    pub state: State,
    pub why: Option<String>,
    pub tasks: Vec<Task>,
}
