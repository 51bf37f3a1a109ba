//! What should run, and where.

use std::collections::BTreeMap;
use std::path::PathBuf;

use lapwing_core::JobId;
use serde::{Deserialize, Serialize};

/// One command to run under a supervisor. Its file is readable by its owner only: the environment may hold tokens.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct JobSpec {
    pub id: JobId,
    /// What people see: `train`, `deploy flight-delays`.
    pub title: String,
    pub command: Command,
    pub cwd: PathBuf,
    /// Added to the starter's environment (or, in Docker, the whole of it).
    pub env: BTreeMap<String, String>,
    /// Ends the job after so many seconds.
    pub timeout_seconds: Option<u64>,
    pub target: Target,
}

impl JobSpec {
    #[must_use]
    pub fn is_docker(&self) -> bool {
        matches!(self.target, Target::Docker(_))
    }
}

/// Program and arguments, as they are: no shell in between unless `argv` names one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Command {
    pub argv: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    Process,
    Docker(DockerSpec),
}

/// How a container is made: without privileges, capabilities or the Docker socket, and with limits.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DockerSpec {
    pub image: Image,
    pub mounts: Vec<Mount>,
    pub memory_bytes: Option<i64>,
    pub cpus: Option<f64>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Image {
    Named(String),
    /// Built from `base` with the packages of a requirements text, once for each content.
    Environment {
        base: String,
        requirements: String,
    },
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mount {
    pub host: PathBuf,
    pub container: PathBuf,
    pub read_only: bool,
}
