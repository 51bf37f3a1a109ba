//! The same pipeline here and in pods of a cluster: the same `dvc.lock`, the same run, and nothing left there.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use crate::elsewhere::{lock, project};
use crate::place::{Place, peer, told};

const TOKEN: &str = "canary-token-77c2";

/// A small API server of the tests' own, whose pods are processes with a folder of their own.
pub struct Cluster {
    server: Child,
    folder: tempfile::TempDir,
    port: String,
}

impl Cluster {
    /// Named `team` in the workspace.
    pub fn start(place: &Place) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/kubernetes/server.py");
        // Their image has the peers' packages.
        let peers = peer("python3").parent().unwrap().display().to_string();
        let path = format!("{peers}:{}", std::env::var("PATH").unwrap());
        let mut server = Command::new("python3")
            .env("PATH", path)
            .arg("-B")
            .arg(program)
            .arg(folder.path())
            .args(["--token", TOKEN])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("python3 is installed");
        let mut port = String::new();
        BufReader::new(server.stdout.as_mut().unwrap())
            .read_line(&mut port)
            .unwrap();
        let port = port.trim().to_owned();
        let cluster = Self {
            server,
            folder,
            port,
        };
        std::fs::write(
            cluster.config(),
            format!(
                "apiVersion: v1\nkind: Config\ncurrent-context: team\ncontexts:\n- {{name: team, context: {{cluster: team, user: ada}}}}\n\
                 clusters:\n- {{name: team, cluster: {{server: \"http://127.0.0.1:{}\"}}}}\nusers:\n- {{name: ada, user: {{token: {TOKEN}}}}}\n",
                cluster.port
            ),
        )
        .unwrap();
        let here = place.path("home");
        std::fs::create_dir_all(&here).unwrap();
        let config = format!("kubeconfig={}", cluster.config().display());
        let added = place.json(
            &here,
            &["remotes", "add", "team", "kube://team", "-o", &config],
        );
        assert_eq!(added["kind"], "kubernetes");
        cluster
    }

    /// A word for the server, which has done it when this returns.
    pub fn say(&mut self, words: &str) {
        writeln!(self.server.stdin.as_mut().unwrap(), "{words}").unwrap();
        let mut answer = String::new();
        BufReader::new(self.server.stdout.as_mut().unwrap())
            .read_line(&mut answer)
            .unwrap();
        assert!(answer.starts_with("ok"), "`{words}`: {answer}");
    }

    fn config(&self) -> PathBuf {
        self.folder.path().join("kubeconfig")
    }

    /// From now on its users have a token that it does not know.
    pub fn forgets(&self) {
        let config = std::fs::read_to_string(self.config()).unwrap();
        std::fs::write(self.config(), config.replace(TOKEN, "wrong")).unwrap();
    }

    /// What it has of Jobs and pods.
    pub fn there(&self) -> Vec<String> {
        let all = [
            "apis/batch/v1/namespaces/default/jobs",
            "api/v1/namespaces/default/pods",
        ];
        let names = all.iter().flat_map(|kind| {
            let list = self.get(kind);
            let items = list["items"].as_array().unwrap().iter();
            let names = items.map(|item| item["metadata"]["name"].as_str().unwrap().to_owned());
            names.collect::<Vec<_>>()
        });
        names.collect()
    }

    fn get(&self, path: &str) -> Value {
        let mut stream = TcpStream::connect(format!("127.0.0.1:{}", self.port)).unwrap();
        write!(
            stream,
            "GET /{path} HTTP/1.0\r\nAuthorization: Bearer {TOKEN}\r\nConnection: close\r\n\r\n"
        )
        .unwrap();
        let answer = std::io::read_to_string(stream).unwrap();
        let (_, body) = answer.split_once("\r\n\r\n").unwrap();
        serde_json::from_str(body).unwrap()
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        // It takes its pods along.
        if let Some(control) = &mut self.server.stdin {
            let _ = writeln!(control, "leave");
        }
        let _ = self.server.wait();
    }
}

