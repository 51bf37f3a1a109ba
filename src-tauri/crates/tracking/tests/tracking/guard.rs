use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use crate::Server;

/// A raw request, so that every header is ours to choose; the answer's status.
fn status(server: &Server, request: &str) -> u16 {
    let mut stream = TcpStream::connect(server.url.trim_start_matches("http://")).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer.split(' ').nth(1).unwrap().parse().unwrap()
}

#[test]
fn foreign_hosts_and_pages_are_refused_for_every_method() {
    let server = Server::start(None);
    let own = server.url.trim_start_matches("http://").to_owned();
    for method in ["GET", "POST", "PUT", "DELETE", "OPTIONS"] {
        let ask = |headers: &str| {
            status(
                &server,
                &format!(
                    "{method} /health HTTP/1.1\r\n{headers}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
                ),
            )
        };
        assert_eq!(
            ask("Host: evil.example"),
            403,
            "{method}: a name that rebinds to this address"
        );
        assert_eq!(
            ask(&format!("Host: {own}\r\nOrigin: http://evil.example")),
            403,
            "{method}: a foreign page"
        );
        assert_eq!(
            ask(&format!("Host: {own}\r\nSec-Fetch-Site: cross-site")),
            403,
            "{method}: a foreign page"
        );
        assert_ne!(
            ask(&format!("Host: {own}")),
            403,
            "{method}: an honest client"
        );
    }
}

#[test]
fn a_token_is_needed_where_one_is_set() {
    let server = Server::start(Some("secret"));
    let own = server.url.trim_start_matches("http://").to_owned();
    let ask = |headers: &str| {
        status(
            &server,
            &format!("GET /version HTTP/1.1\r\nHost: {own}\r\n{headers}Connection: close\r\n\r\n"),
        )
    };
    assert_eq!(ask(""), 401);
    assert_eq!(ask("Authorization: Bearer wrong\r\n"), 401);
    assert_eq!(ask("Authorization: Bearer secret\r\n"), 200);
    assert_eq!(
        ask("Authorization: Basic dXNlcjpzZWNyZXQ=\r\n"),
        200,
        "user:secret"
    );
}

#[test]
fn artifact_paths_stay_beneath_their_root() {
    let server = Server::start(None);
    let own = server.url.trim_start_matches("http://").to_owned();
    for path in ["..%2f..%2fx", "%2fetc%2fpasswd", "a/..%2f..%2f..%2fx"] {
        let put = format!(
            "PUT /api/2.0/mlflow-artifacts/artifacts/{path} HTTP/1.1\r\nHost: {own}\r\nContent-Length: 1\r\nConnection: close\r\n\r\nx"
        );
        assert!(
            status(&server, &put) >= 400,
            "{path} would be written outside"
        );
    }
    assert!(!server.folder.path().join("x").exists());
}

#[test]
fn the_artifact_root_itself_cannot_be_deleted() {
    let server = Server::start(None);
    let kept = server.folder.path().join("workspace/artifacts/0/kept.txt");
    std::fs::create_dir_all(kept.parent().unwrap()).unwrap();
    std::fs::write(&kept, "x").unwrap();
    let own = server.url.trim_start_matches("http://").to_owned();
    for path in [".", "./", "%2e"] {
        let delete = format!(
            "DELETE /api/2.0/mlflow-artifacts/artifacts/{path} HTTP/1.1\r\nHost: {own}\r\nConnection: close\r\n\r\n"
        );
        assert!(
            status(&server, &delete) >= 400,
            "`{path}` would delete everything"
        );
    }
    assert!(kept.exists());
}
