//! A Docker engine that is not here: behind a real sshd, and behind TLS. Nothing is mounted.

use std::path::Path;
use std::process::{Child, Command, Stdio};

use lapwing_jobs::{
    DockerHost, Image, JobSpec, JobState, Outcome, RemoteDockerSpec, Target, state, stop,
};

use crate::docker::image;
use crate::ssh::Bench;
use crate::until;

fn away(bench: &Bench, image: &str, script: &str, files: &[&str], outputs: &[&str]) -> JobSpec {
    let mut spec = crate::shell(script);
    spec.cwd = bench.project();
    spec.target = Target::RemoteDocker(RemoteDockerSpec {
        engine: DockerHost::Ssh {
            host: bench.sshd.ssh_host(),
            socket: None,
        },
        image: Image::Named(image.to_owned()),
        memory_bytes: Some(256 << 20),
        cpus: Some(1.0),
        root: bench.project(),
        files: files.iter().map(ToString::to_string).collect(),
        outputs: outputs.iter().map(ToString::to_string).collect(),
        tunnels: Vec::new(),
    });
    spec
}

fn change(spec: &mut JobSpec, how: impl FnOnce(&mut RemoteDockerSpec)) {
    let Target::RemoteDocker(docker) = &mut spec.target else {
        unreachable!("made above")
    };
    how(docker);
}

/// Its end, and that nothing of it stays there.
fn ended(bench: &Bench, spec: &JobSpec) -> Outcome {
    let outcome = bench.ended(spec);
    until("the container to go", || containers(spec).is_empty());
    let lock = std::fs::File::open(bench.workspace.job(&spec.id).join("lock")).unwrap();
    until("the supervisor's end", || lock.try_lock().is_ok());
    outcome
}

fn containers(spec: &JobSpec) -> String {
    let output = Command::new("docker")
        .args([
            "ps",
            "-aq",
            "--filter",
            &format!("name=lapwing-{}", spec.id),
        ])
        .output()
        .unwrap();
    String::from_utf8(output.stdout).unwrap()
}

/// Its command goes on. It may be over before the one that says so, which ends with the container then: its code says nothing.
fn lets_go(spec: &JobSpec) {
    let name = format!("lapwing-{}", spec.id);
    let said = Command::new("docker")
        .args(["exec", &name, "touch", "/tmp/go"])
        .output();
    said.unwrap();
}

#[test]
fn files_go_into_a_container_behind_ssh_and_outputs_come_home() {
    let Some(image) = image() else { return };
    let Some(bench) = Bench::new() else { return };
    bench.write("data/a b.csv", "1,2\n");
    bench.sshd.command(
        &bench.project().join("tool.sh"),
        "#!/bin/sh\ncat '../data/a b.csv'\n",
    );
    bench.write("here.txt", "not listed\n");
    let mut spec = away(
        &bench,
        &image,
        "set -e; [ ! -e ../here.txt ]; ../tool.sh; id -u; mkdir -p ../out/deep; echo made > ../out/deep/f; echo new > ../data/model; exit 4",
        &["data/a b.csv", "tool.sh"],
        &["out", "data/model", "missing"],
    );
    spec.cwd = bench.project().join("data");
    bench.start(&spec);
    assert_eq!(
        ended(&bench, &spec),
        Outcome::Failed { code: 4 },
        "{}",
        bench.log(&spec)
    );
    let uid = Command::new("id").arg("-u").output().unwrap().stdout;
    let wanted = format!("1,2\n{}", String::from_utf8(uid).unwrap());
    let log = bench.log(&spec);
    assert!(
        log.starts_with("sent 2 files") && log.ends_with(&wanted),
        "{log}"
    );
    let read = |name: &str| std::fs::read_to_string(bench.project().join(name)).ok();
    assert_eq!(read("out/deep/f").as_deref(), Some("made\n"));
    assert_eq!(read("data/model").as_deref(), Some("new\n"));
    assert_eq!(read("here.txt").as_deref(), Some("not listed\n"));
}

