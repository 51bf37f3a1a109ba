//! What the cluster says about a job and its pod, in words that people understand, with its own word behind.

use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{
    ContainerState, ContainerStateTerminated, ContainerStatus, Event, Pod,
};

use super::{manifest, trainer};
use crate::state::Outcome;

/// Where a job is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Stage {
    /// And why.
    Waits(String),
    Runs,
    /// It will never start, why, and what to do.
    Never(String, &'static str),
    Ended,
}

const NO_IMAGE: &str = "correct the image's name, or give the remote a `pull_secret` if the registry wants to know who asks";
const NO_RUNTIME: &str = "name another training runtime with `trainer`";
const NO_START: &str = "correct the image, or what the job asks of the cluster";

/// Where the job is, by its pod and what was said about both. Events are asked for only while it waits.
pub(super) fn stage(job: &Job, pod: Option<&Pod>, events: &[Event]) -> Stage {
    if let Some(pod) = pod {
        return of_pod(pod, events);
    }
    if has_ended(job) {
        return Stage::Ended;
    }
    if job
        .spec
        .as_ref()
        .is_some_and(|spec| spec.suspend == Some(true))
    {
        return Stage::Waits("the cluster's queue holds it (Suspended)".to_owned());
    }
    let refused =
        last(events, "FailedCreate").or_else(|| last(events, "TrainJobResourcesCreationFailed"));
    match refused {
        Some(said) if said.contains("violates PodSecurity") => Stage::Never(
            format!("the namespace does not allow such a pod: {said}"),
            "ask its administrator, or give the remote another `user`",
        ),
        Some(said) if said.contains("exceeded quota") => {
            let (_, quota) = said.split_once("exceeded quota").unwrap_or(("", said));
            Stage::Waits(format!("a quota of the namespace is used up{quota}"))
        }
        Some(said) => Stage::Waits(format!("the cluster cannot make its pod: {said}")),
        None => Stage::Waits("the cluster makes its pod".to_owned()),
    }
}

fn of_pod(pod: &Pod, events: &[Event]) -> Stage {
    if was_started_again(pod) {
        return Stage::Ended;
    }
    match phase(pod) {
        "Succeeded" | "Failed" => return Stage::Ended,
        "Running" if container(pod).is_some_and(|state| state.running.is_some()) => {
            return Stage::Runs;
        }
        _ => {}
    }
    if pod.metadata.deletion_timestamp.is_some() {
        return Stage::Waits("its pod is being removed".to_owned());
    }
    if let Some(why) = unscheduled(pod) {
        return Stage::Waits(why);
    }
    let waiting = container(pod).and_then(|state| state.waiting.as_ref());
    let reason = waiting.and_then(|waiting| waiting.reason.as_deref());
    let message = waiting.and_then(|waiting| waiting.message.as_deref());
    match reason {
        Some(reason) => of_waiting(pod, reason, message.unwrap_or_default(), events),
        None if pod_condition(pod, "PodScheduled").is_some_and(|(status, ..)| status == "True") => {
            Stage::Waits("its container is being made".to_owned())
        }
        None => Stage::Waits("waiting for a node".to_owned()),
    }
}

fn of_waiting(pod: &Pod, reason: &str, message: &str, events: &[Event]) -> Stage {
    let image = image(pod);
    match reason {
        "ErrImagePull" | "ImagePullBackOff" => {
            // The back-off itself says nothing; the tries before it do.
            let said = if message.starts_with("Back-off") || message.is_empty() {
                pull_failure(events).unwrap_or(message)
            } else {
                message
            };
            let why = format!("the image `{image}` cannot be pulled ({reason}): {said}");
            if reason == "ImagePullBackOff" && is_final(said, events) {
                return Stage::Never(why, NO_IMAGE);
            }
            Stage::Waits(why)
        }
        "InvalidImageName" | "ErrImageNeverPull" => Stage::Never(
            format!("the image `{image}` cannot be used ({reason}): {message}"),
            NO_IMAGE,
        ),
        "CreateContainerConfigError" => Stage::Never(
            format!("its container cannot be made ({reason}): {message}"),
            NO_START,
        ),
        "ContainerCreating" | "PodInitializing" if last(events, "Pulling").is_some() => {
            let pulled = last(events, "Pulled").is_some();
            let words = if pulled {
                "its container is being made"
            } else {
                "its image is being pulled"
            };
            Stage::Waits(words.to_owned())
        }
        "ContainerCreating" | "PodInitializing" => match last(events, "FailedMount") {
            Some(said) => Stage::Waits(format!(
                "a folder of its pod cannot be made (FailedMount): {said}"
            )),
            None => Stage::Waits("its container is being made".to_owned()),
        },
        _ => Stage::Waits(format!("its container waits ({reason}): {message}")),
    }
}

