//! Batch scoring as a job: here, and on another machine behind a real `sshd`; what it wrote, what is known of it afterwards, and
//! what is said when it cannot be done.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use serde_json::Value;

use crate::anywhere::environment;
use crate::elsewhere::Machine;
use crate::place::{Place, interrupted, kill, peer, told, until};
use crate::slurmd::Slurm;

/// A model without a library, so that its environment is made in a moment. It holds on for as long as a file is there.
const MODEL: &str = "
import os, time
import mlflow

class Sum(mlflow.pyfunc.PythonModel):
    def predict(self, context, model_input, params=None):
        while os.path.exists('HOLD'):
            time.sleep(0.05)
        return model_input['x'] * 2 + model_input['y']

mlflow.models.set_model(Sum())
";
const SAVE: &str = "
import sys, mlflow
from mlflow.models import ModelSignature
from mlflow.types import ColSpec, Schema
signature = ModelSignature(Schema([ColSpec('double', 'x'), ColSpec('double', 'y')]), Schema([ColSpec('double')]))
mlflow.pyfunc.save_model(sys.argv[1], python_model=sys.argv[2], signature=signature,
                         pip_requirements=['mlflow-skinny==' + mlflow.__version__, 'pandas'])
";
const ROWS: &str = "id;x;y;note\n007;1;0.5;a,b\n008;2.5;-1;\n";
pub const SCORED: &str = "id,x,y,note,prediction\n007,1,0.5,\"a,b\",2.5\n008,2.5,-1,,4.0\n";

pub struct Bench {
    pub place: Place,
    pub folder: PathBuf,
}

impl Bench {
    /// A registered model and rows to score, in a project.
    pub fn new() -> Self {
        let place = Place::new();
        let folder = place.path("scoring");
        std::fs::create_dir_all(&folder).unwrap();
        let bench = Self { place, folder };
        let hold = bench.at("hold").display().to_string();
        let copied = Command::new("cp")
            .arg("-a")
            .args([saved(), &bench.at("sum")])
            .output()
            .unwrap();
        assert!(copied.status.success(), "{}", told(&copied));
        bench.writes("sum/model.py", &MODEL.replace("HOLD", &hold));
        bench.writes("rows.csv", ROWS);
        bench.place.text(&bench.folder, &["init"]);
        bench.json(&[
            "models", "register", "sum", "--name", "sum", "--alias", "champion",
        ]);
        bench
    }

    pub fn at(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    pub fn writes(&self, name: &str, text: &str) {
        std::fs::write(self.at(name), text).unwrap();
    }

    pub fn reads(&self, name: &str) -> String {
        std::fs::read_to_string(self.at(name)).unwrap()
    }

    pub fn json(&self, arguments: &[&str]) -> Value {
        self.place.json(&self.folder, arguments)
    }

    pub fn jobs(&self) -> Value {
        self.json(&["jobs", "list"])
    }

    pub fn status(&self) -> String {
        self.jobs()[0]["status"]
            .as_str()
            .unwrap_or("none")
            .to_owned()
    }

    /// What is said of a scoring that is refused before it begins.
    pub fn refused(&self, arguments: &[&str]) -> String {
        let before = self.jobs();
        let output = self.place.run(&self.folder, arguments);
        assert!(!output.status.success(), "{}", told(&output));
        assert_eq!(self.jobs(), before, "nothing was begun: {}", told(&output));
        told(&output)
    }
}

/// The model as MLflow writes it, once for all tests: its code is replaced in each one's copy.
fn saved() -> &'static Path {
    static SAVED: OnceLock<PathBuf> = OnceLock::new();
    SAVED.get_or_init(|| {
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("scoring-model");
        let _ = std::fs::remove_dir_all(&folder); // There may be none.
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("model.py"), MODEL).unwrap();
        let saved = Command::new(peer("python"))
            .args(["-W", "ignore", "-c", SAVE, "sum", "model.py"])
            .current_dir(&folder)
            .env("MLFLOW_DISABLE_TELEMETRY", "true")
            .output()
            .unwrap();
        assert!(saved.status.success(), "{}", told(&saved));
        folder.join("sum")
    })
}

