//! Sweeps as a person runs them: here, in a Slurm queue, stopped half-way, and with a process that dies.

use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;

use crate::elsewhere::Machine;
use crate::place::{Place, peer, told, until};
use crate::slurmd::Slurm;

/// What the two stages do, each leaving a mark outside of the project: `clean` the same in all trials, `train` by two parameters. A
/// trial whose `hold` file is there waits for it to go.
pub struct Bench {
    pub place: Place,
    pub folder: PathBuf,
}

pub const TRAIN: &str = r#"set -e
value() { sed -n "s/^ *$1: //p" params.yaml; }
echo "$(value size) $(value kind) ${SLURM_ARRAY_TASK_ID:-alone}" >>"$1/train"
while [ -e "$1/hold" ]; do sleep 0.05; done
if [ "$(value size)" = 13 ]; then echo "thirteen cannot be"; exit 1; fi
cat clean >model
echo "{\"score\": $(($(value size) * 10 + $(value kind | wc -c)))}" >metrics.json
"#;

impl Bench {
    pub fn new() -> Self {
        let place = Place::new();
        let folder = place.path("swept");
        let marks = place.path("marks");
        for folder in [&folder, &marks] {
            std::fs::create_dir_all(folder).unwrap();
        }
        let write = |name: &str, text: &str| std::fs::write(folder.join(name), text).unwrap();
        write("raw.csv", "a\n1\n");
        write("train.sh", TRAIN);
        write(
            "params.yaml",
            "# of the training\ntrain:\n  size: 1\n  kind: x\n",
        );
        let marks = marks.display();
        write(
            "dvc.yaml",
            &format!(
                "stages:\n  clean:\n    cmd: echo cleaned >> '{marks}/clean' && while [ -e '{marks}/hold-clean' ]; do sleep 0.05; done && cp raw.csv clean\n    deps: [raw.csv]\n    outs: [clean]\n  \
                 train:\n    cmd: sh train.sh '{marks}'\n    deps: [clean, train.sh]\n    params: [train]\n    outs: [model]\n    \
                 metrics: [metrics.json: {{cache: false}}]\n"
            ),
        );
        place.text(&folder, &["init"]);
        place.text(&folder, &["data", "add", "raw.csv", "-m", "Rows"]);
        Self { place, folder }
    }

    /// One mark a line, sorted.
    pub fn marks(&self, stage: &str) -> Vec<String> {
        let text =
            std::fs::read_to_string(self.place.path("marks").join(stage)).unwrap_or_default();
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        lines.sort();
        lines
    }

    pub fn hold(&self) -> PathBuf {
        let file = self.place.path("marks").join("hold");
        std::fs::write(&file, "").unwrap();
        file
    }

    fn git(&self, arguments: &[&str]) -> String {
        let mut command = Command::new("git");
        command.args(arguments).current_dir(&self.folder);
        self.place.environment(&mut command);
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}", told(&output));
        String::from_utf8(output.stdout).unwrap()
    }

    fn sweep(&self, more: &[&str]) -> Value {
        let mut arguments = vec!["sweep", "-S", "train.size=1,2", "-S", "train.kind=x,yy"];
        arguments.extend(["--max", "score"]);
        arguments.extend(more);
        self.place.json(&self.folder, &arguments)
    }

    fn begin(&self, more: &[&str]) -> String {
        let mut arguments = vec!["--detach"];
        arguments.extend(more);
        self.sweep(&arguments)["run_id"]
            .as_str()
            .unwrap()
            .to_owned()
    }

    pub fn show(&self, run: &str) -> Value {
        self.place.json(&self.folder, &["runs", "show", run])
    }

    fn login_node(&self, slurm: &Slurm) -> Machine {
        let environment = format!("SetEnv SLURM_CONF={}\n", slurm.conf().display());
        Machine::start_with(&self.place, &environment)
    }

    pub fn is_tidy(&self) {
        let left = std::fs::read_dir(self.folder.join(".dvc/tmp/lapwing/sweeps")).unwrap();
        assert_eq!(left.count(), 0, "no folder of a trial is left");
    }
}

fn kill_process_of(sweep: &str) {
    let killed = Command::new("pkill")
        .args(["-KILL", "-f", &format!("__sweep {sweep}")])
        .status()
        .unwrap();
    assert!(killed.success(), "it ran");
}

pub fn column(sweep: &Value, key: &str) -> Vec<Value> {
    let trials = sweep["trials"].as_array().unwrap();
    trials.iter().map(|trial| trial[key].clone()).collect()
}

