//! Jobs in pods that really run, behind a small API server of our own that the real `kubectl` is the judge of.

use std::io::{Read as _, Write as _};

use lapwing_core::Workspace;
use lapwing_jobs::{
    Host, JobSpec, JobState, KubernetesSpec, Outcome, RemoteEnvironment, RemoteSpec, Target, log,
    start, state, stop,
};

use crate::kube::{Kube, Runtime, TOKEN};
use crate::left_out::left_out;
use crate::{ended, shell, supervisor, until};

pub struct Bench {
    pub kube: Kube,
    folder: tempfile::TempDir,
    pub workspace: Workspace,
}

impl Bench {
    pub fn new(runtime: Runtime) -> Self {
        Self::with(Kube::start(runtime))
    }

    pub fn with(kube: Kube) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("project")).unwrap();
        let workspace = Workspace::at(folder.path().join("workspace"));
        Self {
            kube,
            folder,
            workspace,
        }
    }

    pub fn project(&self) -> std::path::PathBuf {
        self.folder.path().join("project")
    }

    pub fn write(&self, name: &str, text: &str) {
        let path = self.project().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    pub fn read(&self, name: &str) -> Option<String> {
        std::fs::read_to_string(self.project().join(name)).ok()
    }

    pub fn there(&self, script: &str, files: &[&str], outputs: &[&str]) -> JobSpec {
        let mut spec = shell(script);
        spec.cwd = self.project();
        let remote = RemoteSpec {
            files: files.iter().map(ToString::to_string).collect(),
            outputs: outputs.iter().map(ToString::to_string).collect(),
            ..RemoteSpec::new(Host::Here { folder: None }, self.project())
        };
        let kube = KubernetesSpec::new(self.kube.cluster(), self.kube.image.clone(), remote);
        spec.target = Target::Kubernetes(Box::new(kube));
        spec
    }

    pub fn start(&self, spec: &JobSpec) {
        start(&self.workspace, spec, &supervisor()).unwrap();
    }

    pub fn ended(&self, spec: &JobSpec) -> Outcome {
        ended(&self.workspace, &spec.id).outcome
    }

    pub fn log(&self, spec: &JobSpec) -> String {
        log(&self.workspace, &spec.id, 0, 1 << 20).unwrap().text
    }

    pub fn why(&self, spec: &JobSpec) -> String {
        let state = state(&self.workspace, &spec.id).unwrap();
        state.why().unwrap_or_default().to_owned()
    }

    pub fn says(&self, spec: &JobSpec, words: &str) {
        until(words, || self.log(spec).contains(words));
    }

    /// Nothing of it stays in the cluster.
    pub fn gone(&self) {
        until("the job to go", || {
            self.kube.jobs().is_empty() && self.kube.pods().is_empty()
        });
    }
}

pub fn asking(spec: &mut JobSpec, how: impl FnOnce(&mut KubernetesSpec)) {
    let Target::Kubernetes(kube) = &mut spec.target else {
        unreachable!("made above")
    };
    how(kube);
}

#[test]
fn files_go_into_a_pod_and_outputs_come_home() {
    let bench = Bench::new(Runtime::Real);
    bench.write("data/a b.csv", "1,2\n");
    bench.write("here.txt", "not listed\n");
    let mut spec = bench.there(
        "set -e; [ ! -e ../here.txt ]; cat '../data/a b.csv'; mkdir -p ../out/deep; echo made > ../out/deep/-f; \
         echo new > ../model; [ \"$DVC_ROOT\" = \"$(cd .. && pwd -P)\" ]; [ -w /dev/shm ]; echo to stderr >&2; exit 4",
        &["data/a b.csv"],
        &["out", "model", "missing"],
    );
    spec.cwd = bench.project().join("data");
    let root = bench.project().display().to_string();
    spec.env.insert("DVC_ROOT".to_owned(), root);
    bench.start(&spec);
    assert_eq!(
        bench.ended(&spec),
        Outcome::Failed { code: 4 },
        "{}",
        bench.log(&spec)
    );
    let log = bench.log(&spec);
    assert!(log.ends_with("1,2\nto stderr\n"), "{log}");
    assert_eq!(bench.read("out/deep/-f").as_deref(), Some("made\n"));
    assert_eq!(bench.read("model").as_deref(), Some("new\n"));
    assert_eq!(bench.read("here.txt").as_deref(), Some("not listed\n"));
    bench.gone();
}