#[test]
fn a_container_behind_ssh_outlives_its_supervisor_and_the_connection() {
    let Some(image) = image() else { return };
    let Some(mut bench) = Bench::new() else {
        return;
    };
    let spec = away(
        &bench,
        &image,
        "i=0; while [ $i -lt 500 ]; do i=$((i+1)); echo \"line $i\"; done; until [ -e /tmp/go ]; do sleep 0.1; done; echo out > out; printf tail",
        &[],
        &["out"],
    );
    bench.start(&spec);
    until("its lines", || bench.log(&spec).contains("line 500\n"));
    bench.sshd.kill();
    until("a word about it", || {
        matches!(
            state(&bench.workspace, &spec.id).unwrap(),
            JobState::Running { why: Some(_), .. }
        )
    });
    crate::docker::kill_supervisor(&bench.workspace, &spec);
    lets_go(&spec);
    bench.sshd.again();
    assert_eq!(
        ended(&bench, &spec),
        Outcome::Succeeded,
        "{}",
        bench.log(&spec)
    );
    let log = bench.log(&spec);
    assert_eq!(log.matches("line 77\n").count(), 1, "nothing twice");
    assert!(log.ends_with("line 500\ntail"), "{log}");
    assert!(bench.project().join("out").exists());
}

#[test]
fn a_container_behind_ssh_can_be_cancelled() {
    let Some(image) = image() else { return };
    let Some(bench) = Bench::new() else { return };
    let spec = away(&bench, &image, "exec sleep 600", &[], &[]);
    bench.start(&spec);
    bench.runs(&spec);
    stop(&bench.workspace, &spec.id).unwrap();
    assert_eq!(ended(&bench, &spec), Outcome::Cancelled);
}

#[test]
fn a_container_behind_ssh_reaches_a_server_here() {
    let Some(image) = image() else { return };
    let Some(bench) = Bench::new() else { return };
    bench.write("ask.py", crate::ssh_python::ASK);
    let port = crate::ssh_python::server();
    let mut spec = away(
        &bench,
        &image,
        "python ask.py /from-there",
        &["ask.py"],
        &[],
    );
    spec.env.insert(
        "MLFLOW_TRACKING_URI".to_owned(),
        format!("http://127.0.0.1:{port}"),
    );
    change(&mut spec, |docker| {
        docker.tunnels = vec!["MLFLOW_TRACKING_URI".to_owned()]
    });
    bench.start(&spec);
    assert_eq!(
        ended(&bench, &spec),
        Outcome::Succeeded,
        "{}",
        bench.log(&spec)
    );
    assert!(bench.log(&spec).ends_with("you asked for /from-there\n"));
}

#[test]
fn a_host_without_docker_is_said() {
    let Some(_) = image() else { return };
    let Some(bench) = Bench::new() else { return };
    let mut spec = away(&bench, "none", "true", &[], &[]);
    change(&mut spec, |docker| {
        docker.engine = DockerHost::Ssh {
            host: lapwing_jobs::SshHost {
                port: Some(1),
                ..bench.sshd.ssh_host()
            },
            socket: None,
        };
    });
    bench.start(&spec);
    let why = ended(&bench, &spec).to_string();
    assert!(why.contains("Connection refused"), "{why}");
}

/// TLS in front of the local engine's socket, for clients with a certificate of our CA only. What comes stands still after USR1, and
/// breaks off at USR2.
struct Tls {
    proxy: Child,
    port: u16,
}

const PROXY: &str = "
import signal, socket, ssl, sys, threading
passes, cuts = threading.Event(), []
passes.set()
def cut(*_):
    cuts.append(1)
    passes.set()
signal.signal(signal.SIGUSR1, lambda *_: passes.clear())
signal.signal(signal.SIGUSR2, cut)
folder, port = sys.argv[1], int(sys.argv[2])
context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=folder + '/ca.pem')
context.verify_mode = ssl.CERT_REQUIRED
context.load_cert_chain(folder + '/server.pem', folder + '/server.key')
listener = socket.create_server(('127.0.0.1', port))
def pump(source, target):
    known = len(cuts)
    try:
        while data := source.recv(65536):
            passes.wait()
            if len(cuts) > known:
                break
            target.sendall(data)
    except OSError:
        pass
    finally:
        for end in (source, target):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
def serve(raw):
    try:
        client = context.wrap_socket(raw, server_side=True)
    except OSError:
        return
    engine = socket.socket(socket.AF_UNIX)
    engine.connect('/var/run/docker.sock')
    threading.Thread(target=pump, args=(client, engine), daemon=True).start()
    pump(engine, client)
