//! The laptop is closed while a stage runs on another machine: everything of ours is gone here, and nothing is lost or runs twice.

use std::io::{BufRead as _, BufReader, Read as _};
use std::path::PathBuf;
use std::process::{Child, Stdio};

use serde_json::Value;

use crate::elsewhere::Machine;
use crate::place::{Place, kill, told, until};

const STAGES: &str = "stages:\n  slow:\n    cmd: sh work.sh\n    deps: [work.sh]\n    outs: [out]\n    meta: {lapwing: {on: box}}\n  \
                      last:\n    cmd: sed s/made/taken/ out > end\n    deps: [out]\n    outs: [end]\n";

/// A stage that runs on the machine until it is let go, and one that goes on here with what it made.
struct Bench {
    place: Place,
    machine: Machine,
    folder: PathBuf,
}

impl Bench {
    fn new() -> Self {
        let place = Place::new();
        let machine = Machine::start(&place);
        let folder = place.path("closing");
        std::fs::create_dir_all(&folder).unwrap();
        let bench = Self {
            place,
            machine,
            folder,
        };
        bench.writes("dvc.yaml", STAGES);
        bench.makes("made");
        bench.place.text(&bench.folder, &["init"]);
        bench
    }

    fn makes(&self, what: &str) {
        let script = format!(
            "echo x >> {there}/count; echo begun; until [ -e {there}/go ]; do sleep 0.1; done; echo {what} > out\n",
            there = self.machine.folder.display()
        );
        self.writes("work.sh", &script);
    }

    fn writes(&self, name: &str, text: &str) {
        std::fs::write(self.folder.join(name), text).unwrap();
    }

    /// Lets the command there end.
    fn lets_go(&self) {
        std::fs::write(self.there("go"), "").unwrap();
    }

    fn there(&self, name: &str) -> PathBuf {
        self.machine.folder.join(name)
    }

    fn status(&self, id: &str) -> String {
        let all = self.place.json(&self.folder, &["jobs", "list"]);
        let mut all = all.as_array().unwrap().iter();
        let job = all.find(|job| job["id"] == id).unwrap();
        job["status"].as_str().unwrap().to_owned()
    }

    /// What the run's own log has.
    fn said(&self, run: &str) -> String {
        let log = self.place.workspace().join("logs");
        std::fs::read_to_string(log.join(format!("run-{run}.log"))).unwrap()
    }

    /// Files that lie beside the run's log.
    fn beside_the_log(&self, run: &str) -> Vec<String> {
        let all = std::fs::read_dir(self.place.workspace().join("logs")).unwrap();
        let names = all.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<String> = names
            .filter_map(|name| {
                let kind = name.strip_prefix(&format!("run-{run}."))?;
                (kind != "log").then(|| kind.to_owned())
            })
            .collect();
        names.sort();
        names
    }

    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.folder.join(name)).unwrap()
    }

    /// The run's id and its job's, once the command there runs.
    fn begun(&self) -> (String, String) {
        let run = self.place.json(&self.folder, &["run", "--detach"]);
        let jobs = || self.place.json(&self.folder, &["jobs", "list"]);
        let id = |job: &Value| job["id"].as_str().unwrap_or_default().to_owned();
        until("the command there", || {
            let job = &jobs()[0];
            job["status"] == "running"
                && self
                    .place
                    .text(&self.folder, &["jobs", "logs", &id(job)])
                    .contains("begun")
        });
        let run = run["run_id"].as_str().unwrap().to_owned();
        (run, id(&jobs()[0]))
    }

    /// A run whose first stage has made its output, though nobody here saw it to its end.
    fn made(&self) -> String {
        let (run, job) = self.begun();
        self.close(&run);
        self.lets_go();
        until("its end", || self.status(&job) == "succeeded");
        run
    }

    /// The same, where the stage that comes then was edited meanwhile.
    fn edited(&self) -> String {
        let (run, job) = self.begun();
        self.close(&run);
        self.writes("dvc.yaml", &STAGES.replace("taken", "edited"));
        self.lets_go();
        until("its end", || self.status(&job) == "succeeded");
        run
    }

    /// The runner, the supervisor and the connection end without a word.
    fn close(&self, run: &str) {
        let jobs = self.place.workspace().join("jobs");
        let ours = [
            format!("__run\0{run}"),
            format!("__supervise\0{}", jobs.display()),
            self.there("config").display().to_string(),
        ];
        for part in ours {
            kill(&part);
        }
    }
}

