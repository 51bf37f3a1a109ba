//! The files of the real MLflow, written where no server could be reached, and the run that they belong to.

use lapwing_core::Timestamp;
use lapwing_tracking::NewRun;

use crate::Server;
use crate::mlflow_client::python;

const SCRIPT: &str = r#"
import math, os, runpy
job = runpy.run_path(os.environ["JOB"])
run = os.environ["MLFLOW_RUN_ID"]
os.environ["MLFLOW_TRACKING_URI"] = job["store"](os.path.abspath("mlruns"), run)
os.environ["MLFLOW_ALLOW_FILE_STORE"] = "true"
import mlflow
with mlflow.start_run() as active:
    assert active.info.run_id == run
    for step in range(3):
        mlflow.log_metric("train/loss", 0.5 - step / 10, step=step)
    mlflow.log_metric("odd", math.nan)
    mlflow.log_param("rate", 0.1)
    mlflow.set_tag("note", "a b/c")
    mlflow.log_dict({"a": 1}, "more/x.json")
    client = mlflow.MlflowClient()
    model = client.create_logged_model("0", name="model", source_run_id=run, params={"depth": "3"})
    os.mkdir("m")
    open("m/MLmodel", "w").write(f"model_id: {model.model_id}\nrun_id: {run}\nflavors: {{}}\n")
    client.log_model_artifacts(model.model_id, "m")
    client.finalize_logged_model(model.model_id, "READY")
print(model.model_id)
"#;

#[test]
fn what_was_tracked_in_files_is_on_the_run() {
    let server = Server::start(None);
    let new = NewRun {
        experiment: "flights".to_owned(),
        name: None,
        user: "ada".to_owned(),
        tags: Vec::new(),
        start: Timestamp::now(),
    };
    let id = server.tracking.create_run(new).unwrap();
    let job = concat!(env!("CARGO_MANIFEST_DIR"), "/../jobs/src/ray/job.py");
    let env = [("MLFLOW_RUN_ID", id.as_str()), ("JOB", job)];
    let model = python(&server, &env, SCRIPT);
    let files = server.folder.path().join("mlruns");
    for _ in 0..2 {
        server.tracking.import_files(&id, &files).unwrap();
    }
    let history = server.tracking.history(&id, "train/loss").unwrap();
    let points: Vec<(i64, f64)> = history
        .iter()
        .map(|point| (point.step, point.value))
        .collect();
    assert_eq!(
        points,
        [(0, 0.5), (1, 0.4), (2, 0.3)],
        "once, though taken in twice"
    );
    assert!(
        server.tracking.history(&id, "odd").unwrap()[0]
            .value
            .is_nan()
    );
    let run = server.tracking.run(&id).unwrap();
    assert_eq!(run.params["rate"], "0.1");
    assert_eq!(run.tags["note"], "a b/c");
    assert!(server.tracking.artifact_file(&id, "more/x.json").is_ok());
    let models = server.tracking.logged_models(&id).unwrap();
    assert_eq!(models.len(), 1);
    assert_eq!(models[0].row.id, model.trim());
    assert_eq!(models[0].row.status, "LOGGED_MODEL_READY");
    assert!(models[0].row.params.contains("depth"));
    assert!(models[0].folder.join("MLmodel").is_file());
}
