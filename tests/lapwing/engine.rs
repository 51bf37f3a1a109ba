//! A Docker engine that dies while a stage runs on it: a real one of the test's own, killed and started again.

use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use crate::left_out::left_out;
use crate::place::{Place, told, until};

/// Enough for a stage, in a few mebibytes.
const TOOLS: &str = "for tool in sh sleep cp cat touch; do file=$(command -v $tool); mkdir -p root/bin; cp -L $file root/bin; \
                     for part in $(ldd $file | grep -o '/[^ ]*'); do mkdir -p root$(dirname $part); cp -L $part root$part; done; done";

const STAGES: &str = "stages:\n  first:\n    cmd: echo x > first\n    outs: [first]\n    meta: {lapwing: {on: engine}}\n  \
                      second:\n    cmd: sh work.sh\n    deps: [work.sh, first]\n    outs: [second]\n    meta: {lapwing: {on: engine}}\n";

/// It ends soon when its engine wants that, and by itself when it is let go.
const WORK: &str =
    "trap 'exit 143' TERM; echo begun; until [ -e /go ]; do sleep 0.1; done; cp first second\n";

/// An engine with folders and containers of its own, in a network of its own: without a bridge, an engine takes away that of the
/// machine's. It listens at a socket, to which a port leads.
struct Engine {
    folder: TempDir,
    port: u16,
    process: Option<Child>,
}

impl Engine {
    /// `None` where none can be started.
    fn start() -> Option<Self> {
        let root = Command::new("id").arg("-u").output().unwrap();
        let wanted = std::env::var("LAPWING_TEST_DOCKER").is_ok_and(|image| !image.is_empty());
        if !wanted || root.stdout != b"0\n" {
            left_out("no Docker engine, or not root, who alone may start one");
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        let port = leads_to(folder.path().join("socket"));
        let mut engine = Self {
            folder,
            port,
            process: None,
        };
        engine.begin();
        let made = Command::new("sh")
            .args(["-c", TOOLS])
            .current_dir(engine.folder.path())
            .status();
        assert!(made.unwrap().success());
        let packed = Command::new("tar")
            .args(["-C", "root", "-cf", "root.tar", "."])
            .current_dir(engine.folder.path())
            .status();
        assert!(packed.unwrap().success());
        let image = engine.folder.path().join("root.tar");
        engine.docker(&["import", &image.display().to_string(), "tools:1"]);
        Some(engine)
    }

    fn begin(&mut self) {
        let at = |name: &str| self.folder.path().join(name);
        let log = std::fs::File::create(at("log")).unwrap();
        let engine = Command::new("unshare")
            // What it mounts goes with it too.
            .args(["--net", "--mount", "dockerd"])
            .arg("--data-root")
            .arg(at("data"))
            .arg("--exec-root")
            .arg(at("exec"))
            .arg("--pidfile")
            .arg(at("pid"))
            .arg("-H")
            .arg(format!("unix://{}", at("socket").display()))
            .args(["--bridge", "none", "--iptables=false", "--ip-masq=false"])
            // The only one that works in every file system.
            .args(["--storage-driver", "vfs"])
            .stdout(Stdio::null())
            .stderr(log)
            .spawn();
        let mut engine = engine.expect("dockerd is installed: run `make test`");
        until("the engine", || {
            let ended = engine.try_wait().unwrap();
            let log = || std::fs::read_to_string(at("log")).unwrap();
            assert!(ended.is_none(), "{ended:?}: {}", log());
            self.asks(&["info"]).status.success()
        });
        self.process = Some(engine);
    }

    fn address(&self) -> String {
        format!("tcp://127.0.0.1:{}", self.port)
    }

    fn asks(&self, arguments: &[&str]) -> Output {
        Command::new("docker")
            .args(["-H", &self.address()])
            .args(arguments)
            .output()
            .unwrap()
    }

    fn docker(&self, arguments: &[&str]) -> String {
        let output = self.asks(arguments);
        assert!(output.status.success(), "{arguments:?}: {}", told(&output));
        String::from_utf8(output.stdout).unwrap()
    }

    /// As a machine does that loses its power, or an engine that breaks.
    fn dies(&mut self) {
        let mut process = self.process.take().unwrap();
        process.kill().unwrap();
        process.wait().unwrap();
        // What it had started itself goes with it, and is not for the next one.
        let pid = self.folder.path().join("exec/containerd/containerd.pid");
        let pid = std::fs::read_to_string(pid).unwrap();
        let proc = Path::new("/proc").join(pid.trim());
        until("the end of its containerd", || !proc.exists());
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        if self.process.is_none() {
            // A test that failed in between: what ran under the one before is ended by the next one alone.
            self.begin();
        }
        let all = self.asks(&["ps", "-aq"]);
        for id in String::from_utf8_lossy(&all.stdout).lines() {
            self.asks(&["rm", "-f", id]);
        }
        if let Some(mut process) = self.process.take() {
            // In order: it unmounts, and ends what it has started itself.
            let _ = Command::new("kill").arg(process.id().to_string()).status();
            let _ = process.wait();
        }
    }
}

/// A port of this machine's loopback behind which a socket is.
fn leads_to(socket: PathBuf) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for client in listener.incoming() {
            let client = client.unwrap();
            // Nobody listens: the client is told by the end of its connection.
            let Ok(engine) = UnixStream::connect(&socket) else {
                continue;
            };
            let (mut from, mut to) = (client.try_clone().unwrap(), engine.try_clone().unwrap());
            std::thread::spawn(move || {
                let _ = std::io::copy(&mut from, &mut to);
                let _ = to.shutdown(Shutdown::Write);
            });
            std::thread::spawn(move || answers(engine, &client));
        }
    });
    port
}

