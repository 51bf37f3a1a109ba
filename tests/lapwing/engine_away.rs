//! An Airflow that goes away while a run of it is watched: its REST API on loopback, with the answers of Airflow 3.3.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

use crate::place::{Place, told};

const AIRFLOW: &str = r#"
import http.server, json, os, sys
port, dies = int(sys.argv[1]), sys.argv[2] == "dies"
asked = 0
class Api(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def log_message(self, *_): pass
    def do_GET(self):
        global asked
        if self.path.startswith("/api/v2/dags/pipes/dagRuns/manual__1/taskInstances"):
            return self.answer({"task_instances": [{"task_id": "fit", "state": "running" if dies else "success", "try_number": 1}]})
        if not self.path.startswith("/api/v2/dags/pipes/dagRuns/manual__1"):
            return self.answer({"detail": "The DagRun was not found"}, 404)
        asked += 1
        if dies and asked > 1:
            os._exit(1)
        self.answer({"dag_run_id": "manual__1", "state": "running" if dies else "success"})
    def do_POST(self):
        self.answer({"detail": "no other run was wanted"}, 500)
    do_PATCH = do_POST
    def answer(self, what, status=200):
        body = json.dumps(what).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Api)
print(server.server_port, flush=True)
server.serve_forever()
"#;

/// Ended with the test.
struct Airflow {
    server: Child,
    port: u16,
}

impl Airflow {
    fn start(port: u16, how: &str) -> Self {
        let mut server = Command::new("python3")
            .args(["-c", AIRFLOW, &port.to_string(), how])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(server.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        let port = line.trim().parse().unwrap();
        Self { server, port }
    }
}

impl Drop for Airflow {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

#[test]
fn a_run_is_watched_through_the_death_of_its_engine_and_by_another_who_comes_later() {
    let place = Place::new();
    let folder = place.path("pipes");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(
        folder.join("dvc.yaml"),
        "stages:\n  fit:\n    cmd: echo x > x\n    outs: [x]\n",
    )
    .unwrap();
    place.text(&folder, &["init"]);
    let mut dying = Airflow::start(0, "dies");
    let url = format!("http://127.0.0.1:{}", dying.port);
    place.text(
        &folder,
        &["remotes", "add", "air", &url, "--kind", "airflow"],
    );
    let watch = ["pipeline", "trigger", "--airflow", "air", "--run"];
    let watching = place
        .command(&folder, &[&watch[..], &["manual__1", "--json"]].concat())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // It dies at the second question.
    dying.server.wait().unwrap();
    let _again = Airflow::start(dying.port, "lives");
    let watched = watching.wait_with_output().unwrap();
    let said = told(&watched);
    assert!(watched.status.success(), "{said}");
    assert!(said.contains("succeeded"), "{said}");

    let gone = place.run(&folder, &[&watch[..], &["manual__2"]].concat());
    let said = told(&gone);
    assert!(!gone.status.success(), "{said}");
    assert!(
        said.contains("not found") || said.contains("manual__2"),
        "{said}"
    );
}
