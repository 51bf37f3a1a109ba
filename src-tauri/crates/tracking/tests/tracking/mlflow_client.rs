use std::path::PathBuf;
use std::process::Command;

use crate::Server;

pub fn python(server: &Server, env: &[(&str, &str)], script: &str) -> String {
    let peers = std::env::var_os("LAPWING_TEST_PEERS")
        .expect("LAPWING_TEST_PEERS names the peers' venv: run `make test`");
    let output = Command::new(PathBuf::from(peers).join("bin/python"))
        .args(["-W", "ignore", "-c", script])
        .current_dir(server.folder.path())
        .env("MLFLOW_TRACKING_URI", &server.url)
        .env("MLFLOW_DISABLE_TELEMETRY", "true")
        .env("GIT_PYTHON_REFRESH", "quiet")
        .envs(env.iter().copied())
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}\n{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn log_search_delete_restore() {
    let server = Server::start(None);
    let said = python(
        &server,
        &[],
        r#"
import math, mlflow
from mlflow import MlflowClient
from mlflow.entities import Metric, Param, RunTag, ViewType
mlflow.set_experiment("birds")
with mlflow.start_run(run_name="first") as run:
    mlflow.log_params({"rate": 0.1, "kind": "gbm"})
    for step in range(5):
        mlflow.log_metric("loss", 1 / (step + 1), step=step)
    mlflow.log_metrics({"nan": math.nan, "inf": math.inf, "ninf": -math.inf}, step=3)
    mlflow.set_tag("note", "a b/c")
    open("file.txt", "w").write("hello")
    mlflow.log_artifact("file.txt", "folder")
c = MlflowClient()
c.log_batch(run.info.run_id, metrics=[Metric("many", i, i, i) for i in range(1000)])
got = c.get_run(run.info.run_id)
assert got.info.status == "FINISHED", got.info
assert got.data.params == {"rate": "0.1", "kind": "gbm"}
assert got.data.metrics["loss"] == 0.2 and got.data.metrics["many"] == 999
assert math.isnan(got.data.metrics["nan"]) and got.data.metrics["inf"] == math.inf and got.data.metrics["ninf"] == -math.inf
assert [m.step for m in c.get_metric_history(run.info.run_id, "loss")] == [0, 1, 2, 3, 4]
assert c.get_metric_history(run.info.run_id, "nan")[0].step == 3
assert got.data.tags["mlflow.runName"] == "first"
try:
    c.log_param(run.info.run_id, "rate", 0.2)
    raise SystemExit("a changed param was accepted")
except mlflow.exceptions.MlflowException as e:
    assert e.error_code == "INVALID_PARAMETER_VALUE", e.error_code
c.log_param(run.info.run_id, "rate", 0.1)
assert [f.path for f in c.list_artifacts(run.info.run_id, "folder")] == ["folder/file.txt"]
assert open(mlflow.artifacts.download_artifacts(run_id=run.info.run_id, artifact_path="folder/file.txt")).read() == "hello"
assert len(mlflow.search_runs(experiment_names=["birds"], filter_string="params.kind LIKE 'g%' and metrics.loss < 0.5")) == 1
c.delete_run(run.info.run_id)
e = c.get_experiment_by_name("birds").experiment_id
assert c.search_runs([e]) == [] and len(c.search_runs([e], run_view_type=ViewType.DELETED_ONLY)) == 1
c.restore_run(run.info.run_id)
assert len(c.search_runs([e])) == 1
import random
floats = {f"f{i}": random.Random(i).random() * 10 ** (i % 40 - 20) for i in range(300)}
with mlflow.start_run() as other:
    mlflow.log_metrics(floats)
    mlflow.log_param("long", "x" * 7000)
kept = c.get_run(other.info.run_id).data
assert kept.metrics == floats, "a metric is the number that was logged, to the last bit"
assert len(kept.params["long"]) == 6000, "cut, as MLflow's own server cuts"
c.update_run(run.info.run_id, name="renamed")
assert c.get_run(run.info.run_id).data.tags["mlflow.runName"] == "renamed"
assert {x.name for x in c.search_experiments()} == {"Default", "birds"}
assert [x.name for x in c.search_experiments(filter_string="name LIKE 'bi%'")] == ["birds"]
print("done")
"#,
    );
    assert!(said.contains("done"));
}

#[test]
fn autolog_register_alias_and_load() {
    let server = Server::start(None);
    let said = python(
        &server,
        &[],
        r#"
import mlflow, pandas as pd
from mlflow import MlflowClient
from sklearn.linear_model import LogisticRegression
mlflow.autolog(log_input_examples=True)
mlflow.set_experiment("auto")
x = pd.DataFrame({"a": range(100), "b": [i % 7 for i in range(100)]}).astype(float)
y = (x.a > 50).astype(int)
with mlflow.start_run() as run:
    LogisticRegression().fit(x, y)
got = MlflowClient().get_run(run.info.run_id)
assert "C" in got.data.params and "training_score" in got.data.metrics, (got.data.params, got.data.metrics)
assert got.inputs.dataset_inputs, "autolog notes the training data"
assert got.outputs.model_outputs, "autolog logs the model"
v = mlflow.register_model(f"runs:/{run.info.run_id}/model", "clf")
assert v.version == "1" or v.version == 1, v.version
c = MlflowClient()
c.set_registered_model_alias("clf", "champion", v.version)
m = mlflow.pyfunc.load_model("models:/clf@champion")
assert list(m.predict(x.head(3))) == [0, 0, 0]
assert mlflow.sklearn.load_model("models:/clf/1").coef_.shape == (1, 2)
assert c.get_model_version_by_alias("clf", "champion").run_id == run.info.run_id
assert [r.name for r in c.search_registered_models("name LIKE 'c%'")] == ["clf"]
assert len(c.search_model_versions("name='clf'")) == 1
assert c.get_registered_model("clf").aliases == {"champion": "1"} or c.get_registered_model("clf").aliases == {"champion": 1}
c.set_model_version_tag("clf", "1", "checked", "yes")
assert c.get_model_version("clf", "1").tags == {"checked": "yes"}
c.transition_model_version_stage("clf", "1", "Production")
assert c.get_latest_versions("clf", stages=["Production"])[0].version in (1, "1")
for bad in ["latest", "v3"]:
    try:
        c.set_registered_model_alias("clf", bad, 1)
        raise SystemExit(bad + " was accepted as alias")
    except mlflow.exceptions.MlflowException:
        pass
try:
    c.create_model_version("clf", "/etc", run.info.run_id)
    raise SystemExit("a source outside was accepted")
except mlflow.exceptions.MlflowException as e:
    assert e.error_code == "INVALID_PARAMETER_VALUE", e
assert len(mlflow.search_logged_models(output_format="list")) == 1
c.delete_registered_model_alias("clf", "champion")
c.rename_registered_model("clf", "classifier")
c.delete_model_version("classifier", "1")
print("done")
"#,
    );
    assert!(said.contains("done"));
    assert_eq!(server.tracking.models().unwrap()[0].name, "classifier");
}

#[test]
fn a_script_goes_on_with_the_run_that_it_is_given() {
    use lapwing_core::Timestamp;
    use lapwing_tracking::{NewRun, RunStatus};
    let server = Server::start(Some("secret"));
    let new = NewRun {
        experiment: "given".to_owned(),
        name: Some("pipeline".to_owned()),
        user: "ada".to_owned(),
        tags: vec![],
        start: Timestamp(5),
    };
    let id = server.tracking.create_run(new).unwrap();
    python(
        &server,
        &[
            ("MLFLOW_RUN_ID", id.as_str()),
            ("MLFLOW_TRACKING_TOKEN", "secret"),
        ],
        r"
import mlflow
with mlflow.start_run():
    mlflow.log_metric('auc', 0.8)
    mlflow.log_dict({'a': 1}, 'a.json')
",
    );
    let run = server.tracking.run(&id).unwrap();
    assert_eq!(run.status, RunStatus::Finished);
    assert_eq!(run.metrics["auc"].value, 0.8);
    assert_eq!(
        server.tracking.artifacts(&id, "").unwrap()[0].path,
        "a.json"
    );
}

#[test]
fn lightgbm_logs_itself_and_its_model_loads() {
    let server = Server::start(None);
    python(
        &server,
        &[],
        r#"
import lightgbm, mlflow, pandas as pd
from mlflow import MlflowClient
mlflow.lightgbm.autolog()
mlflow.set_experiment("boosted")
x = pd.DataFrame({"a": range(100), "b": [i % 7 for i in range(100)]}).astype(float)
data = lightgbm.Dataset(x, label=(x.a > 50).astype(int))
with mlflow.start_run() as run:
    lightgbm.train({"objective": "binary", "verbose": -1}, data, 5, valid_sets=[data], valid_names=["train"])
c = MlflowClient()
got = c.get_run(run.info.run_id)
assert got.data.params["objective"] == "binary", got.data.params
key = next(key for key in got.data.metrics if "logloss" in key)
history = c.get_metric_history(run.info.run_id, key)
assert [m.step for m in history] == [0, 1, 2, 3, 4], (key, history)
assert got.outputs.model_outputs, "autolog logs the model"
m = mlflow.pyfunc.load_model(f"runs:/{run.info.run_id}/model")
assert len(m.predict(x.head(3))) == 3
"#,
    );
}

#[test]
fn artifacts_are_put_read_in_ranges_and_deleted() {
    let server = Server::start(None);
    python(
        &server,
        &[],
        r#"
import os, mlflow, requests
from mlflow.artifacts import download_artifacts
from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository
size = 3 * 1024 * 1024 + 7
whole = os.urandom(size)
open("big.bin", "wb").write(whole)
with mlflow.start_run() as run:
    mlflow.log_artifact("big.bin", "deep/er")
got = download_artifacts(run_id=run.info.run_id, artifact_path="deep/er/big.bin")
assert open(got, "rb").read() == whole
path = run.info.artifact_uri.removeprefix("mlflow-artifacts:/")
url = f"{os.environ['MLFLOW_TRACKING_URI']}/api/2.0/mlflow-artifacts/artifacts/{path}/deep/er/big.bin"
for asked, wanted in [("0-9", whole[:10]), (f"{size - 5}-", whole[-5:]), ("-3", whole[-3:]), (f"5-{size * 2}", whole[5:])]:
    part = requests.get(url, headers={"Range": f"bytes={asked}"})
    assert part.status_code == 206 and part.content == wanted, (asked, part.status_code, len(part.content))
assert requests.put(url, data=b"other").ok
assert requests.get(url).content == b"other"
repository = get_artifact_repository(run.info.artifact_uri)
repository.delete_artifacts("deep")
assert repository.list_artifacts("") == [], repository.list_artifacts("")
assert requests.get(url).status_code == 404
"#,
    );
}
