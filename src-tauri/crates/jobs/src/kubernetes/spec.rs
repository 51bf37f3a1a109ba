//! What a job asks of the cluster.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Cluster, Pod};
use crate::{Host, RemoteSpec};

/// A command in a pod. What is not set is the cluster's own default.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct KubernetesSpec {
    pub cluster: Cluster,
    /// What travels. Its host is the pod, once there is one.
    pub remote: RemoteSpec,
    pub image: String,
    #[serde(default)]
    pub cpus: Option<f64>,
    #[serde(default)]
    pub memory_mib: Option<u64>,
    #[serde(default)]
    pub gpus: Option<u64>,
    /// What a GPU is called there; without it `nvidia.com/gpu`.
    #[serde(default)]
    pub gpu_resource: Option<String>,
    /// The command may run for so many minutes.
    #[serde(default)]
    pub minutes: Option<u64>,
    /// The whole job, with its time in the queue, may take so many minutes.
    #[serde(default)]
    pub deadline_minutes: Option<u64>,
    /// A pod whose command has ended waits so long for somebody to fetch the outputs.
    #[serde(default)]
    pub keep_minutes: Option<u64>,
    /// Labels that its node must have.
    #[serde(default)]
    pub node_selector: BTreeMap<String, String>,
    /// A secret there that pulls the image.
    #[serde(default)]
    pub pull_secret: Option<String>,
    #[serde(default)]
    pub service_account: Option<String>,
    /// The uid that the command runs as; `image` for the image's own.
    #[serde(default)]
    pub user: Option<String>,
    /// A Kueue queue.
    #[serde(default)]
    pub queue: Option<String>,
    #[serde(default)]
    pub priority_class: Option<String>,
    /// Makes it a `TrainJob` of Kubeflow Trainer, on one or more nodes, instead of a plain Job.
    #[serde(default)]
    pub trainer: Option<Trainer>,
}

/// What Kubeflow Trainer is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trainer {
    /// The name of a training runtime there: `torch-distributed`.
    pub runtime: String,
    pub scope: RuntimeScope,
    /// Each of them runs the command.
    pub nodes: u32,
}

/// Whose a training runtime is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RuntimeScope {
    /// A `ClusterTrainingRuntime`.
    Cluster,
    /// A `TrainingRuntime` in the job's namespace.
    Namespace,
}

impl Trainer {
    /// On one node, from `torch-distributed` or, for one of the namespace, `TrainingRuntime/my-own`.
    #[must_use]
    pub fn named(text: &str) -> Self {
        let (scope, runtime) = match text.split_once('/') {
            Some(("TrainingRuntime", name)) => (RuntimeScope::Namespace, name),
            Some(("ClusterTrainingRuntime", name)) => (RuntimeScope::Cluster, name),
            // No name has a slash: the cluster will say that there is none.
            Some(_) | None => (RuntimeScope::Cluster, text),
        };
        Self {
            runtime: runtime.to_owned(),
            scope,
            nodes: 1,
        }
    }

    /// True when both come from the same training runtime.
    #[must_use]
    pub fn is_like(&self, other: &Self) -> bool {
        self.scope == other.scope && self.runtime == other.runtime
    }
}

impl KubernetesSpec {
    /// With the cluster's own defaults.
    #[must_use]
    pub fn new(cluster: Cluster, image: String, remote: RemoteSpec) -> Self {
        Self {
            cluster,
            remote,
            image,
            cpus: None,
            memory_mib: None,
            gpus: None,
            gpu_resource: None,
            minutes: None,
            deadline_minutes: None,
            keep_minutes: None,
            node_selector: BTreeMap::new(),
            pull_secret: None,
            service_account: None,
            user: None,
            queue: None,
            priority_class: None,
            trainer: None,
        }
    }

    /// What travels, to that pod. The outputs are those of the first node.
    pub(super) fn remote(&self, pod: &Pod) -> RemoteSpec {
        let mut remote = RemoteSpec {
            host: Host::Pod(pod.clone()),
            ..self.remote.clone()
        };
        if pod.node.as_ref().is_some_and(|node| node.rank > 0) {
            remote.outputs.clear();
        }
        remote
    }
}
