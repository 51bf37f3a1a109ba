//! Where things lie in the workspace folder. Paths only: nothing here touches the disk.

use std::path::{Path, PathBuf};

use crate::{DeploymentName, JobId};

/// The folder that window, CLI, supervisors and gateways share: `$LAPWING_HOME`, or the platform's data folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Workspace {
    root: PathBuf,
}

impl Workspace {
    #[must_use]
    pub fn at(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The SQLite database.
    #[must_use]
    pub fn database(&self) -> PathBuf {
        self.root.join("lapwing.db")
    }

    /// Run artifacts (`<experiment>/<run>/artifacts/…`) and logged models (`<experiment>/models/<id>/artifacts/…`).
    #[must_use]
    pub fn artifacts(&self) -> PathBuf {
        self.root.join("artifacts")
    }

    #[must_use]
    pub fn jobs(&self) -> PathBuf {
        self.root.join("jobs")
    }

    /// One job's folder: its spec, its state, its log, its lock.
    #[must_use]
    pub fn job(&self, id: &JobId) -> PathBuf {
        self.jobs().join(id.as_str())
    }

    /// What a batch scoring's job runs in, and what it says of itself when it has ended.
    #[must_use]
    pub fn scoring(&self, id: &JobId) -> PathBuf {
        self.root.join("scorings").join(id.as_str())
    }

    #[must_use]
    pub fn deployments(&self) -> PathBuf {
        self.root.join("deployments")
    }

    /// One deployment's folder: gateway state, revisions, prediction segments.
    #[must_use]
    pub fn deployment(&self, name: &DeploymentName) -> PathBuf {
        self.deployments().join(name.as_str())
    }

    /// Python environments made by `uv` for models, one folder for each set of requirements.
    #[must_use]
    pub fn environments(&self) -> PathBuf {
        self.root.join("environments")
    }

    /// Lock files: each is held by a living process or by nobody.
    #[must_use]
    pub fn locks(&self) -> PathBuf {
        self.root.join("locks")
    }

    /// Logs of Lapwing's own programs.
    #[must_use]
    pub fn logs(&self) -> PathBuf {
        self.root.join("logs")
    }

    /// Address and token of the process that hosts the services now.
    #[must_use]
    pub fn services(&self) -> PathBuf {
        self.root.join("services.json")
    }
}
