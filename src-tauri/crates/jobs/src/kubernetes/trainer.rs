//! Kubeflow Trainer: jobs of one or more nodes, where the cluster has it.
//!
//! Its `TrainJob` (`trainer.kubeflow.org/v1alpha1`, of its releases 2.x) becomes a JobSet of the same name, that an indexed Job, and
//! that a pod for each node. It has the conditions of a Job, so that it is read as one.

use k8s_openapi::api::batch::v1::Job as ApiJob;
use k8s_openapi::api::core::v1::Pod as ApiPod;
use kube::Api;
use kube::api::{ApiResource, DynamicObject, ListParams};
use serde_json::{Value, json};

use super::cluster::{Cluster, Connected, bounded};
use super::spec::{RuntimeScope, Trainer};
use crate::{Error, Result};

pub(super) const GROUP: &str = "trainer.kubeflow.org";
const VERSION: &str = "v1alpha1";
pub(super) const API_VERSION: &str = "trainer.kubeflow.org/v1alpha1";
/// Of a node's pod; also the name of the replicated job that the nodes are.
pub(super) const CONTAINER: &str = "node";
const JOB_SET: &str = "jobset.sigs.k8s.io/jobset-name";
const REPLICATED_JOB: &str = "jobset.sigs.k8s.io/replicatedjob-name";
const RANK: &str = "batch.kubernetes.io/job-completion-index";
/// Why a TrainJob failed whose runtime its controller does not know.
pub(super) const UNSUPPORTED: &str = "TrainingRuntimeNotSupported";
/// Verbs that a job needs.
const NEEDED: [&str; 3] = ["create", "get", "delete"];
/// Of the cluster's runtimes, so many are named.
const MAX_RUNTIMES: u32 = 50;

pub(super) fn kind(scope: RuntimeScope) -> &'static str {
    match scope {
        RuntimeScope::Cluster => "ClusterTrainingRuntime",
        RuntimeScope::Namespace => "TrainingRuntime",
    }
}

pub(super) fn resource() -> ApiResource {
    of_kind("TrainJob", "trainjobs")
}

fn of_kind(kind: &str, plural: &str) -> ApiResource {
    ApiResource {
        group: GROUP.to_owned(),
        version: VERSION.to_owned(),
        api_version: API_VERSION.to_owned(),
        kind: kind.to_owned(),
        plural: plural.to_owned(),
    }
}

/// The pods of all nodes.
pub(super) fn selector(job: &str) -> String {
    format!("{JOB_SET}={job},{REPLICATED_JOB}={CONTAINER}")
}

/// What makes them, of which the cluster says why it cannot.
pub(super) fn job_of_nodes(job: &str) -> String {
    format!("{job}-{CONTAINER}-0")
}

/// Which node a pod is.
pub(super) fn rank(pod: &ApiPod) -> Option<u32> {
    let labels = pod.metadata.labels.as_ref();
    let annotations = pod.metadata.annotations.as_ref();
    // Before Kubernetes 1.28 it was no label.
    let said = [labels, annotations]
        .into_iter()
        .find_map(|words| words?.get(RANK))?;
    said.parse().ok() // No number: none of ours.
}

/// As a Job, whose conditions say the same with the same words.
pub(super) fn as_job(train: DynamicObject) -> serde_json::Result<ApiJob> {
    let DynamicObject { metadata, data, .. } = train;
    let conditions = data.pointer("/status/conditions").cloned();
    let conditions = conditions.unwrap_or_else(|| json!([]));
    let is_suspended = conditions.as_array().is_some_and(|all| {
        all.iter()
            .any(|one| one["type"] == "Suspended" && one["status"] == "True")
    });
    serde_json::from_value(json!({
        "metadata": metadata,
        "spec": {
            "suspend": is_suspended || data.pointer("/spec/suspend") == Some(&Value::Bool(true)),
            "activeDeadlineSeconds": data.pointer("/spec/activeDeadlineSeconds"),
            "template": {},
        },
        "status": {"conditions": conditions},
    }))
}

impl Cluster {
    /// That it has Kubeflow Trainer, that you may use it, and that it has the runtime: before anything is sent there.
    ///
    /// # Errors
    /// What is missing.
    pub async fn check_trainer(&self, wanted: &Trainer) -> Result<()> {
        let connected = self.connected().await?;
        let asked = async {
            match connected.client.list_api_group_resources(API_VERSION).await {
                Err(kube::Error::Api(status)) if status.code == 404 => Ok(None),
                answer => answer.map(Some),
            }
        };
        let served = bounded(self, asked).await?;
        if !served.is_some_and(|all| all.resources.iter().any(|one| one.name == "trainjobs")) {
            return Err(Error::NoTrainer {
                cluster: self.name().to_owned(),
            });
        }
        for verb in NEEDED {
            if !self.may(&connected, verb, GROUP, "trainjobs", "").await? {
                return Err(Error::ClusterForbids {
                    cluster: self.name().to_owned(),
                    what: format!(
                        "{verb} trainjobs in the namespace `{}`",
                        connected.namespace
                    ),
                });
            }
        }
        match self.runtime(&connected, wanted).await {
            // Who may not look may still use it.
            Err(Error::ClusterForbids { .. }) => Ok(()),
            checked => checked,
        }
    }

