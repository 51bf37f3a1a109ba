//! The same pipeline here and on another machine behind a real `sshd`: the same `dvc.lock`, the same run, and nothing sent that was
//! not listed before.

use std::io::{BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::cut::Cut;
use crate::engine_away::hears;
use crate::place::{Place, peer, told};

const BOUND: Duration = Duration::from_secs(120);
const POLL: Duration = Duration::from_millis(50);

/// A machine that ssh reaches: this one, through a server and keys of the test's own.
pub struct Machine {
    server: Child,
    pub folder: PathBuf,
    pub port: u16,
}

fn run(program: &str, arguments: &[&str]) {
    let output = Command::new(program).args(arguments).output().unwrap();
    assert!(output.status.success(), "{program}: {}", told(&output));
}

impl Machine {
    pub fn start(place: &Place) -> Self {
        Self::start_with(place, "")
    }

    /// With more lines for its server's configuration.
    pub fn start_with(place: &Place, more: &str) -> Self {
        // Its sockets need a short path without spaces.
        let folder = tempfile::Builder::new()
            .prefix("lapwing-sshd")
            .tempdir()
            .unwrap()
            .keep();
        let at = |name: &str| folder.join(name).display().to_string();
        for name in ["host_key", "user_key"] {
            run(
                "ssh-keygen",
                &["-q", "-t", "ed25519", "-N", "", "-f", &at(name)],
            );
        }
        std::fs::copy(at("user_key.pub"), at("authorized_keys")).unwrap();
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = free.local_addr().unwrap().port();
        drop(free);
        // Root's own server needs it; others may not make it, and have no need.
        let _ = std::fs::create_dir_all("/run/sshd");
        let dir = folder.display();
        std::fs::write(
            at("sshd_config"),
            format!(
                "ListenAddress 127.0.0.1\nPort {port}\nHostKey {dir}/host_key\nAuthorizedKeysFile {dir}/authorized_keys\n\
                 PidFile {dir}/sshd.pid\nUsePAM no\nPasswordAuthentication no\nStrictModes no\nPermitRootLogin yes\n\
                 Subsystem sftp internal-sftp\n{more}"
            ),
        )
        .unwrap();
        let key = std::fs::read_to_string(at("host_key.pub")).unwrap();
        std::fs::write(at("known_hosts"), format!("[127.0.0.1]:{port} {key}")).unwrap();
        std::fs::write(
            at("config"),
            format!(
                "Host box\n HostName 127.0.0.1\n Port {port}\n IdentityFile {dir}/user_key\n IdentitiesOnly yes\n \
                 UserKnownHostsFile {dir}/known_hosts\n GlobalKnownHostsFile /dev/null\n"
            ),
        )
        .unwrap();
        let server = Command::new("/usr/sbin/sshd")
            .args(["-D", "-f", &at("sshd_config"), "-E", &at("sshd.log")])
            .stdin(Stdio::null())
            .spawn()
            .expect("openssh-server is installed: run `make test`");
        let begun = Instant::now();
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(begun.elapsed() < BOUND, "sshd does not come up");
            std::thread::sleep(POLL);
        }
        let machine = Self {
            server,
            folder,
            port,
        };
        let there = machine.folder.join("there");
        std::fs::create_dir_all(there).unwrap();
        machine.add(place, "box", "ssh://box", &[]);
        machine
    }

    /// The server's number as a process.
    pub fn process(&self) -> u32 {
        self.server.id()
    }

    /// Leads its users through another port.
    pub fn behind(&self, port: u16) {
        let config = self.folder.join("config");
        let text = std::fs::read_to_string(&config).unwrap();
        // Its key is known by the port that it has.
        let known = format!(" HostKeyAlias [127.0.0.1]:{}", self.port);
        let other =
            text.lines()
                .filter(|line| *line != known)
                .map(|line| match line.split_once("Port ") {
                    Some((before, _)) => format!("{before}Port {port}"),
                    None => line.to_owned(),
                });
        let other: Vec<String> = other.chain([known.clone()]).collect();
        std::fs::write(config, other.join("\n") + "\n").unwrap();
    }

    /// Names it in the workspace, as what `address` says that it is.
    pub fn add(&self, place: &Place, name: &str, address: &str, more: &[&str]) {
        let here = place.path("home");
        std::fs::create_dir_all(&here).unwrap();
        let config = format!("config={}", self.folder.join("config").display());
        let there = format!("folder={}", self.folder.join("there").display());
        let mut arguments = vec!["remotes", "add", name, address, "-o", &config];
        arguments.extend(["-o", &there]);
        arguments.extend(more);
        place.json(&here, &arguments);
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

const TRAIN: &str = "
import json, mlflow
rows = open('features.csv').read().splitlines()
with mlflow.start_run():
    mlflow.log_metric('rows', len(rows))
json.dump({'rows': len(rows)}, open('metrics.json', 'w'))
";

/// Data that git ignores, a stage of shell, and a training script that tracks.
pub fn project(place: &Place) -> PathBuf {
    let folder = place.path("travelling");
    std::fs::create_dir_all(folder.join("data")).unwrap();
    std::fs::write(folder.join("data/rows.csv"), "a,b\n1,2\n3,4\n").unwrap();
    std::fs::write(folder.join("secret.txt"), "stays here").unwrap();
    std::fs::write(folder.join(".gitignore"), "secret.txt\n").unwrap();
    std::fs::write(folder.join("train.py"), TRAIN).unwrap();
    let python = peer("python");
    let stages = format!(
        "stages:\n  features:\n    cmd: sed 1d data/rows.csv > features.csv\n    deps: [data]\n    outs: [features.csv]\n  \
         train:\n    cmd: {} -W ignore train.py\n    deps: [features.csv, train.py]\n    metrics: [metrics.json: {{cache: false}}]\n",
        python.display()
    );
    std::fs::write(folder.join("dvc.yaml"), stages).unwrap();
    place.text(&folder, &["init"]);
    place.text(&folder, &["data", "add", "data", "-m", "First rows"]);
    folder
}

pub fn lock(folder: &Path) -> String {
    std::fs::read_to_string(folder.join("dvc.lock")).unwrap()
}

#[test]
fn a_pipeline_runs_unchanged_on_another_machine() {
    let here = Place::new();
    let local = project(&here);
    here.json(&local, &["run"]);

    let place = Place::new();
    let machine = Machine::start(&place);
    let folder = project(&place);
    let health = place.json(&folder, &["remotes", "test", "box"]);
    assert!(health["problem"].is_null(), "{health}");

    let list = place.json(&folder, &["run", "--on", "box", "--list-upload"]);
    let travels: Vec<&str> = list["files"]
        .as_array()
        .unwrap()
        .iter()
        .map(|file| file["path"].as_str().unwrap())
        .collect();
    assert!(
        travels.contains(&"data/rows.csv"),
        "an input travels though git ignores it: {list}"
    );
    assert!(
        !travels.contains(&"secret.txt"),
        "what is ignored stays: {list}"
    );

    let run = place.json(&folder, &["run", "--on", "box"]);
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
    assert_eq!(place.run(&folder, &["status", "-q"]).status.code(), Some(0));
    let again: Value = place.json(&folder, &["run", "--on", "box"]);
    assert!(again["run_id"].is_null(), "nothing to run: {again}");
    let found = Command::new("grep")
        .args(["-rl", "stays here"])
        .arg(machine.folder.join("there"))
        .output()
        .unwrap();
    assert_eq!(
        String::from_utf8_lossy(&found.stdout),
        "",
        "nothing that was not listed is there"
    );
}

#[test]
fn a_machine_that_does_not_answer_changes_nothing() {
    let place = Place::new();
    let mut machine = Machine::start(&place);
    machine.server.kill().unwrap();
    machine.server.wait().unwrap();
    let folder = project(&place);
    let output = place.run(&folder, &["run", "--on", "box"]);
    let said = told(&output);
    assert_eq!(output.status.code(), Some(3), "{said}");
    assert!(said.contains("box") && said.contains("hint:"), "{said}");
    assert!(
        place
            .json(&folder, &["jobs", "list"])
            .as_array()
            .unwrap()
            .is_empty()
    );
    assert!(!folder.join("features.csv").exists() && !folder.join("dvc.lock").exists());
    let unknown = place.run(&folder, &["run", "--on", "nobody"]);
    assert_eq!(unknown.status.code(), Some(2), "{}", told(&unknown));
    assert!(machine.port > 0);
}

#[test]
fn a_run_says_what_it_waits_for_while_its_machine_is_away() {
    let place = Place::new();
    let machine = Machine::start(&place);
    let way = Cut::before(machine.port, i64::MAX / 2);
    machine.behind(way.port);
    let (folder, go) = (place.path("waiting"), place.path("go"));
    std::fs::create_dir_all(&folder).unwrap();
    let pipeline = format!(
        "stages:\n  fit:\n    cmd: echo begun; while [ ! -e '{}' ]; do sleep 0.1; done; echo x > x\n    outs: [x]\n",
        go.display()
    );
    std::fs::write(folder.join("dvc.yaml"), pipeline).unwrap();
    place.text(&folder, &["init"]);
    let mut running = place
        .command(&folder, &["run", "--on", "box"])
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = BufReader::new(running.stderr.take().unwrap());
    hears(&mut said, "begun");
    way.now();
    hears(&mut said, "the connection to box failed");
    way.mend();
    std::fs::write(&go, "").unwrap();
    let mut rest = String::new();
    said.read_to_string(&mut rest).unwrap();
    assert!(running.wait().unwrap().success(), "{rest}");
}
