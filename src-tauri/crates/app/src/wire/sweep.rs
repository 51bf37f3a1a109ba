//! Wire types of sweeps.

use std::collections::BTreeMap;

use lapwing_core::{Report, RunId, Timestamp};
use serde::{Deserialize, Serialize};
use specta::Type;

use super::pipeline::Target;
use super::run::RunStatus;

/// Which end of a metric is the better one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Type)]
#[serde(rename_all = "snake_case")]
pub enum Better {
    Higher,
    Lower,
}

/// What the trials of a sweep are compared by.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Type)]
pub struct Goal {
    pub metric: String,
    pub better: Better,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize, Type)]
pub struct StartSweep {
    pub project: String,
    /// Empty means the whole pipeline.
    pub stages: Vec<String>,
    /// `key=values`: `train.rate=0.1,0.2`, `train.depth=range(2, 9)`; with `random` also `train.rate=log_uniform(1e-4, 1e-1)`.
    pub values: Vec<String>,
    /// So many trials, drawn; without it every combination.
    pub random: Option<u32>,
    /// The same one draws the same trials; 0 without it.
    pub seed: Option<u32>,
    /// Trials that go on at once. Without it one, or 16 where a queue or a cluster says when each begins.
    pub at_once: Option<u32>,
    pub target: Target,
    /// Remote that the stages run on, whatever they say themselves.
    pub on: Option<String>,
    pub goal: Option<Goal>,
}

/// What a sweep would do.
#[derive(Debug, Clone, Serialize, Deserialize, Type)]
pub struct PlannedSweep {
    /// `key=value` texts of each trial.
    pub trials: Vec<Vec<String>>,
    /// The stages that are not the same in all trials; the others run once.
    pub stages: Vec<String>,
    pub at_once: u32,
    /// What may be wrong, and does not keep it from being started.
    pub warning: Option<Report>,
}

#[derive(Debug, Clone, Serialize, Deserialize, Type)]
pub struct StartedSweep {
    /// The run that the trials are children of.
    pub run_id: RunId,
    pub planned: PlannedSweep,
}

#[derive(Debug, Clone, Serialize, Deserialize, Type)]
pub struct TrialRow {
    /// From 1.
    pub number: u32,
    /// `key=value` texts.
    pub set: Vec<String>,
    /// `None` until it begins.
    pub run_id: Option<RunId>,
    pub status: Option<RunStatus>,
    pub start: Option<Timestamp>,
    pub end: Option<Timestamp>,
    pub metrics: BTreeMap<String, f64>,
    /// What is being done for it or what it waits for, while it goes on: its image is built, a machine is busy.
    pub doing: Option<String>,
    /// Why it failed.
    pub failure: Option<String>,
    /// It failed of what its own command did, and would again.
    pub fails_again: bool,
}

#[derive(Debug, Clone, Serialize, Deserialize, Type)]
pub struct SweepView {
    pub run_id: RunId,
    pub asked: StartSweep,
    pub status: RunStatus,
    pub at_once: u32,
    pub trials: Vec<TrialRow>,
    /// Number of the trial that comes closest to the goal, of those that finished.
    pub best: Option<u32>,
    pub failure: Option<String>,
    /// What to do about the trials that did not finish, in whole sentences, when it has ended.
    pub advice: Option<String>,
}
