//! TrainJobs of Kubeflow Trainer, whose nodes are pods that really run. Its controller is ours, as the API server is.

use lapwing_jobs::{JobSpec, JobState, Outcome, Trainer, state, stop};

use crate::kube::{Kube, Runtime};
use crate::kubernetes::{Bench, asking};
use crate::until;

fn bench(runtime: Runtime) -> Bench {
    let mut bench = Bench::new(runtime);
    bench.kube.say("install trainer");
    bench
}

fn on_nodes(bench: &Bench, nodes: u32, script: &str, outputs: &[&str]) -> JobSpec {
    let mut spec = bench.there(script, &["in"], outputs);
    bench.write("in", "data\n");
    asking(&mut spec, |kube| {
        kube.trainer = Some(Trainer {
            nodes,
            ..Trainer::named("torch-distributed")
        });
    });
    spec
}

fn gone(bench: &Bench) {
    until("the TrainJob to go", || {
        bench.kube.train_jobs().is_empty() && bench.kube.pods().is_empty()
    });
}

#[test]
fn every_node_runs_the_command_and_the_first_ones_outputs_come_home() {
    let bench = bench(Runtime::Real);
    let spec = on_nodes(
        &bench,
        2,
        "echo \"rank $PET_NODE_RANK of $PET_NNODES\"; cat in; echo \"of node $JOB_COMPLETION_INDEX\" > out",
        &["out"],
    );
    bench.start(&spec);
    let outcome = bench.ended(&spec);
    let log = bench.log(&spec);
    assert_eq!(outcome, Outcome::Succeeded, "{log}");
    assert!(
        log.ends_with("rank 0 of 2\ndata\n--- node 1 ---\nrank 1 of 2\ndata\n"),
        "{log}"
    );
    assert_eq!(bench.read("out").as_deref(), Some("of node 0\n"));
    gone(&bench);
}

#[test]
fn a_node_that_fails_ends_the_others_and_is_started_once() {
    let mut bench = bench(Runtime::Process);
    let fails =
        "echo begun; [ $JOB_COMPLETION_INDEX = 0 ] || { echo 'it is me'; exit 3; }; sleep 600";
    let spec = on_nodes(&bench, 2, fails, &[]);
    bench.start(&spec);
    assert_eq!(bench.ended(&spec), Outcome::Failed { code: 3 });
    let log = bench.log(&spec);
    assert_eq!(log.matches("it is me\n").count(), 1, "{log}");
    gone(&bench);

    let spec = on_nodes(&bench, 2, "echo begun; sleep 600", &[]);
    bench.start(&spec);
    bench.says(&spec, "begun");
    let pods = bench.kube.pods();
    let second = pods.iter().find(|name| name.contains("-node-0-1-"));
    bench
        .kube
        .say(&format!("end {} OOMKilled", second.expect("a pod")));
    assert_eq!(
        bench.ended(&spec),
        Outcome::OutOfMemory,
        "though the cluster starts its container again"
    );
    gone(&bench);
}

#[test]
fn the_end_and_the_last_words_are_those_of_the_node_that_died() {
    let mut bench = bench(Runtime::Process);
    let script = "echo \"begun $JOB_COMPLETION_INDEX\"; until [ -e \"$HOME/go\" ]; do sleep 0.1; done; \
                  echo 'last words'; sleep 600";
    let spec = on_nodes(&bench, 2, script, &[]);
    bench.start(&spec);
    bench.says(&spec, "begun 0\n");
    let own = bench.workspace.job(&spec.id).join("nodes/1/output.log");
    until("the other's begin", || {
        std::fs::read_to_string(&own).is_ok_and(|log| log.contains("begun 1\n"))
    });
    let pods = bench.kube.pods();
    let second = pods.iter().find(|name| name.contains("-node-0-1-"));
    let second = second.expect("a pod");
    bench.kube.say("cut");
    bench.kube.say("down");
    bench.kube.say(&format!("touch {second} lapwing/go"));
    bench.kube.say(&format!("said {second} last words"));
    bench
        .kube
        .say(&format!("end {second} Evicted low on memory"));
    bench.kube.say("up");
    let outcome = bench.ended(&spec);
    let log = bench.log(&spec);
    assert!(
        matches!(outcome, Outcome::Evicted { .. }),
        "{outcome}: {log}"
    );
    assert!(
        outcome.to_string().contains("low on memory"),
        "{outcome}: {log}"
    );
    let others = "begun 0\n--- node 1 ---\nbegun 1\nlast words\n";
    assert!(log.ends_with(others), "{log}");
    gone(&bench);
}

#[test]
fn a_node_that_waited_too_long_is_no_success_and_does_not_stay() {
    let bench = bench(Runtime::Process);
    for as_train_job in [true, false] {
        let mut spec = on_nodes(&bench, 1, "true", &[]);
        asking(&mut spec, |kube| {
            kube.keep_minutes = Some(0);
            if !as_train_job {
                kube.trainer = None;
            }
        });
        bench.start(&spec);
        let outcome = bench.ended(&spec);
        assert!(matches!(outcome, Outcome::NotStarted { .. }), "{outcome}");
        assert!(outcome.to_string().contains("keep_minutes"), "{outcome}");
        gone(&bench);
    }
}

