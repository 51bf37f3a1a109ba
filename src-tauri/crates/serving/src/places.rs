//! Where things lie in a deployment's folder. Paths only.

use std::path::{Path, PathBuf};

/// The folder of one deployment: `Workspace::deployment(name)`, or `/deployment` inside a container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeploymentFolder {
    root: PathBuf,
}

impl DeploymentFolder {
    #[must_use]
    pub fn at(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The desired state, written by the caller, watched by the gateway.
    #[must_use]
    pub fn config(&self) -> PathBuf {
        self.root.join("gateway.json")
    }

    /// Held by the living gateway, by nobody otherwise.
    #[must_use]
    pub fn lock(&self) -> PathBuf {
        self.root.join("gateway.lock")
    }

    /// What the gateway says about itself: pid, port, revisions, and why something is not as desired.
    #[must_use]
    pub fn running(&self) -> PathBuf {
        self.root.join("running.json")
    }

    /// Asks the gateway to end, where signals do not exist.
    #[must_use]
    pub fn stop(&self) -> PathBuf {
        self.root.join("gateway.stop")
    }

    #[must_use]
    pub fn log(&self) -> PathBuf {
        self.root.join("gateway.log")
    }

    #[must_use]
    pub fn revision(&self, number: u32) -> PathBuf {
        self.root.join("revisions").join(number.to_string())
    }

    /// The copy of the MLflow model folder.
    #[must_use]
    pub fn model(&self, revision: u32) -> PathBuf {
        self.revision(revision).join("model")
    }

    /// `model.onnx` and `conversion.json`.
    #[must_use]
    pub fn onnx(&self, revision: u32) -> PathBuf {
        self.revision(revision).join("onnx")
    }

    /// The data that the model was trained on, written by the caller.
    #[must_use]
    pub fn reference(&self, revision: u32) -> PathBuf {
        self.revision(revision).join("reference.parquet")
    }

    /// One row for each prediction.
    #[must_use]
    pub fn predictions(&self) -> PathBuf {
        self.root.join("predictions")
    }

    /// One row for each request, the failed ones too.
    #[must_use]
    pub fn requests(&self) -> PathBuf {
        self.root.join("requests")
    }

    /// Truth that arrived later.
    #[must_use]
    pub fn labels(&self) -> PathBuf {
        self.root.join("labels")
    }
}
