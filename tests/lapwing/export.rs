//! An exported endpoint runs elsewhere and answers as it does here: the real Docker builds it and runs it.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::cut::Cut;
use crate::place::{Place, interrupted, peer, told};
use crate::registries::{add_registry, registry};
use crate::registry::PASSWORD;

/// An image of a debug build is large, and a slow disk takes its time.
const PATIENCE: Duration = Duration::from_secs(180);
const POLL: Duration = Duration::from_millis(100);
const TOKEN: &str = "s3cret";

const MODEL: &str = "
import sys
import mlflow.sklearn
import pandas as pd
from sklearn.linear_model import LogisticRegression
rows = pd.DataFrame({'x': [0.0, 1.0, 2.0, 3.0] * 10, 'y': [1.0, 0.0, 5.0, 4.0] * 10})
model = LogisticRegression().fit(rows, [0, 0, 1, 1] * 10)
signature = mlflow.models.infer_signature(rows, model.predict(rows))
mlflow.sklearn.save_model(model, sys.argv[1], signature=signature, input_example=rows.head(2))
";

const ROWS: &str = "x,y\n0.1,0.9\n2.9,4.2\n1.4,2.0\n";
const BODY: &str =
    r#"{"dataframe_split": {"columns": ["x", "y"], "data": [[0.1, 0.9], [2.9, 4.2], [1.4, 2.0]]}}"#;

/// Reads manifests with the real client's types; what these do not know, or want and miss, is an error.
const KUBERNETES: &str = "
import json, sys, yaml
from kubernetes import client

class Response:
    def __init__(self, data):
        self.data = json.dumps(data)

api = client.ApiClient()
for kind, document in [(d['kind'], d) for path in sys.argv[1:] for d in yaml.safe_load_all(open(path))]:
    types = {'Deployment': 'V1Deployment', 'Service': 'V1Service'}
    if kind == 'InferenceService':
        # The predictor is a pod's specification with more beside it.
        assert document['apiVersion'] == 'serving.kserve.io/v1beta1', document
        predictor = dict(document['spec']['predictor'])
        assert isinstance(predictor.pop('minReplicas'), int)
        if 'model' in predictor:
            assert set(predictor['model']) == {'modelFormat', 'protocolVersion', 'storageUri', 'resources'}
            continue
        document, kind = predictor, 'V1PodSpec'
    read = api.deserialize(Response(document), types.get(kind, kind))
    assert api.sanitize_for_serialization(read) == document, (kind, document)
    print(kind)
";

fn deployed(place: &Place) -> PathBuf {
    let folder = place.path("here");
    std::fs::create_dir_all(&folder).unwrap();
    let made = Command::new(peer("python"))
        .args(["-W", "ignore", "-c", MODEL, "model"])
        .env("MLFLOW_DISABLE_TELEMETRY", "true")
        .current_dir(&folder)
        .output()
        .unwrap();
    assert!(made.status.success(), "{}", told(&made));
    std::fs::write(folder.join("rows.csv"), ROWS).unwrap();
    place.text(
        &folder,
        &[
            "models", "register", "model", "--name", "small", "--alias", "champion",
        ],
    );
    // Other tests deploy at the same time, and each workspace would choose the same first port.
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = free.local_addr().unwrap().port().to_string();
    drop(free);
    let row = place.json(
        &folder,
        &[
            "deploy",
            "small@champion",
            "--name",
            "small",
            "--port",
            &port,
        ],
    );
    assert_eq!(row["runtime"], "onnx", "{row}");
    folder
}

