//! A pipeline on a Ray cluster. `make test` has the Jobs API as it was seen to answer, on loopback; `make test-ray` the real Ray, in
//! a network of its own: it takes a minute and 1.4 GB.

use std::io::Write as _;
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::anywhere::sample;
use crate::clusters::{self, Away, TOKEN, add};
use crate::place::{Place, peer, told};

const BOUND: Duration = Duration::from_secs(300);
const POLL: Duration = Duration::from_millis(200);

/// Ray listens on more than loopback: it gets a network where there is nobody else. The one way in is a socket in a folder.
const START: &str = r#"
set -e
ip link set lo up
python "$1/way.py" "$1/way" &
exec ray start --head --block --node-ip-address=127.0.0.1 --port=6379 --dashboard-host=127.0.0.1 --dashboard-port=8265 \
  --num-cpus=1 --object-store-memory=100000000 --disable-usage-stats --temp-dir="$1/t"
"#;

const WAY: &str = "
import socket, sys, threading
def pump(source, target):
    try:
        while data := source.recv(65536):
            target.sendall(data)
    except OSError:
        pass
    finally:
        for end in (source, target):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
listener = socket.socket(socket.AF_UNIX)
listener.bind(sys.argv[1])
listener.listen()
while True:
    client, _ = listener.accept()
    try:
        dashboard = socket.create_connection(('127.0.0.1', 8265))
    except OSError:
        client.close()
        continue
    threading.Thread(target=pump, args=(client, dashboard), daemon=True).start()
    threading.Thread(target=pump, args=(dashboard, client), daemon=True).start()
";

/// The Jobs API of `ray_api.py`.
pub struct Api {
    server: Child,
    pub port: u16,
    folder: tempfile::TempDir,
}

impl Api {
    pub fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        for name in ["logs", "jobs", "bin"] {
            std::fs::create_dir(folder.path().join(name)).unwrap();
        }
        // A link would not find its packages.
        let python = format!("#!/bin/sh\nexec '{}' \"$@\"\n", peer("python").display());
        for name in ["python", "python3"] {
            let file = folder.path().join("bin").join(name);
            std::fs::write(&file, &python).unwrap();
            let program = std::os::unix::fs::PermissionsExt::from_mode(0o755);
            std::fs::set_permissions(file, program).unwrap();
        }
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = free.local_addr().unwrap().port();
        drop(free);
        Self {
            server: serve(folder.path(), port),
            port,
            folder,
        }
    }

    /// Its jobs run on.
    pub fn dies(&mut self) {
        self.server.kill().unwrap();
        self.server.wait().unwrap();
    }

    pub fn again(&mut self) {
        self.server = serve(self.folder.path(), self.port);
    }

    /// From now on it wants one.
    pub fn wants_token(&self, token: &str) {
        std::fs::write(self.folder.path().join("token"), token).unwrap();
    }

    /// Jobs that it knows, and results that lie there.
    pub fn there(&self) -> Vec<String> {
        let names = |folder: &str| std::fs::read_dir(self.folder.path().join(folder)).unwrap();
        names("jobs")
            .chain(names("logs"))
            .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
            .filter(|name| !name.starts_with("job-driver"))
            .collect()
    }
}

fn serve(session: &Path, port: u16) -> Child {
    const LIMIT: &str = "100000000";
    let script =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("src-tauri/crates/jobs/tests/jobs/ray_api.py");
    let bin = session.join("bin").display().to_string();
    let server = Command::new(peer("python"))
        .arg(script)
        .arg(session)
        .args([port.to_string().as_str(), LIMIT])
        .env("PATH", format!("{bin}:{}", std::env::var("PATH").unwrap()))
        .stdin(Stdio::null())
        .spawn()
        .unwrap();
    let begun = Instant::now();
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        assert!(begun.elapsed() < BOUND, "the server does not come up");
        std::thread::sleep(POLL);
    }
    server
}

