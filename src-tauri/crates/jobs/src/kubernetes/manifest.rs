//! The Job that a cluster is given.

use serde_json::{Map, Value, json};

use super::spec::Trainer;
use super::{KubernetesSpec, trainer};
use crate::{Error, JobSpec, Result};

/// Names the Job on its pods.
pub(super) const LABEL: &str = "lapwing.io/job";
pub(super) const CONTAINER: &str = "command";
/// Home of the container: an empty folder that every user of it can write to.
pub(super) const HOME: &str = "/lapwing";
/// The same in a pod of a training runtime, which has what its own template gives it.
const TEMPORARY_HOME: &str = "/tmp/lapwing";
/// The first process of the container.
const KEEPER: &str = include_str!("keeper.sh");
/// Not root: nothing that Lapwing does there needs it.
const USER: i64 = 1000;
/// A night and a bit: a closed laptop comes back.
const KEEP_MINUTES: u64 = 12 * 60;
/// A Job that has ended is forgotten by the cluster after a day, where nobody has removed it.
const TTL_SECONDS: u64 = 24 * 3600;
/// Between being asked to end and being made to.
const GRACE_SECONDS: u64 = 15;
const GPU: &str = "nvidia.com/gpu";
const MAX_LABEL: usize = 63;

pub(super) fn name(spec: &JobSpec) -> String {
    format!("lapwing-{}", spec.id)
}

/// How long the command may run: the stage's own limit, or the cluster's time.
pub(super) fn limit_seconds(spec: &JobSpec, kube: &KubernetesSpec) -> Option<u64> {
    let minutes = kube.minutes.map(|minutes| minutes.saturating_mul(60));
    match (spec.timeout_seconds, minutes) {
        (Some(own), Some(other)) => Some(own.min(other)),
        (own, other) => own.or(other),
    }
}

pub(super) fn job(spec: &JobSpec, kube: &KubernetesSpec) -> Result<Value> {
    let name = name(spec);
    let labels = labels(&name, kube);
    let keep = keep_seconds(kube);
    let mut job = json!({
        "backoffLimit": 0,
        "ttlSecondsAfterFinished": TTL_SECONDS,
        "template": {
            "metadata": {"labels": labels},
            "spec": pod(spec, kube, keep)?,
        },
    });
    if let Some(minutes) = kube.deadline_minutes {
        put(
            &mut job,
            "activeDeadlineSeconds",
            json!(minutes.saturating_mul(60)),
        );
    }
    Ok(json!({
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": name,
            "labels": labels,
            "annotations": {"lapwing.io/title": spec.title},
        },
        "spec": job,
    }))
}

/// The same for Kubeflow Trainer. What a pod may and has beside its container is the runtime's business.
pub(super) fn train_job(spec: &JobSpec, kube: &KubernetesSpec, wanted: &Trainer) -> Result<Value> {
    let name = name(spec);
    // A command never runs twice; and where nobody sent one, there is nothing to try again.
    let nobody = "0";
    let mut nodes = json!({
        "image": kube.image,
        "command": ["/bin/sh", "-c", KEEPER],
        "args": ["keeper", spec.id.to_string(), keep_seconds(kube).to_string(), nobody],
        "env": [{"name": "HOME", "value": TEMPORARY_HOME}],
        "numNodes": wanted.nodes,
    });
    put_resources(&mut nodes, "resourcesPerNode", kube)?;
    let mut job = json!({
        "runtimeRef": {
            "apiGroup": trainer::GROUP,
            "kind": trainer::kind(wanted.scope),
            "name": wanted.runtime,
        },
        "trainer": nodes,
    });
    if let Some(minutes) = kube.deadline_minutes {
        put(
            &mut job,
            "activeDeadlineSeconds",
            json!(minutes.saturating_mul(60)),
        );
    }
    Ok(json!({
        "apiVersion": trainer::API_VERSION,
        "kind": "TrainJob",
        "metadata": {
            "name": name,
            "labels": labels(&name, kube),
            "annotations": {"lapwing.io/title": spec.title},
        },
        "spec": job,
    }))
}

fn labels(name: &str, kube: &KubernetesSpec) -> Value {
    let mut labels = json!({LABEL: name, "app.kubernetes.io/managed-by": "lapwing"});
    if let Some(queue) = &kube.queue {
        put(&mut labels, "kueue.x-k8s.io/queue-name", json!(queue));
    }
    labels
}

fn keep_seconds(kube: &KubernetesSpec) -> u64 {
    kube.keep_minutes.unwrap_or(KEEP_MINUTES).saturating_mul(60)
}