#[test]
fn a_file_is_scored_as_a_job_and_its_output_is_traced() {
    let bench = Bench::new();
    let score = [
        "score",
        "sum@champion",
        "--data",
        "rows.csv",
        "--out",
        "out/scored.csv",
    ];
    let scored = bench.json(&score);
    assert_eq!(
        bench.reads("out/scored.csv"),
        SCORED,
        "every cell as it was"
    );
    assert_eq!(scored["result"]["rows"], 2, "{scored}");
    assert_eq!(
        (&scored["model"], &scored["version"]),
        (&"sum".into(), &1.into())
    );
    let job = &bench.jobs()[0];
    assert_eq!(job["title"], "score sum v1", "{job}");
    assert_eq!(job["status"], "succeeded", "{job}");

    let run = bench.json(&["runs", "show", scored["run_id"].as_str().unwrap()]);
    assert_eq!(run["row"]["status"], "FINISHED", "{run}");
    assert_eq!(run["row"]["params"]["version"], "1", "{run}");
    assert_eq!(run["row"]["metrics"]["rows"], 2.0, "{run}");
    for known in ["out/scored.csv", "sum/1"] {
        let traced = bench.json(&["trace", known]).to_string();
        for wanted in ["sum v1", "rows.csv", "scored.csv"] {
            assert!(
                traced.contains(wanted),
                "{known} leads to {wanted}: {traced}"
            );
        }
    }
    let left = bench
        .place
        .workspace()
        .join("scorings")
        .join(job["id"].as_str().unwrap());
    assert!(!left.join("model").exists() && !left.join("made/predictions.csv").exists());

    // Several files at once, and Parquet.
    std::fs::create_dir(bench.at("parts")).unwrap();
    bench.writes("parts/1.csv", "x,y\n1,1\n");
    bench.writes("parts/2.csv", "x,y\n2,2\n");
    bench.writes("parts/_SUCCESS", "");
    let detached = bench.json(&[
        "score",
        "sum/1",
        "--data",
        "parts",
        "--out",
        "parts.parquet",
        "--detach",
    ]);
    until("its output", || bench.at("parts.parquet").exists());
    until("its end", || bench.status() == "succeeded");
    assert_eq!(bench.jobs()[0]["id"], detached["job"]);
    let shown = bench
        .place
        .text(&bench.folder, &["data", "preview", "parts.parquet"]);
    assert!(
        shown.contains("prediction") && shown.contains("6"),
        "{shown}"
    );
}