#[test]
fn a_sweep_tries_each_combination_and_leaves_the_project_as_it_is() {
    let bench = Bench::new();
    let before = bench.git(&["status", "--porcelain"]);
    let sweep = bench.sweep(&["--at-once", "3"]);
    assert_eq!(sweep["status"], "FINISHED", "{sweep}");
    let scores = column(&sweep, "metrics");
    let scores: Vec<f64> = scores
        .iter()
        .map(|all| all["score"].as_f64().unwrap())
        .collect();
    assert_eq!(scores, [12.0, 13.0, 22.0, 23.0]);
    assert_eq!(sweep["best"], 4);
    assert_eq!(
        bench.marks("clean"),
        ["cleaned"],
        "what all trials need runs once"
    );
    assert_eq!(
        bench.marks("train"),
        ["1 x alone", "1 yy alone", "2 x alone", "2 yy alone"]
    );
    assert_eq!(bench.git(&["status", "--porcelain"]), before);
    assert!(!bench.folder.join("model").exists() && !bench.folder.join("dvc.lock").exists());
    bench.is_tidy();

    let child = sweep["trials"][3]["run_id"].as_str().unwrap();
    let run = bench.show(child);
    assert_eq!(run["tags"]["mlflow.parentRunId"], sweep["run_id"], "{run}");
    assert_eq!(
        run["tags"]["lapwing.project"],
        bench.folder.display().to_string()
    );
    assert_eq!(run["row"]["params"]["train.size"], "2", "{run}");
    assert_eq!(run["row"]["name"], "size=2, kind=yy", "{run}");
    let lineage = bench.place.json(&bench.folder, &["trace", child]);
    let kind_of = |title: &str| {
        let nodes = lineage["nodes"].as_array().unwrap();
        let node = nodes.iter().find(|node| node["title"] == title);
        node.map(|node| node["kind"].clone())
    };
    assert_eq!(kind_of("train.sh"), Some("file".into()), "{lineage}");
    assert_eq!(kind_of("clean"), Some("dataset".into()), "{lineage}");
    assert_eq!(
        run["row"]["commit"],
        bench.git(&["rev-parse", "--short=7", "HEAD"]).trim()
    );
    let parent = bench.show(sweep["run_id"].as_str().unwrap());
    assert_eq!(parent["row"]["metrics"]["score"], 23.0);
    assert_eq!(parent["sweep"]["best"], 4);

    let list = |more: &[&str]| {
        let arguments = [&["runs", "list"], more].concat();
        bench.place.text(&bench.folder, &arguments)
    };
    let folded = list(&[]);
    assert!(folded.contains("sweep of 4 trials"), "{folded}");
    assert!(!folded.contains("size="), "{folded}");
    assert!(list(&["--trials"]).contains("size=1, kind=x"));
    let all = bench.place.json(&bench.folder, &["runs", "list"]);
    assert_eq!(all["rows"].as_array().unwrap().len(), 5, "{all}");
    assert_eq!(all["goals"], serde_json::json!(["score"]), "{all}");
    let unsure = ["sweep", "-S", "train.size=1", "--max", "scor", "--dry-run"];
    let unsure = bench.place.run(&bench.folder, &unsure);
    assert!(unsure.status.success(), "a script may log it yet");
    let said = told(&unsure);
    assert!(said.contains("no run of this project has had a metric `scor`"));
    assert!(said.contains("did you mean `score`?"), "{said}");

    let kept = ["run", "-S", "train.size=2", "-S", "train.kind=yy"];
    let kept = bench.place.json(&bench.folder, &kept);
    assert_eq!(kept["row"]["metrics"]["score"], 23.0, "{kept}");
    assert_eq!(
        bench.marks("train").len(),
        4,
        "what the trial made comes from the cache"
    );
    let dvc = Command::new(peer("dvc"))
        .args(["status", "--quiet"])
        .current_dir(&bench.folder)
        .output()
        .unwrap();
    assert!(dvc.status.success(), "dvc calls it clean: {}", told(&dvc));
}