while True:
    threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()
";

fn openssl(folder: &Path, line: &str) {
    let output = Command::new("openssl")
        .args(line.split(' '))
        .current_dir(folder)
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{line}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
}

impl Tls {
    fn start(folder: &Path) -> Self {
        let ca = |name: &str| {
            openssl(
                folder,
                &format!(
                    "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN={name} -keyout {name}.key -out {name}.pem"
                ),
            );
        };
        ca("ca");
        ca("other");
        std::fs::write(folder.join("san"), "subjectAltName=IP:127.0.0.1\n").unwrap();
        for name in ["server", "client"] {
            openssl(
                folder,
                &format!(
                    "req -newkey rsa:2048 -nodes -subj /CN={name} -keyout {name}.key -out {name}.csr"
                ),
            );
            openssl(
                folder,
                &format!(
                    "x509 -req -days 2 -in {name}.csr -CA ca.pem -CAkey ca.key -CAcreateserial -extfile san -out {name}.pem"
                ),
            );
        }
        let port = std::net::TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let proxy = proxy(folder, port);
        Self { proxy, port }
    }

    /// With every connection through it, at once.
    fn kill(&mut self) {
        self.proxy.kill().unwrap();
        self.proxy.wait().unwrap();
    }

    fn told(&self, signal: &str) {
        let pid = self.proxy.id().to_string();
        let told = Command::new("kill").args([signal, &pid]).status();
        assert!(told.unwrap().success());
    }

    fn again(&mut self, folder: &Path) {
        self.proxy = proxy(folder, self.port);
    }

    fn host(&self, folder: &Path, ca: &str) -> DockerHost {
        let file = |name: &str| Some(folder.join(name));
        DockerHost::Tcp {
            url: format!("tcp://127.0.0.1:{}", self.port),
            ca: file(ca),
            cert: file("client.pem"),
            key: file("client.key"),
        }
    }
}

fn proxy(folder: &Path, port: u16) -> Child {
    let proxy = Command::new("python3")
        .args(["-c", PROXY])
        .arg(folder)
        .arg(port.to_string())
        .stdin(Stdio::null())
        .spawn()
        .unwrap();
    until("the proxy", || {
        std::net::TcpStream::connect(("127.0.0.1", port)).is_ok()
    });
    proxy
}

impl Drop for Tls {
    fn drop(&mut self) {
        let _ = self.proxy.kill();
        let _ = self.proxy.wait();
    }
}

#[test]
fn a_job_runs_on_an_engine_behind_tls() {
    let Some(image) = image() else { return };
    let Some(bench) = Bench::new() else { return };
    let certificates = tempfile::tempdir().unwrap();
    let tls = Tls::start(certificates.path());
    let mut spec = away(
        &bench,
        &image,
        "cat ../in > ../models/deep/out; echo done",
        &["in"],
        &["models/deep/out"],
    );
    spec.cwd = bench.project().join("empty");
    bench.write("in", "through TLS\n");
    change(&mut spec, |docker| {
        docker.engine = tls.host(certificates.path(), "ca.pem")
    });
    bench.start(&spec);
    assert_eq!(
        ended(&bench, &spec),
        Outcome::Succeeded,
        "{}",
        bench.log(&spec)
    );
    assert!(bench.log(&spec).ends_with("done\n"));
    let out = std::fs::read_to_string(bench.project().join("models/deep/out")).unwrap();
    assert_eq!(out, "through TLS\n");
}

#[test]
fn a_container_behind_tls_outlives_its_supervisor_and_the_way_to_it() {
    let Some(image) = image() else { return };
    let Some(bench) = Bench::new() else { return };
    let certificates = tempfile::tempdir().unwrap();
    let mut tls = Tls::start(certificates.path());
    let script =
        "echo begun; until [ -e /tmp/go ]; do sleep 0.1; done; echo out > out; printf tail";
    let mut spec = away(&bench, &image, script, &[], &["out"]);
    change(&mut spec, |docker| {
        docker.engine = tls.host(certificates.path(), "ca.pem");
    });
    bench.start(&spec);
    until("its begin", || bench.log(&spec).ends_with("begun\n"));
    tls.kill();
    until("a word about it", || {
        matches!(
            state(&bench.workspace, &spec.id).unwrap(),
            JobState::Running { why: Some(_), .. }
        )
    });
    crate::docker::kill_supervisor(&bench.workspace, &spec);
    lets_go(&spec);
    tls.again(certificates.path());
    let outcome = ended(&bench, &spec);
    let log = bench.log(&spec);
    assert_eq!(outcome, Outcome::Succeeded, "{log}");
    assert_eq!(log.matches("begun\n").count(), 1, "nothing twice: {log}");
    assert!(log.ends_with("begun\ntail"), "{log}");
    assert!(bench.project().join("out").exists());
}

