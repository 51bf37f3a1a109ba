//! Jobs on a Ray cluster, against the Jobs API as Ray 2.60 was seen to answer (`ray_api.py`: what it is not is written there). The
//! real Ray is in the program's own tests.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use lapwing_core::Workspace;
use lapwing_jobs::ray::Kept;
use lapwing_jobs::{
    JobSpec, JobState, Outcome, RaySpec, Target, log, start, state, stop, tracked_files,
};
use lapwing_remote::{Credential, Secret, Vault};

use crate::{ended, shell, supervisor, until};

/// A package may not be larger there.
const LIMIT: u64 = 100_000;

struct Bench {
    folder: tempfile::TempDir,
    workspace: Workspace,
    port: u16,
    server: Child,
}

impl Bench {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        for name in ["project", "session/logs", "session/jobs"] {
            std::fs::create_dir_all(folder.path().join(name)).unwrap();
        }
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = free.local_addr().unwrap().port();
        drop(free);
        Self {
            workspace: Workspace::at(folder.path().join("workspace")),
            server: serve(&folder.path().join("session"), port),
            folder,
            port,
        }
    }

    fn project(&self) -> PathBuf {
        self.folder.path().join("project")
    }

    fn session(&self, name: &str) -> PathBuf {
        self.folder.path().join("session").join(name)
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.project().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    fn read(&self, name: &str) -> Option<String> {
        std::fs::read_to_string(self.project().join(name)).ok()
    }

    fn there(&self, script: &str, files: &[&str], outputs: &[&str]) -> JobSpec {
        let mut spec = shell(script);
        spec.cwd = self.project();
        spec.target = Target::Ray(RaySpec {
            files: files.iter().map(ToString::to_string).collect(),
            outputs: outputs.iter().map(ToString::to_string).collect(),
            ..RaySpec::new(format!("http://127.0.0.1:{}", self.port), self.project())
        });
        spec
    }

    fn start(&self, spec: &JobSpec) {
        start(&self.workspace, spec, &supervisor()).unwrap();
    }

    /// Its end, and that of its supervisor, which cleans up.
    fn ended(&self, spec: &JobSpec) -> Outcome {
        let outcome = ended(&self.workspace, &spec.id).outcome;
        let lock = std::fs::File::open(self.workspace.job(&spec.id).join("lock")).unwrap();
        until("the supervisor's end", || lock.try_lock().is_ok());
        outcome
    }

    fn log(&self, spec: &JobSpec) -> String {
        log(&self.workspace, &spec.id, 0, 1 << 20).unwrap().text
    }

    /// What it waits for.
    fn why(&self, spec: &JobSpec) -> String {
        match state(&self.workspace, &spec.id).unwrap() {
            JobState::Queued { why, .. } | JobState::Running { why, .. } => why.unwrap_or_default(),
            JobState::Ended(ended) => ended.outcome.to_string(),
        }
    }

    fn kill(&mut self) {
        self.server.kill().unwrap();
        self.server.wait().unwrap();
    }

    fn again(&mut self) {
        self.server = serve(&self.session(""), self.port);
    }

    /// Jobs that the cluster knows, and results that lie there.
    fn left_there(&self) -> Vec<String> {
        let names = |folder: &str| std::fs::read_dir(self.session(folder)).unwrap();
        names("jobs")
            .chain(names("logs"))
            .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
            .filter(|name| !name.starts_with("job-driver"))
            .collect()
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

fn serve(session: &Path, port: u16) -> Child {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/jobs/ray_api.py");
    let mut command = Command::new("python3");
    command
        .arg(script)
        .arg(session)
        .args([port.to_string(), LIMIT.to_string()])
        .stdin(Stdio::null());
    // The entrypoint is `python`, as it is on every cluster.
    let python = session.join("bin/python");
    if !python.exists() {
        std::fs::create_dir_all(session.join("bin")).unwrap();
        let found = Command::new("sh")
            .args(["-c", "command -v python3"])
            .output()
            .unwrap();
        let found = String::from_utf8(found.stdout).unwrap();
        let wrapper = format!("#!/bin/sh\nexec {} \"$@\"\n", found.trim());
        std::fs::write(&python, wrapper).unwrap();
        let run = |program: &str, mode: &str| Command::new(program).arg(mode).arg(&python).status();
        assert!(run("chmod", "755").unwrap().success());
    }
    let path = std::env::var("PATH").unwrap_or_default();
    command.env("PATH", format!("{}:{path}", session.join("bin").display()));
    let server = command.spawn().unwrap();
    until("the server", || {
        std::net::TcpStream::connect(("127.0.0.1", port)).is_ok()
    });
    server
}

#[test]
fn files_go_to_a_cluster_and_outputs_come_home() {
    let bench = Bench::new();
    bench.write("data/a b.csv", "1,2\n");
    bench.write("here.txt", "not listed\n");
    bench.write("model", "old\n");
    let mut spec = bench.there(
        "set -e; [ ! -e ../here.txt ]; [ ! -e ../.lapwing-job.py ]; cat 'a b.csv'; cat \"$ROOT/data/a b.csv\"; mkdir -p ../out/deep; \
         echo made > ../out/deep/f; chmod +x ../out/deep/f; echo new > ../model; exit 4",
        &["data/a b.csv"],
        &["out", "model", "missing"],
    );
    spec.cwd = bench.project().join("data");
    let root = bench.project().display().to_string();
    spec.env.insert("ROOT".to_owned(), root);
    bench.start(&spec);
    assert_eq!(
        bench.ended(&spec),
        Outcome::Failed { code: 4 },
        "{}",
        bench.log(&spec)
    );
    let log = bench.log(&spec);
    assert!(
        log.contains("sent 1 files") && log.ends_with("1,2\n1,2\n"),
        "{log}"
    );
    assert_eq!(bench.read("out/deep/f").as_deref(), Some("made\n"));
    assert_eq!(bench.read("model").as_deref(), Some("new\n"));
    let mode = std::fs::metadata(bench.project().join("out/deep/f")).unwrap();
    let mode = std::os::unix::fs::PermissionsExt::mode(&mode.permissions());
    assert_eq!(mode & 0o111, 0o111, "a program stays one");
    assert_eq!(bench.left_there(), Vec::<String>::new());
}

#[test]
fn the_same_files_are_sent_once_and_each_job_has_them_as_they_are() {
    let bench = Bench::new();
    bench.write("in", "1\n");
    for _ in 0..2 {
        let spec = bench.there(
            "set -e; [ ! -e out ]; cat in > out; echo 2 >> in",
            &["in"],
            &["out"],
        );
        bench.start(&spec);
        let outcome = bench.ended(&spec);
        assert_eq!(outcome, Outcome::Succeeded, "{}", bench.log(&spec));
        assert_eq!(bench.read("out").as_deref(), Some("1\n"));
    }
    let sent = std::fs::read_to_string(bench.session("sent")).unwrap();
    assert_eq!(sent.lines().count(), 1, "{sent}");
}

#[test]
fn a_job_outlives_its_supervisor_and_the_way_to_it() {
    let mut bench = Bench::new();
    let go = bench.folder.path().join("go");
    let count = bench.folder.path().join("count");
    let script = format!(
        "echo x >> '{}'; i=0; while [ $i -lt 500 ]; do i=$((i+1)); echo \"line $i ä\"; done; until [ -e '{}' ]; do sleep 0.1; done; echo out > out; printf tail",
        count.display(),
        go.display()
    );
    let spec = bench.there(&script, &[], &["out"]);
    bench.start(&spec);
    until("its lines", || bench.log(&spec).contains("line 500 ä\n"));
    bench.kill();
    until("a word about it", || {
        bench.why(&spec).contains("nothing listens")
    });
    crate::docker::kill_supervisor(&bench.workspace, &spec);
    std::fs::write(go, "").unwrap();
    bench.again();
    let outcome = bench.ended(&spec);
    assert_eq!(outcome, Outcome::Succeeded, "{}", bench.log(&spec));
    let log = bench.log(&spec);
    assert_eq!(
        log.matches("line 77 ä\n").count(),
        1,
        "nothing twice: {log}"
    );
    assert!(log.ends_with("line 500 ä\ntail"), "{log}");
    assert_eq!(bench.read("out").as_deref(), Some("out\n"));
    assert_eq!(
        std::fs::read_to_string(count).unwrap(),
        "x\n",
        "it ran once"
    );
}

#[test]
fn a_job_can_be_cancelled_while_it_waits_and_while_it_runs() {
    let bench = Bench::new();
    let mut waiting = bench.there("true", &[], &[]);
    if let Target::Ray(ray) = &mut waiting.target {
        ray.cpus = Some(64.0);
    }
    bench.start(&waiting);
    until("its reason", || {
        bench.why(&waiting).contains("waiting for resources (CPUs")
    });
    stop(&bench.workspace, &waiting.id).unwrap();
    assert_eq!(bench.ended(&waiting), Outcome::Cancelled);

    let running = bench.there("echo begun; exec sleep 600", &[], &[]);
    bench.start(&running);
    until("its begin", || bench.log(&running).contains("begun"));
    stop(&bench.workspace, &running.id).unwrap();
    assert_eq!(bench.ended(&running), Outcome::Cancelled);
    assert_eq!(bench.left_there(), Vec::<String>::new());
}

#[test]
fn a_job_that_is_cancelled_while_it_is_submitted_does_not_run_unseen() {
    let bench = Bench::new();
    std::fs::write(bench.session("slow"), "").unwrap();
    let spec = bench.there("exec sleep 600", &[], &[]);
    bench.start(&spec);
    until("its submission", || {
        bench.why(&spec).contains("submitting it")
    });
    stop(&bench.workspace, &spec.id).unwrap();
    assert_eq!(bench.ended(&spec), Outcome::Cancelled);
    // The cluster does not notice that nobody wants it any more.
    until("the cluster to have it", || bench.session("taken").exists());
    assert_eq!(bench.left_there(), Vec::<String>::new());
    let id = format!("lapwing-{}", spec.id);
    assert!(
        bench.session("stopped").join(id).exists(),
        "it was told to end"
    );
}

#[test]
fn a_token_that_is_changed_while_a_job_runs_loses_nothing() {
    let bench = Bench::new();
    let kept = Kept {
        workspace: bench.workspace.root().to_owned(),
        keychain: false,
        name: "cluster".to_owned(),
    };
    std::fs::create_dir_all(&kept.workspace).unwrap();
    let vault = Vault::of(&kept.workspace, false);
    let gives = |token: &str| {
        let secret = Secret::new(token);
        let credential = Credential { user: None, secret };
        vault.keep("cluster", &credential).unwrap();
    };
    gives("first");
    std::fs::write(bench.session("token"), "first").unwrap();
    let go = bench.folder.path().join("go");
    let script = format!(
        "echo begun; until [ -e '{}' ]; do sleep 0.1; done; echo made > out",
        go.display()
    );
    let mut spec = bench.there(&script, &[], &["out"]);
    if let Target::Ray(ray) = &mut spec.target {
        ray.credential = Some(kept);
    }
    bench.start(&spec);
    until("its begin", || bench.log(&spec).contains("begun"));
    std::fs::write(bench.session("token"), "second").unwrap();
    until("a word about it", || {
        bench.why(&spec).contains("does not accept the credentials")
    });
    std::fs::write(go, "").unwrap();
    gives("second");
    let outcome = bench.ended(&spec);
    assert_eq!(outcome, Outcome::Succeeded, "{}", bench.log(&spec));
    assert_eq!(bench.read("out").as_deref(), Some("made\n"));
    assert_eq!(bench.log(&spec).matches("begun").count(), 1);
    assert_eq!(bench.left_there(), Vec::<String>::new());
}

#[test]
fn a_job_that_never_left_needs_no_cluster_to_be_cancelled() {
    let mut bench = Bench::new();
    std::fs::write(bench.session("goes"), "").unwrap();
    let spec = bench.there("true", &[], &[]);
    bench.start(&spec);
    bench.server.wait().unwrap();
    until("a word about it", || {
        bench.why(&spec).contains("nothing listens")
    });
    stop(&bench.workspace, &spec.id).unwrap();
    assert_eq!(bench.ended(&spec), Outcome::Cancelled);
}

#[test]
fn a_cut_while_a_job_is_told_to_end_changes_nothing_about_why() {
    for (limit, outcome) in [
        (None, Outcome::Cancelled),
        (Some(1), Outcome::TimedOut { seconds: 1 }),
    ] {
        let mut bench = Bench::new();
        std::fs::write(bench.session("dies"), "").unwrap();
        let mut spec = bench.there("echo begun; exec sleep 600", &[], &[]);
        spec.timeout_seconds = limit;
        bench.start(&spec);
        std::thread::scope(|scope| {
            if limit.is_none() {
                until("its begin", || bench.log(&spec).contains("begun"));
                let (workspace, id) = (bench.workspace.clone(), spec.id.clone());
                scope.spawn(move || stop(&workspace, &id).unwrap());
            }
            bench.server.wait().unwrap();
            std::fs::remove_file(bench.session("dies")).unwrap();
            bench.again();
        });
        assert_eq!(bench.ended(&spec), outcome, "{}", bench.log(&spec));
    }
}

#[test]
fn what_keeps_a_job_from_starting_is_said() {
    let bench = Bench::new();
    bench.write("small.csv", "1");
    let noise: String = (0..40_000_u64)
        .map(|n| format!("{:x}", n.wrapping_mul(0x9e37_79b9_7f4a_7c15)))
        .collect();
    bench.write("data/large.csv", &noise);
    let spec = bench.there("true", &["small.csv", "data/large.csv"], &[]);
    bench.start(&spec);
    let why = bench.ended(&spec).to_string();
    assert!(
        why.contains("does not take a package of") && why.contains("data/large.csv"),
        "{why}"
    );

    let mut unmade = bench.there("true", &[], &[]);
    if let Target::Ray(ray) = &mut unmade.target {
        ray.pip = vec!["no-such-package==1".to_owned()];
    }
    bench.start(&unmade);
    let why = bench.ended(&unmade).to_string();
    assert!(why.contains("no-such-package==1"), "{why}");

    let mut nowhere = bench.there("true", &[], &[]);
    if let Target::Ray(ray) = &mut nowhere.target {
        ray.address = "http://127.0.0.1:1".to_owned();
    }
    bench.start(&nowhere);
    let why = bench.ended(&nowhere).to_string();
    assert!(why.contains("nothing listens at 127.0.0.1:1"), "{why}");
}

#[test]
fn a_damaged_result_is_not_taken_and_stays_there() {
    let bench = Bench::new();
    bench.write("out", "old\n");
    std::fs::write(bench.session("damage"), "").unwrap();
    let spec = bench.there("echo new > out", &[], &["out"]);
    bench.start(&spec);
    let outcome = bench.ended(&spec);
    assert!(matches!(outcome, Outcome::NotFetched { .. }), "{outcome}");
    assert!(outcome.to_string().contains("did not arrive whole"));
    assert_eq!(bench.read("out").as_deref(), Some("old\n"));
    let left = bench.left_there();
    assert!(left.iter().any(|name| name.ends_with(".tar")), "{left:?}");
}

#[test]
fn a_run_that_reaches_no_server_is_tracked_in_files() {
    let bench = Bench::new();
    let run = "0123456789abcdef0123456789abcdef";
    let mut spec = bench.there(
        "set -e; [ -z \"$MLFLOW_TRACKING_TOKEN\" ]; [ $MLFLOW_ALLOW_FILE_STORE = true ]; \
         echo '1 0.5 0' > \"${MLFLOW_TRACKING_URI#file://}/0/$MLFLOW_RUN_ID/metrics/loss\"",
        &[],
        &[],
    );
    for (name, value) in [
        ("MLFLOW_TRACKING_URI", "http://127.0.0.1:5000"),
        ("MLFLOW_TRACKING_TOKEN", "canary"),
        ("MLFLOW_RUN_ID", run),
    ] {
        spec.env.insert(name.to_owned(), value.to_owned());
    }
    bench.start(&spec);
    let outcome = bench.ended(&spec);
    assert_eq!(outcome, Outcome::Succeeded, "{}", bench.log(&spec));
    let log = bench.log(&spec);
    assert!(log.contains("metrics come home as files"), "{log}");
    let files = tracked_files(&bench.workspace, &spec.id).unwrap();
    let loss = std::fs::read_to_string(files.join("0").join(run).join("metrics/loss")).unwrap();
    assert_eq!(loss, "1 0.5 0\n");
}
