//! What a run's own process reads: what was asked for, and of which sweep it is a trial.

use lapwing_core::{Report, RunId};
use lapwing_data::Project;
use serde::{Deserialize, Serialize};

use crate::projects;
use crate::wire::StartRun;

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Request {
    #[serde(flatten)]
    pub input: StartRun,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trial: Option<Trial>,
}

/// A run in a folder of its own, as one of several that differ in parameters only.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Trial {
    /// The run that it is a child of.
    pub sweep: RunId,
    /// From 1.
    pub number: u32,
    /// `key=value` texts of its parameters.
    #[serde(default)]
    pub set: Vec<String>,
    pub of: u32,
    pub at_once: u32,
    /// The project that its folder is a copy of.
    pub home: String,
    /// The copy of it as it was when the sweep began.
    pub base: String,
    /// Stages that are not the same in all trials.
    pub felt: Vec<String>,
}

impl Request {
    pub fn of(input: StartRun) -> Self {
        Self { input, trial: None }
    }

    /// The project that people know: whose commands are trusted, whose environment is used, and whose jobs and runs these are.
    pub fn home(&self) -> &str {
        self.trial
            .as_ref()
            .map_or(&self.input.project, |trial| &trial.home)
    }

    pub fn home_project(&self) -> Result<Project, Report> {
        projects::project(self.home())
    }
}

impl Trial {
    pub fn feels(&self, stage: &str) -> bool {
        self.felt.iter().any(|felt| felt == stage)
    }
}
