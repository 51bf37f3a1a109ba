//! The same bodies to MLflow's own server and to ours.

use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};

use lapwing_serving::{RuntimeKind, client};
use serde_json::{Value, json};

use crate::peers::{Deployment, PATIENCE, Serving, model, python, truth};

struct Peer {
    child: Child,
    url: String,
}

impl Drop for Peer {
    fn drop(&mut self) {
        // Its group: the server is a grandchild.
        let group = format!("-{}", self.child.id());
        let _ = Command::new("kill").args(["--", &group]).status(); // it may have ended
        let _ = self.child.wait(); // it may have ended
    }
}

async fn peer() -> Peer {
    let port = std::net::TcpListener::bind("127.0.0.1:0")
        .and_then(|free| free.local_addr())
        .expect("there is a free port")
        .port();
    let bin = python().parent().expect("bin").to_owned();
    let path = std::env::join_paths(std::iter::once(bin.clone()).chain(std::env::split_paths(
        &std::env::var_os("PATH").unwrap_or_default(),
    )))
    .expect("a search path");
    let child = Command::new(bin.join("mlflow"))
        .args([
            "models",
            "serve",
            "--env-manager",
            "local",
            "--port",
            &port.to_string(),
            "--model-uri",
        ])
        .arg(model("forest"))
        .env("PATH", path)
        .env("MLFLOW_DISABLE_TELEMETRY", "true")
        .process_group(0)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("mlflow starts");
    let peer = Peer {
        child,
        url: format!("http://127.0.0.1:{port}"),
    };
    let begun = std::time::Instant::now();
    while !client::get(&peer.url, "/ping", None)
        .await
        .is_ok_and(|answer| answer.status == 200)
    {
        assert!(begun.elapsed() < PATIENCE, "mlflow answers");
        crate::peers::pause().await;
    }
    peer
}

fn with(changes: Value) -> Value {
    let mut row = json!({ "distance": 900.5, "hour": 17, "carrier": "AA", "origin": "JFK" });
    for (name, value) in changes.as_object().expect("an object") {
        row[name.as_str()] = value.clone();
    }
    json!({ "dataframe_records": [row] })
}

#[tokio::test(flavor = "multi_thread")]
async fn accepted_and_refused_is_what_mlflow_accepts_and_refuses() {
    let (serving, peer) = tokio::join!(
        Serving::start(Deployment::of("forest", RuntimeKind::Onnx)),
        peer()
    );
    let columns =
        json!({ "distance": [900.5], "hour": [17], "carrier": ["AA"], "origin": ["JFK"] });
    let same = [
        json!({ "dataframe_split": truth("forest")["rows"] }),
        with(json!({})),
        with(json!({ "distance": 900 })),
        with(json!({ "hour": 17.0 })),
        with(json!({ "extra": "column" })),
        with(json!({ "carrier": "never seen" })),
        json!({ "inputs": columns }),
        json!({ "instances": [with(json!({}))["dataframe_records"][0]] }),
        with(json!({ "distance": "far" })),
        with(json!({ "hour": null })),
        json!({ "dataframe_records": [{ "hour": 17, "carrier": "AA", "origin": "JFK" }] }),
        json!({ "dataframe_split": { "columns": ["distance"], "data": [[1, 2]] } }),
        json!({ "dataframe_split": { "data": [[900.5, 17, "AA", "JFK"]] } }),
        json!({ "dataframe_split": 5 }),
        json!({ "instances": [], "inputs": [] }),
        json!({}),
        json!([1, 2]),
    ];
    for body in same {
        let theirs = client::post(&peer.url, "/invocations", None, &body)
            .await
            .expect("mlflow answers");
        let ours = serving.post("/invocations", &body).await;
        assert_eq!(
            ours.status, theirs.status,
            "{body}\nmlflow: {}\nours: {}",
            theirs.body, ours.body
        );
        assert_eq!(
            ours.body["predictions"], theirs.body["predictions"],
            "{body}"
        );
        assert_eq!(
            ours.body["error_code"], theirs.body["error_code"],
            "{body}\nmlflow: {}\nours: {}",
            theirs.body, ours.body
        );
    }
    // Where ours refuses on purpose: MLflow drops the fraction of 1.5, and takes a number for a category that it never matches.
    for body in [with(json!({ "hour": 1.5 })), with(json!({ "carrier": 7 }))] {
        assert_eq!(
            client::post(&peer.url, "/invocations", None, &body)
                .await
                .expect("mlflow answers")
                .status,
            200
        );
        assert_eq!(
            serving.post("/invocations", &body).await.status,
            400,
            "what would be changed silently is refused"
        );
    }
    serving.end().await;
}
