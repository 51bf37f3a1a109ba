//! What is refused, and with which of MLflow's codes.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use crate::Server;

/// The answer's status and body.
fn ask(server: &Server, method: &str, call: &str, body: &str) -> (u16, String) {
    let own = server.url.trim_start_matches("http://");
    let mut stream = TcpStream::connect(own).unwrap();
    let length = body.len();
    write!(
        stream,
        "{method} /api/2.0/{call} HTTP/1.1\r\nHost: {own}\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    (
        answer.split(' ').nth(1).unwrap().parse().unwrap(),
        answer.split_once("\r\n\r\n").unwrap().1.to_owned(),
    )
}

#[test]
fn what_is_not_there_is_not_found() {
    let server = Server::start(None);
    let missing = "0123456789abcdef0123456789abcdef";
    for (method, call, body) in [
        (
            "POST",
            "mlflow/experiments/set-experiment-tag",
            r#"{"experiment_id":"77","key":"a","value":"b"}"#.to_owned(),
        ),
        (
            "POST",
            "mlflow/logged-models",
            r#"{"experiment_id":"77","name":"m"}"#.to_owned(),
        ),
        (
            "GET",
            &format!("mlflow/metrics/get-history?run_id={missing}&metric_key=a"),
            String::new(),
        ),
    ] {
        let (status, said) = ask(&server, method, call, &body);
        assert_eq!(status, 404, "{call}: {said}");
        assert!(said.contains("RESOURCE_DOES_NOT_EXIST"), "{call}: {said}");
    }
}

#[test]
fn a_filter_over_an_unknown_key_is_refused_by_its_name() {
    let server = Server::start(None);
    for (method, call) in [
        ("GET", "mlflow/registered-models/search?filter="),
        ("GET", "mlflow/model-versions/search?filter="),
        ("GET", "mlflow/experiments/search?max_results=5&filter="),
    ] {
        let (status, said) = ask(&server, method, &format!("{call}colour%3D%27red%27"), "");
        assert_eq!(status, 400, "{call}: {said}");
        assert!(said.contains("INVALID_PARAMETER_VALUE"), "{call}: {said}");
        assert!(said.contains("colour"), "{call}: {said}");
        let (status, said) = ask(&server, method, &format!("{call}tags.any%3D%27red%27"), "");
        assert_eq!(status, 200, "{call}: {said}");
    }
}

#[cfg(unix)]
#[test]
fn a_link_above_the_root_is_refused() {
    let server = Server::start(None);
    let root = server.folder.path().join("workspace/artifacts");
    std::fs::create_dir_all(&root).unwrap();
    std::fs::write(server.folder.path().join("secret.txt"), "x").unwrap();
    std::os::unix::fs::symlink(server.folder.path(), root.join("up")).unwrap();
    // Leads out and to nothing: what is written there would appear outside.
    std::os::unix::fs::symlink(server.folder.path().join("new.txt"), root.join("gone")).unwrap();
    let call = |path: &str| format!("mlflow-artifacts/artifacts/{path}");
    for (method, path) in [
        ("GET", "up/secret.txt"),
        ("PUT", "up/secret.txt"),
        ("PUT", "up/workspace/artifacts/x"),
        ("PUT", "gone"),
        ("PUT", "gone/x"),
        ("DELETE", "up"),
    ] {
        let (status, said) = ask(&server, method, &call(path), "");
        assert!(status >= 400, "{method} {path}: {status} {said}");
    }
    assert!(server.folder.path().join("secret.txt").exists());
    assert!(!server.folder.path().join("new.txt").exists());
}

#[cfg(unix)]
#[test]
fn a_model_folder_with_a_link_out_of_it_is_not_taken() {
    let server = Server::start(None);
    let folder = tempfile::tempdir().unwrap();
    let model = folder.path().join("model");
    std::fs::create_dir(&model).unwrap();
    std::fs::write(model.join("MLmodel"), "flavors: {}\n").unwrap();
    std::fs::write(folder.path().join("secret.txt"), "x").unwrap();
    std::os::unix::fs::symlink("../secret.txt", model.join("link")).unwrap();
    let refused = server
        .tracking
        .register("clf", &model.display().to_string(), None);
    assert!(refused.unwrap_err().to_string().contains("link"));
    let kept = server.folder.path().join("workspace/artifacts/registered");
    let left = std::fs::read_dir(kept).map_or(0, Iterator::count);
    assert_eq!(left, 0, "half a copy is left");
}
