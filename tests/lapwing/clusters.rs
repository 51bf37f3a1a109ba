//! Sweeps and scorings on clusters: Kubernetes and Ray. What comes home is what is made here; a cluster that goes away, a laptop that
//! is closed, or who ends it, leaves nothing there and runs nothing twice.

use std::process::{Command, Stdio};

use serde_json::Value;

use crate::kubernetes::Cluster;
use crate::place::{Place, kill, processes, told, until};
use crate::ray::Api;
use crate::{scoring, sweeps};

/// A cluster of the tests that can go away for a while. Its jobs run on.
pub trait Away {
    /// Every connection breaks, and nobody answers.
    fn goes_away(&mut self);
    fn comes_back(&mut self);
    /// What it has of ours.
    fn there(&self) -> Vec<String>;
}

impl Away for Cluster {
    fn goes_away(&mut self) {
        self.say("cut");
        self.say("down");
    }

    fn comes_back(&mut self) {
        self.say("up");
    }

    fn there(&self) -> Vec<String> {
        Cluster::there(self)
    }
}

impl Away for Api {
    fn goes_away(&mut self) {
        self.dies();
    }

    fn comes_back(&mut self) {
        self.again();
    }

    fn there(&self) -> Vec<String> {
        Api::there(self)
    }
}

fn nothing_is_there(cluster: &impl Away) {
    until("nothing of it there", || cluster.there().is_empty());
}

/// What the command lines of a place's supervisors have.
fn supervised(place: &Place) -> String {
    format!("__supervise\0{}", place.workspace().join("jobs").display())
}

const IMAGE: &str = "[docker]\nimage = \"any\"\n";

/// A sweep of two trials that track something while they run.
pub fn swept() -> sweeps::Bench {
    const TRACK: &str = r#"
import json, os, time, urllib.request
run, server = os.environ["MLFLOW_RUN_ID"], os.environ["MLFLOW_TRACKING_URI"]
now = int(time.time() * 1000)
if server.startswith("file://"):
    with open(f"{server[7:]}/0/{run}/metrics/begun", "w") as file:
        file.write(f"{now} 7 0\n")
else:
    body = json.dumps({"run_id": run, "key": "begun", "value": 7, "timestamp": now, "step": 0})
    headers = {"Content-Type": "application/json", "Authorization": "Bearer " + os.environ["MLFLOW_TRACKING_TOKEN"]}
    urllib.request.urlopen(urllib.request.Request(server + "/api/2.0/mlflow/runs/log-metric", body.encode(), headers)).read()
"#;
    let bench = sweeps::Bench::new();
    let write = |name: &str, text: &str| std::fs::write(bench.folder.join(name), text).unwrap();
    write("track.py", TRACK);
    let tracks = sweeps::TRAIN.replace("set -e\n", "set -e\npython3 track.py\n");
    write("train.sh", &tracks);
    let stages = std::fs::read_to_string(bench.folder.join("dvc.yaml")).unwrap();
    let reads = stages.replace("[clean, train.sh]", "[clean, train.sh, track.py]");
    write("dvc.yaml", &reads);
    write("lapwing.toml", IMAGE);
    bench
}

const SWEEP: [&str; 6] = ["sweep", "-S", "train.size=1,2", "--max", "score", "--on"];

fn sweep(bench: &sweeps::Bench, name: &str, more: &[&str]) -> Value {
    let arguments = [&SWEEP[..], &[name], more].concat();
    bench.place.json(&bench.folder, &arguments)
}

fn begin(bench: &sweeps::Bench, name: &str) -> String {
    let run = sweep(bench, name, &["--detach"])["run_id"].clone();
    run.as_str().unwrap().to_owned()
}

fn jobs(bench: &sweeps::Bench) -> Vec<Value> {
    let jobs = bench.place.json(&bench.folder, &["jobs", "list"]);
    jobs.as_array().unwrap().clone()
}

