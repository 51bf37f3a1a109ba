//! Model versions to the real MLflow server and back, through cuts, and again without a second copy.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use lapwing_app::wire::dispatch;
use lapwing_app::{App, Options};
use serde_json::{Value, json};

use crate::cut::Cut;
use crate::hugging_face::server::Server;
use crate::place::{Place, interrupted, peer, told};
use crate::registry::{Access, PASSWORD, Registry};

const START_LIMIT: Duration = Duration::from_secs(120);
const POLL: Duration = Duration::from_millis(100);

/// What the server of MLflow lets in.
const MLFLOW_PASSWORD: &str = "canary-of-mlflow";

/// The real `mlflow server` with its own passwords, ended with the test.
struct Mlflow {
    server: Child,
    port: u16,
}

impl Mlflow {
    fn start(place: &Place) -> Self {
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = free.local_addr().unwrap().port();
        drop(free);
        Self::start_at(place, port)
    }

    /// With what one that ran before has left.
    fn start_at(place: &Place, port: u16) -> Self {
        let folder = place.path("mlflow");
        std::fs::create_dir_all(&folder).unwrap();
        // It remembers for a while whom it let in: each look at a password takes it long.
        let config = format!(
            "[mlflow]\ndefault_permission = READ\ndatabase_uri = sqlite:///users.db\nadmin_username = admin\n\
             admin_password = {MLFLOW_PASSWORD}\n\
             authorization_function = mlflow.server.auth:authenticate_request_basic_auth\nauth_cache_ttl_seconds = 600\n"
        );
        std::fs::write(folder.join("auth.ini"), config).unwrap();
        let mut command = Command::new(peer("mlflow"));
        command
            .args(["server", "--host", "127.0.0.1", "--workers", "1", "--port"])
            .arg(port.to_string())
            .args(["--backend-store-uri", "sqlite:///mlflow.db"])
            .args(["--artifacts-destination", "artifacts"])
            .args(["--app-name", "basic-auth"])
            .current_dir(&folder)
            .env("MLFLOW_AUTH_CONFIG_PATH", "auth.ini")
            .env("MLFLOW_FLASK_SERVER_SECRET_KEY", "of this test")
            .env("MLFLOW_DISABLE_TELEMETRY", "true")
            .env_remove("MLFLOW_TRACKING_URI")
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let server = command
            .spawn()
            .expect("mlflow is installed: run `make test`");
        let begun = Instant::now();
        while !healthy(port) {
            assert!(begun.elapsed() < START_LIMIT, "mlflow does not come up");
            std::thread::sleep(POLL);
        }
        Self { server, port }
    }

    fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    fn start_again(&mut self, place: &Place) {
        self.server.wait().unwrap();
        *self = Self::start_at(place, self.port);
    }

    fn python(&self, place: &Place, script: &str) -> String {
        self.python_with(place, script, "")
    }

    fn python_with(&self, place: &Place, script: &str, argument: &str) -> String {
        let output = Command::new(peer("python"))
            .args(["-W", "ignore", "-c", script, argument])
            .current_dir(place.path("mlflow"))
            .env("MLFLOW_TRACKING_URI", self.url())
            .env("MLFLOW_TRACKING_USERNAME", "admin")
            .env("MLFLOW_TRACKING_PASSWORD", MLFLOW_PASSWORD)
            .env("MLFLOW_DISABLE_TELEMETRY", "true")
            .env("GIT_PYTHON_REFRESH", "quiet")
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", told(&output));
        String::from_utf8(output.stdout).unwrap()
    }
}

impl Drop for Mlflow {
    fn drop(&mut self) {
        // One that was killed has no group any more.
        if matches!(self.server.try_wait(), Ok(None)) {
            kill_group(self.server.id());
        }
        let _ = self.server.wait();
    }
}

/// The server's workers are processes of their own.
fn kill_group(leader: u32) {
    let group = format!("-{leader}");
    let _ = Command::new("kill").args(["-9", "--", &group]).status();
}