fn answers(mut engine: UnixStream, mut client: &TcpStream) {
    let _ = std::io::copy(&mut engine, &mut client);
    let _ = client.shutdown(Shutdown::Both);
}

fn writes(folder: &Path, name: &str, text: &str) {
    std::fs::write(folder.join(name), text).unwrap();
}

#[test]
fn a_stage_whose_engine_dies_is_said_to_and_runs_again_alone() {
    let Some(mut engine) = Engine::start() else {
        return;
    };
    let place = Place::new();
    let folder = place.path("dying");
    std::fs::create_dir_all(&folder).unwrap();
    writes(&folder, "dvc.yaml", STAGES);
    writes(&folder, "work.sh", WORK);
    writes(&folder, "lapwing.toml", "[docker]\nimage = \"tools:1\"\n");
    place.text(&folder, &["init"]);
    let address = engine.address();
    place.text(
        &folder,
        &["remotes", "add", "engine", &address, "--kind", "docker"],
    );
    let jobs = || place.json(&folder, &["jobs", "list"]);
    let begun = |jobs: &Value| -> Option<String> {
        let mut jobs = jobs.as_array().unwrap().iter();
        let job = jobs.find(|job| job["status"] == "running" && job["stage"] == "second")?;
        let id = job["id"].as_str().unwrap().to_owned();
        let log = place.text(&folder, &["jobs", "logs", &id]);
        log.contains("begun").then_some(id)
    };

    let run = place.json(&folder, &["run", "--detach"]);
    let run = run["run_id"].as_str().unwrap().to_owned();
    let mut id = None;
    until("the second stage", || {
        id = begun(&jobs());
        id.is_some()
    });
    let id = id.unwrap();
    let job = || {
        let all = jobs();
        let mut all = all.as_array().unwrap().iter();
        all.find(|job| job["id"] == id.as_str()).unwrap().clone()
    };
    engine.dies();
    until("a word about it", || job()["why"].is_string());
    assert_eq!(job()["status"], "running", "nobody knows better yet");
    engine.begin();
    until("its end", || job()["status"] != "running");
    let ended = job();
    assert_eq!(ended["status"], "failed", "{ended}");
    let why = ended.to_string();
    assert!(why.contains("its Docker engine went away"), "{why}");
    let ran = || place.json(&folder, &["runs", "show", &run])["row"]["status"].clone();
    until("the run's end", || ran() != "RUNNING");
    assert_eq!(ran(), "FAILED");
    assert!(!folder.join("second").exists());
    assert_eq!(engine.docker(&["ps", "-aq"]), "", "nothing stays there");

    place.json(&folder, &["run", "--detach"]);
    let mut id = None;
    until("the second stage again", || {
        id = begun(&jobs());
        id.is_some()
    });
    let name = format!("lapwing-{}", id.unwrap());
    // It may end with the container that it lets go: its code says nothing.
    engine.asks(&["exec", &name, "touch", "/go"]);
    until("the file", || {
        jobs()
            .as_array()
            .unwrap()
            .iter()
            .all(|job| job["status"] != "running" && job["status"] != "queued")
    });
    let text = std::fs::read_to_string(folder.join("second")).unwrap();
    assert_eq!(text, "x\n");
    let jobs = jobs();
    let of = |stage: &str| {
        let all = jobs.as_array().unwrap().iter();
        all.filter(|job| job["stage"] == stage).count()
    };
    assert_eq!((of("first"), of("second")), (1, 2), "{jobs}");
}