#[test]
fn a_cut_a_dead_server_and_a_dead_supervisor_lose_nothing_and_run_nothing_twice() {
    let mut bench = Bench::new(Runtime::Real);
    bench.write("in", "data\n");
    // Its own folder is the only one that all runtimes can look into.
    let spec = bench.there(
        "echo begun; i=0; while [ $i -lt 300 ]; do i=$((i+1)); echo \"line $i\"; done; \
         until [ -e \"$HOME/go\" ]; do sleep 0.1; done; cp in out; printf tail",
        &["in"],
        &["out"],
    );
    bench.start(&spec);
    bench.says(&spec, "line 300\n");
    bench.kube.say("cut");
    bench.kube.say("down");
    until("a word about it", || {
        bench.why(&spec).contains("not reachable")
    });
    crate::docker::kill_supervisor(&bench.workspace, &spec);
    bench.kube.say("up");
    // Asking for the state starts another supervisor.
    until("the next supervisor", || {
        matches!(
            state(&bench.workspace, &spec.id).unwrap(),
            JobState::Running { why: None, .. }
        )
    });
    assert_eq!(bench.kube.pods().len(), 1, "never a second one");
    let pod = bench.kube.pods().remove(0);
    bench.kube.say(&format!("touch {pod} go"));
    assert_eq!(
        bench.ended(&spec),
        Outcome::Succeeded,
        "{}",
        bench.log(&spec)
    );
    let log = bench.log(&spec);
    assert_eq!(log.matches("begun\n").count(), 1, "it ran once: {log}");
    assert_eq!(log.matches("line 77\n").count(), 1, "nothing twice");
    assert!(log.ends_with("line 300\ntail"), "{log}");
    assert_eq!(bench.read("out").as_deref(), Some("data\n"));
    bench.gone();
}

#[test]
fn cancel_removes_the_job_with_its_pod() {
    let bench = Bench::new(Runtime::Real);
    let spec = bench.there("echo begun; sleep 600", &[], &[]);
    bench.start(&spec);
    bench.says(&spec, "begun");
    stop(&bench.workspace, &spec.id).unwrap();
    assert_eq!(bench.ended(&spec), Outcome::Cancelled);
    bench.gone();
}

#[test]
fn a_job_that_is_cancelled_while_it_is_given_to_the_cluster_does_not_stay_there() {
    let mut bench = Bench::new(Runtime::Process);
    bench.kube.say("fault slow");
    let spec = bench.there("sleep 600", &[], &[]);
    bench.start(&spec);
    until("its way there", || {
        bench.why(&spec).contains("giving it to team")
    });
    stop(&bench.workspace, &spec.id).unwrap();
    assert_eq!(bench.ended(&spec), Outcome::Cancelled);
    // The cluster does not notice that nobody wants it any more.
    bench.kube.say("settle");
    assert_eq!(bench.kube.jobs(), Vec::<String>::new());
}

#[test]
fn a_tunnel_gives_its_port_back_when_nobody_reads() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = free.local_addr().unwrap().port();
    drop(free);
    let program = concat!(env!("CARGO_MANIFEST_DIR"), "/src/kubernetes/tunnel.py");
    let mut tunnel = std::process::Command::new("python3")
        .args([program, "serve", &port.to_string()])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    until("its port", || {
        std::net::TcpStream::connect(("127.0.0.1", port)).is_ok()
    });
    drop(tunnel.stdout.take());
    until("its end", || tunnel.try_wait().unwrap().is_some());
}

#[test]
fn an_older_server_is_spoken_to_as_well() {
    let mut bench = Bench::new(Runtime::Process);
    bench.kube.say("fault v4");
    let big = "0123456789abcdef".repeat(1 << 16);
    bench.write("big", &big);
    let spec = bench.there("cat big > copy; echo done", &["big"], &["copy"]);
    bench.start(&spec);
    assert_eq!(
        bench.ended(&spec),
        Outcome::Succeeded,
        "{}",
        bench.log(&spec)
    );
    assert!(bench.read("copy") == Some(big), "a megabyte there and back");
}

#[test]
fn an_image_that_is_missing_is_named() {
    let bench = Bench::new(Runtime::Real);
    let mut spec = bench.there("true", &[], &[]);
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
    bench.gone();
}