#[test]
fn the_end_of_a_log_is_not_lost_with_its_connection() {
    let Some(image) = image() else { return };
    let Some(bench) = Bench::new() else { return };
    let certificates = tempfile::tempdir().unwrap();
    let tls = Tls::start(certificates.path());
    let script = "echo begun; until [ -e /tmp/go ]; do sleep 0.1; done; printf tail";
    let mut spec = away(&bench, &image, script, &[], &[]);
    change(&mut spec, |docker| {
        docker.engine = tls.host(certificates.path(), "ca.pem");
    });
    bench.start(&spec);
    until("its begin", || bench.log(&spec).ends_with("begun\n"));
    tls.told("-USR1");
    lets_go(&spec);
    let name = format!("lapwing-{}", spec.id);
    let over = Command::new("docker").args(["wait", &name]).output();
    assert!(over.unwrap().status.success());
    tls.told("-USR2");
    let outcome = ended(&bench, &spec);
    let log = bench.log(&spec);
    assert_eq!(outcome, Outcome::Succeeded, "{log}");
    assert!(log.ends_with("begun\ntail"), "{log}");
}

#[test]
fn a_run_behind_tls_is_tracked_in_files() {
    let Some(image) = image() else { return };
    let Some(bench) = Bench::new() else { return };
    let certificates = tempfile::tempdir().unwrap();
    let tls = Tls::start(certificates.path());
    let run = "0123456789abcdef0123456789abcdef";
    let script = "set -e; [ -z \"$MLFLOW_TRACKING_TOKEN\" ]; [ $MLFLOW_ALLOW_FILE_STORE = true ]; \
                  store=${MLFLOW_TRACKING_URI#file://}; grep -q \"run_id: $MLFLOW_RUN_ID\" \"$store/0/$MLFLOW_RUN_ID/meta.yaml\"; \
                  echo '1 0.5 0' > \"$store/0/$MLFLOW_RUN_ID/metrics/loss\"";
    let mut spec = away(&bench, &image, script, &[], &[]);
    for (name, value) in [
        ("MLFLOW_TRACKING_URI", "http://127.0.0.1:5000"),
        ("MLFLOW_TRACKING_TOKEN", "canary"),
        ("MLFLOW_RUN_ID", run),
    ] {
        spec.env.insert(name.to_owned(), value.to_owned());
    }
    change(&mut spec, |docker| {
        docker.engine = tls.host(certificates.path(), "ca.pem");
        docker.tunnels = vec!["MLFLOW_TRACKING_URI".to_owned()];
    });
    bench.start(&spec);
    let outcome = ended(&bench, &spec);
    assert_eq!(outcome, Outcome::Succeeded, "{}", bench.log(&spec));
    let files = lapwing_jobs::tracked_files(&bench.workspace, &spec.id).unwrap();
    let loss = std::fs::read_to_string(files.join("0").join(run).join("metrics/loss")).unwrap();
    assert_eq!(loss, "1 0.5 0\n");
}

#[test]
fn an_engine_that_is_not_who_it_says_is_refused() {
    let Some(_) = image() else { return };
    let certificates = tempfile::tempdir().unwrap();
    let tls = Tls::start(certificates.path());
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let ping = |ca: &str| runtime.block_on(tls.host(certificates.path(), ca).ping());
    assert!(ping("ca.pem").is_ok());
    let error = ping("other.pem").unwrap_err();
    assert_eq!(error.report().name, "docker.unreachable_there");
    assert!(error.to_string().contains("certificate"), "{error}");
    let error = ping("gone.pem").unwrap_err();
    assert!(error.to_string().contains("gone.pem"), "{error}");
}