    async fn runtime(&self, connected: &Connected, wanted: &Trainer) -> Result<()> {
        let kind = kind(wanted.scope);
        let runtimes: Api<DynamicObject> = match wanted.scope {
            RuntimeScope::Cluster => Api::all_with(
                connected.client.clone(),
                &of_kind(kind, "clustertrainingruntimes"),
            ),
            RuntimeScope::Namespace => Api::namespaced_with(
                connected.client.clone(),
                &connected.namespace,
                &of_kind(kind, "trainingruntimes"),
            ),
        };
        let Some(found) = bounded(self, runtimes.get_opt(&wanted.runtime)).await? else {
            let some = ListParams::default().limit(MAX_RUNTIMES);
            let known = bounded(self, runtimes.list(&some)).await?;
            let known = known.items.into_iter().filter_map(|one| one.metadata.name);
            return Err(Error::NoRuntime {
                cluster: self.name().to_owned(),
                runtime: format!("{kind} `{}`", wanted.runtime),
                known: known.collect::<Vec<_>>().join(", "),
            });
        };
        match unfit(&found.data) {
            Some(why) => Err(Error::UnfitRuntime {
                runtime: format!("{kind} `{}`", wanted.runtime),
                why,
            }),
            None => Ok(()),
        }
    }
}

/// Why nodes of such a runtime cannot each be given the command.
fn unfit(runtime: &Value) -> Option<&'static str> {
    if runtime
        .pointer("/spec/mlPolicy/mpi")
        .is_some_and(|mpi| !mpi.is_null())
    {
        return Some("starts its nodes with MPI from a launcher");
    }
    let jobs = runtime.pointer("/spec/template/spec/replicatedJobs");
    let has_nodes = jobs
        .and_then(Value::as_array)
        .is_some_and(|all| all.iter().any(|one| one["name"] == CONTAINER));
    (!has_nodes).then_some("has no job `node`")
}

#[cfg(test)]
mod tests {
    use super::super::status::{self, Stage};
    use super::*;

    fn train(status: Value) -> DynamicObject {
        let text = json!({
            "apiVersion": API_VERSION, "kind": "TrainJob", "metadata": {"name": "t"},
            "spec": {"runtimeRef": {"name": "r"}, "activeDeadlineSeconds": 60},
            "status": status,
        });
        serde_json::from_value(text).expect("an object")
    }

    #[test]
    fn a_train_job_is_read_as_a_job() {
        let condition = |kind: &str, status: &str| json!({"conditions": [{"type": kind, "status": status, "reason": "R", "message": "m", "lastTransitionTime": "2026-01-01T00:00:00Z"}]});
        let suspended = as_job(train(condition("Suspended", "True"))).expect("a job");
        let stage = status::stage(&suspended, None, &[]);
        assert!(
            matches!(&stage, Stage::Waits(why) if why.contains("queue holds it (Suspended)")),
            "{stage:?}"
        );
        let spec = suspended.spec.expect("a spec");
        assert_eq!(spec.suspend, Some(true));
        assert_eq!(spec.active_deadline_seconds, Some(60));
        let resumed = as_job(train(condition("Suspended", "False"))).expect("a job");
        assert_eq!(resumed.spec.and_then(|spec| spec.suspend), Some(false));
        let complete = as_job(train(condition("Complete", "True"))).expect("a job");
        let conditions = complete.status.and_then(|status| status.conditions);
        assert_eq!(conditions.expect("conditions")[0].type_, "Complete");
        as_job(train(json!({}))).expect("a new one has none");
    }

    #[test]
    fn the_rank_of_a_pod_may_be_an_annotation() {
        let pod = |metadata: Value| {
            let text = json!({"metadata": metadata});
            serde_json::from_value::<ApiPod>(text).expect("a pod")
        };
        let one = json!({RANK: "1"});
        assert_eq!(rank(&pod(json!({"labels": one}))), Some(1));
        let older = json!({"labels": {"a": "b"}, "annotations": one});
        assert_eq!(rank(&pod(older)), Some(1));
        assert_eq!(rank(&pod(json!({"labels": {"a": "b"}}))), None);
    }

    #[test]
    fn a_runtime_with_a_launcher_does_not_fit() {
        let runtime = |policy: Value, job: &str| json!({"spec": {"mlPolicy": policy, "template": {"spec": {"replicatedJobs": [{"name": job}]}}}});
        assert_eq!(unfit(&runtime(json!({"torch": {}}), "node")), None);
        assert!(unfit(&runtime(json!({"mpi": {}}), "node")).is_some());
        assert!(unfit(&runtime(json!({}), "launcher")).is_some());
    }
}