/// No run began that could not go on.
fn nothing_recorded(place: &Place, folder: &Path) {
    let runs = place.json(folder, &["runs", "list"]);
    assert!(!runs.to_string().contains("FAILED"), "{runs}");
    assert!(!runs.to_string().contains("RUNNING"), "{runs}");
}

#[test]
fn a_pipeline_runs_unchanged_in_pods() {
    let here = Place::new();
    let local = project(&here);
    here.json(&local, &["run"]);

    let place = Place::new();
    let cluster = Cluster::start(&place);
    let folder = project(&place);
    let health = place.json(&folder, &["remotes", "test", "team"]);
    assert!(health["problem"].is_null(), "{health}");

    let none = place.run(&folder, &["run", "--on", "team"]);
    assert!(
        told(&none).contains("no image is named for stage `features`"),
        "{}",
        told(&none)
    );
    assert_eq!(none.status.code(), Some(2), "{}", told(&none));
    nothing_recorded(&place, &folder);
    std::fs::write(folder.join("lapwing.toml"), "[docker]\nimage = \"any\"\n").unwrap();

    let run = place.json(&folder, &["run", "--on", "team"]);
    assert_eq!(run["row"]["status"], "FINISHED", "{run}");
    assert_eq!(
        run["row"]["metrics"]["rows"], 2.0,
        "what the script tracked there is on the run here: {run}"
    );
    assert_eq!(
        lock(&folder),
        lock(&local),
        "the same outputs, byte for byte"
    );
    let again: Value = place.json(&folder, &["run", "--on", "team"]);
    assert!(again["run_id"].is_null(), "nothing to run: {again}");
    let jobs = place.json(&folder, &["jobs", "list"]);
    assert!(!jobs.to_string().contains(TOKEN));
    let kept = Command::new("grep")
        .args(["-rl", TOKEN])
        .arg(place.workspace())
        .output()
        .unwrap();
    assert_eq!(
        String::from_utf8_lossy(&kept.stdout),
        "",
        "the kubeconfig keeps its secrets"
    );

    cluster.forgets();
    let refused = place.run(&folder, &["run", "--on", "team", "--force"]);
    let said = told(&refused);
    assert_eq!(refused.status.code(), Some(3), "{said}");
    assert!(
        said.contains("credentials (401)") && said.contains("hint:"),
        "{said}"
    );
}

#[test]
fn a_pipeline_runs_as_train_jobs_and_is_tracked_where_no_server_can_be_reached() {
    let place = Place::new();
    let mut cluster = Cluster::start(&place);
    let folder = project(&place);
    std::fs::write(folder.join("lapwing.toml"), "[docker]\nimage = \"any\"\n").unwrap();
    let config = format!("kubeconfig={}", cluster.config().display());
    let trainer = ["-o", "trainer=torch-distributed", "-o", "nodes=2"];
    let mut add = vec!["remotes", "add", "nodes", "kube://team", "-o", &config];
    add.extend(trainer);
    place.json(&folder, &add);

    let missing = place.run(&folder, &["run", "--on", "nodes"]);
    let said = told(&missing);
    assert!(
        said.contains("does not have Kubeflow Trainer") && said.contains("hint:"),
        "{said}"
    );
    nothing_recorded(&place, &folder);
    cluster.say("install trainer");
    cluster.say("fault no-python");
    let run = place.json(&folder, &["run", "--on", "nodes"]);
    assert_eq!(run["row"]["status"], "FINISHED", "{run}");
    assert_eq!(
        run["row"]["metrics"]["rows"], 2.0,
        "what the script tracked in files is on the run: {run}"
    );
    let jobs = place.json(&folder, &["jobs", "list"]);
    let first = jobs[0]["id"].as_str().expect("a job");
    let log = place.text(&folder, &["jobs", "logs", first]);
    assert!(log.contains("metrics come home as files"), "{log}");
}