fn healthy(port: u16) -> bool {
    let ask = || -> std::io::Result<String> {
        let mut stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_read_timeout(Some(Duration::from_secs(5)))?;
        stream.write_all(b"GET /health HTTP/1.0\r\n\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    };
    ask().is_ok_and(|answer| answer.contains("200 OK"))
}

const LOG_AND_REGISTER: &str = r#"
import mlflow, numpy as np
from mlflow import MlflowClient
from sklearn.linear_model import LinearRegression
mlflow.set_experiment("birds")
x = np.arange(20.0).reshape(-1, 1)
with mlflow.start_run(run_name="first") as run:
    mlflow.log_param("kind", "linear")
    for step in range(3):
        mlflow.log_metric("loss", 1 / (step + 1), step=step)
    mlflow.log_metric("nan", float("inf"))
    mlflow.sklearn.log_model(LinearRegression().fit(x, 2 * x), name="model", input_example=x[:2], registered_model_name="birds")
MlflowClient().set_registered_model_alias("birds", "prod", 1)
print(run.info.run_id)
"#;

/// One server for both: it takes longer to start than everything else here.
#[test]
fn versions_travel_to_an_mlflow_server_and_back() {
    let place = Place::new();
    let mut mlflow = Mlflow::start(&place);
    who_is_not_let_in_is_told_so(&place, &mlflow);
    a_version_comes_with_its_run_and_goes_out_again_only_once(&place, &mlflow);
    the_card_on_the_hub_says_what_the_run_measured(&place);
    runs_and_versions_are_the_same_on_both_sides_after_a_sync(&place, &mlflow);
    a_push_that_is_cut_is_completed_by_the_next_one(&place, &mlflow);
    a_pull_that_is_cut_is_completed_by_the_next_one(&mlflow);
    what_is_stopped_on_its_way_is_completed_by_the_next_try(&place, &mlflow);
    a_server_that_is_killed_gets_and_gives_what_is_missing(&place, &mut mlflow);
    a_registry_of_images_keeps_models_too(&place);
    a_large_upload_that_is_cut_is_completed(&place);
    a_registry_that_is_killed_gets_what_is_missing(&place);
    a_push_that_is_stopped_is_gone_on_with(&place);
}

fn who_is_not_let_in_is_told_so(place: &Place, mlflow: &Mlflow) {
    let here = place.path("mlflow");
    add_mlflow(place, &here, "team", mlflow.port, "wrong");
    let health = place.run(&here, &["remotes", "test", "team"]);
    let refused = place.run(&here, &["models", "pull", "team:birds"]);
    for output in [health, refused] {
        let said = told(&output);
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(
            said.contains("does not accept the credentials that were sent"),
            "{said}"
        );
        assert!(said.contains("lapwing remotes login"), "{said}");
    }
}

fn add_mlflow(place: &Place, here: &Path, name: &str, port: u16, password: &str) {
    add_kept(place, here, name, port, ["mlflow", "admin", password]);
}

fn a_version_comes_with_its_run_and_goes_out_again_only_once(place: &Place, mlflow: &Mlflow) {
    let here = place.path("mlflow");
    let said = mlflow.python(place, LOG_AND_REGISTER);
    // Behind what the client itself says.
    let run_id = said.lines().last().unwrap().to_owned();

    // Which kind of server it is, it says itself to whom it lets in.
    let remove = ["remotes", "remove", "team"];
    place.text(&here, &remove);
    let known = ["", "admin", MLFLOW_PASSWORD];
    add_kept(place, &here, "team", mlflow.port, known);
    let health = place.json(&here, &["remotes", "test", "team"]);
    let server = health["server"].as_str().unwrap();
    assert!(server.starts_with("MLflow 3."), "{health}");
    let listed = place.json(&here, &["remotes", "list"]);
    let mut listed = listed.as_array().unwrap().iter();
    let team = listed.find(|row| row["name"] == "team").unwrap();
    assert_eq!(team["kind"], "mlflow");
    let found = place.json(&here, &["models", "search", "team", "bir"]);
    assert_eq!(found[0]["address"], "team:birds");
    assert_eq!(found[0]["aliases"]["prod"], "1");

    let first = place.json(&here, &["models", "pull", "team:birds@prod"]);
    assert_eq!(
        (&first["version"], &first["new"]),
        (&1.into(), &true.into())
    );
    let again = place.json(&here, &["models", "pull", "team:birds/1"]);
    assert_eq!(
        (&again["version"], &again["new"]),
        (&1.into(), &false.into())
    );
    let run = place.json(&here, &["runs", "show", &run_id]);
    assert_eq!(
        run["row"]["run_id"],
        run_id.as_str(),
        "one id everywhere: {run}"
    );

    // Back to where it came from, where nobody said a digest: it is the same version.
    let pushed = place.json(&here, &["models", "push", "birds/1", "team"]);
    assert_eq!(
        (&pushed["address"], &pushed["new"]),
        (&"team:birds/1".into(), &false.into())
    );
    // Under another name: the run is there already, the files are the same.
    let pushed = place.json(
        &here,
        &[
            "models", "push", "birds/1", "team", "--as", "owls", "--alias", "prod",
        ],
    );
    assert_eq!(
        (&pushed["address"], &pushed["new"]),
        (&"team:owls/1".into(), &true.into())
    );
    let pushed = place.json(
        &here,
        &["models", "push", "birds/1", "team", "--as", "owls"],
    );
    assert_eq!(
        (&pushed["address"], &pushed["new"]),
        (&"team:owls/1".into(), &false.into())
    );
    let said = mlflow.python(
        place,
        r#"
import mlflow, numpy as np
from mlflow import MlflowClient
model = mlflow.pyfunc.load_model("models:/owls@prod")
print(model.predict(np.array([[21.0]])).ravel()[0].round(6))
c = MlflowClient()
print(len(c.search_model_versions("name = 'owls'")), len(c.search_runs(["0", "1"])), len(c.search_logged_models(["1"])))
print(c.get_model_version("owls", 1).run_id)
"#,
    );
    let lines: Vec<&str> = said.lines().collect();
    assert_eq!(lines[0], "42.0");
    assert_eq!(
        lines[1], "1 1 2",
        "one version, one run, a logged model for each name"
    );
    assert_eq!(lines[2], run_id);
}

/// A version with a run, to a Hub on loopback: its card has the numbers in the shape that the Hub lists.
fn the_card_on_the_hub_says_what_the_run_measured(place: &Place) {
    let server = Server::start(&[("hf_ada", "ada")]);
    let person = |arguments: &[&str]| {
        let mut command = place.command(&place.path("mlflow"), arguments);
        command
            .env("HF_ENDPOINT", &server.url)
            .env("HF_TOKEN", "hf_ada");
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}", told(&output));
    };
    person(&["models", "push", "birds/1", "hugging-face"]);
    let client = std::env::var_os("LAPWING_TEST_HUGGINGFACE")
        .expect("LAPWING_TEST_HUGGINGFACE names the client's venv: run `make test`");
    let script = r#"
from huggingface_hub import ModelCard
results = ModelCard.load("ada/birds").data.eval_results
print([(one.metric_type, round(one.metric_value, 3), one.dataset_name) for one in results if one.metric_type == "loss"])
"#;
    let output = Command::new(Path::new(&client).join("bin/python"))
        .args(["-W", "ignore", "-c", script])
        .env("HF_ENDPOINT", &server.url)
        .env("HF_TOKEN", "hf_ada")
        .env("HF_HOME", place.path("hub"))
        .env("HF_HUB_DISABLE_XET", "1")
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", told(&output));
    let said = String::from_utf8(output.stdout).unwrap();
    assert_eq!(said, "[('loss', 0.333, 'first')]\n");
    // The run travels beside the files.
    let other = Place::new();
    let home = other.path("home");
    std::fs::create_dir_all(&home).unwrap();
    let mut pull = other.command(&home, &["models", "pull", "hugging-face:birds"]);
    pull.env("HF_ENDPOINT", &server.url)
        .env("HF_TOKEN", "hf_ada");
    let output = pull.output().unwrap();
    assert!(output.status.success(), "{}", told(&output));
    let run = |place: &Place, folder: &Path| {
        let shown = place.json(folder, &["models", "show", "birds"]);
        let id = shown["versions"][0]["run_id"].as_str().unwrap().to_owned();
        place.json(folder, &["runs", "show", &id])["row"]["metrics"].clone()
    };
    assert_eq!(run(&other, &home), run(place, &place.path("mlflow")));
}

const TWO_RUNS: &str = r#"
import mlflow
mlflow.set_experiment("nests")
with mlflow.start_run(run_name="good"):
    mlflow.log_param("depth", 3)
    for step in range(4):
        mlflow.log_metric("loss", 1 / (step + 1), step=step)
    mlflow.log_text("twigs and moss", "notes/a.txt")
try:
    with mlflow.start_run(run_name="bad"):
        mlflow.log_metric("loss", 9.0)
        raise ValueError()
except ValueError:
    pass
nests = mlflow.get_experiment_by_name("nests").experiment_id
mlflow.MlflowClient().create_run(nests, run_name="still running")
print("done")
"#;

const STAGES: &str = "stages:
  measure:
    cmd: printf '{\"auc\":%s}' 0.5 > metrics.json
    metrics: [metrics.json: {cache: false}]
";

fn runs_and_versions_are_the_same_on_both_sides_after_a_sync(place: &Place, mlflow: &Mlflow) {
    mlflow.python(place, TWO_RUNS);
    let here = place.path("nests");
    std::fs::create_dir_all(&here).unwrap();
    std::fs::write(here.join("lapwing.toml"), "[project]\nname = \"nests\"\n").unwrap();
    std::fs::write(here.join("dvc.yaml"), STAGES).unwrap();
    place.text(&here, &["init"]);
    place.json(&here, &["run"]);
    let moved = |place: &Place, folder: &Path, more: &[&str]| -> Vec<usize> {
        let synced = place.json(folder, &[&["remotes", "sync", "team"], more].concat());
        [
            "runs_pushed",
            "runs_pulled",
            "versions_pushed",
            "versions_pulled",
        ]
        .iter()
        .map(|key| synced[key].as_array().unwrap().len())
        .collect()
    };
    assert_eq!(
        moved(place, &here, &[]),
        [1, 2, 0, 0],
        "what still runs stays"
    );
    assert_eq!(moved(place, &here, &[]), [0, 0, 0, 0], "once is enough");
    let note = Command::new("find")
        .arg(place.workspace().join("artifacts"))
        .args(["-path", "*/artifacts/notes/a.txt"])
        .output()
        .unwrap();
    let note = String::from_utf8(note.stdout).unwrap();
    assert_eq!(
        std::fs::read_to_string(note.trim()).unwrap(),
        "twigs and moss"
    );

    // Somebody else, who knows the server alone.
    let other = Place::new();
    let there = other.path("home");
    std::fs::create_dir_all(&there).unwrap();
    add_mlflow(&other, &there, "team", mlflow.port, MLFLOW_PASSWORD);
    let nests = ["--experiment", "nests"];
    assert_eq!(moved(&other, &there, &nests), [0, 3, 0, 0]);
    assert_eq!(moved(&other, &there, &nests), [0, 0, 0, 0]);
    assert_eq!(
        moved(place, &here, &[]),
        [0, 0, 0, 0],
        "nor did that bring anything back"
    );
    let said = mlflow.python(
        place,
        r#"
import mlflow
c = mlflow.MlflowClient()
nests = c.get_experiment_by_name("nests").experiment_id
runs = {run.info.run_name: run for run in c.search_runs([nests])}
ours = [run for name, run in runs.items() if name not in ("good", "bad", "still running")]
print(len(runs), [run.data.metrics for run in ours], ours[0].info.status)
"#,
    );
    assert_eq!(said, "4 [{'auc': 0.5}] FINISHED\n");

    // Versions of the experiment's runs: one that came from there, and one that was pushed under another name.
    let birds = ["--experiment", "birds"];
    let first = moved(place, &here, &birds);
    assert_eq!(first[2..], [0, 1], "only `owls` was not here: {first:?}");
    assert_eq!(moved(place, &here, &birds), [0, 0, 0, 0]);
    let said = mlflow.python(
        place,
        r#"
import mlflow
c = mlflow.MlflowClient()
print([len(c.search_model_versions(f"name = '{name}'")) for name in ("birds", "owls")])
"#,
    );
    assert_eq!(said, "[1, 1]\n");
}

/// A model with a file that is large enough to be cut, registered here.
fn register_large(place: &Place, folder: &Path) {
    let script = r#"
import mlflow, numpy as np
from sklearn.linear_model import LinearRegression
x = np.arange(20.0).reshape(-1, 1)
mlflow.sklearn.save_model(LinearRegression().fit(x, 2 * x), "large")
open("large/ballast.bin", "wb").write(bytes(range(256)) * 16384)
"#;
    std::fs::create_dir_all(folder).unwrap();
    let output = Command::new(peer("python"))
        .args(["-W", "ignore", "-c", script])
        .current_dir(folder)
        .env("MLFLOW_DISABLE_TELEMETRY", "true")
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", told(&output));
    place.text(folder, &["models", "register", "large", "--name", "large"]);
}

fn a_push_that_is_cut_is_completed_by_the_next_one(place: &Place, mlflow: &Mlflow) {
    let here = place.path("mlflow");
    register_large(place, &here);
    let cut = Cut::before(mlflow.port, 1_000_000);
    add_mlflow(place, &here, "shaky", cut.port, MLFLOW_PASSWORD);
    let failed = place.run(&here, &["models", "push", "large/1", "shaky"]);
    assert!(!failed.status.success(), "{}", told(&failed));
    let said = told(&failed);
    assert!(
        said.contains("broke off") || said.contains("try again"),
        "{said}"
    );
    cut.mend();
    let nothing = place.json(&here, &["models", "search", "shaky", "large"]);
    assert_eq!(
        nothing[0]["latest"],
        serde_json::Value::Null,
        "no half version is visible: {nothing}"
    );
    let pushed = place.json(&here, &["models", "push", "large/1", "shaky"]);
    assert_eq!(
        (&pushed["address"], &pushed["new"]),
        (&"shaky:large/1".into(), &true.into())
    );
    let said = mlflow.python(
        place,
        r#"
import mlflow, os
from mlflow import MlflowClient
path = mlflow.artifacts.download_artifacts("models:/large/1")
print(open(os.path.join(path, "ballast.bin"), "rb").read() == bytes(range(256)) * 16384)
print(len(MlflowClient().search_logged_models(["0"])))
"#,
    );
    assert_eq!(
        said, "True\n1\n",
        "whole, and one logged model in spite of two tries"
    );
}

const THERE: &str = r#"
import mlflow, os, sys
from mlflow import MlflowClient
c, name = MlflowClient(), sys.argv[1]
versions = c.search_model_versions(f"name = '{name}'")
path = mlflow.artifacts.download_artifacts(f"models:/{name}/1")
whole = open(os.path.join(path, "ballast.bin"), "rb").read() == bytes(range(256)) * 16384
print(len(versions), whole, len([one for one in c.search_logged_models(["0"]) if one.name == name]))
"#;

fn a_pull_that_is_cut_is_completed_by_the_next_one(mlflow: &Mlflow) {
    let other = Place::new();
    let here = other.path("home");
    std::fs::create_dir_all(&here).unwrap();
    let cut = Cut::answers_with(mlflow.port, 1_000_000, || {});
    add_mlflow(&other, &here, "shaky", cut.port, MLFLOW_PASSWORD);
    let pull = ["models", "pull", "shaky:large"];
    let failed = other.run(&here, &pull);
    let said = told(&failed);
    assert!(!failed.status.success() && cut.happened(), "{said}");
    let nothing = other.json(&here, &["models", "list"]);
    assert_eq!(
        nothing,
        serde_json::json!([]),
        "half a model is none: {said}"
    );
    cut.mend();
    let before = cut.passed();
    let pulled = other.json(&here, &pull);
    assert_eq!(
        (&pulled["version"], &pulled["new"]),
        (&1.into(), &true.into())
    );
    let again = cut.passed() - before;
    assert!(
        again < 4 << 20,
        "what had come does not come again: {again}"
    );
    let files = found(&other.workspace(), &["-name", "ballast.bin"]);
    assert!(std::fs::read(files.trim()).unwrap() == ballast(), "{files}");
}

/// A push and a pull, each stopped in the terminal and then in the window, half-way through a file.
fn what_is_stopped_on_its_way_is_completed_by_the_next_try(place: &Place, mlflow: &Mlflow) {
    const HALF: i64 = 1_000_000;
    let here = place.path("mlflow");
    let push = json!({"project": null, "model": "large/1", "remote": "held", "name": "hawks", "alias": null});
    for stop in [in_the_terminal, in_the_window] {
        let held = Cut::holding(mlflow.port, HALF);
        add_mlflow(place, &here, "held", held.port, MLFLOW_PASSWORD);
        let verb = ["models", "push", "large/1", "held", "--as", "hawks"];
        stop(place, &verb, ("models.push", push.clone()), &held);
        held.mend();
        let nothing = place.json(&here, &["models", "search", "held", "hawks"]);
        let latest = &nothing[0]["latest"];
        assert_eq!(*latest, Value::Null, "no half version is there: {nothing}");
    }
    let again = ["models", "push", "large/1", "shaky", "--as", "hawks"];
    assert_eq!(place.json(&here, &again)["new"], true);
    let there = mlflow.python_with(place, THERE, "hawks");
    assert_eq!(
        there, "1 True 1\n",
        "whole, and once in spite of three tries"
    );

    let other = Place::new();
    let home = other.path("home");
    std::fs::create_dir_all(&home).unwrap();
    let pull = json!({"project": null, "address": "held:hawks", "name": null, "alias": null});
    for stop in [in_the_terminal, in_the_window] {
        let held = Cut::holding_answers(mlflow.port, HALF);
        add_mlflow(&other, &home, "held", held.port, MLFLOW_PASSWORD);
        let verb = ["models", "pull", "held:hawks"];
        stop(&other, &verb, ("models.pull", pull.clone()), &held);
        held.mend();
        let nothing = other.json(&home, &["models", "list"]);
        assert_eq!(nothing, json!([]), "half a model is none");
    }
    let pulled = other.json(&home, &["models", "pull", "held:hawks"]);
    assert_eq!(pulled["new"], true, "{pulled}");
    let files = found(&other.workspace(), &["-name", "ballast.bin"]);
    assert!(std::fs::read(files.trim()).unwrap() == ballast(), "{files}");
}

/// Ctrl-C.
fn in_the_terminal(place: &Place, verb: &[&str], _: (&str, Value), held: &Cut) {
    let going = place
        .command(&place.path(""), verb)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    while !held.happened() {
        std::thread::yield_now();
    }
    let stopped = interrupted(going, || {});
    let said = told(&stopped);
    assert_eq!(stopped.status.code(), Some(1), "{said}");
    assert!(said.contains("the transfer was stopped"), "{said}");
}

/// The window's Stop: the commands that it gives.
fn in_the_window(place: &Place, _: &[&str], (name, input): (&str, Value), held: &Cut) {
    let window = App::open(Options {
        home: place.workspace(),
        program: env!("CARGO_BIN_EXE_lapwing").into(),
        keychain: false,
    })
    .unwrap();
    std::thread::scope(|scope| {
        let going = scope.spawn(|| dispatch(&window, name, input));
        while !held.happened() {
            std::thread::yield_now();
        }
        let listed = dispatch(&window, "transfers.list", json!({ "project": null })).unwrap();
        let id = &listed[0]["id"];
        dispatch(&window, "transfers.stop", json!({ "id": id })).unwrap();
        let stopped = going.join().unwrap().unwrap_err();
        assert_eq!(stopped.name, "remote.stopped", "{stopped:?}");
    });
    let nothing = dispatch(&window, "transfers.list", json!({ "project": null }));
    assert_eq!(nothing.unwrap(), json!([]), "what is over is not listed");
}

const A_LARGE_RUN: &str = r#"
import mlflow
mlflow.set_experiment("nests")
with mlflow.start_run(run_name="large"):
    mlflow.log_metric("loss", 0.5)
    open("large.bin", "wb").write(bytes(range(256)) * 16384)
    mlflow.log_artifact("large.bin")
"#;

/// A run of this place with an artifact of several mebibytes, and one of the server.
fn two_large_runs(place: &Place, mlflow: &Mlflow) {
    let here = place.path("nests");
    std::fs::write(here.join("dvc.yaml"), STAGES.replace("0.5", "0.75")).unwrap();
    let ran = place.json(&here, &["run"]);
    let run = ran["row"]["run_id"].as_str().unwrap();
    let found = found(&place.workspace().join("artifacts"), &["-name", run]);
    let folder = Path::new(found.trim()).join("artifacts");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("ours.bin"), ballast()).unwrap();
    mlflow.python(place, A_LARGE_RUN);
}

