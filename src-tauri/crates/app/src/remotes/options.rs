//! The settings that a remote of each kind can have, beside its address. Storage has DVC's, which the storage itself knows.

use std::collections::BTreeMap;

use lapwing_core::{Code, RemoteKind, Report};

const SSH: [&str; 3] = ["config", "folder", "identity"];
const SLURM: [&str; 10] = [
    "account",
    "config",
    "cpus",
    "folder",
    "gpus",
    "identity",
    "memory_mib",
    "minutes",
    "partition",
    "qos",
];
const DOCKER: [&str; 7] = [
    "ca", "cert", "config", "folder", "identity", "key", "socket",
];
const KUBERNETES: [&str; 18] = [
    "cpus",
    "deadline_minutes",
    "gpu_resource",
    "gpus",
    "image",
    "keep_minutes",
    "kubeconfig",
    "memory_mib",
    "minutes",
    "namespace",
    "node_selector",
    "nodes",
    "priority_class",
    "pull_secret",
    "queue",
    "service_account",
    "trainer",
    "user",
];
const RAY: [&str; 4] = ["cpus", "gpus", "memory_mib", "reach"];
const HUGGING_FACE: [&str; 1] = ["private"];

/// What a remote of that kind understands.
pub(super) fn known(kind: RemoteKind) -> &'static [&'static str] {
    match kind {
        RemoteKind::Ssh => &SSH,
        RemoteKind::Slurm => &SLURM,
        RemoteKind::Docker => &DOCKER,
        RemoteKind::Kubernetes => &KUBERNETES,
        RemoteKind::Ray => &RAY,
        RemoteKind::HuggingFace => &HUGGING_FACE,
        RemoteKind::Storage
        | RemoteKind::Git
        | RemoteKind::Mlflow
        | RemoteKind::Oci
        | RemoteKind::Airflow
        | RemoteKind::Kubeflow => &[],
    }
}

/// Refuses a setting that nobody would read: it may be a slip of the pen, and what was meant would not hold.
pub(super) fn check(kind: RemoteKind, options: &BTreeMap<String, String>) -> Result<(), Report> {
    let known = known(kind);
    let Some(odd) = options.keys().find(|key| !known.contains(&key.as_str())) else {
        return Ok(());
    };
    let message = format!("`{odd}` is no setting of a {}", kind.title());
    let hint = match known {
        [] => {
            "nothing was added; it has no settings beside its address and a credential".to_owned()
        }
        known => format!("nothing was added; it knows {}", known.join(", ")),
    };
    Err(Report::new(Code::Invalid, "remote.setting", message).hint(hint))
}
