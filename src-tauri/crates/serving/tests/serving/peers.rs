//! Real models, made once by the real libraries, and gateways that serve them.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

use lapwing_core::Timestamp;
use lapwing_serving::client::{self, Response};
use lapwing_serving::convert::{self, Conversion};
use lapwing_serving::gateway::{self, Running};
use lapwing_serving::{DeploymentFolder, GatewayConfig, RevisionConfig, RuntimeKind, write_config};
use serde_json::Value;

pub const PATIENCE: Duration = Duration::from_secs(180);

/// The Python of the peers' environment.
pub fn python() -> PathBuf {
    let root = std::env::var_os("LAPWING_TEST_PEERS")
        .expect("LAPWING_TEST_PEERS names the environment with mlflow, scikit-learn, lightgbm and onnxruntime; `make test` sets it");
    PathBuf::from(root).join("bin/python")
}

/// The folder of one of the models of models.py.
pub fn model(name: &str) -> PathBuf {
    static MADE: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    MADE.get_or_init(|| {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/serving/models.py");
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("serving-models");
        let source = fs_err::read_to_string(&script).expect("the script is beside this file");
        if fs_err::read_to_string(folder.join("made-by.py")).is_ok_and(|made| made == source) {
            return Ok(folder);
        }
        let _ = fs_err::remove_dir_all(&folder); // there may be none
        fs_err::create_dir_all(&folder).expect("the target folder can be written");
        let made = Command::new(python())
            .arg(&script)
            .arg(&folder)
            .env("MLFLOW_DISABLE_TELEMETRY", "true")
            .output()
            .expect("Python starts");
        if !made.status.success() {
            // Kept: a second try would fail as slowly as the first.
            return Err(String::from_utf8_lossy(&made.stderr).into_owned());
        }
        fs_err::write(folder.join("made-by.py"), source).expect("the target folder can be written");
        Ok(folder)
    })
    .as_ref()
    .expect("models.py makes the models")
    .join(name)
}

/// What the original answered: `rows`, `predictions`, `scores`.
pub fn truth(name: &str) -> Value {
    let text =
        fs_err::read_to_string(model(name).with_extension("json")).expect("models.py writes it");
    serde_json::from_str(&text).expect("models.py writes JSON")
}

/// The conversion of a model, made once.
pub fn converted(name: &'static str) -> (PathBuf, Conversion) {
    static MADE: OnceLock<
        std::sync::Mutex<std::collections::HashMap<&'static str, (PathBuf, Conversion)>>,
    > = OnceLock::new();
    let mut made = MADE
        .get_or_init(Default::default)
        .lock()
        .expect("no other test panicked here");
    made.entry(name)
        .or_insert_with(|| {
            let out = PathBuf::from(env!("CARGO_TARGET_TMPDIR"))
                .join("serving-onnx")
                .join(name);
            let conversion = convert::to_onnx(&model(name), &python(), &out, None)
                .expect("the conversion answers");
            (out, conversion)
        })
        .clone()
}

/// A deployment's folder with one revision for each of the models.
pub struct Deployment {
    pub folder: tempfile::TempDir,
    pub config: GatewayConfig,
}

impl Deployment {
    pub fn of(name: &'static str, runtime: RuntimeKind) -> Self {
        let folder = tempfile::tempdir().expect("there is room for temporary files");
        let revision = add(folder.path(), 1, name, runtime);
        let config = GatewayConfig::new("flights".parse().expect("a good name"), 0, revision);
        let deployment = Self { folder, config };
        deployment.write();
        deployment
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    pub fn write(&self) {
        write_config(self.path(), &self.config).expect("the configuration holds together");
    }

    /// Adds a revision and gives it all the traffic; [`Deployment::write`] makes it so.
    pub fn release(&mut self, number: u32, name: &'static str, runtime: RuntimeKind) {
        self.config
            .revisions
            .push(add(self.folder.path(), number, name, runtime));
        self.config.traffic = vec![lapwing_serving::TrafficShare {
            revision: number,
            weight: 1.0,
        }];
    }
}

fn add(folder: &Path, number: u32, name: &'static str, runtime: RuntimeKind) -> RevisionConfig {
    let places = DeploymentFolder::at(folder);
    copy(&model(name), &places.model(number));
    if runtime == RuntimeKind::Onnx {
        let (onnx, conversion) = converted(name);
        assert!(
            conversion.accepted,
            "{name} is converted: {}",
            conversion.why
        );
        copy(&onnx, &places.onnx(number));
    }
    RevisionConfig {
        number,
        model_name: name.to_owned(),
        model_version: Some(number + 10),
        run_id: None,
        runtime,
        python: Some(python()),
        created: Timestamp(0),
    }
}

fn copy(from: &Path, to: &Path) {
    fs_err::create_dir_all(to).expect("there is room for temporary files");
    for entry in fs_err::read_dir(from).expect("the folder was made") {
        let entry = entry.expect("the folder can be listed");
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs_err::copy(entry.path(), target).expect("there is room for temporary files");
        }
    }
}

/// A gateway in this process.
pub struct Serving {
    pub deployment: Deployment,
    pub running: Running,
    task: tokio::task::JoinHandle<lapwing_serving::Result<()>>,
}

impl Serving {
    pub async fn start(deployment: Deployment) -> Self {
        let folder = deployment.path().to_owned();
        let task = tokio::spawn(async move { gateway::run(&folder, None).await });
        let running = until_serving(deployment.path())
            .await
            .expect("the gateway serves");
        Self {
            deployment,
            running,
            task,
        }
    }

    pub async fn post(&self, path: &str, body: &Value) -> Response {
        client::post(&self.running.url, path, None, body)
            .await
            .expect("the gateway answers")
    }

    /// Takes the changed configuration.
    pub async fn switch(&mut self) -> lapwing_serving::Result<()> {
        self.deployment.write();
        self.running = until_serving(self.deployment.path()).await?;
        Ok(())
    }

    /// Ends the gateway, so that its log is sealed.
    pub async fn end(self) -> Deployment {
        let folder = self.deployment.path().to_owned();
        tokio::task::spawn_blocking(move || gateway::stop(&folder))
            .await
            .expect("no panic")
            .expect("it ends");
        self.task.await.expect("no panic").expect("it ends well");
        self.deployment
    }
}

pub async fn until_serving(folder: &Path) -> lapwing_serving::Result<Running> {
    let folder = folder.to_owned();
    tokio::task::spawn_blocking(move || gateway::wait_until_serving(&folder, PATIENCE))
        .await
        .expect("no panic")
}

/// One good row of the forest's and the doubler's columns.
pub fn row(distance: f64) -> Value {
    serde_json::json!({ "dataframe_split": {
        "columns": ["distance", "hour", "carrier", "origin"],
        "data": [[distance, 17, "AA", "JFK"]],
    } })
}

/// Between two looks at something that will become true.
pub async fn pause() {
    tokio::time::sleep(Duration::from_millis(20)).await;
}

/// A request as bytes: what no client library would send.
pub async fn exchange(port: u16, head: &str, body: &[u8]) -> Vec<u8> {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let mut stream = tokio::net::TcpStream::connect(("127.0.0.1", port))
        .await
        .expect("it listens");
    stream.write_all(head.as_bytes()).await.expect("it reads");
    stream.write_all(body).await.expect("it reads");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.expect("it answers");
    answer
}