#[test]
fn what_cannot_be_scored_is_said_before_or_after_and_nothing_is_written() {
    let bench = Bench::new();
    bench.writes("less.csv", "x\n1\n");
    bench.writes("taken.csv", "x,y,prediction\n1,1,1\n");
    bench.writes("words.csv", "x,y\n1,1\n2,far\n");
    let cases = [
        (["nobody@x", "rows.csv", "o.csv"], "nobody"),
        (["sum@champion", "gone.csv", "o.csv"], "gone.csv"),
        (["sum@champion", "less.csv", "o.csv"], "has no column `y`"),
        (
            ["sum@champion", "taken.csv", "o.csv"],
            "a column `prediction` already",
        ),
        (
            ["sum@champion", "sum/model.py", "o.csv"],
            "no CSV, Parquet or JSON-lines file",
        ),
        (
            ["sum@champion", "rows.csv", "o.xlsx"],
            "name it .csv, .tsv or .parquet",
        ),
        (
            ["sum@champion", "rows.csv", "rows.csv"],
            "part of what is read",
        ),
        (
            ["sum@champion", "rows.csv", "sum/o.csv"],
            "part of what is read",
        ),
    ];
    for ([model, data, out], wanted) in cases {
        // The registered model is a copy; its own folder can be scored too.
        let model = if out.starts_with("sum/") {
            "sum"
        } else {
            model
        };
        let said = bench.refused(&["score", model, "--data", data, "--out", out]);
        assert!(said.contains(wanted), "{wanted}: {said}");
    }
    let said = bench.refused(&[
        "score",
        "sum@champion",
        "--data",
        "rows.csv",
        "--out",
        "o.csv",
        "--on",
        "nobody",
    ]);
    assert!(said.contains("nobody"), "{said}");
    assert_eq!(bench.reads("rows.csv"), ROWS);

    bench.writes("o.csv", "what was there");
    let output = bench.place.run(
        &bench.folder,
        &[
            "score",
            "sum@champion",
            "--data",
            "words.csv",
            "--out",
            "o.csv",
        ],
    );
    let said = told(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    let why = "column `y` of words.csv holds `far` in row 2, which is no number";
    assert!(said.contains(&format!("error: {why}")), "{said}");
    assert_eq!(bench.jobs()[0]["outcome"], why, "and the list says it too");
    assert_eq!(bench.reads("o.csv"), "what was there");

    bench.writes("hold", "");
    let child = bench
        .place
        .command(
            &bench.folder,
            &[
                "score",
                "sum@champion",
                "--data",
                "rows.csv",
                "--out",
                "o.csv",
            ],
        )
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    until("its beginning", || bench.status() == "running");
    let ended = interrupted(child, || {});
    assert_eq!(ended.status.code(), Some(1), "{}", told(&ended));
    assert_eq!(bench.status(), "cancelled", "{}", told(&ended));
    let runs = bench.json(&["runs", "list", "--all"]).to_string();
    assert!(
        runs.contains("KILLED") && !runs.contains("RUNNING"),
        "{runs}"
    );
    assert_eq!(bench.reads("o.csv"), "what was there");
}

#[test]
fn a_file_is_scored_on_another_machine_though_the_laptop_is_closed() {
    let bench = Bench::new();
    let slurm = Slurm::start();
    let machine = Machine::start_with(&bench.place, &environment(slurm.as_ref()));
    let on_box = [
        "score",
        "sum@champion",
        "--data",
        "rows.csv",
        "--out",
        "there.csv",
        "--on",
        "box",
    ];
    let list = bench.json(&[&on_box[..], &["--list-upload"]].concat());
    let listed: Vec<&str> = list["files"]
        .as_array()
        .unwrap()
        .iter()
        .map(|file| file["path"].as_str().unwrap())
        .collect();
    for wanted in [
        "data/rows.csv",
        "model/MLmodel",
        "score.py",
        "requirements.txt",
    ] {
        assert!(listed.contains(&wanted), "{wanted} travels: {list}");
    }
    assert_eq!(
        bench.jobs(),
        Value::Array(Vec::new()),
        "a list starts nothing"
    );

    bench.writes("hold", "");
    let started = bench.json(&[&on_box[..], &["--detach"]].concat());
    let id = started["job"].as_str().unwrap();
    until("the scoring there", || {
        assert_ne!(bench.status(), "failed", "{}", bench.jobs());
        bench
            .place
            .text(&bench.folder, &["jobs", "logs", id])
            .contains("loading the model")
    });
    let tree = machine.folder.join("there/jobs").join(id).join("tree");
    for path in &listed {
        assert!(tree.join(path).is_file(), "{path} was listed and is there");
    }
    for part in [
        format!(
            "__supervise\0{}",
            bench.place.workspace().join("jobs").display()
        ),
        machine.folder.join("config").display().to_string(),
    ] {
        kill(&part);
    }
    std::fs::remove_file(bench.at("hold")).unwrap();
    until("the end there, seen by nobody", || {
        machine
            .folder
            .join("there/jobs")
            .join(id)
            .join("exit")
            .exists()
    });
    assert!(!bench.at("there.csv").exists());

    until("its end", || bench.status() == "succeeded");
    assert_eq!(
        bench.reads("there.csv"),
        SCORED,
        "what came home is what is made here"
    );
    let run = bench.json(&["runs", "show", started["run_id"].as_str().unwrap()]);
    assert_eq!(run["row"]["status"], "FINISHED", "{run}");
    assert_eq!(run["row"]["params"]["where"], "box", "{run}");

    if slurm.is_some() {
        machine.add(&bench.place, "queue", "slurm://box", &[]);
        let queued = [
            "score",
            "sum@champion",
            "--data",
            "rows.csv",
            "--out",
            "queued.csv",
            "--on",
            "queue",
        ];
        let scored = bench.json(&queued);
        assert_eq!(scored["result"]["rows"], 2, "{scored}");
        assert_eq!(bench.reads("queued.csv"), SCORED);
    }
}