fn pod(spec: &JobSpec, kube: &KubernetesSpec, keep: u64) -> Result<Value> {
    let mut security = json!({"seccompProfile": {"type": "RuntimeDefault"}});
    if let Some(user) = user(kube)? {
        put(&mut security, "runAsUser", json!(user));
        put(&mut security, "runAsGroup", json!(user));
        put(&mut security, "fsGroup", json!(user));
        put(&mut security, "runAsNonRoot", json!(user != 0));
    }
    let mut container = json!({
        "name": CONTAINER,
        "image": kube.image,
        "command": ["/bin/sh", "-c", KEEPER],
        "args": ["keeper", spec.id.to_string(), keep.to_string()],
        "workingDir": HOME,
        "env": [{"name": "HOME", "value": HOME}],
        "securityContext": {
            "allowPrivilegeEscalation": false,
            "privileged": false,
            "capabilities": {"drop": ["ALL"]},
        },
        // Whoever loads data with several processes needs more shared memory than a container has by itself.
        "volumeMounts": [
            {"name": "home", "mountPath": HOME},
            {"name": "shared-memory", "mountPath": "/dev/shm"},
        ],
    });
    put_resources(&mut container, "resources", kube)?;
    let mut pod = json!({
        "restartPolicy": "Never",
        "automountServiceAccountToken": false,
        "enableServiceLinks": false,
        "terminationGracePeriodSeconds": GRACE_SECONDS,
        "securityContext": security,
        "containers": [container],
        "volumes": [
            {"name": "home", "emptyDir": {}},
            {"name": "shared-memory", "emptyDir": {"medium": "Memory"}},
        ],
    });
    if let Some(limit) = limit_seconds(spec, kube) {
        // A fence behind the command's own limit, for a pod that nobody follows.
        put(
            &mut pod,
            "activeDeadlineSeconds",
            json!(limit.saturating_add(keep)),
        );
    }
    if !kube.node_selector.is_empty() {
        put(&mut pod, "nodeSelector", json!(kube.node_selector));
    }
    if kube.gpus.is_some() {
        // Nodes with GPUs are often kept free of everything that asks for none.
        let tolerated = json!([{"key": gpu(kube), "operator": "Exists", "effect": "NoSchedule"}]);
        put(&mut pod, "tolerations", tolerated);
    }
    if let Some(secret) = &kube.pull_secret {
        put(&mut pod, "imagePullSecrets", json!([{"name": secret}]));
    }
    if let Some(account) = &kube.service_account {
        put(&mut pod, "serviceAccountName", json!(account));
    }
    if let Some(class) = &kube.priority_class {
        put(&mut pod, "priorityClassName", json!(class));
    }
    Ok(pod)
}

fn put(object: &mut Value, key: &str, value: Value) {
    if let Some(object) = object.as_object_mut() {
        object.insert(key.to_owned(), value);
    }
}

fn gpu(kube: &KubernetesSpec) -> &str {
    kube.gpu_resource.as_deref().unwrap_or(GPU)
}

/// What is asked for is what it gets, and no more; nothing stands there where nothing is asked for.
fn put_resources(into: &mut Value, key: &str, kube: &KubernetesSpec) -> Result<()> {
    let resources = resources(kube)?;
    if !resources.is_empty() {
        put(
            into,
            key,
            json!({"requests": resources, "limits": resources}),
        );
    }
    Ok(())
}

fn resources(kube: &KubernetesSpec) -> Result<Map<String, Value>> {
    let mut wanted = Map::new();
    if let Some(cpus) = kube.cpus {
        if !cpus.is_finite() || cpus <= 0.0 {
            return Err(bad(kube, format!("`{cpus}` is no number of CPUs")));
        }
        let millis = (cpus * 1000.0).ceil();
        wanted.insert("cpu".to_owned(), json!(format!("{millis}m")));
    }
    if let Some(mib) = kube.memory_mib {
        wanted.insert("memory".to_owned(), json!(format!("{mib}Mi")));
    }
    if let Some(gpus) = kube.gpus {
        wanted.insert(gpu(kube).to_owned(), json!(gpus.to_string()));
    }
    Ok(wanted)
}

fn user(kube: &KubernetesSpec) -> Result<Option<i64>> {
    match kube.user.as_deref() {
        None => Ok(Some(USER)),
        Some("image") => Ok(None),
        Some(number) => match number.parse() {
            Ok(user @ 0..) => Ok(Some(user)),
            Ok(_) | Err(_) => Err(bad(
                kube,
                format!("`{number}` is no uid; `image` takes the image's own"),
            )),
        },
    }
}

fn bad(kube: &KubernetesSpec, said: String) -> Error {
    Error::Cluster {
        cluster: kube.cluster.name().to_owned(),
        said,
    }
}