fn ballast() -> Vec<u8> {
    (0..=255).collect::<Vec<u8>>().repeat(16384)
}

/// What `find` finds below a folder.
fn found(folder: &Path, words: &[&str]) -> String {
    let output = Command::new("find")
        .arg(folder)
        .args(words)
        .output()
        .unwrap();
    String::from_utf8(output.stdout).unwrap()
}

/// A push, a pull and a sync are half-way when the server dies: each of them is completed by its next try.
fn a_server_that_is_killed_gets_and_gives_what_is_missing(place: &Place, mlflow: &mut Mlflow) {
    const HALF: i64 = 1_000_000;
    two_large_runs(place, mlflow);
    let other = Place::new();
    std::fs::create_dir_all(other.path("home")).unwrap();
    let ways = [
        (place, "mlflow", Cut::holding(mlflow.port, HALF)),
        (&other, "home", Cut::holding_answers(mlflow.port, HALF)),
        (place, "nests", Cut::holding(mlflow.port, HALF)),
    ];
    let verbs: [&[&str]; 3] = [
        &["models", "push", "large/1", "way-0", "--as", "eagles"],
        &["models", "pull", "way-1:large"],
        &["remotes", "sync", "way-2"],
    ];
    let mut going = Vec::new();
    for (number, ((place, folder, cut), verb)) in ways.iter().zip(verbs).enumerate() {
        let here = place.path(folder);
        let name = format!("way-{number}");
        add_mlflow(place, &here, &name, cut.port, MLFLOW_PASSWORD);
        let child = place
            .command(&here, verb)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn();
        going.push(child.unwrap());
    }
    for (_, _, cut) in &ways {
        while !cut.happened() {
            std::thread::yield_now();
        }
    }
    kill_group(mlflow.server.id());
    for (child, (_, _, cut)) in going.into_iter().zip(&ways) {
        cut.snap();
        let failed = child.wait_with_output().unwrap();
        assert!(!failed.status.success(), "{}", told(&failed));
        cut.mend();
    }
    let nothing = other.json(&other.path("home"), &["models", "list"]);
    assert_eq!(nothing, serde_json::json!([]), "half a model is none");
    mlflow.start_again(place);

    let again = |number: usize| {
        let (place, folder, _) = &ways[number];
        place.json(&place.path(folder), verbs[number])
    };
    let pushed = again(0);
    assert_eq!(
        (&pushed["address"], &pushed["new"]),
        (&"way-0:eagles/1".into(), &true.into())
    );
    assert_eq!(again(0)["new"], false);
    assert_eq!(mlflow.python_with(place, THERE, "eagles"), "1 True 1\n");
    assert_eq!(again(1)["new"], true);
    let files = found(&other.workspace(), &["-name", "ballast.bin"]);
    assert!(std::fs::read(files.trim()).unwrap() == ballast(), "{files}");
    the_runs_are_whole_on_both_sides(place, mlflow);
}