#[test]
fn a_train_job_outlives_its_supervisor_and_waits_with_a_reason() {
    let mut bench = bench(Runtime::Process);
    bench.kube.say("fault quota");
    let script =
        "echo begun; until [ -e \"$HOME/go\" ]; do sleep 0.1; done; echo out > out; printf tail";
    let spec = on_nodes(&bench, 2, script, &["out"]);
    bench.start(&spec);
    until("the quota", || {
        bench
            .why(&spec)
            .contains("a quota of the namespace is used up")
    });
    bench.kube.say("mend quota");
    bench.says(&spec, "begun");
    bench.kube.say("cut");
    crate::docker::kill_supervisor(&bench.workspace, &spec);
    let pods = bench.kube.pods();
    assert_eq!(pods.len(), 2);
    for pod in &pods {
        bench.kube.say(&format!("touch {pod} lapwing/go"));
    }
    let outcome = bench.ended(&spec);
    let log = bench.log(&spec);
    assert_eq!(outcome, Outcome::Succeeded, "{log}");
    assert!(
        log.ends_with("begun\ntail\n--- node 1 ---\nbegun\ntail"),
        "{log}"
    );
    assert_eq!(log.matches("begun\n").count(), 2, "once on each: {log}");
    gone(&bench);

    let spec = on_nodes(&bench, 2, "echo begun; sleep 600", &[]);
    bench.start(&spec);
    bench.says(&spec, "begun");
    stop(&bench.workspace, &spec.id).unwrap();
    assert_eq!(bench.ended(&spec), Outcome::Cancelled);
    gone(&bench);
}

#[test]
fn what_is_missing_for_a_train_job_is_said_before_anything_is_sent() {
    let mut bench = Bench::new(Runtime::Process);
    let fails = |bench: &mut Bench, runtime: &str, words: &[&str]| {
        let mut spec = on_nodes(bench, 1, "true", &[]);
        asking(&mut spec, |kube| {
            kube.trainer = Some(Trainer::named(runtime))
        });
        bench.start(&spec);
        let outcome = bench.ended(&spec);
        assert!(matches!(outcome, Outcome::NotStarted { .. }), "{outcome}");
        for word in words {
            let said = outcome.to_string();
            assert!(said.contains(word), "{word}: {said}");
        }
        assert!(!bench.log(&spec).contains("sent"), "{}", bench.log(&spec));
    };
    let name = "torch-distributed";
    fails(
        &mut bench,
        name,
        &["does not have Kubeflow Trainer", "leave `trainer` out"],
    );
    bench.kube.say("install trainer");
    let known = [
        "no ClusterTrainingRuntime `other`",
        "deepspeed-distributed, torch-distributed",
    ];
    fails(&mut bench, "other", &known);
    fails(
        &mut bench,
        "TrainingRuntime/other",
        &["no TrainingRuntime `other`"],
    );
    fails(
        &mut bench,
        "deepspeed-distributed",
        &["with MPI from a launcher"],
    );
    bench.kube.say("deny create trainjobs");
    fails(&mut bench, name, &["you may not create trainjobs"]);
}

#[test]
fn kubectl_sees_a_train_job() {
    // It sends no token without TLS.
    let mut bench = Bench::with(Kube::safe());
    bench.kube.say("install trainer");
    let spec = on_nodes(&bench, 2, "echo begun; sleep 600", &[]);
    bench.start(&spec);
    bench.says(&spec, "begun");
    let name = format!("lapwing-{}", spec.id);
    let sees = |arguments: &[&str]| -> Option<String> {
        let output = bench.kube.kubectl(arguments)?;
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let wrong = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{arguments:?}: {said}{wrong}");
        Some(said)
    };
    let Some(shown) = sees(&["get", "trainjobs"]) else {
        return;
    };
    assert!(shown.contains("STATE") && shown.contains(&name), "{shown}");
    let labels = format!("jobset.sigs.k8s.io/jobset-name={name}");
    let shown = sees(&["get", "pods", "-l", &labels]).unwrap();
    assert_eq!(shown.matches("Running").count(), 2, "{shown}");
    let shown = sees(&["describe", "trainjob", &name]).unwrap();
    assert!(shown.contains("torch-distributed"), "{shown}");
    sees(&["delete", "trainjob", &name]);
    let said = bench.ended(&spec).to_string();
    assert!(said.contains("removed there"), "{said}");
    assert!(matches!(
        state(&bench.workspace, &spec.id).unwrap(),
        JobState::Ended(_)
    ));
}

#[test]
fn nodes_that_cannot_begin_say_why_and_leave_nothing() {
    let bench = bench(Runtime::Process);
    let mut spec = on_nodes(&bench, 2, "true", &[]);
    asking(&mut spec, |kube| {
        kube.image = "team/missing:none".to_owned()
    });
    bench.start(&spec);
    let outcome = bench.ended(&spec);
    let said = outcome.to_string();
    assert!(matches!(outcome, Outcome::NotStarted { .. }), "{said}");
    assert!(
        said.contains("team/missing:none") && said.contains("cannot be pulled"),
        "{said}"
    );
    gone(&bench);

    let mut picky = on_nodes(&bench, 2, "true", &[]);
    asking(&mut picky, |kube| kube.gpus = Some(1));
    bench.start(&picky);
    until("the reason", || {
        bench.why(&picky).contains("nvidia.com/gpu")
    });
    stop(&bench.workspace, &picky.id).unwrap();
    assert_eq!(bench.ended(&picky), Outcome::Cancelled);
    gone(&bench);
}

#[test]
fn a_time_limit_holds_for_all_nodes() {
    let bench = bench(Runtime::Process);
    let mut spec = on_nodes(&bench, 2, "sleep 600", &[]);
    spec.timeout_seconds = Some(1);
    bench.start(&spec);
    assert_eq!(bench.ended(&spec), Outcome::TimedOut { seconds: 1 });
    gone(&bench);
}