#[test]
fn a_job_that_waits_says_why_and_runs_when_it_can() {
    let mut bench = Bench::new(Runtime::Process);
    bench.kube.say("fault quota");
    let spec = bench.there("true", &[], &[]);
    bench.start(&spec);
    until("the quota", || {
        bench
            .why(&spec)
            .contains("a quota of the namespace is used up")
    });
    bench.kube.say("fault unschedulable");
    bench.kube.say("mend quota");
    until("the node", || {
        bench.why(&spec).contains("no node takes its pod")
    });
    let log = bench.log(&spec);
    assert!(
        log.contains("Insufficient cpu"),
        "who follows reads it too: {log}"
    );
    bench.kube.say("mend unschedulable");
    assert_eq!(bench.ended(&spec), Outcome::Succeeded);

    let mut picky = bench.there("true", &[], &[]);
    asking(&mut picky, |kube| {
        kube.gpus = Some(1);
        kube.node_selector = [("disk".to_owned(), "tape".to_owned())].into();
    });
    bench.start(&picky);
    until("both reasons", || {
        let why = bench.why(&picky);
        why.contains("nvidia.com/gpu") && why.contains("selector")
    });
    stop(&bench.workspace, &picky.id).unwrap();
    assert_eq!(bench.ended(&picky), Outcome::Cancelled);
    bench.gone();
}

#[test]
fn what_the_cluster_does_to_a_pod_is_not_the_commands_failure() {
    let mut bench = Bench::new(Runtime::Process);
    for (reason, words) in [
        ("OOMKilled", "out of memory"),
        (
            "Evicted The node was low on resource: memory.",
            "low on resource: memory (Evicted)",
        ),
        (
            "Preempted Preempted in order to admit critical pod",
            "more important",
        ),
    ] {
        let spec = bench.there("echo begun; sleep 600", &[], &[]);
        bench.start(&spec);
        bench.says(&spec, "begun");
        let pod = bench.kube.pods().remove(0);
        bench.kube.say(&format!("end {pod} {reason}"));
        let said = bench.ended(&spec).to_string();
        assert!(said.contains(words), "{reason}: {said}");
        bench.gone();
    }
}

#[test]
fn a_command_that_uses_more_than_its_memory_is_told_so() {
    let bench = Bench::new(Runtime::Real);
    if bench.kube.image == "any" {
        return left_out("only a container has a limit");
    }
    let mut spec = bench.there("echo begun; exec tail /dev/zero", &[], &[]);
    asking(&mut spec, |kube| kube.memory_mib = Some(48));
    bench.start(&spec);
    assert_eq!(
        bench.ended(&spec),
        Outcome::OutOfMemory,
        "{}",
        bench.log(&spec)
    );
    bench.gone();
}

#[test]
fn a_time_limit_holds_there() {
    let bench = Bench::new(Runtime::Process);
    let mut spec = bench.there("sleep 600", &[], &[]);
    spec.timeout_seconds = Some(1);
    asking(&mut spec, |kube| kube.minutes = Some(10));
    bench.start(&spec);
    assert_eq!(bench.ended(&spec), Outcome::TimedOut { seconds: 1 });
}

#[test]
fn a_server_of_this_machine_is_reached_from_a_pod_without_a_network() {
    let bench = Bench::new(Runtime::Real);
    let server = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = server.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for client in server.incoming() {
            let mut client = client.unwrap();
            let mut asked = [0; 1024];
            let _ = client.read(&mut asked).unwrap();
            let _ = client.write_all(b"HTTP/1.0 200 OK\r\nContent-Length: 6\r\n\r\nanswer");
        }
    });
    let mut spec = bench.there(
        "python3 -c 'import os, urllib.request; [print(urllib.request.urlopen(os.environ[\"SERVER\"] + \"/x\").read().decode()) for _ in range(20)]'",
        &[],
        &[],
    );
    spec.env
        .insert("SERVER".to_owned(), format!("http://127.0.0.1:{port}"));
    asking(&mut spec, |kube| {
        kube.remote.tunnels = vec!["SERVER".to_owned()]
    });
    bench.start(&spec);
    assert_eq!(
        bench.ended(&spec),
        Outcome::Succeeded,
        "{}",
        bench.log(&spec)
    );
    assert_eq!(
        bench.log(&spec).matches("answer\n").count(),
        20,
        "{}",
        bench.log(&spec)
    );
}