/// The sync that was broken off is broken off once more, on the way back, before it comes to its end.
fn the_runs_are_whole_on_both_sides(place: &Place, mlflow: &Mlflow) {
    let here = place.path("nests");
    let shaky = Cut::answers_with(mlflow.port, 1_000_000, || {});
    add_mlflow(place, &here, "shaky", shaky.port, MLFLOW_PASSWORD);
    let sync = ["remotes", "sync", "shaky"];
    let failed = place.run(&here, &sync);
    let said = told(&failed);
    assert!(!failed.status.success() && shaky.happened(), "{said}");
    shaky.mend();
    let synced = place.json(&here, &sync);
    let count = |key: &str| synced[key].as_array().unwrap().len();
    assert_eq!(
        [count("runs_pushed"), count("runs_pulled")],
        [0, 1],
        "ours went with the try before: {synced}"
    );
    let synced = place.json(&here, &sync);
    assert_eq!(synced["runs_pulled"], serde_json::json!([]), "{synced}");
    let said = mlflow.python(
        place,
        r#"
import mlflow
c = mlflow.MlflowClient()
nests = c.get_experiment_by_name("nests").experiment_id
runs = [run for run in c.search_runs([nests]) if run.data.metrics.get("auc") == 0.75]
path = mlflow.artifacts.download_artifacts(run_id=runs[0].info.run_id, artifact_path="ours.bin")
print(len(runs), runs[0].info.status, open(path, "rb").read() == bytes(range(256)) * 16384)
print(len(c.get_metric_history(runs[0].info.run_id, "auc")))
"#,
    );
    assert_eq!(said, "1 FINISHED True\n1\n");
    let artifacts = place.workspace().join("artifacts");
    let files = found(&artifacts, &["-name", "large.bin"]);
    assert!(std::fs::read(files.trim()).unwrap() == ballast(), "{files}");
}