fn docker(arguments: &[&str]) -> String {
    let output = Command::new("docker").args(arguments).output().unwrap();
    assert!(
        output.status.success(),
        "docker {arguments:?}: {}",
        told(&output)
    );
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// A container and its image, gone when the test ends.
struct Container {
    id: String,
    image: String,
    port: u16,
}

impl Container {
    /// As Kubernetes would run it: read-only, without capabilities, as the image's own user.
    fn start(context: &Path) -> Self {
        let image = format!("lapwing-test-endpoint-{}", std::process::id());
        docker(&["build", "-q", "-t", &image, &context.display().to_string()]);
        Self::of(image)
    }

    fn of(image: String) -> Self {
        let id = docker(&[
            "run",
            "-d",
            "--read-only",
            "--tmpfs",
            "/tmp",
            "--cap-drop",
            "ALL",
            "--security-opt",
            "no-new-privileges",
            "-p",
            "127.0.0.1:0:8080",
            "-e",
            &format!("LAPWING_ENDPOINT_TOKEN={TOKEN}"),
            &image,
        ]);
        let mut container = Self { id, image, port: 0 };
        let published = docker(&["port", &container.id, "8080/tcp"]);
        container.port = published.rsplit(':').next().unwrap().parse().unwrap();
        container
    }

    fn request(&self, head: &str, body: &str) -> std::io::Result<(u16, String)> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port))?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let length = body.len();
        write!(
            stream,
            "{head}Host: small.models.svc.cluster.local\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
        )?;
        let mut text = String::new();
        stream.read_to_string(&mut text)?;
        let status = text.split(' ').nth(1).and_then(|word| word.parse().ok());
        let body = text.split_once("\r\n\r\n").map_or("", |(_, body)| body);
        Ok((status.unwrap_or(0), body.to_owned()))
    }

    fn wait_until_ready(&self) {
        let begun = Instant::now();
        loop {
            // Refused, or closed: it does not listen yet.
            if let Ok((200, _)) = self.request("GET /v2/health/ready HTTP/1.1\r\n", "") {
                return;
            }
            let logs = || {
                told(
                    &Command::new("docker")
                        .args(["logs", &self.id])
                        .output()
                        .unwrap(),
                )
            };
            assert!(begun.elapsed() < PATIENCE, "it is not ready: {}", logs());
            let running = docker(&["inspect", "-f", "{{.State.Running}}", &self.id]);
            assert_eq!(running, "true", "{}", logs());
            std::thread::sleep(POLL);
        }
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        let _ = Command::new("docker")
            .args(["rm", "-fv", &self.id])
            .output();
        let _ = Command::new("docker")
            .args(["rmi", "-f", &self.image])
            .output();
    }
}

fn predictions(body: &str) -> Vec<Value> {
    let answer: Value =
        serde_json::from_str(body).unwrap_or_else(|error| panic!("{error}: {body}"));
    answer["predictions"].as_array().unwrap().clone()
}

#[test]
fn an_exported_endpoint_answers_elsewhere_as_it_does_here() {
    let place = Place::new();
    let folder = deployed(&place);
    kubernetes_reads_its_manifests(&place, &folder);
    let here = place.json(&folder, &["predict", "small", "--data", "rows.csv"]);
    place.text(
        &folder,
        &[
            "deployments",
            "export",
            "small",
            "--to",
            "compose",
            "--out",
            "out",
        ],
    );
    place.text(
        &folder,
        &[
            "deployments",
            "export",
            "small",
            "--to",
            "kubernetes",
            "--out",
            "out",
            "--namespace",
            "models",
        ],
    );
    let refused = place.run(
        &folder,
        &[
            "deployments",
            "export",
            "small",
            "--to",
            "image",
            "--out",
            ".",
        ],
    );
    assert!(
        refused.status.success(),
        "a new folder beside other files is fine: {}",
        told(&refused)
    );
    std::fs::remove_file(folder.join("image/Dockerfile")).unwrap();
    let refused = place.run(
        &folder,
        &[
            "deployments",
            "export",
            "small",
            "--to",
            "image",
            "--out",
            ".",
        ],
    );
    assert_eq!(
        refused.status.code(),
        Some(1),
        "no folder of the user is replaced: {}",
        told(&refused)
    );

    let context = folder.join("out/image");
    assert!(
        !context
            .join("deployment/revisions/1/reference.parquet")
            .exists(),
        "training data stays here"
    );
    let container = Container::start(&context);
    container.wait_until_ready();
    let post = "POST /invocations HTTP/1.1\r\n";
    let (status, body) = container.request(post, BODY).unwrap();
    assert_eq!(status, 401, "clients need the token: {body}");
    let (status, body) = container
        .request(&format!("{post}Authorization: Bearer {TOKEN}\r\n"), BODY)
        .unwrap();
    assert_eq!(status, 200, "{body}");
    let there: Vec<String> = predictions(&body).iter().map(ToString::to_string).collect();
    let here: Vec<&str> = here["rows"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["prediction"].as_str().unwrap())
        .collect();
    assert_eq!(there, here);
    a_push_of_an_image_is_stopped(&place, &folder);
    a_registry_hands_it_on(&place, &folder, &here);

    docker(&["restart", "-t", "20", &container.id]);
    let published = docker(&["port", &container.id, "8080/tcp"]);
    let container = Container {
        port: published.rsplit(':').next().unwrap().parse().unwrap(),
        id: container.id.clone(),
        image: String::new(),
    };
    container.wait_until_ready();
}