impl Drop for Api {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

#[test]
fn a_pipeline_runs_unchanged_on_a_ray_cluster() {
    let here = Place::new();
    let local = crate::elsewhere::project(&here);
    here.json(&local, &["run"]);
    let api = Api::start();
    let url = format!("http://127.0.0.1:{}", api.port);
    for (name, option) in [("files", None), ("direct", Some("reach=127.0.0.1"))] {
        let place = Place::new();
        let folder = crate::elsewhere::project(&place);
        let mut arguments = vec!["remotes", "add", name, &url, "--kind", "ray"];
        arguments.extend(option.iter().flat_map(|option| ["-o", option]));
        place.json(&folder, &arguments);
        let health = place.json(&folder, &["remotes", "test", name]);
        assert_eq!(health["server"], "Ray 2.60.0", "{health}");
        let run = place.json(&folder, &["run", "--on", name]);
        assert_eq!(run["row"]["status"], "FINISHED", "{run}");
        assert_eq!(
            run["row"]["metrics"]["rows"], 2.0,
            "{name}: what the script tracked there: {run}"
        );
        assert_eq!(
            lock(&folder),
            lock(&local),
            "the same outputs, byte for byte"
        );
        let jobs = place.json(&folder, &["jobs", "list"]);
        assert_eq!(jobs[0]["on"], name, "{jobs}");
    }
    let sent = std::fs::read_to_string(api.folder.path().join("sent")).unwrap();
    assert_eq!(
        sent.lines().count(),
        2,
        "the same files of a stage are sent once: {sent}"
    );
}

struct Ray {
    cluster: Child,
    folder: PathBuf,
    port: u16,
    open: Arc<AtomicBool>,
}

impl Ray {
    fn start() -> Self {
        let venv = std::env::var("LAPWING_TEST_RAY").expect("run `make test-ray`");
        // Its sockets need a short path.
        let folder = tempfile::Builder::new()
            .prefix("lw-ray")
            .tempdir()
            .unwrap()
            .keep();
        std::fs::write(folder.join("way.py"), WAY).unwrap();
        let path = format!("{venv}/bin:{}", std::env::var("PATH").unwrap());
        let log = std::fs::File::create(folder.join("log")).unwrap();
        let cluster = Command::new("unshare")
            .args([
                "--map-root-user",
                "--net",
                "--pid",
                "--fork",
                "--kill-child",
                "--mount-proc",
            ])
            .args(["bash", "-c", START, "ray"])
            .arg(&folder)
            .env("PATH", path)
            .env("RAY_DISABLE_IMPORT_WARNING", "1")
            .env("RAY_AUTH_MODE", "token")
            .env("RAY_AUTH_TOKEN", TOKEN)
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .process_group(0)
            .spawn()
            .unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let ray = Self {
            cluster,
            port: listener.local_addr().unwrap().port(),
            open: Arc::new(AtomicBool::new(true)),
            folder,
        };
        let (way, open) = (ray.folder.join("way"), Arc::clone(&ray.open));
        std::thread::spawn(move || {
            for client in listener.incoming() {
                let client = client.unwrap();
                if let Ok(there) = UnixStream::connect(&way)
                    && open.load(Ordering::SeqCst)
                {
                    join(client, there, Arc::clone(&open));
                }
            }
        });
        ray.until("Ray", || ray.asked("version").contains("ray_version"));
        ray
    }

    fn until(&self, what: &str, mut done: impl FnMut() -> bool) {
        let begun = Instant::now();
        while !done() {
            let log = || std::fs::read_to_string(self.folder.join("log")).unwrap();
            assert!(begun.elapsed() < BOUND, "{what} did not come: {}", log());
            std::thread::sleep(POLL);
        }
    }

    /// What it answers; nothing where there is nobody.
    fn asked(&self, what: &str) -> String {
        let ask = || {
            let mut stream = TcpStream::connect(("127.0.0.1", self.port))?;
            write!(
                stream,
                "GET /api/{what} HTTP/1.0\r\nHost: x\r\nAuthorization: Bearer {TOKEN}\r\n\r\n"
            )?;
            std::io::read_to_string(stream)
        };
        let said = ask().unwrap_or_default();
        said.split_once("\r\n\r\n")
            .map_or(String::new(), |(_, body)| body.to_owned())
    }
}

impl Away for Ray {
    fn goes_away(&mut self) {
        self.open.store(false, Ordering::SeqCst);
    }

    fn comes_back(&mut self) {
        self.open.store(true, Ordering::SeqCst);
    }