/// What looks after the workspace while a window is open, with what it says.
struct Watch {
    child: Child,
    said: BufReader<std::process::ChildStderr>,
}

impl Watch {
    fn start(bench: &Bench) -> Self {
        let mut child = bench
            .place
            .command(&bench.folder, &["server", "--port", "0", "--every", "1"])
            .env("LAPWING_LOG", "lapwing_app=debug")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let said = BufReader::new(child.stderr.take().unwrap());
        Self { child, said }
    }

    /// Waits until it has looked once more.
    fn looks(&mut self) {
        let mut lines = self.said.by_ref().lines().map_while(Result::ok);
        assert!(lines.any(|line| line.contains("looked at monitors and automations")));
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_run_goes_on_where_it_was_after_the_laptop_was_closed() {
    let bench = Bench::new();
    let (run, job) = bench.begun();
    bench.close(&run);
    bench.lets_go();
    assert_eq!(bench.beside_the_log(&run), ["sources"]);
    let exit = bench.there("there/jobs").join(job).join("exit");
    until("the end there, seen by nobody", || exit.exists());

    let again = bench.place.json(&bench.folder, &["run"]);
    assert_eq!(
        again["row"]["run_id"],
        run.as_str(),
        "the same run: {again}"
    );
    assert_eq!(again["row"]["status"], "FINISHED", "{again}");
    assert_eq!(bench.read("end"), "taken\n", "and the stage after it");
    let count = std::fs::read_to_string(bench.there("count")).unwrap();
    assert_eq!(count, "x\n", "it ran once");
    assert_eq!(bench.beside_the_log(&run), [""; 0], "nothing of it is left");
    let nothing = bench.place.json(&bench.folder, &["run"]);
    assert!(nothing["run_id"].is_null(), "{nothing}");
}

#[test]
fn what_was_edited_while_the_laptop_was_closed_runs_again() {
    let bench = Bench::new();
    let (run, _) = bench.begun();
    bench.close(&run);
    bench.makes("made of other code");
    bench.lets_go();

    let again = bench.place.json(&bench.folder, &["run"]);
    assert_eq!(again["row"]["status"], "FINISHED", "{again}");
    assert_eq!(bench.read("out"), "made of other code\n");
    let count = std::fs::read_to_string(bench.there("count")).unwrap();
    assert_eq!(count, "x\nx\n", "what ran is not what is wanted now");
}

#[test]
fn a_run_can_be_stopped_after_the_laptop_was_closed() {
    let bench = Bench::new();
    let (run, job) = bench.begun();
    bench.close(&run);
    bench.place.text(&bench.folder, &["runs", "stop", &run]);
    let shown = bench.place.json(&bench.folder, &["jobs", "list"]);
    assert_eq!(
        shown[0]["id"],
        job.as_str(),
        "no other one was begun: {shown}"
    );
    assert_eq!(shown[0]["status"], "cancelled", "{shown}");
    let runs = bench
        .place
        .json(&bench.folder, &["runs", "list"])
        .to_string();
    assert!(
        runs.contains("KILLED") && !runs.contains("RUNNING"),
        "{runs}"
    );
    bench.lets_go();
    let again = bench.place.json(&bench.folder, &["run"]);
    assert_eq!(again["row"]["status"], "FINISHED", "{again}");
    assert_ne!(again["row"]["run_id"], run.as_str(), "a new one: {again}");
}

#[test]
fn a_job_that_no_stage_takes_any_more_is_ended() {
    let bench = Bench::new();
    let (run, job) = bench.begun();
    bench.close(&run);
    bench.writes(
        "dvc.yaml",
        &STAGES
            .replace("slow:", "quick:")
            .replace("sh work.sh", "echo made > out"),
    );

    let again = bench.place.json(&bench.folder, &["run"]);
    assert_eq!(again["row"]["run_id"], run.as_str(), "{again}");
    assert_eq!(again["row"]["status"], "FINISHED", "{again}");
    assert_eq!(bench.status(&job), "cancelled");
    assert_eq!(bench.read("end"), "taken\n");
}

#[test]
fn a_run_that_cannot_go_on_leaves_no_job_behind() {
    let bench = Bench::new();
    let (run, job) = bench.begun();
    bench.close(&run);
    bench.writes("dvc.yaml", "stages:\n  slow: [\n");

    let again = bench.place.run(&bench.folder, &["run"]);
    assert!(!again.status.success(), "{}", told(&again));
    assert_eq!(bench.status(&job), "cancelled");
    assert!(!bench.folder.join("out").exists(), "it wrote all the same");
}

#[test]
fn what_a_job_made_and_somebody_edited_since_is_made_again() {
    let bench = Bench::new();
    bench.made();
    bench.writes("out", "made by hand\n");

    let again = bench.place.json(&bench.folder, &["run"]);
    assert_eq!(again["row"]["status"], "FINISHED", "{again}");
    assert_eq!(bench.read("out"), "made\n");
    let count = std::fs::read_to_string(bench.there("count")).unwrap();
    assert_eq!(count, "x\nx\n", "what lies here is not what it made");
}

#[test]
fn looking_runs_nothing_that_nobody_asked_for() {
    let bench = Bench::new();
    let (run, job) = bench.begun();
    bench.close(&run);
    bench.lets_go();
    bench.writes("dvc.yaml", &STAGES.replace("taken", "edited"));
    let resumed = || {
        bench
            .said(&run)
            .contains("it was begun before, and goes on")
    };

    let mut watch = Watch::start(&bench);
    until("its end", || bench.status(&job) == "succeeded");
    watch.looks();
    watch.looks();
    assert!(!resumed(), "a stage of today was to run");
    assert!(!bench.folder.join("end").exists());

    // Nothing of this is executed.
    let described = STAGES.replace("  last:\n", "  last:\n    desc: Takes it\n");
    bench.writes("dvc.yaml", &format!("# The stages.\n{described}"));
    until("the run's end", || {
        let runs = bench.place.json(&bench.folder, &["runs", "list"]);
        runs.to_string().contains("FINISHED")
    });
    assert!(resumed(), "what was asked for goes on by itself");
    assert_eq!(bench.read("end"), "taken\n");
}

#[test]
fn a_run_that_waits_says_why_and_what_to_do() {
    let bench = Bench::new();
    let run = bench.edited();

    let told_by = |arguments: &[&str]| told(&bench.place.run(&bench.folder, arguments));
    let short = &run[..8];
    let why = "waits: stage `last` was edited since it began.";
    let then = format!(
        "`lapwing runs resume {short}` goes on with what is here now, `lapwing runs stop {short}` ends it."
    );
    for verb in [&["status"][..], &["runs", "list"], &["runs", "show", &run]] {
        let said = told_by(verb);
        assert!(
            said.contains(why) && said.contains(&then),
            "{verb:?}: {said}"
        );
    }
    assert!(
        told_by(&["runs", "list"]).contains("waiting"),
        "not running"
    );
    let listed = bench.place.json(&bench.folder, &["runs", "list"]);
    let waits = &listed["rows"][0]["waits"];
    assert_eq!(*waits, "stage `last` was edited since it began");

    let other = told_by(&["run", "last", "--force"]);
    assert!(
        other.contains("another run of this project waits"),
        "{other}"
    );
    assert!(!bench.folder.join("end").exists(), "it only asked: {other}");

    let went_on = bench.place.json(&bench.folder, &["runs", "resume", short]);
    assert_eq!(went_on["row"]["status"], "FINISHED", "{went_on}");
    assert_eq!(went_on["row"]["waits"], Value::Null, "{went_on}");
    assert_eq!(bench.read("end"), "edited\n");
    let over = told_by(&["runs", "resume", short]);
    assert!(over.contains("is over"), "{over}");
}

#[test]
fn a_run_that_waits_can_be_stopped() {
    let bench = Bench::new();
    let run = bench.edited();
    let waiting = bench.place.text(&bench.folder, &["runs", "show", &run]);
    assert!(waiting.contains("waits:"), "{waiting}");

    bench.place.text(&bench.folder, &["runs", "stop", &run]);
    let shown = bench.place.json(&bench.folder, &["runs", "show", &run]);
    assert_eq!(shown["row"]["status"], "KILLED", "{shown}");
    assert!(!bench.folder.join("end").exists(), "nothing more ran");
    assert_eq!(bench.beside_the_log(&run), [""; 0], "nothing of it is left");
}

#[test]
fn what_waits_goes_on_when_it_is_asked_for() {
    let bench = Bench::new();
    let (run, job) = bench.begun();
    bench.close(&run);
    bench.lets_go();
    bench.writes("dvc.yaml", &STAGES.replace("taken", "edited"));
    let mut watch = Watch::start(&bench);
    until("its end", || bench.status(&job) == "succeeded");
    watch.looks();

    let again = bench.place.json(&bench.folder, &["run"]);
    assert_eq!(again["row"]["run_id"], run.as_str(), "{again}");
    assert_eq!(again["row"]["status"], "FINISHED", "{again}");
    assert_eq!(bench.read("end"), "edited\n");
    let count = std::fs::read_to_string(bench.there("count")).unwrap();
    assert_eq!(count, "x\n", "the stage that nobody edited ran once");
}

#[test]
fn a_run_whose_runners_die_again_and_again_is_given_up() {
    const MAX_RUNNERS: usize = 50;
    let bench = Bench::new();
    let (run, job) = bench.begun();
    bench.close(&run);
    let logs = bench.place.workspace().join("logs");
    let marks = logs.join(format!("run-{run}.again"));
    std::fs::write(&marks, "again\n".repeat(MAX_RUNNERS)).unwrap();

    let refused = told(&bench.place.run(&bench.folder, &["run"]));
    assert!(
        refused.contains("goes on already"),
        "its stage does: {refused}"
    );
    assert_eq!(bench.status(&job), "running");
    bench.lets_go();
    until("its end", || bench.status(&job) == "succeeded");

    let again = bench.place.json(&bench.folder, &["run"]);
    assert_ne!(again["row"]["run_id"], run.as_str(), "a new one: {again}");
    assert_eq!(again["row"]["status"], "FINISHED", "{again}");
    let first = bench.place.json(&bench.folder, &["runs", "show", &run]);
    assert_eq!(first["row"]["status"], "FAILED", "{first}");
    let why = &first["tags"]["lapwing.failure"];
    assert!(why.as_str().unwrap().contains("the run was cut"), "{why}");
    assert_eq!(bench.beside_the_log(&run), [""; 0], "nothing of it is left");
}

#[test]
fn a_run_of_which_nobody_knows_what_it_began_with_waits() {
    let bench = Bench::new();
    let (run, job) = bench.begun();
    bench.close(&run);
    let logs = bench.place.workspace().join("logs");
    // As an older version wrote it.
    std::fs::write(logs.join(format!("run-{run}.sources")), "0f2a").unwrap();
    bench.lets_go();
    until("its end", || bench.status(&job) == "succeeded");
    let shown = bench.place.json(&bench.folder, &["runs", "show", &run]);
    assert_eq!(shown["row"]["waits"], "what it began with is not known");

    let again = bench.place.json(&bench.folder, &["run"]);
    assert_eq!(again["row"]["run_id"], run.as_str(), "the same: {again}");
    assert_eq!(again["row"]["status"], "FINISHED", "{again}");
}

#[test]
fn what_was_lost_while_the_laptop_was_closed_is_made_again() {
    let bench = Bench::new();
    let run = bench.made();
    std::fs::remove_file(bench.folder.join("out")).unwrap();

    let again = bench.place.json(&bench.folder, &["run"]);
    assert_eq!(again["row"]["run_id"], run.as_str(), "{again}");
    assert_eq!(bench.read("end"), "taken\n");
    let said = bench.said(&run);
    assert!(
        said.contains("what it made was changed or deleted since, so it runs again"),
        "{said}"
    );
}