/// What each trial measured and tracked, and that each ran once.
fn is_whole(bench: &sweeps::Bench, sweep: &Value) {
    assert_eq!(sweep["status"], "FINISHED", "{sweep}");
    let metrics = sweeps::column(sweep, "metrics");
    let of = |key: &str| {
        metrics
            .iter()
            .map(|all| all[key].clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(of("score"), [12.0, 22.0], "{sweep}");
    assert_eq!(of("begun"), [7.0, 7.0], "tracked there: {sweep}");
    assert_eq!(sweep["best"], 2, "{sweep}");
    assert_eq!(
        bench.marks("clean"),
        ["cleaned"],
        "what both need runs once"
    );
    assert_eq!(bench.marks("train"), ["1 x alone", "2 x alone"]);
    bench.is_tidy();
}

pub fn a_sweep_runs_there(cluster: &impl Away, bench: &sweeps::Bench, name: &str) {
    let swept = sweep(bench, name, &[]);
    is_whole(bench, &swept);
    for child in sweeps::column(&swept, "run_id") {
        let run = bench.show(child.as_str().unwrap());
        assert_eq!(run["tags"]["mlflow.parentRunId"], swept["run_id"], "{run}");
    }
    for job in jobs(bench) {
        assert_eq!(
            (&job["on"], &job["status"]),
            (&name.into(), &"succeeded".into())
        );
    }
    nothing_is_there(cluster);
}

pub fn a_sweep_is_stopped_there(cluster: &impl Away, bench: &sweeps::Bench, name: &str) {
    let _hold = bench.hold();
    let run = begin(bench, name);
    until("both trials", || bench.marks("train").len() == 2);
    bench.place.text(&bench.folder, &["runs", "stop", &run]);
    let shown = bench.show(&run);
    assert_eq!(shown["row"]["status"], "KILLED", "{shown}");
    assert_eq!(sweeps::column(&shown["sweep"], "status"), ["KILLED"; 2]);
    let goes_on = jobs(bench).iter().any(|job| job["ended"].is_null());
    assert!(!goes_on, "{:?}", jobs(bench));
    nothing_is_there(cluster);
    bench.is_tidy();
}

/// The cluster goes away while both trials run, and all of ours is killed here; then it comes back.
pub fn a_sweep_survives_there(cluster: &mut impl Away, bench: &sweeps::Bench, name: &str) {
    let hold = bench.hold();
    let run = begin(bench, name);
    until("both trials", || bench.marks("train").len() == 2);
    // The stage before them is tidied up when its result is known already.
    let supervised = supervised(&bench.place);
    until("its end", || processes(&supervised).len() == 2);
    cluster.goes_away();
    let goes_on = |job: &&Value| job["ended"].is_null();
    until("a word about it", || {
        let all = jobs(bench);
        all.iter().filter(goes_on).all(|job| job["why"].is_string())
    });
    let trials = sweeps::column(&bench.show(&run)["sweep"], "run_id");
    kill(&format!("__sweep\0{run}"));
    for trial in &trials {
        kill(&format!("__run\0{}", trial.as_str().unwrap()));
    }
    kill(&supervised);
    std::fs::remove_file(hold).unwrap();
    cluster.comes_back();
    until("the end", || bench.show(&run)["row"]["status"] != "RUNNING");
    is_whole(bench, &bench.show(&run)["sweep"]);
    nothing_is_there(cluster);
}

/// `said` has what is wrong with the token; nothing is recorded.
pub fn a_sweep_is_refused_there(bench: &sweeps::Bench, name: &str, said: &[&str]) {
    let arguments = [&SWEEP[..], &[name]].concat();
    let refused = bench.place.run(&bench.folder, &arguments);
    assert!(!refused.status.success(), "{}", told(&refused));
    for words in said {
        assert!(
            told(&refused).contains(words),
            "{words}: {}",
            told(&refused)
        );
    }
    let runs = bench.place.json(&bench.folder, &["runs", "list"]);
    assert_eq!(runs["rows"], serde_json::json!([]), "nothing was recorded");
    assert_eq!(jobs(bench), Vec::<Value>::new());
}

fn score(name: &'static str, out: &'static str) -> [&'static str; 8] {
    let [data, on] = ["--data", "--on"];
    [
        "score",
        "sum@champion",
        data,
        "rows.csv",
        "--out",
        out,
        on,
        name,
    ]
}

pub fn scored() -> scoring::Bench {
    let bench = scoring::Bench::new();
    bench.writes("lapwing.toml", IMAGE);
    bench
}

/// A scoring that is held there.
fn held(bench: &scoring::Bench, name: &'static str, out: &'static str) -> (String, String) {
    bench.writes("hold", "");
    let started = bench.json(&[&score(name, out)[..], &["--detach"]].concat());
    let id = |key: &str| started[key].as_str().unwrap().to_owned();
    let job = id("job");
    until("the scoring there", || {
        assert_ne!(bench.status(), "failed", "{}", bench.jobs());
        log(bench, &job).contains("loading the model")
    });
    (job, id("run_id"))
}

fn log(bench: &scoring::Bench, job: &str) -> String {
    bench.place.text(&bench.folder, &["jobs", "logs", job])
}

/// On a cluster that goes away while the laptop is closed.
pub fn a_file_is_scored_there(cluster: &mut impl Away, bench: &scoring::Bench, name: &'static str) {
    let (job, run) = held(bench, name, "there.csv");
    cluster.goes_away();
    until("a word about it", || bench.jobs()[0]["why"].is_string());
    kill(&supervised(&bench.place));
    std::fs::remove_file(bench.at("hold")).unwrap();
    cluster.comes_back();
    until("its end", || bench.status() == "succeeded");
    assert_eq!(
        bench.reads("there.csv"),
        scoring::SCORED,
        "what is made here, byte for byte"
    );
    assert_eq!(
        log(bench, &job).matches("loading the model").count(),
        1,
        "once"
    );
    let run = bench.json(&["runs", "show", &run]);
    assert_eq!(run["row"]["status"], "FINISHED", "{run}");
    assert_eq!(run["row"]["metrics"]["rows"], 2.0, "{run}");
    assert_eq!(run["row"]["params"]["where"], name, "{run}");
    nothing_is_there(cluster);
}

pub fn a_scoring_is_stopped_there(cluster: &impl Away, bench: &scoring::Bench, name: &'static str) {
    let (job, run) = held(bench, name, "stopped.csv");
    bench.json(&["jobs", "stop", &job]);
    assert_eq!(bench.status(), "cancelled");
    let run = bench.json(&["runs", "show", &run]);
    assert_eq!(run["row"]["status"], "KILLED", "{run}");
    assert!(!bench.at("stopped.csv").exists(), "nothing half is here");
    nothing_is_there(cluster);
}

#[test]
fn a_sweep_in_pods_is_a_job_for_each_trial() {
    let bench = swept();
    let cluster = Cluster::start(&bench.place);
    a_sweep_runs_there(&cluster, &bench, "team");
}

#[test]
fn a_sweep_in_pods_that_is_stopped_leaves_nothing_there() {
    let bench = swept();
    let cluster = Cluster::start(&bench.place);
    a_sweep_is_stopped_there(&cluster, &bench, "team");
}

#[test]
fn a_sweep_in_pods_goes_on_though_the_server_dies_and_the_laptop_is_closed() {
    let bench = swept();
    let mut cluster = Cluster::start(&bench.place);
    a_sweep_survives_there(&mut cluster, &bench, "team");
}

#[test]
fn what_a_cluster_does_not_let_in_records_nothing() {
    let (bench, scores) = (swept(), scored());
    let [sweeping, scoring] = [&bench.place, &scores.place].map(Cluster::start);
    let said = ["credentials (401)", "hint:"];
    sweeping.forgets();
    a_sweep_is_refused_there(&bench, "team", &said);
    scoring.forgets();
    let refused = scores.refused(&score("team", "there.csv"));
    assert!(
        said.iter().all(|words| refused.contains(words)),
        "{refused}"
    );
}

#[test]
fn a_file_is_scored_in_a_pod_though_the_server_dies_and_the_laptop_is_closed() {
    let bench = scored();
    let mut cluster = Cluster::start(&bench.place);
    a_file_is_scored_there(&mut cluster, &bench, "team");
    a_scoring_is_stopped_there(&cluster, &bench, "team");
}

pub const TOKEN: &str = "canary-of-ray";

/// The cluster with the token that it wants.
fn ray(place: &Place) -> Api {
    let api = Api::start();
    api.wants_token(TOKEN);
    add(place, ["ray", "ray"], api.port, TOKEN);
    api
}

/// Names a Ray cluster in the workspace: as one, or as what it says itself that it is.
pub fn add(place: &Place, [name, kind]: [&str; 2], port: u16, token: &str) {
    let here = place.path("home");
    std::fs::create_dir_all(&here).unwrap();
    let url = format!("http://127.0.0.1:{port}");
    let mut arguments = vec!["remotes", "add", name, &url];
    if !kind.is_empty() {
        arguments.extend(["--kind", kind]);
    }
    if !token.is_empty() {
        arguments.push("--secret-stdin");
    }
    let mut adding: std::process::Child = place
        .command(&here, &arguments)
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    std::io::Write::write_all(&mut adding.stdin.take().unwrap(), token.as_bytes()).unwrap();
    assert!(adding.wait().unwrap().success());
}

#[test]
fn a_sweep_on_ray_is_a_submission_for_each_trial() {
    let bench = swept();
    let api = ray(&bench.place);
    a_sweep_runs_there(&api, &bench, "ray");
    nothing_keeps_the_token(&bench.place);
}

pub fn nothing_keeps_the_token(place: &Place) {
    let kept = Command::new("grep")
        .args(["-rl", TOKEN])
        .arg(place.workspace())
        .output()
        .unwrap();
    let kept = String::from_utf8(kept.stdout).unwrap();
    let elsewhere = kept
        .lines()
        .filter(|file| !file.ends_with("/credentials.json"));
    assert_eq!(elsewhere.collect::<Vec<_>>(), [""; 0]);
}

#[test]
fn a_sweep_on_ray_that_is_stopped_leaves_nothing_there() {
    let bench = swept();
    let api = ray(&bench.place);
    a_sweep_is_stopped_there(&api, &bench, "ray");
}

#[test]
fn a_sweep_on_ray_goes_on_though_the_cluster_is_away_and_the_laptop_is_closed() {
    let bench = swept();
    let mut api = ray(&bench.place);
    a_sweep_survives_there(&mut api, &bench, "ray");
}

#[test]
fn a_file_is_scored_on_ray_though_the_cluster_is_away_and_the_laptop_is_closed() {
    let bench = scored();
    let mut api = ray(&bench.place);
    a_file_is_scored_there(&mut api, &bench, "ray");
    a_scoring_is_stopped_there(&api, &bench, "ray");
}

/// A missing token and a wrong one, in the words of the remote's test, of a run, a sweep and a scoring.
pub fn who_is_not_let_in_is_told_so(bench: &sweeps::Bench, port: u16) {
    for (token, words) in [
        ("", "wants to know who you are"),
        (
            "wrong",
            "does not accept the credentials: the token is not that of the cluster",
        ),
    ] {
        let name = if token.is_empty() { "nobody" } else { "wrong" };
        add(&bench.place, [name, "ray"], port, token);
        let ask = |arguments: &[&str]| {
            let output = bench.place.run(&bench.folder, arguments);
            let said = told(&output);
            assert!(!output.status.success(), "{said}");
            assert!(said.contains(words), "{words}: {said}");
            assert!(said.contains("lapwing remotes login"), "what to do: {said}");
        };
        ask(&["remotes", "test", name]);
        ask(&["run", "--on", name]);
        a_sweep_is_refused_there(bench, name, &[words, "lapwing remotes login"]);
    }
}

#[test]
fn a_ray_cluster_that_does_not_accept_the_token_says_so() {
    let bench = swept();
    let api = ray(&bench.place);
    who_is_not_let_in_is_told_so(&bench, api.port);
}