/// A registry of images that asks for a password.
pub fn registry(place: &Place) -> Registry {
    Registry::start(&place.path("registry"), Access::Password)
}

pub fn add_registry(place: &Place, here: &Path, name: &str, port: u16, password: &str) {
    add_kept(place, here, name, port, ["oci", "ada", password]);
}

/// Adds a remote of a kind, or of the one that it says itself, with a user and a password.
fn add_kept(place: &Place, here: &Path, name: &str, port: u16, [kind, user, password]: [&str; 3]) {
    let url = format!("http://127.0.0.1:{port}");
    let mut arguments = vec!["remotes", "add", name, &url, "--user", user];
    arguments.push("--secret-stdin");
    if !kind.is_empty() {
        arguments.extend(["--kind", kind]);
    }
    let mut child = place
        .command(here, &arguments)
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(password.as_bytes())
        .unwrap();
    assert!(child.wait().unwrap().success());
}

fn a_registry_of_images_keeps_models_too(place: &Place) {
    let registry = registry(place);
    let here = place.path("mlflow");
    add_registry(place, &here, "images", registry.port, "wrong");
    let refused = place.run(&here, &["models", "push", "birds/1", "images"]);
    assert_eq!(refused.status.code(), Some(1), "{}", told(&refused));
    assert!(
        told(&refused).contains("does not accept the credentials that were sent"),
        "{}",
        told(&refused)
    );
    add_registry(place, &here, "images", registry.port, PASSWORD);
    let health = place.json(&here, &["remotes", "test", "images"]);
    assert!(health["problem"].is_null(), "{health}");

    let pushed = place.json(
        &here,
        &["models", "push", "birds/1", "images", "--alias", "prod"],
    );
    assert_eq!(
        (&pushed["address"], &pushed["new"]),
        (&"images:birds/1".into(), &true.into())
    );
    let again = place.json(&here, &["models", "push", "birds/1", "images"]);
    assert_eq!(again["new"], false, "{again}");
    let found = place.json(&here, &["models", "search", "images"]);
    assert_eq!(found[0]["latest"], "1", "{found}");

    a_registry_of_many_is_searched_whole(place, &here);

    // Another person, another workspace: the same model under the same run.
    let other = Place::new();
    let there = other.path("home");
    std::fs::create_dir_all(&there).unwrap();
    add_registry(&other, &there, "images", registry.port, PASSWORD);
    let pulled = other.json(&there, &["models", "pull", "images:birds@prod"]);
    assert_eq!(
        (&pulled["version"], &pulled["new"]),
        (&1.into(), &true.into())
    );
    let run = |place: &Place, folder: &Path| {
        let versions = place.json(folder, &["models", "show", "birds"]);
        let id = versions["versions"][0]["run_id"]
            .as_str()
            .unwrap()
            .to_owned();
        place.json(folder, &["runs", "show", &id])
    };
    let (ours, theirs) = (run(place, &here), run(&other, &there));
    assert_eq!(ours["row"]["run_id"], theirs["row"]["run_id"]);
    assert_eq!(ours["row"]["metrics"], theirs["row"]["metrics"]);

    // What is damaged there never becomes a model here.
    damage(&place.path("registry/data"));
    let third = Place::new();
    let folder = third.path("home");
    std::fs::create_dir_all(&folder).unwrap();
    add_registry(&third, &folder, "images", registry.port, PASSWORD);
    let refused = third.run(&folder, &["models", "pull", "images:birds@prod"]);
    assert!(!refused.status.success(), "{}", told(&refused));
    assert!(told(&refused).contains("digest"), "{}", told(&refused));
    assert_eq!(
        third.json(&folder, &["models", "list"]),
        serde_json::json!([])
    );
}

