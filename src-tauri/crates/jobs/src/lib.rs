//! Runs a command somewhere, supervised: as a process, in Docker, on another machine, in a cluster's queue or in a pod; and makes
//! the Python environments to run it in.
//!
//! A job is a folder. Its supervisor is a process of its own that outlives whoever started it; the lock that it holds
//! is the truth about whether it lives. The crate deliberately does not know pipelines, runs or the store. Start with
//! [`JobSpec`], [`start`] and [`state`].

pub mod detached;
pub mod docker;
pub mod environment;
mod error;
mod folder;
pub mod kubernetes;
mod log;
mod process;
pub mod ray;
mod requirements;
pub mod slurm;
mod spec;
pub mod ssh;
mod start;
mod state;
mod stop;
mod supervise;

pub use docker::{DockerHost, RemoteDockerSpec};
pub use error::{Error, Result};
pub use kubernetes::{Cluster, KubernetesSpec, Trainer};
pub use log::{LogChunk, log, log_size};
pub use ray::{RaySpec, tracked_files};
pub use requirements::lines as requirement_lines;
pub use slurm::SlurmSpec;
pub use spec::{
    Command, Delivery, DockerSpec, Image, JobSpec, Mount, RemoteEnvironment, RemoteSpec, Target,
};
pub use ssh::{Host, SshHost};
pub use start::{spec, start};
pub use state::{Ended, JobState, Outcome, list, reconcile, state, wait};
pub use stop::{remove, stop};
pub use supervise::supervise;