/// The kubelet says `Error: ImagePullBackOff` with the same reason.
fn pull_failure(events: &[Event]) -> Option<&str> {
    let all = events
        .iter()
        .rev()
        .filter_map(|event| event.message.as_deref());
    all.into_iter()
        .find(|said| said.starts_with("Failed to pull"))
}

/// A registry that answers so will answer so again.
fn is_final(said: &str, events: &[Event]) -> bool {
    const WORDS: [&str; 6] = [
        "not found",
        "does not exist",
        "manifest unknown",
        "unauthorized",
        "authorization failed",
        "denied",
    ];
    let all = events.iter().filter_map(|event| event.message.as_deref());
    all.chain([said])
        .any(|said| WORDS.iter().any(|word| said.contains(word)))
}

fn unscheduled(pod: &Pod) -> Option<String> {
    let (status, reason, message) = pod_condition(pod, "PodScheduled")?;
    if status != "False" {
        return None;
    }
    Some(match reason {
        "SchedulingGated" => "the cluster's queue holds its pod (SchedulingGated)".to_owned(),
        _ => format!(
            "no node takes its pod (FailedScheduling): {}",
            message.trim_end_matches('.')
        ),
    })
}

/// How it ended: by the pod, by the cluster, or as the job's own conditions say when the pod is gone.
pub(super) fn outcome(job: Option<&Job>, pod: Option<&Pod>, limit: Option<u64>) -> Outcome {
    let timed_out = |seconds: Option<u64>| Outcome::TimedOut {
        seconds: seconds.unwrap_or_default(),
    };
    let deadline = job
        .and_then(|job| job.spec.as_ref()?.active_deadline_seconds)
        .and_then(|seconds| u64::try_from(seconds).ok()); // Negative: no server takes it.
    if job_condition(job, "Failed") == Some("DeadlineExceeded") {
        return timed_out(deadline);
    }
    if job.is_none() {
        return evicted("its Job was removed there");
    }
    if let Some((trainer::UNSUPPORTED, message)) = failed(job) {
        return Outcome::NotStarted {
            why: message.to_owned(),
            hint: Some(NO_RUNTIME.to_owned()),
        };
    }
    let Some(pod) = pod else {
        return match failed(job) {
            Some((reason, message)) if !message.is_empty() => {
                evicted(&format!("{message} ({reason})"))
            }
            Some(_) | None => evicted("its pod was removed there"),
        };
    };
    let reason = pod
        .status
        .as_ref()
        .and_then(|status| status.reason.as_deref());
    let message = pod
        .status
        .as_ref()
        .and_then(|status| status.message.as_deref());
    let ended = container(pod).and_then(|state| state.terminated.as_ref());
    if ended.and_then(|ended| ended.reason.as_deref()) == Some("OOMKilled") {
        return Outcome::OutOfMemory;
    }
    if let Some((_, "PreemptionByScheduler", _)) = pod_condition(pod, "DisruptionTarget") {
        return preempted();
    }
    match reason {
        Some("DeadlineExceeded") => timed_out(limit),
        Some("OOMKilled") => Outcome::OutOfMemory,
        Some("Preempted" | "Preempting") => preempted(),
        Some(reason) => evicted(&format!(
            "{} ({reason})",
            message
                .unwrap_or("the node ended it")
                .trim_end_matches(['.', ' '])
        )),
        None if pod.metadata.deletion_timestamp.is_some() => evicted("its pod was removed there"),
        None => ended.map_or(Outcome::Lost, of_container),
    }
}

fn of_container(ended: &ContainerStateTerminated) -> Outcome {
    let said = ended.message.as_deref().unwrap_or_default();
    match (ended.reason.as_deref(), ended.exit_code) {
        (Some(reason @ ("StartError" | "ContainerCannotRun" | "RunContainerError")), _) => {
            Outcome::NotStarted {
                why: format!("the container does not start ({reason}): {said}"),
                hint: Some(
                    "the image needs a shell (/bin/sh), tar and what every Unix has".to_owned(),
                ),
            }
        }
        (_, 0) => Outcome::NotFetched {
            why: "its pod has ended, and took them along".to_owned(),
        },
        (_, code) => Outcome::Failed { code },
    }
}

fn preempted() -> Outcome {
    Outcome::Evicted {
        state: "PREEMPTED".to_owned(),
    }
}

fn evicted(why: &str) -> Outcome {
    Outcome::Evicted {
        state: why.to_owned(),
    }
}

/// True when commands can be given to it.
pub(super) fn runs(pod: &Pod) -> bool {
    pod.metadata.deletion_timestamp.is_none() && matches!(of_pod(pod, &[]), Stage::Runs)
}

fn has_ended(job: &Job) -> bool {
    // The criteria are met a moment before the job is complete.
    ["SuccessCriteriaMet", "Complete", "FailureTarget", "Failed"]
        .iter()
        .any(|kind| job_condition(Some(job), kind).is_some())
}