/// More repositories than one page of the registry's list has.
fn a_registry_of_many_is_searched_whole(place: &Place, here: &Path) {
    const MANY: usize = 1100;
    let all = place.path("registry/data/docker/registry/v2/repositories");
    let copy = |number: usize| {
        let to = all.join(format!("flock/bird-{number:04}"));
        std::fs::create_dir_all(to.parent().unwrap()).unwrap();
        let mut cp = Command::new("cp");
        cp.arg("-r").arg(all.join("birds")).arg(to);
        assert!(cp.status().unwrap().success());
    };
    (0..MANY).for_each(copy);
    let names = |text: &str| {
        let output = place.run(here, &["models", "search", "images", text, "--json"]);
        let said = told(&output);
        let found: serde_json::Value = serde_json::from_slice(&output.stdout).expect(&said);
        let found = found.as_array().unwrap().len();
        (found, said.contains("There are more"))
    };
    assert_eq!(names(""), (100, true));
    assert_eq!(names("bird-1099"), (1, false), "on the second page");
    assert_eq!(names("bird-105"), (10, false));
    std::fs::remove_dir_all(all.join("flock")).unwrap();
}

/// Changes a byte of each large blob, without changing its size.
fn damage(folder: &Path) {
    let output = Command::new("find")
        .arg(folder)
        .args(["-type", "f", "-name", "data", "-size", "+1k"])
        .output()
        .unwrap();
    let files = String::from_utf8(output.stdout).unwrap();
    assert!(!files.is_empty(), "there is something to damage");
    for file in files.lines() {
        let mut content = std::fs::read(file).unwrap();
        // Manifests must stay readable: the digest of a file is what is tried.
        if content.starts_with(b"{") {
            continue;
        }
        content[17] ^= 1;
        std::fs::write(file, content).unwrap();
    }
}

