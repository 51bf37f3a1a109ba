use lapwing_jobs::slurm::{Member, SlurmSpec};
use lapwing_jobs::ssh::Host;
use lapwing_jobs::{JobSpec, JobState, Outcome, Target, start, state, stop};

use crate::slurmd::Slurm;
use crate::ssh::{Bench, lives};
use crate::sshd::Sshd;
use crate::until;

struct Cluster {
    bench: Bench,
    slurm: Slurm,
}

impl Cluster {
    fn new() -> Option<Self> {
        Self::of(Slurm::start()?)
    }

    fn of(slurm: Slurm) -> Option<Self> {
        let sshd = Sshd::start_with(&format!("SetEnv SLURM_CONF={}", slurm.conf().display()))?;
        Some(Self {
            bench: Bench::with(sshd),
            slurm,
        })
    }

    fn job(&self, script: &str, files: &[&str], outputs: &[&str]) -> JobSpec {
        let mut spec = self.bench.there(script, files, outputs);
        let Target::Ssh(remote) = spec.target else {
            unreachable!("made above")
        };
        spec.target = Target::Slurm(SlurmSpec {
            partition: Some("debug".to_owned()),
            cpus: Some(2),
            memory_mib: Some(200),
            minutes: Some(10),
            ..SlurmSpec::new(remote)
        });
        spec
    }

    fn waits_for(&self, spec: &JobSpec) -> Option<String> {
        match state(&self.bench.workspace, &spec.id).unwrap() {
            JobState::Queued { why, .. } => why,
            JobState::Running { .. } | JobState::Ended(_) => None,
        }
    }
}

fn change(spec: &mut JobSpec, how: impl FnOnce(&mut SlurmSpec)) {
    let Target::Slurm(slurm) = &mut spec.target else {
        unreachable!("a job for Slurm")
    };
    how(slurm);
}

#[test]
fn a_job_goes_through_the_queue_and_its_outputs_come_home() {
    let Some(cluster) = Cluster::new() else {
        return;
    };
    let bench = &cluster.bench;
    bench.write("in.txt", "sent\n");
    let spec = cluster.job(
        "cat in.txt; echo \"job $SLURM_JOB_ID of $SLURM_CPUS_PER_TASK\"; echo made > out; exit 3",
        &["in.txt"],
        &["out"],
    );
    bench.start(&spec);
    assert_eq!(bench.ended(&spec), Outcome::Failed { code: 3 });
    assert!(
        bench.log(&spec).ends_with("sent\njob 1 of 2\n"),
        "{}",
        bench.log(&spec)
    );
    assert!(bench.project().join("out").exists());
    let JobState::Ended(ended) = state(&bench.workspace, &spec.id).unwrap() else {
        unreachable!("it has ended")
    };
    assert!(ended.started.is_some(), "it ran");
}

#[test]
fn a_job_says_why_it_waits_and_goes_when_it_is_cancelled() {
    let Some(cluster) = Cluster::new() else {
        return;
    };
    let bench = &cluster.bench;
    let pid_file = bench.folder.path().join("pid");
    let first = cluster.job(
        &format!("sleep 600 & echo $! > '{}'; wait", pid_file.display()),
        &[],
        &[],
    );
    bench.start(&first);
    bench.runs(&first);
    let second = cluster.job("true", &[], &[]);
    bench.start(&second);
    until("the reason", || {
        cluster.waits_for(&second).as_deref()
            == Some("in Slurm's queue: waiting for free resources (Resources)")
    });
    stop(&bench.workspace, &second.id).unwrap();
    assert_eq!(bench.ended(&second), Outcome::Cancelled);
    stop(&bench.workspace, &first.id).unwrap();
    assert_eq!(bench.ended(&first), Outcome::Cancelled);
    let pid = std::fs::read_to_string(&pid_file).unwrap();
    until("the grandchild's end", || !lives(pid.trim()));
    let queue = || cluster.slurm.ask("squeue", &["-h"]);
    until("an empty queue", || queue().is_empty());
}