/// Reason and message.
fn failed(job: Option<&Job>) -> Option<(&str, &str)> {
    let conditions = job?.status.as_ref()?.conditions.as_ref()?;
    let found = conditions
        .iter()
        .find(|one| one.type_ == "Failed" && one.status == "True")?;
    Some((
        found.reason.as_deref().unwrap_or_default(),
        found.message.as_deref().unwrap_or_default(),
    ))
}

/// The reason of a condition that holds.
fn job_condition<'a>(job: Option<&'a Job>, kind: &str) -> Option<&'a str> {
    let conditions = job?.status.as_ref()?.conditions.as_ref()?;
    let found = conditions
        .iter()
        .find(|one| one.type_ == kind && one.status == "True")?;
    Some(found.reason.as_deref().unwrap_or_default())
}

/// Status, reason and message.
fn pod_condition<'a>(pod: &'a Pod, kind: &str) -> Option<(&'a str, &'a str, &'a str)> {
    let conditions = pod.status.as_ref()?.conditions.as_ref()?;
    let found = conditions.iter().find(|one| one.type_ == kind)?;
    Some((
        &found.status,
        found.reason.as_deref().unwrap_or_default(),
        found.message.as_deref().unwrap_or_default(),
    ))
}

fn phase(pod: &Pod) -> &str {
    let status = pod.status.as_ref();
    status
        .and_then(|status| status.phase.as_deref())
        .unwrap_or_default()
}

/// A container that was started again knows nothing of the command, which never runs twice: the first one counts.
fn container(pod: &Pod) -> Option<&ContainerState> {
    let own = container_status(pod)?;
    if was_started_again(pod) {
        own.last_state.as_ref()
    } else {
        own.state.as_ref()
    }
}

fn was_started_again(pod: &Pod) -> bool {
    container_status(pod).is_some_and(|own| own.restart_count > 0)
}

fn container_status(pod: &Pod) -> Option<&ContainerStatus> {
    let all = pod.status.as_ref()?.container_statuses.as_ref()?;
    all.iter().find(|one| is_ours(&one.name))
}

fn is_ours(container: &str) -> bool {
    container == manifest::CONTAINER || container == trainer::CONTAINER
}

fn image(pod: &Pod) -> &str {
    let spec = pod.spec.as_ref();
    let own = spec.and_then(|spec| spec.containers.iter().find(|one| is_ours(&one.name)));
    own.and_then(|one| one.image.as_deref()).unwrap_or_default()
}

