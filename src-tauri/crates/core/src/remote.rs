//! Named connections to other people's servers and machines: their kinds and their names.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use specta::Type;

use crate::InvalidName;

/// What answers at the other end of a connection.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Type,
)]
#[serde(rename_all = "snake_case")]
pub enum RemoteKind {
    /// Where data is pushed to: one of `.dvc/config`'s remotes.
    Storage,
    /// A git remote of the project.
    Git,
    Mlflow,
    HuggingFace,
    /// A registry of container images and OCI artifacts.
    Oci,
    Docker,
    Ssh,
    Slurm,
    Kubernetes,
    Ray,
    Airflow,
    Kubeflow,
}

impl RemoteKind {
    pub const ALL: [Self; 12] = [
        Self::Storage,
        Self::Git,
        Self::Mlflow,
        Self::HuggingFace,
        Self::Oci,
        Self::Docker,
        Self::Ssh,
        Self::Slurm,
        Self::Kubernetes,
        Self::Ray,
        Self::Airflow,
        Self::Kubeflow,
    ];

    /// The word in commands, in the store and on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Storage => "storage",
            Self::Git => "git",
            Self::Mlflow => "mlflow",
            Self::HuggingFace => "hugging_face",
            Self::Oci => "oci",
            Self::Docker => "docker",
            Self::Ssh => "ssh",
            Self::Slurm => "slurm",
            Self::Kubernetes => "kubernetes",
            Self::Ray => "ray",
            Self::Airflow => "airflow",
            Self::Kubeflow => "kubeflow",
        }
    }

    /// What people call it.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Self::Storage => "storage",
            Self::Git => "git repository",
            Self::Mlflow => "MLflow server",
            Self::HuggingFace => "Hugging Face Hub",
            Self::Oci => "OCI registry",
            Self::Docker => "Docker host",
            Self::Ssh => "ssh host",
            Self::Slurm => "Slurm cluster",
            Self::Kubernetes => "Kubernetes cluster",
            Self::Ray => "Ray cluster",
            Self::Airflow => "Airflow server",
            Self::Kubeflow => "Kubeflow Pipelines server",
        }
    }
}

/// The remote of `REMOTE:REST` and the rest. It may have its kind in front, where several have its name: `oci:team:model`.
#[must_use]
pub fn split_remote(text: &str) -> Option<(&str, &str)> {
    let (first, rest) = text.split_once(':')?;
    let is_kind = RemoteKind::ALL.iter().any(|kind| kind.as_str() == first);
    match rest.split_once(':') {
        Some((name, rest)) if is_kind && !name.is_empty() => {
            let remote = text.get(..first.len() + 1 + name.len())?;
            Some((remote, rest))
        }
        Some(_) | None => Some((first, rest)),
    }
}

impl fmt::Display for RemoteKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for RemoteKind {
    type Err = InvalidName;

    /// The word, with `-` for `_` and without either.
    fn from_str(text: &str) -> Result<Self, InvalidName> {
        let plain = |text: &str| text.replace(['-', '_'], "").to_ascii_lowercase();
        Self::ALL
            .into_iter()
            .find(|kind| plain(kind.as_str()) == plain(text))
            .ok_or_else(|| InvalidName {
                what: "kind of remote",
                given: text.to_owned(),
                rule: "it is one of storage, git, mlflow, hugging_face, oci, docker, ssh, slurm, kubernetes, ray, airflow, kubeflow",
            })
    }
}