#[test]
fn a_run_in_an_image_without_python_is_tracked_in_files() {
    let mut bench = Bench::new(Runtime::Process);
    bench.kube.say("fault no-python");
    let run = "0123456789abcdef0123456789abcdef";
    let mut spec = bench.there(
        "set -e; [ -z \"$MLFLOW_TRACKING_TOKEN\" ]; [ $MLFLOW_ALLOW_FILE_STORE = true ]; if command -v python3; then exit 1; fi; \
         echo '1 0.5 0' > \"${MLFLOW_TRACKING_URI#file://}/0/$MLFLOW_RUN_ID/metrics/loss\"; echo made > out",
        &[],
        &["out"],
    );
    for (name, value) in [
        ("MLFLOW_TRACKING_URI", "http://127.0.0.1:5000"),
        ("MLFLOW_TRACKING_TOKEN", "canary"),
        ("MLFLOW_RUN_ID", run),
    ] {
        spec.env.insert(name.to_owned(), value.to_owned());
    }
    asking(&mut spec, |kube| {
        kube.remote.tunnels = vec!["MLFLOW_TRACKING_URI".to_owned()]
    });
    bench.start(&spec);
    let outcome = bench.ended(&spec);
    let log = bench.log(&spec);
    assert_eq!(outcome, Outcome::Succeeded, "{log}");
    assert!(log.contains("metrics come home as files"), "{log}");
    assert_eq!(bench.read("out").as_deref(), Some("made\n"));
    let files = lapwing_jobs::tracked_files(&bench.workspace, &spec.id).unwrap();
    let loss = std::fs::read_to_string(files.join("0").join(run).join("metrics/loss")).unwrap();
    assert_eq!(loss, "1 0.5 0\n");
}

#[test]
fn an_image_that_has_the_requirements_is_used_as_it_is() {
    let bench = Bench::new(Runtime::Real);
    if bench.kube.image == "any" {
        return left_out("this needs an image");
    }
    bench.write("requirements.txt", "pip\n");
    bench.write("train.py", "import pip\nprint('trained')\n");
    let run = |script: &str| {
        let mut spec = bench.there(
            &format!("python3 {script}"),
            &["requirements.txt", script],
            &[],
        );
        spec.command.argv = vec!["python3".to_owned(), script.to_owned()];
        asking(&mut spec, |kube| {
            kube.remote.environment = Some(RemoteEnvironment {
                requirements: "requirements.txt".to_owned(),
                python: None,
            });
        });
        bench.start(&spec);
        (bench.ended(&spec), bench.log(&spec))
    };
    let (outcome, log) = run("train.py");
    assert_eq!(outcome, Outcome::Succeeded, "{log}");
    assert!(
        log.contains("the image has what") && log.ends_with("trained\n"),
        "{log}"
    );
    bench.write("other.py", "import a_module_of_nobody\n");
    let (outcome, log) = run("other.py");
    assert!(
        outcome.to_string().contains("a_module_of_nobody"),
        "before it runs: {outcome} {log}"
    );
}

fn greeted(kube: &Kube) -> Result<String, String> {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(kube.cluster().greet()).map_err(|error| {
        let report = error.report();
        format!("{} | {}", report.message, report.hint.unwrap_or_default())
    })
}

#[test]
fn what_fails_in_a_connection_is_said() {
    let mut kube = Kube::start(Runtime::Process);
    let works = greeted(&kube).unwrap();
    assert!(
        works.contains("v1.32.0") && works.contains("namespace default"),
        "{works}"
    );
    let fails = |kube: &Kube, words: &[&str]| {
        let said = greeted(kube).unwrap_err();
        for word in words {
            assert!(said.contains(word), "{word}: {said}");
        }
        assert!(!said.contains(TOKEN), "no secret: {said}");
    };
    kube.config("wrong");
    fails(
        &kube,
        &["does not accept your credentials (401)", "sign in again"],
    );
    let plugin = |command: &str| {
        format!(
            "    exec: {{apiVersion: client.authentication.k8s.io/v1, command: {command}, interactiveMode: Never}}\n"
        )
    };
    kube.user(&plugin("no-such-program-here"));
    fails(&kube, &["not on this machine", "install"]);
    let helper = kube.at("helper.sh");
    let script = |end: &str| {
        format!(
            "#!/bin/sh\necho '{{\"kind\": \"ExecCredential\", \"apiVersion\": \"client.authentication.k8s.io/v1\", \"status\": {{\"token\": \"{TOKEN}\"}}}}'\n{end}\n"
        )
    };
    let program = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::write(&helper, script("echo session expired >&2; exit 3")).unwrap();
    std::fs::set_permissions(&helper, program).unwrap();
    kube.user(&plugin(&helper.display().to_string()));
    fails(&kube, &["session expired"]);
    std::fs::write(&helper, script("")).unwrap();
    greeted(&kube).expect("a program that signs in");
    std::fs::write(kube.at("token"), TOKEN).unwrap();
    kube.user(&format!("    tokenFile: {}\n", kube.at("token").display()));
    greeted(&kube).expect("a token in a file");
    kube.say("deny create pods/exec");
    fails(
        &kube,
        &[
            "you may not create pods/exec in the namespace `default` (403)",
            "ask its administrator",
        ],
    );
    kube.say("allow");
    let mut other = kube.cluster();
    other.context = Some("nowhere".to_owned());
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let report = runtime.block_on(other.greet()).unwrap_err().report();
    assert!(
        report.message.contains("no context `nowhere`"),
        "{report:?}"
    );
    assert_eq!(report.hint.as_deref(), Some("there are: team"));
    kube.say("down");
    fails(&kube, &["not reachable", "refused"]);
}

