//! Commands on a Ray cluster, through the address of its dashboard alone.
//!
//! What travels is a package, named by its content, that the cluster keeps for all jobs with the same files; so the command runs in
//! a copy of it (`job.py`). What it made is left as a file beside the cluster's logs, which the dashboard serves, and comes
//! home from there. The submission's id is made from the job's, so that a supervisor that comes later finds it again.

mod follow;
mod home;
mod job;
mod package;

use std::path::PathBuf;

use lapwing_remote::ray::Ray;
use lapwing_remote::{Client, Vault};
use serde::{Deserialize, Serialize};

use crate::Result;

pub(crate) use home::TRACKED;
pub use home::tracked_files;
pub(crate) use job::{discard, run_job};

/// A command on a Ray cluster, and what travels there and back.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RaySpec {
    /// Of the dashboard: `http://ray.example.org:8265`.
    pub address: String,
    /// Where the credential for it is kept, when it wants one.
    #[serde(default)]
    pub credential: Option<Kept>,
    /// As in [`crate::RemoteSpec`].
    pub root: PathBuf,
    pub files: Vec<String>,
    pub outputs: Vec<String>,
    /// Lines of a requirements file, installed there before the command starts. Without any it finds what the cluster has.
    #[serde(default)]
    pub pip: Vec<String>,
    #[serde(default)]
    pub cpus: Option<f64>,
    #[serde(default)]
    pub gpus: Option<f64>,
    #[serde(default)]
    pub memory_mib: Option<u64>,
    #[serde(default)]
    pub tracking: Tracking,
}

/// How the command's metrics get here.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tracking {
    /// As MLflow's files, with the outputs: see [`crate::tracked_files`].
    #[default]
    Files,
    /// At the address that the environment names.
    Direct,
}

/// A credential in the workspace's vault: it is not written into a job's folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    pub workspace: PathBuf,
    pub keychain: bool,
    pub name: String,
}

impl RaySpec {
    /// With the cluster's own defaults, and nothing that travels.
    #[must_use]
    pub fn new(address: String, root: PathBuf) -> Self {
        Self {
            address,
            credential: None,
            root,
            files: Vec::new(),
            outputs: Vec::new(),
            pip: Vec::new(),
            cpus: None,
            gpus: None,
            memory_mib: None,
            tracking: Tracking::Files,
        }
    }

    fn cluster(&self) -> Result<Ray> {
        let credential = match &self.credential {
            Some(kept) => Vault::of(&kept.workspace, kept.keychain).get(&kept.name)?,
            None => None,
        };
        Ok(Ray::new(Client::new(&self.address, credential)?))
    }
}

/// Says what answers at an address: for "test the connection", and before anything is sent.
///
/// # Errors
/// When nothing does, or it is no Ray.
pub async fn greet(client: Client) -> Result<String> {
    Ok(Ray::new(client).greet().await?)
}
