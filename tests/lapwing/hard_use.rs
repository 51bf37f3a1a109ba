//! Many hands at once, a full disk, a taken port, no Docker, programs killed half-way: nothing is lost, nothing happens twice, and
//! what is refused says why.

use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::place::{Place, peer, told};

const BOUND: Duration = Duration::from_secs(300);
const POLL: Duration = Duration::from_millis(20);
/// Values that the script logs one by one.
const POINTS: usize = 500;

const DVC_YAML: &str = "stages:
  first:
    cmd: echo first >> ../ran.txt && sleep 1 && cp rows.csv first.csv
    deps: [rows.csv]
    outs: [first.csv]
  second:
    cmd: echo second >> ../ran.txt && cp first.csv second.csv
    deps: [first.csv]
    outs: [second.csv]
";

/// Two stages of shell that tell, outside of the project, that they ran.
fn project(place: &Place) -> PathBuf {
    let folder = place.path("shared project");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("rows.csv"), "a,b\n1,2\n").unwrap();
    std::fs::write(folder.join("dvc.yaml"), DVC_YAML).unwrap();
    place.text(&folder, &["init"]);
    place.text(&folder, &["data", "add", "rows.csv", "-m", "First rows"]);
    folder
}

/// `lapwing server` on a free port, killed with the test.
struct Server {
    child: Child,
    url: String,
}

