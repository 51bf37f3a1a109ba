//! Once around the loop on the sample, through the command line: data, run, model, deployment, monitor, automation.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::place::{Place, peer, told};

/// A small project that trains in a second: the loop's shape without the sample's size. Its Python is the peers'.
fn small_project(place: &Place) -> PathBuf {
    let folder = place.path("a small project");
    std::fs::create_dir_all(folder.join("data")).unwrap();
    std::fs::write(folder.join("data/rows.csv"), rows(0, 400, 0.0)).unwrap();
    std::fs::write(folder.join("train.py"), TRAIN).unwrap();
    std::fs::write(
        folder.join("params.yaml"),
        "# how strong\nmodel:\n  C: 1.0\n",
    )
    .unwrap();
    std::fs::write(folder.join("dvc.yaml"), DVC_YAML).unwrap();
    std::fs::write(folder.join("lapwing.toml"), LAPWING_TOML).unwrap();
    place.text(&folder, &["init"]);
    place.text(
        &folder,
        &["data", "add", "data/rows.csv", "-m", "First rows"],
    );
    folder
}

const DVC_YAML: &str = "stages:
  split:
    cmd: python train.py split
    deps: [data/rows.csv, train.py]
    outs: [train.csv, heldout.csv]
  train:
    cmd: python train.py train
    deps: [train.csv, heldout.csv, train.py]
    params: [model]
    metrics: [metrics.json: {cache: false}]
";

const LAPWING_TOML: &str = r#"[project]
name = "small"

[[monitor]]
deployment = "small"
label = "label"
performance = { metric = "auc", below = 0.9, min_rows = 50 }

[[automation]]
name = "retrain"
deployment = "small"
model = "small"
on = { performance = { metric = "auc", below = 0.9, min_rows = 50 } }
retrain = { add = ["data/rows.csv"] }
gate = { metric = "auc", margin = 0.01, data = "heldout.csv", label = "label" }
"#;

const TRAIN: &str = r#"
import json, sys
import pandas as pd, yaml, mlflow
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

if sys.argv[1] == "split":
    rows = pd.read_csv("data/rows.csv").tail(400)
    rows[rows.index % 4 != 0].to_csv("train.csv", index=False)
    rows[rows.index % 4 == 0].to_csv("heldout.csv", index=False)
else:
    params = yaml.safe_load(open("params.yaml"))["model"]
    rows, heldout = pd.read_csv("train.csv"), pd.read_csv("heldout.csv")
    mlflow.autolog(log_input_examples=True)
    with mlflow.start_run():
        model = LogisticRegression(**params).fit(rows[["x", "y"]], rows["label"])
        for step in range(5):
            mlflow.log_metric("loss", 1.0 / (step + 1), step=step)
    auc = roc_auc_score(heldout["label"], model.predict_proba(heldout[["x", "y"]])[:, 1])
    json.dump({"auc": auc}, open("metrics.json", "w"))
    print("auc", auc)
"#;

/// Rows whose label depends on x and y; `turn` turns the dependence, so that an old model becomes wrong.
fn rows(from: u32, count: u32, turn: f64) -> String {
    let mut text = String::from("x,y,label\n");
    for index in from..from + count {
        let x = f64::from(index * 7919 % 1000) / 500.0 - 1.0;
        let y = f64::from(index * 104_729 % 1000) / 500.0 - 1.0;
        let label = i32::from(x * turn.cos() + y * turn.sin() > 0.0);
        text.push_str(&format!("{x},{y},{label}\n"));
    }
    text
}