#[test]
fn a_job_in_the_queue_is_found_again_by_a_new_supervisor_and_runs_once() {
    let Some(cluster) = Cluster::new() else {
        return;
    };
    let bench = &cluster.bench;
    let hold = cluster.job("sleep 600", &[], &[]);
    bench.start(&hold);
    bench.runs(&hold);
    let marks = bench.folder.path().join("marks");
    let spec = cluster.job(&format!("echo once >> '{}'", marks.display()), &[], &[]);
    bench.start(&spec);
    let waits = || {
        cluster
            .waits_for(&spec)
            .is_some_and(|why| why.contains("Resources"))
    };
    until("its place in the queue", waits);
    crate::docker::kill_supervisor(&bench.workspace, &spec);
    // Its number is lost too, as when the supervisor died right after `sbatch`.
    let folder = bench.sshd.at("there/jobs").join(spec.id.to_string());
    std::fs::remove_file(folder.join("slurm-id")).unwrap();
    stop(&bench.workspace, &hold.id).unwrap();
    assert_eq!(
        bench.ended(&spec),
        Outcome::Succeeded,
        "{}",
        bench.log(&spec)
    );
    assert_eq!(std::fs::read_to_string(marks).unwrap(), "once\n");
}

#[test]
fn a_controller_that_dies_costs_nothing_and_nothing_runs_twice() {
    let Some(mut cluster) = Cluster::new() else {
        return;
    };
    let at = |name: &str| cluster.bench.folder.path().join(name);
    let (go, marks) = (at("go"), at("marks"));
    let script = format!(
        "echo once >> '{}'; echo begun; until [ -e '{}' ]; do sleep 0.05; done; echo made > out",
        marks.display(),
        go.display()
    );
    let spec = cluster.job(&script, &[], &["out"]);
    cluster.bench.start(&spec);
    let log = || cluster.bench.log(&spec);
    until("its begin", || log().ends_with("begun\n"));
    cluster.slurm.kill_controller();
    std::fs::write(go, "").unwrap();
    let there = cluster.bench.sshd.at("there/jobs");
    let exit = there.join(spec.id.to_string()).join("exit");
    let made = cluster.bench.project().join("out");
    until("its end there", || exit.exists() || made.exists());
    cluster.slurm.controller_again();
    let outcome = cluster.bench.ended(&spec);
    assert_eq!(outcome, Outcome::Succeeded, "{}", cluster.bench.log(&spec));
    assert!(made.exists(), "its output is home");
    assert_eq!(std::fs::read_to_string(marks).unwrap(), "once\n");
}

#[test]
fn what_slurm_refuses_is_said_in_its_words() {
    let Some(cluster) = Cluster::new() else {
        return;
    };
    let mut spec = cluster.job("true", &[], &[]);
    change(&mut spec, |slurm| {
        slurm.partition = Some("nowhere".to_owned())
    });
    cluster.bench.start(&spec);
    let why = cluster.bench.ended(&spec).to_string();
    assert!(
        why.contains("invalid partition specified: nowhere"),
        "{why}"
    );
}

#[test]
fn jobs_of_an_array_that_slurm_does_not_take_go_one_by_one() {
    let Some(cluster) = Cluster::new() else {
        return;
    };
    let member = |index| {
        let mut spec = cluster.job("echo \"task '$SLURM_ARRAY_TASK_ID'\"", &[], &[]);
        change(&mut spec, |slurm| {
            slurm.member = Some(Member {
                array: "many".to_owned(),
                index,
                // More than a cluster takes that says nothing of it: https://slurm.schedmd.com/slurm.conf.html#OPT_MaxArraySize
                size: 5000,
                at_once: 2,
            });
        });
        spec
    };
    let bench = &cluster.bench;
    for index in [1, 2] {
        let spec = member(index);
        bench.start(&spec);
        assert_eq!(bench.ended(&spec), Outcome::Succeeded);
        let log = bench.log(&spec);
        assert!(log.contains("task ''"), "{log}");
    }
}

