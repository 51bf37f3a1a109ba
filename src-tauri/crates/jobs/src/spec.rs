//! What should run, and where.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use lapwing_core::JobId;
use serde::{Deserialize, Serialize};

use crate::docker::RemoteDockerSpec;
use crate::kubernetes::KubernetesSpec;
use crate::ray::RaySpec;
use crate::slurm::SlurmSpec;
use crate::ssh::Host;
use crate::{Result, requirements};

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
    /// A digest of what it reads, so that whoever finds it again knows whether it still is what is wanted.
    #[serde(default)]
    pub inputs: Option<String>,
    /// What is put where it is wanted when the command has succeeded.
    #[serde(default)]
    pub deliver: Vec<Delivery>,
}

/// A file that a command makes in a folder of ours, and where it is wanted: it appears there whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivery {
    pub made: PathBuf,
    pub wanted: PathBuf,
}

impl JobSpec {
    /// True when the command lives on without its supervisor, somewhere where a later one finds it again.
    #[must_use]
    pub(crate) fn is_remote(&self) -> bool {
        matches!(
            self.target,
            Target::Ssh(_)
                | Target::Slurm(_)
                | Target::RemoteDocker(_)
                | Target::Kubernetes(_)
                | Target::Ray(_)
        )
    }

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
    RemoteDocker(RemoteDockerSpec),
    Ssh(RemoteSpec),
    Slurm(SlurmSpec),
    Ray(RaySpec),
    Kubernetes(Box<KubernetesSpec>),
}

/// A command on another machine, and what travels there and back.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RemoteSpec {
    pub host: Host,
    /// The project: its files go there, and the outputs come back to it. `JobSpec::cwd` lies in it. Values of
    /// `JobSpec::env` that begin with it name the tree there instead; nothing else of this machine's environment goes.
    pub root: PathBuf,
    /// Paths of files in `root`, with slashes. Nothing else is sent.
    pub files: Vec<String>,
    /// Files and folders in `root` that come back when the command has ended.
    pub outputs: Vec<String>,
    /// Without one the command finds what is on PATH there.
    #[serde(default)]
    pub environment: Option<RemoteEnvironment>,
    /// Names in `JobSpec::env` whose values are addresses on this machine's loopback, `http://127.0.0.1:5000`: the command
    /// reaches them through the connection, and its variable names the port there.
    #[serde(default)]
    pub tunnels: Vec<String>,
}

impl RemoteSpec {
    /// Nothing travels.
    #[must_use]
    pub fn new(host: Host, root: PathBuf) -> Self {
        Self {
            host,
            root,
            files: Vec::new(),
            outputs: Vec::new(),
            environment: None,
            tunnels: Vec::new(),
        }
    }
}

/// A Python environment to be made there by `uv`, once for each content.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RemoteEnvironment {
    /// A requirements file or a `pyproject.toml`, relative to the root, and one of the files that are sent (with those that
    /// it includes).
    pub requirements: String,
    /// `3.12`; without it the one that uv finds there.
    pub python: Option<String>,
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
        /// What the requirements name with `-c`.
        #[serde(default)]
        constraints: String,
    },
}

impl Image {
    /// From a requirements file, with the files that it includes.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn environment(base: String, requirements: &Path) -> Result<Self> {
        let (requirements, constraints) = requirements::flat(requirements)?;
        Ok(Self::Environment {
            base,
            requirements,
            constraints,
        })
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mount {
    pub host: PathBuf,
    pub container: PathBuf,
    pub read_only: bool,
}
