//! Reads `dvc.yaml`, builds the graph, says what is stale and why; starts nothing.
//!
//! The app runs a stage's commands as a job; this crate says which, in what order and with which environment, and turns what a run
//! left behind into `dvc.lock`, the cache and the run-cache, so that the real `dvc` calls it clean. It deliberately does not know
//! processes, jobs or git. Start with [`Pipeline`], [`plan`] and [`commit`].

mod command;
mod content;
mod context;
mod definition;
mod edit;
mod error;
mod examine;
mod expand;
pub mod export;
mod graph;
mod lock;
mod metrics;
mod nearest;
mod outcome;
mod params;
mod paths;
mod pipeline;
mod plan;
mod python;
mod python_file;
mod reason;
mod resolved;
mod run_cache;
mod sources;
mod stage;
pub mod sweep;
mod template;
mod value;
mod yaml;

pub use command::{Command, commands, shell_argv, stage_env, stage_folder};
pub use edit::{Assignment, Changed, Drafts, set_param};
pub use error::{Error, Result};
pub use lock::{LockEntry, LockFile, StageLock};
pub use metrics::{Metric, metrics, plot_files, stage_metrics};
pub use nearest::nearest;
pub use outcome::{commit, commit_read, fingerprint, prepare, reading, recorded, restore};
pub use params::{ParamValues, params, read_values};
pub use pipeline::{Pipeline, Shown};
pub use plan::{
    Action, Plan, PlanOptions, Scope, StageStatus, Step, plan, recheck, status, status_json,
};
pub use reason::Reason;
pub use sources::Sources;
pub use stage::{Cmd, Dep, OutKind, ParamsFile, Stage, StageOut};
pub use value::Value;