#[test]
fn a_sweep_says_what_it_would_do_and_refuses_what_is_none() {
    let bench = Bench::new();
    let plan = bench.sweep(&["--dry-run"]);
    assert_eq!(plan["trials"].as_array().unwrap().len(), 4);
    assert_eq!(
        plan["stages"],
        serde_json::json!(["train"]),
        "`clean` is the same in all"
    );
    let said = |values: &str| {
        let output = bench.place.run(&bench.folder, &["sweep", "-S", values]);
        assert_eq!(output.status.code(), Some(2), "{}", told(&output));
        String::from_utf8(output.stderr).unwrap()
    };
    let near = said("train.sice=1,2");
    assert!(near.contains("did you mean 'train.size'"), "{near}");
    let short = said("size=1,2");
    assert!(short.contains("did you mean 'train.size'"), "{short}");
    assert!(said("+other=1,2").contains("no stage that would run reads `+other`"));
    assert!(said("train.size=uniform(1, 2)").contains("--random"));
    assert!(!bench.folder.join(".dvc/tmp/lapwing/sweeps").exists());
    let runs = bench.place.json(&bench.folder, &["runs", "list"]);
    assert_eq!(runs["rows"], serde_json::json!([]), "nothing was recorded");
}

#[test]
fn a_trial_that_fails_is_one_of_many_and_the_same_sweep_again_runs_what_is_missing() {
    let bench = Bench::new();
    let sweep = ["sweep", "-S", "train.size=13,2", "--min", "score", "--json"];
    let output = bench.place.run(&bench.folder, &sweep);
    assert_eq!(output.status.code(), Some(1), "{}", told(&output));
    let printed = String::from_utf8_lossy(&output.stdout);
    assert!(
        printed.contains("stage `train` failed: exit code 1"),
        "{printed}"
    );
    assert!(
        printed.contains("1 of 2 trials did not finish"),
        "{printed}"
    );
    assert!(
        printed.contains("failed in the command of a stage, and would again"),
        "nobody is told to only try again: {printed}"
    );
    let printed: Value = serde_json::from_slice(&output.stdout).unwrap();
    let failed = printed["trials"][0]["run_id"].as_str().unwrap();
    let shown = bench.show(failed);
    assert_eq!(
        shown["row"]["params"]["train.kind"], "x",
        "what it began with is known: {shown}"
    );
    let data = shown["data"].as_array().unwrap();
    assert!(
        data.iter().any(|data| data["path"] == "train.sh"),
        "{shown}"
    );
    let words = bench.place.text(&bench.folder, &["runs", "show", failed]);
    assert!(
        words.contains("why: stage `train` failed: exit code 1"),
        "{words}"
    );
    assert_eq!(bench.marks("train").len(), 2);
    let script = TRAIN.replace("exit 1", "true");
    std::fs::write(bench.folder.join("train.sh"), script).unwrap();
    let again = bench.place.json(&bench.folder, &sweep[..5]);
    assert_eq!(again["best"], 2, "{again}");
    std::fs::write(bench.folder.join("train.sh"), TRAIN).unwrap();
    bench.place.run(&bench.folder, &sweep);
    assert_eq!(
        bench.marks("train").len(),
        5,
        "only the trial that had failed ran again"
    );
    bench.is_tidy();
}

#[test]
fn what_every_trial_needs_and_fails_ends_the_sweep() {
    let bench = Bench::new();
    let file = bench.folder.join("dvc.yaml");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, text.replace("cp raw.csv clean", "false")).unwrap();
    let output = bench
        .place
        .run(&bench.folder, &["sweep", "-S", "train.size=1,2,3"]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        said.contains("stage `clean` failed, and every trial needs it"),
        "{said}"
    );
    assert_eq!(bench.marks("clean").len(), 1, "the others did not try");
    bench.is_tidy();
}

#[test]
fn a_sweep_that_is_stopped_leaves_nothing_behind() {
    let bench = Bench::new();
    let hold = bench.hold();
    let run = bench.begin(&["--at-once", "2"]);
    until("two trials", || bench.marks("train").len() == 2);
    let mut again = vec!["sweep", "-S", "train.size=1,2", "-S", "train.kind=x,yy"];
    again.extend(["--max", "score", "--at-once", "2"]);
    let again = told(&bench.place.run(&bench.folder, &again));
    assert!(again.contains("the same sweep goes on already"), "{again}");
    let follow = format!("lapwing runs follow {}", &run[..8]);
    assert!(again.contains(&follow), "{again}");
    bench.place.text(&bench.folder, &["runs", "stop", &run]);
    std::fs::remove_file(hold).unwrap();
    let shown = bench.show(&run);
    assert_eq!(shown["row"]["status"], "KILLED", "{shown}");
    let advice = shown["sweep"]["advice"].as_str().unwrap();
    assert!(advice.contains("runs only what is missing"), "{advice}");
    let states = column(&shown["sweep"], "status");
    assert_eq!(
        states,
        ["KILLED".into(), "KILLED".into(), Value::Null, Value::Null]
    );
    let jobs = bench.place.json(&bench.folder, &["jobs", "list"]);
    let goes_on = |job: &&Value| job["ended"].is_null();
    assert_eq!(
        jobs.as_array().unwrap().iter().filter(goes_on).count(),
        0,
        "{jobs}"
    );
    bench.is_tidy();
}