#[test]
fn a_node_that_fails_is_no_failure_of_the_command() {
    let Some(cluster) = Cluster::new() else {
        return;
    };
    let bench = &cluster.bench;
    let spec = cluster.job("sleep 600", &[], &[]);
    bench.start(&spec);
    bench.runs(&spec);
    let node = format!("nodename={}", cluster.slurm.node);
    cluster
        .slurm
        .ask("scontrol", &["update", &node, "state=down", "reason=test"]);
    assert_eq!(
        bench.ended(&spec),
        Outcome::Evicted {
            state: "NODE_FAIL".to_owned()
        }
    );
}

#[test]
fn too_much_memory_is_told_from_a_failure() {
    let Some(cluster) = Cluster::new() else {
        return;
    };
    let bench = &cluster.bench;
    let mut spec = cluster.job(
        "python3 -c \"import time; x = b'x' * (600 << 20); time.sleep(600)\"",
        &[],
        &[],
    );
    change(&mut spec, |slurm| slurm.memory_mib = Some(50));
    bench.start(&spec);
    assert_eq!(
        bench.ended(&spec),
        Outcome::OutOfMemory,
        "{}",
        bench.log(&spec)
    );
}

#[test]
fn this_machine_may_be_the_login_node() {
    let Some(cluster) = Cluster::new() else {
        return;
    };
    let bench = &cluster.bench;
    let mut spec = cluster.job("echo here", &[], &[]);
    let there = bench.sshd.at("there").display().to_string();
    change(&mut spec, |slurm| {
        slurm.remote.host = Host::Here {
            folder: Some(there),
        }
    });
    let program = bench.sshd.at("supervisor");
    bench.sshd.command(
        &program,
        &format!(
            "#!/bin/sh\nSLURM_CONF='{}' exec '{}' \"$@\"\n",
            cluster.slurm.conf().display(),
            crate::supervisor().display()
        ),
    );
    start(&bench.workspace, &spec, &program).unwrap();
    assert_eq!(
        bench.ended(&spec),
        Outcome::Succeeded,
        "{}",
        bench.log(&spec)
    );
    assert!(bench.log(&spec).ends_with("here\n"));
}

#[test]
fn a_job_on_another_node_reaches_a_server_here_and_does_again_after_a_cut() {
    let Some(mut cluster) = Slurm::start_elsewhere().and_then(Cluster::of) else {
        return;
    };
    let go = cluster.bench.folder.path().join("go");
    cluster.bench.write("ask.py", crate::ssh_python::ASK);
    let mut spec = cluster.job(
        &format!(
            "uname -n; echo \"at $MLFLOW_TRACKING_URI\"; python3 ask.py /one; until [ -e '{}' ]; do sleep 0.05; done; python3 ask.py /two",
            go.display()
        ),
        &["ask.py"],
        &[],
    );
    let port = crate::ssh_python::server();
    spec.env.insert(
        "MLFLOW_TRACKING_URI".to_owned(),
        format!("http://127.0.0.1:{port}"),
    );
    change(&mut spec, |slurm| {
        slurm.remote.tunnels = vec!["MLFLOW_TRACKING_URI".to_owned()];
    });
    let bench = &cluster.bench;
    bench.start(&spec);
    until("the first answer", || {
        bench.log(&spec).contains("you asked for /one\n")
    });
    let there = bench.sshd.at("there/jobs").join(spec.id.to_string());
    let tunnel = std::fs::read_to_string(there.join("tunnels")).unwrap();
    let log = bench.log(&spec);
    assert!(log.contains("elsewhere\n"), "{log}");
    assert!(
        !log.contains(&format!("127.0.0.1:{}\n", tunnel.trim())),
        "where the tunnel ends is another machine: {log}"
    );
    cluster.bench.sshd.kill();
    std::fs::write(go, "").unwrap();
    cluster.bench.sshd.again();
    let bench = &cluster.bench;
    assert_eq!(
        bench.ended(&spec),
        Outcome::Succeeded,
        "{}",
        bench.log(&spec)
    );
    assert!(bench.log(&spec).ends_with("you asked for /two\n"));
}