/// What was said last with that reason.
fn last<'a>(events: &'a [Event], reason: &str) -> Option<&'a str> {
    events
        .iter()
        .rev()
        .filter(|event| event.reason.as_deref() == Some(reason))
        .find_map(|event| event.message.as_deref())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn pod(status: Value) -> Pod {
        let text = json!({
            "metadata": {"name": "p"},
            "spec": {"containers": [{"name": "command", "image": "team/x:1"}]},
            "status": status,
        });
        serde_json::from_value(text).expect("a pod")
    }

    fn waiting(reason: &str, message: &str) -> Pod {
        let state = json!({"waiting": {"reason": reason, "message": message}});
        pod(json!({"phase": "Pending", "containerStatuses": [one(state)]}))
    }

    fn ended(code: i32, reason: &str) -> Pod {
        let state = json!({"terminated": {"exitCode": code, "reason": reason}});
        pod(json!({"phase": "Failed", "containerStatuses": [one(state)]}))
    }

    fn one(state: Value) -> Value {
        json!({"name": "command", "image": "team/x:1", "imageID": "", "ready": false, "restartCount": 0, "state": state})
    }

    fn event(reason: &str, message: &str) -> Event {
        let text =
            json!({"metadata": {}, "involvedObject": {}, "reason": reason, "message": message});
        serde_json::from_value(text).expect("an event")
    }

    fn job(conditions: Value) -> Job {
        let text = json!({
            "metadata": {},
            "spec": {"activeDeadlineSeconds": 120, "template": {}},
            "status": {"conditions": conditions},
        });
        serde_json::from_value(text).expect("a job")
    }

    fn words(stage: Stage) -> String {
        match stage {
            Stage::Waits(why) => format!("waits: {why}"),
            Stage::Never(why, _) => format!("never: {why}"),
            Stage::Runs => "runs".to_owned(),
            Stage::Ended => "ended".to_owned(),
        }
    }

    fn stage_of(pod: &Pod, events: &[Event]) -> String {
        words(stage(&Job::default(), Some(pod), events))
    }

    #[test]
    fn a_waiting_pod_says_why_in_a_sentence() {
        let full = json!([{"type": "PodScheduled", "status": "False", "reason": "Unschedulable",
            "message": "0/3 nodes are available: 3 Insufficient nvidia.com/gpu."}]);
        insta::assert_snapshot!(
            stage_of(&pod(json!({"phase": "Pending", "conditions": full})), &[]),
            @"waits: no node takes its pod (FailedScheduling): 0/3 nodes are available: 3 Insufficient nvidia.com/gpu"
        );
        insta::assert_snapshot!(
            stage_of(&waiting("ErrImagePull", "connection refused"), &[]),
            @"waits: the image `team/x:1` cannot be pulled (ErrImagePull): connection refused"
        );
        insta::assert_snapshot!(
            stage_of(
                &waiting("ImagePullBackOff", "Back-off pulling image \"team/x:1\""),
                &[event("Failed", "Failed to pull image \"team/x:1\": not found")],
            ),
            @r#"never: the image `team/x:1` cannot be pulled (ImagePullBackOff): Failed to pull image "team/x:1": not found"#
        );
        insta::assert_snapshot!(
            stage_of(&waiting("ContainerCreating", ""), &[event("Pulling", "Pulling image")]),
            @"waits: its image is being pulled"
        );
        insta::assert_snapshot!(
            stage_of(&waiting("CreateContainerConfigError", "container has runAsNonRoot and image will run as root"), &[]),
            @"never: its container cannot be made (CreateContainerConfigError): container has runAsNonRoot and image will run as root"
        );
        insta::assert_snapshot!(
            words(stage(&Job::default(), None, &[event(
                "FailedCreate",
                "Error creating: pods \"x\" is forbidden: exceeded quota: team, requested: requests.cpu=1, used: requests.cpu=4",
            )])),
            @"waits: a quota of the namespace is used up: team, requested: requests.cpu=1, used: requests.cpu=4"
        );
    }

    #[test]
    fn the_end_is_what_the_cluster_says_and_not_what_a_signal_looks_like() {
        let none = |pod: &Pod| outcome(Some(&Job::default()), Some(pod), Some(60));
        assert_eq!(none(&ended(137, "OOMKilled")), Outcome::OutOfMemory);
        assert_eq!(none(&ended(3, "Error")), Outcome::Failed { code: 3 });
        assert!(matches!(
            none(&ended(0, "Completed")),
            Outcome::NotFetched { .. }
        ));
        assert!(matches!(
            none(&ended(128, "StartError")),
            Outcome::NotStarted { .. }
        ));
        let of = |reason: &str| {
            none(&pod(
                json!({"phase": "Failed", "reason": reason, "message": "The node was low on resource: memory. "}),
            ))
        };
        insta::assert_snapshot!(
            of("Evicted").to_string(),
            @"the cluster could not go on with it (The node was low on resource: memory (Evicted))"
        );
        assert!(of("Preempted").to_string().contains("more important"));
        assert_eq!(of("DeadlineExceeded"), Outcome::TimedOut { seconds: 60 });
        let late = job(json!([{"type": "Failed", "status": "True", "reason": "DeadlineExceeded"}]));
        assert_eq!(
            outcome(Some(&late), None, None),
            Outcome::TimedOut { seconds: 120 }
        );
        let gone = outcome(None, None, None).to_string();
        assert!(gone.contains("removed there"), "{gone}");
    }

    #[test]
    fn a_container_that_was_started_again_has_ended() {
        let status = json!({"phase": "Running", "containerStatuses": [{
            "name": "node", "image": "team/x:1", "imageID": "", "ready": true, "restartCount": 1,
            "state": {"running": {}},
            "lastState": {"terminated": {"exitCode": 137, "reason": "OOMKilled"}},
        }]});
        let again = pod(status);
        assert!(!runs(&again), "it knows nothing of the command");
        assert_eq!(stage_of(&again, &[]), "ended");
        let said = outcome(Some(&Job::default()), Some(&again), None);
        assert_eq!(said, Outcome::OutOfMemory);
    }

    #[test]
    fn a_job_that_failed_without_a_pod_says_why() {
        let of = |reason: &str| {
            let failed = json!([{"type": "Failed", "status": "True", "reason": reason, "message": "because"}]);
            outcome(Some(&job(failed)), None, None).to_string()
        };
        insta::assert_snapshot!(
            of("FailedJobs"),
            @"the cluster could not go on with it (because (FailedJobs))"
        );
        insta::assert_snapshot!(
            of("TrainingRuntimeNotSupported"),
            @"could not be started: because (name another training runtime with `trainer`)"
        );
    }

    #[test]
    fn a_job_has_ended_when_its_criteria_are_met() {
        let met = job(json!([{"type": "SuccessCriteriaMet", "status": "True"}]));
        assert_eq!(stage(&met, None, &[]), Stage::Ended);
        let not = job(json!([{"type": "Complete", "status": "False"}]));
        assert!(matches!(stage(&not, None, &[]), Stage::Waits(_)));
    }
}