#[test]
fn a_sweep_whose_process_was_killed_goes_on_and_runs_nothing_twice() {
    let bench = Bench::new();
    let hold = bench.hold();
    let run = bench.begin(&[]);
    until("the first trial", || bench.marks("train").len() == 1);
    kill_process_of(&run);
    // The project may be worked on meanwhile: the sweep has its own copy.
    std::fs::write(bench.folder.join("train.sh"), "exit 1").unwrap();
    std::fs::remove_file(hold).unwrap();
    // Whoever lost sight of it sees its end.
    let followed = bench.place.json(&bench.folder, &["runs", "follow", &run]);
    assert_eq!(column(&followed, "status"), ["FINISHED"; 4], "{followed}");
    let shown = bench.show(&run);
    assert_eq!(shown["row"]["status"], "FINISHED", "{shown}");
    assert_eq!(
        bench.marks("train"),
        ["1 x alone", "1 yy alone", "2 x alone", "2 yy alone"]
    );
    bench.is_tidy();
}

#[test]
fn a_sweep_whose_process_ends_again_and_again_is_given_up_and_ends_its_trials() {
    let bench = Bench::new();
    bench.hold();
    let run = bench.begin(&[]);
    until("the first trial", || bench.marks("train").len() == 1);
    kill_process_of(&run);
    let starts = bench.place.workspace().join("logs");
    let starts = starts.join(format!("sweep-{run}.again"));
    std::fs::write(&starts, "again\n".repeat(49)).unwrap();
    let long_ago = std::time::SystemTime::now() - std::time::Duration::from_secs(3600);
    let file = std::fs::File::options().append(true).open(&starts).unwrap();
    file.set_modified(long_ago).unwrap();
    until("the end", || bench.show(&run)["row"]["status"] != "RUNNING");
    let shown = bench.show(&run);
    assert_eq!(shown["row"]["status"], "FAILED", "{shown}");
    let why = shown["sweep"]["failure"].as_str().unwrap();
    assert!(why.contains("again and again"), "{why}");
    let states = column(&shown["sweep"], "status");
    assert_eq!(states[0], "KILLED", "{shown}");
    assert_eq!(bench.marks("train").len(), 1);
    bench.is_tidy();
}

#[test]
fn a_trial_that_was_killed_while_it_waited_for_its_turn_goes_on() {
    let bench = Bench::new();
    let hold = bench.place.path("marks").join("hold-clean");
    std::fs::write(&hold, "").unwrap();
    let run = bench.begin(&["--at-once", "3"]);
    until("the common stage", || bench.marks("clean").len() == 1);
    let begun = || {
        let trials = column(&bench.show(&run)["sweep"], "run_id");
        let ids = trials
            .iter()
            .filter_map(|id| id.as_str().map(str::to_owned));
        ids.collect::<Vec<String>>()
    };
    until("three trials", || begun().len() == 3);
    // The first one runs the stage that all need; the last one waits for it.
    let waiting = begun().pop().unwrap();
    let runner = format!("__run {waiting}");
    let find = || {
        Command::new("pgrep")
            .args(["-f", &runner])
            .output()
            .unwrap()
    };
    until("its runner", || find().status.success());
    let killed = Command::new("pkill")
        .args(["-KILL", "-f", &runner])
        .status();
    assert!(killed.unwrap().success());
    std::fs::remove_file(hold).unwrap();
    until("the end", || bench.show(&run)["row"]["status"] != "RUNNING");
    let shown = bench.show(&run);
    let states = column(&shown["sweep"], "status");
    assert_eq!(states, ["FINISHED"; 4], "{shown}");
    assert_eq!(bench.marks("clean").len(), 1);
    assert_eq!(bench.marks("train").len(), 4);
}

