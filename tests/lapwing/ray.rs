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
use crate::place::{Place, told};

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
struct Api {
    server: Child,
    port: u16,
    folder: tempfile::TempDir,
}

impl Api {
    fn start() -> Self {
        const LIMIT: &str = "100000000";
        let folder = tempfile::tempdir().unwrap();
        for name in ["logs", "jobs", "bin"] {
            std::fs::create_dir(folder.path().join(name)).unwrap();
        }
        let python = crate::place::peer("python");
        std::os::unix::fs::symlink(&python, folder.path().join("bin/python")).unwrap();
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = free.local_addr().unwrap().port();
        drop(free);
        let script = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("src-tauri/crates/jobs/tests/jobs/ray_api.py");
        let bin = folder.path().join("bin").display().to_string();
        let server = Command::new(&python)
            .arg(script)
            .arg(folder.path())
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
        Self {
            server,
            port,
            folder,
        }
    }
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
        ray.until("Ray", || ray.version().is_some());
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

    fn version(&self) -> Option<String> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).ok()?;
        stream
            .write_all(b"GET /api/version HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            .ok()?;
        let answer = std::io::read_to_string(stream).ok()?;
        answer.contains("ray_version").then_some(answer)
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
    let url = format!("http://127.0.0.1:{}", ray.port);
    let added = place.json(&folder, &["remotes", "add", "cluster", &url]);
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
    let url = format!("http://127.0.0.1:{}", ray.port);
    place.json(
        &folder,
        &["remotes", "add", "cluster", &url, "--kind", "ray"],
    );
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