const PART: i64 = 16 << 20;
const HUGE: i64 = 3 * PART + 5;

fn a_large_upload_that_is_cut_is_completed(place: &Place) {
    let registry = registry(place);
    let here = place.path("mlflow");
    let ballast: Vec<u8> = (0..HUGE).map(|n| (n % 253) as u8).collect();
    std::fs::write(here.join("large/ballast.bin"), ballast).unwrap();
    place.text(&here, &["models", "register", "large", "--name", "huge"]);
    let cut = Cut::before(registry.port, PART + PART / 2);
    goes_on_after(place, &cut, "shaky-images", || {});
}

fn a_registry_that_is_killed_gets_what_is_missing(place: &Place) {
    let registry = registry(place);
    let (port, process) = (registry.port, registry.server.id().to_string());
    let cut = Cut::with(port, PART + PART / 2, move || {
        let killed = Command::new("kill").args(["-9", &process]).status();
        assert!(killed.unwrap().success());
    });
    let folder = place.path("registry");
    let mut again = None;
    goes_on_after(place, &cut, "dying-images", || {
        drop(registry);
        again = Some(Registry::start_at(&folder, Access::Password, port));
    });
}

/// Pushes through `cut`, mends it, and pushes again.
fn goes_on_after(place: &Place, cut: &Cut, remote: &str, mend: impl FnOnce()) {
    let here = place.path("mlflow");
    add_registry(place, &here, remote, cut.port, PASSWORD);
    let push = ["models", "push", "huge/1", remote, "--as", remote];
    let failed = place.run(&here, &push);
    assert!(!failed.status.success(), "{}", told(&failed));
    assert!(cut.happened(), "{}", told(&failed));
    mend();
    cut.mend();
    let pushed = place.json(&here, &push);
    assert_eq!(pushed["new"], true);
    let passed = cut.passed();
    assert!(passed >= HUGE, "everything went over the wire: {passed}");
    // This registry forgets an upload that breaks off within a part: what had gone before the cut goes again.
    assert!(
        passed < HUGE + 2 * PART,
        "it began anew no more than once: {passed}"
    );
}