#[test]
fn trials_have_the_data_that_they_alone_read_and_what_need_not_be_made_again() {
    let bench = Bench::new();
    let write = |name: &str, text: &str| std::fs::write(bench.folder.join(name), text).unwrap();
    let marks = bench.place.path("marks").display().to_string();
    write("a.csv", "1\n");
    write("b.csv", "1\n2\n");
    write("params.yaml", "name: a\n");
    write(
        "dvc.yaml",
        &format!(
            "stages:\n  fetch:\n    cmd: echo fetched >> '{marks}/fetch' && date +%N > fetched\n    outs: [fetched]\n  \
             count:\n    cmd: 'echo ${{name}} >> ''{marks}/count'' && echo \"{{\\\"rows\\\": $(wc -l < ${{name}}.csv)}}\" > metrics.json'\n    \
             deps: [fetched, '${{name}}.csv']\n    metrics: [metrics.json: {{cache: false}}]\n"
        ),
    );
    for file in ["a.csv", "b.csv"] {
        bench.place.text(&bench.folder, &["data", "add", file]);
    }
    bench.place.json(&bench.folder, &["run", "fetch"]);
    let sweep = ["sweep", "-S", "name=a,b", "--max", "rows"];
    let sweep = bench.place.json(&bench.folder, &sweep);
    assert_eq!(sweep["best"], 2, "{sweep}");
    assert_eq!(
        bench.marks("fetch").len(),
        1,
        "made already, though no cache finds it again"
    );
    assert_eq!(bench.marks("count"), ["a", "b"]);
    let text = std::fs::read_to_string(bench.folder.join("dvc.yaml")).unwrap();
    write(
        "dvc.yaml",
        &text.replace("[fetched,", "[fetched, ../around.txt,"),
    );
    let output = bench.place.run(&bench.folder, &["sweep", "-S", "name=a,b"]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        said.contains("../around.txt, which lies outside of the project"),
        "{said}"
    );
}

#[test]
fn a_sweep_in_a_slurm_queue_is_an_array() {
    let Some(slurm) = Slurm::start() else { return };
    let bench = Bench::new();
    let machine = bench.login_node(&slurm);
    machine.add(
        &bench.place,
        "hpc",
        "slurm://box",
        &["-o", "memory_mib=100", "-o", "cpus=1"],
    );
    // One of the four is known: its task is held for nobody, and ended with the sweep.
    bench.place.json(&bench.folder, &["run"]);
    let sweep = bench.sweep(&["--on", "hpc"]);
    assert_eq!(sweep["status"], "FINISHED", "{sweep}");
    assert_eq!(sweep["best"], 4);
    assert_eq!(
        bench.marks("train"),
        ["1 x alone", "1 yy 2", "2 x 3", "2 yy 4"],
        "each trial is the task of its number"
    );
    let queue = || slurm.ask("squeue", &["-h"]);
    until("an empty queue", || queue().is_empty());
    let done = slurm.ask("squeue", &["-h", "-t", "all", "-o", "%F %K %T"]);
    let arrays: std::collections::BTreeSet<&str> = done
        .lines()
        .filter_map(|line| line.split(' ').next())
        .collect();
    assert_eq!(arrays.len(), 1, "one array: {done}");
    let there = std::fs::read_dir(machine.folder.join("there/arrays")).unwrap();
    assert_eq!(there.count(), 0, "nothing of it is left there");
    bench.is_tidy();
}

#[test]
fn a_sweep_in_a_queue_that_is_stopped_ends_its_tasks() {
    let Some(slurm) = Slurm::start() else { return };
    let bench = Bench::new();
    let machine = bench.login_node(&slurm);
    machine.add(
        &bench.place,
        "hpc",
        "slurm://box",
        &["-o", "memory_mib=100", "-o", "cpus=2"],
    );
    let _hold = bench.hold();
    let run = bench.begin(&["--on", "hpc"]);
    until("one that runs", || bench.marks("train").len() == 1);
    let waits = || {
        let jobs = bench.place.json(&bench.folder, &["jobs", "list"]);
        let whys = jobs
            .as_array()
            .unwrap()
            .iter()
            .filter_map(|job| job["why"].as_str());
        whys.filter(|why| why.contains("in Slurm's queue")).count()
    };
    until("three that wait", || waits() == 3);
    bench.place.text(&bench.folder, &["runs", "stop", &run]);
    until("an empty queue", || slurm.ask("squeue", &["-h"]).is_empty());
    assert_eq!(bench.marks("train").len(), 1, "the others never began");
    bench.is_tidy();
}