const _: () = assert!(
    "lapwing-".len() + 32 <= MAX_LABEL,
    "a job's name is a label"
);

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use lapwing_core::JobId;

    use super::*;
    use crate::{Cluster, Command, Host, RemoteSpec, Target};

    fn made(change: impl FnOnce(&mut KubernetesSpec)) -> Result<Value> {
        let (spec, kube) = asked(change);
        job(&spec, &kube)
    }

    fn asked(change: impl FnOnce(&mut KubernetesSpec)) -> (JobSpec, KubernetesSpec) {
        let remote = RemoteSpec::new(Host::Here { folder: None }, PathBuf::from("/p"));
        let mut kube = KubernetesSpec::new(Cluster::default(), "python:3.12".to_owned(), remote);
        change(&mut kube);
        let spec = JobSpec {
            id: JobId::random(),
            title: "train".to_owned(),
            command: Command { argv: Vec::new() },
            cwd: PathBuf::from("/p"),
            env: [("TOKEN".to_owned(), "secret".to_owned())].into(),
            timeout_seconds: None,
            target: Target::Process,
            inputs: None,
            deliver: Vec::new(),
        };
        (spec, kube)
    }

    #[test]
    fn a_train_job_says_what_each_node_gets() {
        let (spec, kube) = asked(|kube| {
            kube.gpus = Some(2);
            kube.queue = Some("team".to_owned());
            kube.trainer = Some(Trainer {
                nodes: 4,
                ..Trainer::named("torch-distributed")
            });
        });
        let wanted = kube.trainer.as_ref().expect("set above");
        let made = train_job(&spec, &kube, wanted).expect("a job");
        assert_eq!(made["apiVersion"], "trainer.kubeflow.org/v1alpha1");
        let reference = &made["spec"]["runtimeRef"];
        assert_eq!(reference["kind"], "ClusterTrainingRuntime");
        assert_eq!(reference["name"], "torch-distributed");
        let nodes = &made["spec"]["trainer"];
        assert_eq!(nodes["numNodes"], 4);
        assert_eq!(nodes["image"], "python:3.12");
        assert_eq!(nodes["resourcesPerNode"]["limits"][GPU], "2");
        let labels = &made["metadata"]["labels"];
        assert_eq!(labels["kueue.x-k8s.io/queue-name"], "team");
        assert!(!made.to_string().contains("secret"), "as above");
        let own = Trainer::named("TrainingRuntime/my-own");
        assert_eq!(own.scope, crate::kubernetes::RuntimeScope::Namespace);
        assert_eq!(own.runtime, "my-own");
    }

    #[test]
    fn a_pod_may_nothing_that_it_does_not_need() {
        let job = made(|_| {}).expect("a job");
        let pod = &job["spec"]["template"]["spec"];
        assert_eq!(job["spec"]["backoffLimit"], 0, "a command never runs twice");
        assert_eq!(pod["restartPolicy"], "Never");
        assert_eq!(pod["automountServiceAccountToken"], false);
        assert_eq!(pod["securityContext"]["runAsNonRoot"], true);
        let container = &pod["containers"][0];
        assert_eq!(
            container["securityContext"]["capabilities"]["drop"][0],
            "ALL"
        );
        assert_eq!(
            container["securityContext"]["allowPrivilegeEscalation"],
            false
        );
        assert!(
            container.get("resources").is_none(),
            "the cluster's own defaults"
        );
        let text = job.to_string();
        assert!(
            !text.contains("secret"),
            "who may look at pods sees no token: {text}"
        );
    }

    #[test]
    fn what_is_asked_for_is_in_the_job() {
        let job = made(|kube| {
            kube.cpus = Some(1.5);
            kube.memory_mib = Some(512);
            kube.gpus = Some(2);
            kube.minutes = Some(10);
            kube.keep_minutes = Some(1);
            kube.node_selector = [("disk".to_owned(), "ssd".to_owned())].into();
            kube.pull_secret = Some("registry".to_owned());
            kube.queue = Some("team".to_owned());
        })
        .expect("a job");
        let pod = &job["spec"]["template"]["spec"];
        let limits = &pod["containers"][0]["resources"]["limits"];
        assert_eq!(limits["cpu"], "1500m");
        assert_eq!(limits["memory"], "512Mi");
        assert_eq!(limits[GPU], "2");
        assert_eq!(pod["activeDeadlineSeconds"], 660);
        assert_eq!(pod["nodeSelector"]["disk"], "ssd");
        assert_eq!(pod["imagePullSecrets"][0]["name"], "registry");
        assert_eq!(
            job["metadata"]["labels"]["kueue.x-k8s.io/queue-name"],
            "team"
        );
        assert!(made(|kube| kube.user = Some("me".to_owned())).is_err());
    }
}