impl Server {
    fn start(place: &Place, folder: &Path) -> Self {
        let mut child = place
            .command(folder, &["server", "--port", "0"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        let at = line
            .find("http://")
            .unwrap_or_else(|| panic!("no address in {line:?}"));
        let url = line[at..].split_whitespace().next().unwrap().to_owned();
        Self { child, url }
    }

    fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Logs values one by one, and prints how many the server has acknowledged; an error ends it quietly.
const LOG: &str = r#"
import sys, mlflow
from mlflow import MlflowClient
c = MlflowClient()
run = c.create_run("0").info.run_id
print(run, flush=True)
done = 0
try:
    for step in range(int(sys.argv[1])):
        c.log_metric(run, "loss", step * 0.5, step=step)
        done += 1
        if done == 50:
            print("going", flush=True)
except Exception as error:
    pass
print(done, flush=True)
"#;

fn logging(server: &Server, points: usize) -> Child {
    Command::new(peer("python"))
        .args(["-W", "ignore", "-c", LOG, &points.to_string()])
        .env("MLFLOW_TRACKING_URI", &server.url)
        .env("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
        .env("MLFLOW_DISABLE_TELEMETRY", "true")
        .env("GIT_PYTHON_REFRESH", "quiet")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// All values of the metric, read by a program that comes later.
fn kept(place: &Place, folder: &Path, run: &str) -> usize {
    let text = place.text(folder, &["runs", "show", run, "--json"]);
    let detail: Value = serde_json::from_str(&text).unwrap();
    let last = detail["row"]["metrics"]["loss"].as_f64().unwrap();
    // Each value is half its step, and steps go up one by one.
    (last * 2.0) as usize + 1
}

fn lines(folder: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(folder.join("../ran.txt")).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

#[cfg(target_os = "linux")]
#[test]
fn what_is_edited_while_it_is_read_is_not_recorded_as_what_was_read() {
    let place = Place::new();
    let folder = place.path("edited");
    std::fs::create_dir_all(&folder).unwrap();
    let marks = ["began", "hold"].map(|name| place.path(name));
    std::fs::write(&marks[1], "").unwrap();
    let [began, hold] = marks.each_ref().map(|mark| mark.display().to_string());
    std::fs::write(folder.join("in.txt"), "old\n").unwrap();
    let stage = format!(
        "stages:\n  copy:\n    cmd: cp in.txt kept && touch '{began}' && while [ -e '{hold}' ]; do sleep 0.05; done && mv kept out.txt\n    \
         deps: [in.txt]\n    outs: [out.txt]\n"
    );
    std::fs::write(folder.join("dvc.yaml"), stage).unwrap();
    place.text(&folder, &["init"]);
    let run = place
        .command(&folder, &["run"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    crate::until("its beginning", || marks[0].exists());
    std::fs::write(folder.join("in.txt"), "new\n").unwrap();
    std::fs::remove_file(&marks[1]).unwrap();
    let said = told(&run.wait_with_output().unwrap());
    assert!(said.contains("was changed while it ran"), "{said}");
    let status = place.run(&folder, &["status"]);
    assert_eq!(
        status.status.code(),
        Some(1),
        "the new one was never read: {}",
        told(&status)
    );
    place.json(&folder, &["run"]);
    let out = std::fs::read_to_string(folder.join("out.txt")).unwrap();
    assert_eq!(out, "new\n", "and no cache says that it was");
}

#[test]
fn many_hands_in_one_workspace_lose_nothing_and_run_nothing_twice() {
    let place = Place::new();
    let folder = project(&place);
    let server = Server::start(&place, &folder);
    let script = logging(&server, POINTS);
    let runs: Vec<Child> = (0..3)
        .map(|_| {
            place
                .command(&folder, &["run"])
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
                .unwrap()
        })
        .collect();
    std::thread::scope(|scope| {
        for hand in 0..3 {
            let (place, folder) = (&place, &folder);
            scope.spawn(move || {
                for round in 0..5 {
                    let name = format!("more-{hand}-{round}.csv");
                    std::fs::write(folder.join(&name), format!("a\n{hand}{round}\n")).unwrap();
                    place.text(folder, &["data", "add", &name]);
                    place.text(folder, &["runs", "list"]);
                    place.text(folder, &["jobs", "list"]);
                }
            });
        }
    });
    for run in runs {
        let output = run.wait_with_output().unwrap();
        let said = told(&output);
        assert!(
            !said.contains("locked") && !said.contains("panicked"),
            "{said}"
        );
        let waited = output.status.success() || said.contains("already");
        assert!(waited, "done, or told that it is being done: {said}");
    }
    let output = script.wait_with_output().unwrap();
    let said = String::from_utf8(output.stdout.clone()).unwrap();
    let mut said = said.lines();
    let run = said.next().unwrap_or_else(|| panic!("{}", told(&output)));
    assert_eq!(
        said.last(),
        Some(POINTS.to_string().as_str()),
        "{}",
        told(&output)
    );
    assert_eq!(kept(&place, &folder, run), POINTS, "every value is there");
    let finished = place.run(&folder, &["run"]);
    assert!(finished.status.success(), "{}", told(&finished));
    let mut ran = lines(&folder);
    ran.sort();
    assert_eq!(ran, ["first", "second"], "each stage ran once");
    assert_eq!(place.run(&folder, &["status", "-q"]).status.code(), Some(0));
    let tracked = std::fs::read_dir(&folder)
        .unwrap()
        .filter(|entry| {
            let name = entry.as_ref().unwrap().file_name();
            name.to_string_lossy().starts_with("more-") && name.to_string_lossy().ends_with(".dvc")
        })
        .count();
    assert_eq!(tracked, 15, "no added file was forgotten");
}

#[test]
fn what_the_server_acknowledged_survives_its_death() {
    let place = Place::new();
    let folder = project(&place);
    let mut server = Server::start(&place, &folder);
    let mut script = logging(&server, 1_000_000);
    let mut said = BufReader::new(script.stdout.take().unwrap()).lines();
    let run = said.next().unwrap().unwrap();
    assert_eq!(said.next().unwrap().unwrap(), "going");
    server.kill();
    let acknowledged: usize = said.next().unwrap().unwrap().parse().unwrap();
    script.wait().unwrap();
    let kept = kept(&place, &folder, &run);
    // The last one may have been written without its answer having been heard.
    assert!(
        kept == acknowledged || kept == acknowledged + 1,
        "{acknowledged} acknowledged, {kept} kept"
    );
}

#[test]
fn an_add_that_is_killed_is_completed_by_the_next_one() {
    let place = Place::new();
    let folder = project(&place);
    let large = folder.join("large.bin");
    let piece: Vec<u8> = (0..1_000_003_u32).map(|n| (n % 251) as u8).collect();
    std::fs::write(&large, piece.repeat(150)).unwrap();
    let mut add = place
        .command(&folder, &["data", "add", "large.bin"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    // Somewhere in the middle: when the first bytes are in the cache's folder, or the work is done already.
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_millis(120) && add.try_wait().unwrap().is_none() {
        std::thread::sleep(POLL);
    }
    let _ = add.kill();
    add.wait().unwrap();
    assert!(large.is_file(), "the user's file is where it was");
    place.text(&folder, &["data", "add", "large.bin"]);
    let dvc = Command::new(peer("dvc"))
        .args(["status", "--json", "large.bin.dvc"])
        .current_dir(&folder)
        .env("DVC_NO_ANALYTICS", "1")
        .env("HOME", place.path("home"))
        .output()
        .unwrap();
    assert_eq!(
        String::from_utf8_lossy(&dvc.stdout).trim(),
        "{}",
        "{}",
        told(&dvc)
    );
    let git = Command::new("git")
        .args(["status", "--short", "--untracked-files=all"])
        .current_dir(&folder)
        .output()
        .unwrap();
    let left = String::from_utf8(git.stdout).unwrap();
    assert!(
        !left.contains("tmp") && !left.contains(".part"),
        "nothing of it is left over: {left}"
    );
}

#[test]
fn a_run_goes_on_when_its_starter_is_killed() {
    let place = Place::new();
    let folder = project(&place);
    let mut starter = place
        .command(&folder, &["run"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    wait_until("the first stage", || !lines(&folder).is_empty());
    starter.kill().unwrap();
    starter.wait().unwrap();
    wait_until("the end of the run", || {
        place.run(&folder, &["status", "-q"]).status.code() == Some(0)
    });
    let mut ran = lines(&folder);
    ran.sort();
    assert_eq!(ran, ["first", "second"]);
}

fn wait_until(what: &str, mut done: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !done() {
        assert!(begun.elapsed() < BOUND, "{what} did not come");
        std::thread::sleep(POLL);
    }
}

/// A model of three lines of Python, saved by the real client.
fn model(place: &Place, folder: &Path) {
    let script = r#"
import mlflow, numpy as np
from sklearn.linear_model import LinearRegression
x = np.arange(20.0).reshape(-1, 1)
mlflow.sklearn.save_model(LinearRegression().fit(x, 2 * x), "model", input_example=x[:2])
"#;
    let output = Command::new(peer("python"))
        .args(["-W", "ignore", "-c", script])
        .current_dir(folder)
        .env("MLFLOW_DISABLE_TELEMETRY", "true")
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", told(&output));
    place.text(folder, &["models", "register", "model", "--name", "double"]);
}

/// One sentence, a hint, the code, and nothing that only a programmer understands.
fn refused(output: &Output, code: i32, named: &str) {
    let said = told(output);
    assert_eq!(output.status.code(), Some(code), "{said}");
    assert!(said.contains("error:") && said.contains("hint:"), "{said}");
    assert!(said.contains(named), "`{named}` should be named: {said}");
    assert!(
        !said.contains("panicked") && !said.contains("Os {"),
        "{said}"
    );
}

#[test]
fn a_taken_port_and_a_missing_engine_change_nothing() {
    let place = Place::new();
    let folder = project(&place);
    model(&place, &folder);
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let deploy = ["deploy", "double/1", "--name", "double", "--port", &port];
    refused(&place.run(&folder, &deploy), 1, &port);

    let without = |arguments: &[&str]| {
        let mut command = place.command(&folder, arguments);
        command.env("DOCKER_HOST", "unix:///no/such/docker.sock");
        command.output().unwrap()
    };
    refused(
        &without(&["deploy", "double/1", "--name", "double", "--in", "docker"]),
        3,
        "Docker",
    );
    refused(&without(&["run", "--in", "docker"]), 3, "Docker");
    let doctor = without(&["doctor"]);
    assert!(told(&doctor).contains("docker"), "{}", told(&doctor));
    assert_eq!(
        place.json(&folder, &["deployments", "list"]),
        serde_json::json!([])
    );
    assert_eq!(lines(&folder), Vec::<String>::new(), "no stage was begun");
}

/// A small disk of its own, gone with the test.
#[cfg(target_os = "linux")]
struct Disk(PathBuf);

#[cfg(target_os = "linux")]
impl Disk {
    /// `None` where this user may not mount one.
    fn mount(folder: PathBuf, size: &str) -> Option<Self> {
        std::fs::create_dir_all(&folder).unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={size}"), "tmpfs"])
            .arg(&folder)
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|status| status.success());
        mounted.then_some(Self(folder))
    }
}

#[cfg(target_os = "linux")]
impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_said_and_nothing_is_lost() {
    let place = Place::new();
    let Some(disk) = Disk::mount(place.path("disk"), "24m") else {
        crate::left_out::left_out("only root may mount the small disk that this test fills");
        return;
    };
    let folder = disk.0.join("a project");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("rows.csv"), "a,b\n1,2\n").unwrap();
    std::fs::write(
        folder.join("dvc.yaml"),
        DVC_YAML.replace("../ran.txt", "ran.log"),
    )
    .unwrap();
    let run = |arguments: &[&str]| {
        let mut command = place.command(&folder, arguments);
        command.env("LAPWING_HOME", disk.0.join("workspace"));
        command.output().unwrap()
    };
    let good = |arguments: &[&str]| {
        let output = run(arguments);
        assert!(output.status.success(), "{arguments:?}: {}", told(&output));
    };
    good(&["init"]);
    good(&["data", "add", "rows.csv", "-m", "First rows"]);
    let before = std::fs::read_to_string(folder.join("rows.csv.dvc")).unwrap();
    // Nearly full: what is added below does not fit, and then nothing fits.
    let ballast = disk.0.join("ballast");
    fill(&ballast);
    let full = std::fs::write(folder.join("big.bin"), vec![7; 4096]).is_err();
    assert!(full, "the disk is full");
    let _ = std::fs::remove_file(folder.join("big.bin"));
    std::fs::remove_file(&ballast).unwrap();
    std::fs::write(folder.join("rows.csv"), vec![b'x'; 5 << 20]).unwrap();
    fill(&ballast);
    for arguments in [
        &["data", "add", "rows.csv"][..],
        &["run"],
        &["runs", "list"],
        &["status"],
    ] {
        let output = run(arguments);
        let said = told(&output);
        assert!(!said.contains("panicked"), "{arguments:?}: {said}");
        if !output.status.success() && output.status.code() != Some(1) {
            assert!(said.contains("error:"), "{arguments:?}: {said}");
        }
    }
    let output = run(&["data", "add", "rows.csv"]);
    let said = told(&output);
    assert!(!output.status.success(), "{said}");
    assert!(
        said.contains("full") || said.contains("No space"),
        "the disk is named: {said}"
    );
    let after = std::fs::read_to_string(folder.join("rows.csv.dvc")).unwrap();
    assert_eq!(after, before, "what was there stays whole");

    std::fs::remove_file(&ballast).unwrap();
    good(&["data", "add", "rows.csv"]);
    good(&["run"]);
    good(&["status", "-q"]);
    good(&["runs", "list"]);
}

/// Writes until nothing more fits.
#[cfg(target_os = "linux")]
fn fill(ballast: &Path) {
    use std::io::Write as _;
    let mut file = std::fs::File::create(ballast).unwrap();
    for piece in [1 << 20, 1 << 12, 1 << 6, 1] {
        while file.write_all(&vec![0; piece]).is_ok() {}
    }
}
