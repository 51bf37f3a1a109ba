//! An engine that goes away while a run of it is watched: Airflow's REST API on loopback, with the answers of Airflow 3.3, and that of
//! Kubeflow Pipelines, as the types of its generated client have it.

use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;
use std::process::{Child, ChildStderr, Command, Stdio};

use crate::cut::Cut;
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
    for words in ["the run cannot be seen: ", "the run is seen again"] {
        assert_eq!(said.matches(words).count(), 1, "{words}: {said}");
    }

    let gone = place.run(&folder, &[&watch[..], &["manual__2"]].concat());
    let said = told(&gone);
    assert!(!gone.status.success(), "{said}");
    assert!(
        said.contains("not found") || said.contains("manual__2"),
        "{said}"
    );
}

/// What it knows lies in files, so that one that is started again knows it too: its run, once it was started, and how that is.
const KUBEFLOW: &str = r#"
import http.server, json, os, sys
folder, port = sys.argv[1], int(sys.argv[2])
def at(name): return os.path.join(folder, name)
class Api(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def log_message(self, *_): pass
    def let_in(self):
        self.body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.headers.get("Authorization") == "Bearer canary-of-kubeflow":
            return True
        self.answer({"code": 16, "message": "Request header error: there is no user identity header."}, 401)
    def do_GET(self):
        if not self.let_in(): return
        if self.path == "/apis/v2beta1/healthz":
            return self.answer({"multi_user": False})
        if self.path != "/apis/v2beta1/runs/run-1" or not os.path.exists(at("started")):
            return self.answer({"code": 5, "message": "Run not found"}, 404)
        state = open(at("state")).read()
        self.answer({"run_id": "run-1", "state": state, "run_details": {"task_details": [{"display_name": "fit", "state": state}]}})
    def do_POST(self):
        if not self.let_in(): return
        wanted = json.loads(self.body)
        if self.path != "/apis/v2beta1/runs" or wanted["pipeline_spec"]["schemaVersion"] != "2.1.0":
            return self.answer({"code": 3, "message": "Invalid input error"}, 400)
        with open(at("started"), "a") as file:
            file.write("run-1\n")
        self.answer({"run_id": "run-1", "state": "PENDING"})
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
struct Kubeflow {
    server: Child,
    port: u16,
}

impl Kubeflow {
    fn start(folder: &Path, port: u16) -> Self {
        let mut server = Command::new("python3")
            .args(["-c", KUBEFLOW])
            .arg(folder)
            .arg(port.to_string())
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

    fn dies(&mut self) {
        self.server.kill().unwrap();
        self.server.wait().unwrap();
    }
}

impl Drop for Kubeflow {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

/// Reads what is said until words of it come, and answers how.
pub fn hears(said: &mut BufReader<ChildStderr>, words: &str) -> String {
    let mut all = String::new();
    while !all.contains(words) {
        let read = said.read_line(&mut all).unwrap();
        assert_ne!(read, 0, "it ended before `{words}`: {all}");
    }
    all
}

#[test]
fn a_run_of_kubeflow_is_watched_through_its_death_and_a_cut_and_by_another_who_comes_later() {
    const LOST: &str = "the run cannot be seen: ";
    const FOUND: &str = "the run is seen again";
    let place = Place::new();
    let folder = place.path("pipes");
    let there = place.path("kubeflow");
    for folder in [&folder, &there] {
        std::fs::create_dir_all(folder).unwrap();
    }
    std::fs::write(
        folder.join("dvc.yaml"),
        "stages:\n  fit:\n    cmd: echo x > x\n    outs: [x]\n",
    )
    .unwrap();
    std::fs::write(there.join("state"), "RUNNING").unwrap();
    place.text(&folder, &["init"]);
    let mut kubeflow = Kubeflow::start(&there, 0);
    let way = Cut::before(kubeflow.port, i64::MAX / 2);
    let add = |token: &str| {
        let url = format!("http://127.0.0.1:{}", way.port);
        let arguments = ["remotes", "add", "kfp", &url, "--kind", "kubeflow"];
        let mut adding = place
            .command(&folder, &[&arguments[..], &["--secret-stdin"]].concat())
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        std::io::Write::write_all(&mut adding.stdin.take().unwrap(), token.as_bytes()).unwrap();
        assert!(adding.wait().unwrap().success());
    };
    let trigger = ["pipeline", "trigger", "--kubeflow", "kfp", "--image", "any"];
    add("wrong");
    for refused in [&["remotes", "test", "kfp"][..], &trigger] {
        let said = told(&place.run(&folder, refused));
        assert!(
            said.contains("does not accept the credentials that were sent"),
            "{said}"
        );
    }
    assert!(!there.join("started").exists(), "nothing was started");
    add("canary-of-kubeflow");

    let watches = |more: &[&str]| {
        let mut watching = place
            .command(&folder, &[&trigger[..], more].concat())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let said = BufReader::new(watching.stderr.take().unwrap());
        (watching, said)
    };
    let (mut watching, mut said) = watches(&[]);
    hears(&mut said, "fit");
    kubeflow.dies();
    hears(&mut said, LOST);
    let _again = Kubeflow::start(&there, kubeflow.port);
    hears(&mut said, FOUND);
    way.now();
    hears(&mut said, LOST);
    // The laptop is closed while the network is away.
    watching.kill().unwrap();
    watching.wait().unwrap();
    way.mend();
    let (watching, mut said) = watches(&["--run", "run-1"]);
    hears(&mut said, "fit");
    way.now();
    hears(&mut said, LOST);
    std::fs::write(there.join("state"), "SUCCEEDED").unwrap();
    way.mend();
    hears(&mut said, FOUND);
    let mut rest = String::new();
    said.read_to_string(&mut rest).unwrap();
    let watched = watching.wait_with_output().unwrap();
    assert!(watched.status.success(), "{rest}{}", told(&watched));
    assert!(
        told(&watched).contains("succeeded run-1"),
        "{}",
        told(&watched)
    );
    let started = std::fs::read_to_string(there.join("started")).unwrap();
    assert_eq!(started, "run-1\n", "it was started once");
}