/// Ctrl-C in the middle of a part, which is sent to its end: the next push goes on behind it.
fn a_push_that_is_stopped_is_gone_on_with(place: &Place) {
    let registry = registry(place);
    let here = place.path("mlflow");
    let held = Cut::holding(registry.port, PART + PART / 2);
    add_registry(place, &here, "slow-images", held.port, PASSWORD);
    let push = ["models", "push", "huge/1", "slow-images", "--as", "slow"];
    let pushing = place
        .command(&here, &push)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    while !held.happened() {
        std::thread::yield_now();
    }
    let stopped = interrupted(pushing, || held.mend());
    assert_eq!(stopped.status.code(), Some(1), "{}", told(&stopped));
    let said = told(&stopped);
    assert!(said.contains("the transfer was stopped"), "{said}");
    let before = held.passed();
    assert!(before < HUGE, "it stopped: {before}");
    let pushed = place.json(&here, &push);
    assert_eq!(pushed["new"], true);
    let passed = held.passed();
    assert!(
        (HUGE..HUGE + PART / 2).contains(&passed),
        "no part was sent again: {passed}"
    );
    a_deployment_from_there_is_stopped_as_a_pull_is(registry.port);
}

fn a_deployment_from_there_is_stopped_as_a_pull_is(port: u16) {
    let other = Place::new();
    let here = other.path("home");
    std::fs::create_dir_all(&here).unwrap();
    let held = Cut::holding_answers(port, PART);
    add_registry(&other, &here, "images", held.port, PASSWORD);
    let deploying = other
        .command(&here, &["deploy", "images:slow", "--name", "slow"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    while !held.happened() {
        std::thread::yield_now();
    }
    let stopped = interrupted(deploying, || held.mend());
    let said = told(&stopped);
    assert_eq!(stopped.status.code(), Some(1), "{said}");
    assert!(said.contains("the transfer was stopped"), "{said}");
    let nothing = serde_json::json!([]);
    assert_eq!(other.json(&here, &["models", "list"]), nothing);
    assert_eq!(other.json(&here, &["deployments", "list"]), nothing);
}