    fn there(&self) -> Vec<String> {
        let jobs: Value = serde_json::from_str(&self.asked("jobs/")).unwrap();
        let jobs = jobs.as_array().unwrap().iter();
        let id = |job: &Value| job["submission_id"].as_str().map(str::to_owned);
        jobs.filter_map(id).collect()
    }
}

/// Passes bytes in both directions while the way is open.
fn join(client: TcpStream, there: UnixStream, open: Arc<AtomicBool>) {
    let (up, down) = (client.try_clone().unwrap(), there.try_clone().unwrap());
    let (watched, far) = (client.try_clone().unwrap(), there.try_clone().unwrap());
    std::thread::spawn(move || {
        let _ = std::io::copy(&mut &up, &mut &down);
        let _ = down.shutdown(Shutdown::Write);
    });
    std::thread::spawn(move || {
        let _ = std::io::copy(&mut &there, &mut &client);
        let _ = client.shutdown(Shutdown::Both);
    });
    std::thread::spawn(move || {
        while open.load(Ordering::SeqCst) && watched.peer_addr().is_ok() {
            std::thread::sleep(POLL);
        }
        let _ = watched.shutdown(Shutdown::Both);
        let _ = far.shutdown(Shutdown::Both);
    });
}

impl Drop for Ray {
    fn drop(&mut self) {
        // All that the namespace holds ends with its first process.
        let group = format!("-{}", self.cluster.id());
        let _ = Command::new("kill").args(["-9", "--", &group]).status();
        let _ = self.cluster.wait();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

fn lock(folder: &Path) -> String {
    std::fs::read_to_string(folder.join("dvc.lock")).unwrap()
}

#[test]
#[ignore = "starts the real Ray: make test-ray"]
fn the_sample_trains_on_ray_as_it_does_here() {
    let ray = Ray::start();
    let here = Place::new();
    let local = sample(&here);
    let trained = here.json(&local, &["run", "train"]);

    let place = Place::new();
    let folder = sample(&place);
    add(&place, ["cluster", ""], ray.port, TOKEN);
    let listed = place.json(&folder, &["remotes", "list"]);
    let mut listed = listed.as_array().unwrap().iter();
    let added = listed.find(|row| row["name"] == "cluster").unwrap();
    assert_eq!(added["kind"], "ray", "it says itself what it is");
    let health = place.json(&folder, &["remotes", "test", "cluster"]);
    assert_eq!(health["server"], "Ray 2.60.0", "{health}");
    let begun = Instant::now();
    let run = place.json(&folder, &["run", "train", "--on", "cluster"]);
    eprintln!("three stages on Ray took {:.0?}", begun.elapsed());
    assert_eq!(run["row"]["status"], "FINISHED", "{run}");
    assert_eq!(lock(&folder), lock(&local), "the same, byte for byte");
    for what in ["metrics", "params"] {
        assert_eq!(
            run["row"][what], trained["row"][what],
            "what the script tracked there"
        );
    }
    let id = run["row"]["run_id"].as_str().unwrap();
    place.json(
        &folder,
        &["models", "register", id, "--name", "flight-delays"],
    );
    let again: Value = place.json(&folder, &["run", "train", "--on", "cluster"]);
    assert!(again["run_id"].is_null(), "nothing to run: {again}");

    the_way_is_cut(&ray);
}

#[test]
#[ignore = "starts the real Ray: make test-ray"]
fn sweeps_and_scorings_go_through_a_cut_to_ray_and_a_closed_laptop() {
    let mut ray = Ray::start();
    let bench = clusters::swept();
    clusters::who_is_not_let_in_is_told_so(&bench, ray.port);
    add(&bench.place, ["ray", "ray"], ray.port, TOKEN);
    clusters::a_sweep_survives_there(&mut ray, &bench, "ray");
    clusters::nothing_keeps_the_token(&bench.place);
    let bench = clusters::swept();
    add(&bench.place, ["ray", "ray"], ray.port, TOKEN);
    clusters::a_sweep_is_stopped_there(&ray, &bench, "ray");
    let bench = clusters::scored();
    add(&bench.place, ["ray", "ray"], ray.port, TOKEN);
    clusters::a_file_is_scored_there(&mut ray, &bench, "ray");
    clusters::a_scoring_is_stopped_there(&ray, &bench, "ray");
}

/// The connection goes away while a stage runs, and comes back; then a stage is cancelled.
fn the_way_is_cut(ray: &Ray) {
    let place = Place::new();
    let folder = place.path("small");
    std::fs::create_dir_all(&folder).unwrap();
    let go = ray.folder.join("go");
    let script = format!(
        "echo begun; until [ -e {} ]; do sleep 0.2; done; echo made > out",
        go.display()
    );
    std::fs::write(folder.join("work.sh"), script).unwrap();
    let stages = "stages:\n  slow:\n    cmd: sh work.sh\n    deps: [work.sh]\n    outs: [out]\n    meta: {lapwing: {on: cluster, cpus: 1}}\n";
    std::fs::write(folder.join("dvc.yaml"), stages).unwrap();
    place.text(&folder, &["init"]);
    add(&place, ["cluster", "ray"], ray.port, TOKEN);
    let job = || place.json(&folder, &["jobs", "list"])[0].clone();
    let log = || {
        let id = job()["id"].as_str().unwrap_or_default().to_owned();
        told(&place.run(&folder, &["jobs", "logs", &id]))
    };

    place.json(&folder, &["run", "--detach"]);
    ray.until("its begin", || {
        job()["status"] == "running" && log().contains("begun")
    });
    ray.open.store(false, Ordering::SeqCst);
    std::fs::write(&go, "").unwrap();
    ray.until("a word about it", || job()["why"].is_string());
    ray.open.store(true, Ordering::SeqCst);
    ray.until("its end", || job()["status"] == "succeeded");
    ray.until("its output", || folder.join("dvc.lock").exists());
    assert_eq!(
        std::fs::read_to_string(folder.join("out")).unwrap(),
        "made\n"
    );

    std::fs::remove_file(&go).unwrap();
    std::fs::write(folder.join("work.sh"), "echo begun; exec sleep 600").unwrap();
    ray.until("the runner's end", || {
        place.run(&folder, &["run", "--detach"]).status.success()
    });
    ray.until("its begin", || {
        job()["status"] == "running" && log().contains("begun")
    });
    let id = job()["id"].as_str().unwrap().to_owned();
    place.json(&folder, &["jobs", "stop", &id]);
    assert_eq!(job()["status"], "cancelled");
}
