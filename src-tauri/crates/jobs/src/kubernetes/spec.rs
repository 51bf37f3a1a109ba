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
        }
    }

    /// What travels, to the pod of that job.
    pub(super) fn remote(&self, job: &str) -> RemoteSpec {
        RemoteSpec {
            host: Host::Pod(Pod {
                cluster: self.cluster.clone(),
                job: job.to_owned(),
            }),
            ..self.remote.clone()
        }
    }
}