#[test]
fn certificates_are_held_against_the_kubeconfig() {
    let kube = Kube::safe();
    let works = greeted(&kube).unwrap();
    assert!(works.contains("v1.32.0"), "{works}");
    let at = |name: &str| kube.at(name).display().to_string();
    kube.user(&format!(
        "    client-certificate: {}\n    client-key: {}\n",
        at("client.crt"),
        at("client.key")
    ));
    greeted(&kube).expect("a certificate instead of a token");
    std::fs::copy(kube.at("server.crt"), kube.at("ca.crt")).unwrap();
    kube.config(TOKEN);
    let said = greeted(&kube).unwrap_err();
    assert!(
        said.contains("not safe") && said.contains("certificate"),
        "{said}"
    );
}

#[test]
fn kubectl_agrees_with_the_server_and_sees_the_job() {
    // It sends no token without TLS.
    let bench = Bench::with(Kube::safe());
    let sees = |arguments: &[&str]| -> Option<String> {
        let output = bench.kube.kubectl(arguments)?;
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let wrong = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{arguments:?}: {said}{wrong}");
        Some(said)
    };
    let manifest = bench.kube.at("job.yaml");
    std::fs::write(
        &manifest,
        "apiVersion: batch/v1\nkind: Job\nmetadata: {name: hello}\nspec:\n  backoffLimit: 0\n  template:\n    spec:\n      \
         restartPolicy: Never\n      containers:\n      - {name: main, image: any, command: [sh, -c, 'echo from inside']}\n",
    )
    .unwrap();
    let manifest = manifest.display().to_string();
    let Some(said) = sees(&["apply", "--validate=false", "-f", &manifest]) else {
        return;
    };
    assert!(said.contains("created"), "{said}");
    assert!(
        sees(&["apply", "--validate=false", "-f", &manifest])
            .unwrap()
            .contains("unchanged")
    );
    assert!(
        sees(&["logs", "-f", "job/hello"])
            .unwrap()
            .contains("from inside")
    );
    sees(&[
        "wait",
        "--for=condition=complete",
        "--timeout=60s",
        "job/hello",
    ]);
    assert!(
        sees(&["delete", "job", "hello"])
            .unwrap()
            .contains("deleted")
    );

    let mut spec = bench.there(
        "echo begun; until [ -e \"$HOME/go\" ]; do sleep 0.1; done",
        &[],
        &[],
    );
    spec.env
        .insert("SECRET".to_owned(), "canary-of-the-job".to_owned());
    bench.start(&spec);
    bench.says(&spec, "begun");
    let name = format!("lapwing-{}", spec.id);
    let shown = sees(&["get", "jobs"]).unwrap();
    assert!(
        shown.contains(&name) && shown.contains("Running"),
        "{shown}"
    );
    let shown = sees(&["describe", "job", &name]).unwrap();
    assert!(
        shown.contains("Created pod") && shown.contains("lapwing.io/job"),
        "{shown}"
    );
    let whole = sees(&["get", "jobs,pods", "-o", "yaml"]).unwrap();
    assert!(
        !whole.contains("canary-of-the-job"),
        "who may look at pods sees no secret"
    );
    assert!(
        sees(&["logs", &format!("job/{name}")])
            .unwrap()
            .contains("begun"),
        "for who looks there"
    );
    sees(&["delete", "job", &name]);
    let said = bench.ended(&spec).to_string();
    assert!(said.contains("removed there"), "{said}");
}