/// `lapwing run` with the peers' Python first on PATH, since this project names no environment of its own.
fn run_pipeline(place: &Place, folder: &Path) -> Value {
    let bin = peer("python").parent().unwrap().to_path_buf();
    let path = std::env::join_paths(
        std::iter::once(bin).chain(std::env::split_paths(&std::env::var_os("PATH").unwrap())),
    )
    .unwrap();
    let output = place
        .command(folder, &["run", "--json"])
        .env("PATH", path)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", told(&output));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn dvc_status(place: &Place, folder: &Path) -> String {
    let mut command = Command::new(peer("dvc"));
    command.args(["status", "--json"]).current_dir(folder);
    place.environment(&mut command);
    let output = command.env("HOME", place.path("home")).output().unwrap();
    assert!(output.status.success(), "{}", told(&output));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

#[test]
fn once_around_the_loop() {
    let place = Place::new();
    let folder = small_project(&place);

    // data and pipeline: the real dvc agrees before and after
    let run = run_pipeline(&place, &folder);
    assert_eq!(
        dvc_status(&place, &folder),
        "{}",
        "the real dvc must call what Lapwing ran clean"
    );
    let status = place.run(&folder, &["status", "-q"]);
    assert_eq!(
        status.status.code(),
        Some(0),
        "nothing changed since the run"
    );
    let run_id = run["row"]["run_id"].as_str().unwrap().to_owned();
    assert_eq!(run["row"]["status"], "FINISHED");
    assert!(
        run["row"]["metrics"]["auc"].as_f64().unwrap() > 0.95,
        "metrics files are on the run: {run}"
    );
    assert!(
        run["row"]["metrics"]["loss"].as_f64().is_some(),
        "what the script logged is on the same run: {run}"
    );
    assert!(
        run["row"]["params"]["C"].is_string(),
        "autolog's parameters are on the same run: {run}"
    );

    // model
    let version = place.json(
        &folder,
        &[
            "models", "register", &run_id, "--name", "small", "--alias", "champion",
        ],
    );
    assert_eq!(version["version"], 1);

    place.text(&folder, &["models", "alias", "small", "tried", "1"]);
    let model = place.json(&folder, &["models", "show", "small"]);
    assert!(model.to_string().contains("tried"), "{model}");

    // deployment
    let row = place.json(&folder, &["deploy", "small@champion", "--name", "small"]);
    assert_eq!(row["state"], "running", "{row}");
    std::fs::write(folder.join("new.csv"), rows(1000, 200, 1.5)).unwrap();
    let answer = place.json(&folder, &["predict", "small", "--data", "new.csv"]);
    let predictions = answer["rows"].as_array().unwrap();
    assert_eq!(predictions.len(), 200);

    // monitor: labels join by prediction id, and the turned world shows
    let truth = rows(1000, 200, 1.5);
    let mut labels = String::from("prediction_id,label\n");
    for (prediction, line) in predictions.iter().zip(truth.lines().skip(1)) {
        let label = line.rsplit(',').next().unwrap();
        labels.push_str(&format!(
            "{},{label}\n",
            prediction["prediction_id"].as_str().unwrap()
        ));
    }
    std::fs::write(folder.join("labels.csv"), labels).unwrap();
    let added = place.json(&folder, &["monitors", "labels", "small", "labels.csv"]);
    assert_eq!(
        added["joined"], 200,
        "every label has its prediction: {added}"
    );
    let view = place.json(&folder, &["monitors", "show", "small"]);
    let auc = view["performance"].as_array().unwrap().last().unwrap()["metrics"]["auc"]
        .as_f64()
        .unwrap();
    assert!(auc < 0.9, "an old model in a new world is worse: {auc}");
    assert!(
        !view["alerts"].as_array().unwrap().is_empty(),
        "falling accuracy raises an alert: {view}"
    );

    // lineage: from one prediction back to the commit
    let id = predictions[0]["prediction_id"].as_str().unwrap();
    let lineage = place.json(&folder, &["trace", id]);
    let kinds: Vec<&str> = lineage["nodes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|node| node["kind"].as_str().unwrap())
        .collect();
    for kind in [
        "prediction",
        "revision",
        "model_version",
        "run",
        "dataset",
        "commit",
    ] {
        assert!(kinds.contains(&kind), "{kind} is missing in {kinds:?}");
    }

    let digest = lineage["nodes"]
        .as_array()
        .unwrap()
        .iter()
        .find(|node| node["kind"] == "dataset")
        .and_then(|node| node["id"].as_str()?.strip_prefix("data:"))
        .unwrap();
    let forward = place.json(&folder, &["trace", &digest[..8]]);
    assert_eq!(
        forward["focus"],
        format!("data:{digest}"),
        "the short form that is printed names it too"
    );

    // automation: retrain on the new world, gate, release
    std::fs::write(folder.join("data/rows.csv"), rows(2000, 400, 1.5)).unwrap();
    let bin = peer("python").parent().unwrap().to_path_buf();
    let path = std::env::join_paths(
        std::iter::once(bin).chain(std::env::split_paths(&std::env::var_os("PATH").unwrap())),
    )
    .unwrap();
    let output = place
        .command(&folder, &["automations", "run", "retrain", "--json"])
        .env("PATH", path)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", told(&output));
    let decisions: Value = serde_json::from_slice(&output.stdout).unwrap();
    let kinds: Vec<&str> = decisions
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["kind"].as_str().unwrap())
        .collect();
    assert!(
        kinds.contains(&"promoted") && kinds.contains(&"released"),
        "{decisions}"
    );
    let detail = place.json(&folder, &["deployments", "show", "small"]);
    assert_eq!(
        detail["row"]["revision"], 2,
        "the challenger answers now: {detail}"
    );
    assert_eq!(detail["row"]["model_version"], 2);

    // and back
    let row = place.json(&folder, &["deployments", "rollback", "small"]);
    assert_eq!(row["revision"], 1);
    assert_eq!(row["state"], "running");
}

#[test]
fn a_second_run_does_nothing_and_a_failed_one_resumes() {
    let place = Place::new();
    let folder = small_project(&place);
    std::fs::write(folder.join("params.yaml"), "model:\n  C: -1.0\n").unwrap();
    let bin = peer("python").parent().unwrap().to_path_buf();
    let path = std::env::join_paths(
        std::iter::once(bin).chain(std::env::split_paths(&std::env::var_os("PATH").unwrap())),
    )
    .unwrap();
    let output = place
        .command(&folder, &["run"])
        .env("PATH", &path)
        .output()
        .unwrap();
    assert_eq!(
        output.status.code(),
        Some(1),
        "a failing stage fails the run: {}",
        told(&output)
    );
    assert!(
        String::from_utf8_lossy(&output.stderr).contains("train"),
        "the stage is named: {}",
        told(&output)
    );

    let output = place
        .command(&folder, &["run", "-S", "model.C=0.5", "--json"])
        .env("PATH", &path)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", told(&output));
    let run: Value = serde_json::from_slice(&output.stdout).unwrap();
    let stages: Vec<&str> = run["jobs"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|job| job["stage"].as_str())
        .collect();
    assert_eq!(stages, ["train"], "what succeeded is not run again");
    let text = std::fs::read_to_string(folder.join("params.yaml")).unwrap();
    assert!(text.contains("0.5"), "-S writes the file: {text}");

    let again = place.json(&folder, &["run"]);
    assert!(
        again["run_id"].is_null(),
        "nothing changed, so nothing runs: {again}"
    );
}