/// Pushed with the remote's password; the real engine pulls it and runs it.
fn a_registry_hands_it_on(place: &Place, folder: &Path, here: &[&str]) {
    let registry = registry(place);
    add_registry(place, folder, "images", registry.port, "wrong");
    let push = ["deployments", "push", "small", "images:team/small"];
    let refused = place.run(folder, &push);
    assert!(!refused.status.success(), "{}", told(&refused));
    assert!(
        told(&refused).contains("cannot be pushed"),
        "{}",
        told(&refused)
    );
    add_registry(place, folder, "images", registry.port, PASSWORD);
    let pushed = place.json(folder, &push);
    let image = format!("127.0.0.1:{}/team/small:r1", registry.port);
    assert_eq!(pushed["image"], image.as_str());
    assert_eq!(place.json(folder, &push), pushed, "again it is the same");

    docker(&["rmi", &image]);
    let config = place.path("docker");
    std::fs::create_dir_all(&config).unwrap();
    let login = format!(
        "printf %s {PASSWORD} | docker login -u ada --password-stdin 127.0.0.1:{} && docker pull -q {image}",
        registry.port
    );
    let pulled = Command::new("sh")
        .args(["-c", &login])
        .env("DOCKER_CONFIG", &config)
        .output()
        .unwrap();
    assert!(pulled.status.success(), "{}", told(&pulled));
    let container = Container::of(image);
    container.wait_until_ready();
    let head = format!("POST /invocations HTTP/1.1\r\nAuthorization: Bearer {TOKEN}\r\n");
    let (status, body) = container.request(&head, BODY).unwrap();
    assert_eq!(status, 200, "{body}");
    let there: Vec<String> = predictions(&body).iter().map(ToString::to_string).collect();
    assert_eq!(there, here);
}

/// Ctrl-C while the engine sends: it stops, and nothing half is to be pulled.
fn a_push_of_an_image_is_stopped(place: &Place, folder: &Path) {
    let registry = registry(place);
    let held = Cut::holding(registry.port, 1 << 20);
    add_registry(place, folder, "slow-images", held.port, PASSWORD);
    let pushing = place
        .command(
            folder,
            &["deployments", "push", "small", "slow-images:other"],
        )
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    while !held.happened() {
        std::thread::yield_now();
    }
    let stopped = interrupted(pushing, || {});
    let said = told(&stopped);
    assert_eq!(stopped.status.code(), Some(1), "{said}");
    assert!(said.contains("the transfer was stopped"), "{said}");
    held.mend();
    let found = place.json(folder, &["models", "search", "slow-images"]);
    assert_eq!(found, serde_json::json!([]), "no tag names a part of it");
    docker(&["rmi", &format!("127.0.0.1:{}/other:r1", held.port)]);
}

fn kubernetes_reads_its_manifests(place: &Place, folder: &Path) {
    let export = |to: &str, more: &[&str]| {
        let arguments: Vec<&str> = ["deployments", "export", "small", "--to", to]
            .iter()
            .chain(more)
            .copied()
            .collect();
        let text = place.text(folder, &arguments);
        let path = folder.join(format!("{to}{}.yaml", more.len()));
        std::fs::write(&path, text).unwrap();
        path
    };
    let files = [
        export("kubernetes", &[]),
        export(
            "kubernetes",
            &[
                "--namespace",
                "models",
                "--replicas",
                "3",
                "--memory",
                "0.5",
                "--image",
                "registry.example/small:1",
            ],
        ),
        export("kserve", &[]),
        export("kserve", &["--storage-uri", "s3://models/small"]),
    ];
    let venv = std::env::var_os("LAPWING_TEST_KFP").expect(
        "LAPWING_TEST_KFP names an environment with the Kubernetes client; `make test` sets it",
    );
    let read = Command::new(PathBuf::from(venv).join("bin/python"))
        .args(["-c", KUBERNETES])
        .args(&files)
        .output()
        .unwrap();
    assert!(read.status.success(), "{}", told(&read));
    let said = String::from_utf8(read.stdout).unwrap();
    assert_eq!(
        said.split_whitespace().collect::<Vec<_>>(),
        [
            "Deployment",
            "Service",
            "Deployment",
            "Service",
            "V1PodSpec"
        ]
    );
    let unknown = place.run(
        folder,
        &["deployments", "export", "other", "--to", "kserve"],
    );
    assert_eq!(unknown.status.code(), Some(2), "{}", told(&unknown));
}
