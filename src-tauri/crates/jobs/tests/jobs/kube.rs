//! A small Kubernetes API server of the tests' own, whose pods really run: in Docker where there is an engine, else as processes.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Output, Stdio};

use lapwing_jobs::Cluster;

use crate::left_out::left_out;

pub const TOKEN: &str = "canary-token-5d1f";

pub struct Kube {
    server: Child,
    control: ChildStdin,
    answers: BufReader<ChildStdout>,
    folder: tempfile::TempDir,
    pub port: u16,
    pub image: String,
    tls: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Runtime {
    /// Docker where there is an engine.
    Real,
    Process,
}

impl Kube {
    pub fn start(runtime: Runtime) -> Self {
        Self::with(runtime, false)
    }

    /// With a certificate of an authority of its own.
    pub fn safe() -> Self {
        Self::with(Runtime::Process, true)
    }

    fn with(runtime: Runtime, tls: bool) -> Self {
        let folder = tempfile::tempdir().unwrap();
        // Containers of another user look into it.
        let open = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(folder.path(), open).unwrap();
        let docker = std::env::var("LAPWING_TEST_DOCKER")
            .ok()
            .filter(|name| !name.is_empty() && runtime == Runtime::Real);
        let server =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../tests/kubernetes/server.py");
        let mut command = Command::new("python3");
        command
            .arg("-B")
            .arg(server)
            .arg(folder.path())
            .args(["--token", TOKEN])
            .args([
                "--runtime",
                if docker.is_some() {
                    "docker"
                } else {
                    "process"
                },
            ])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        if tls {
            certificates(folder.path());
            let at = |name: &str| folder.path().join(name);
            command
                .arg("--tls")
                .args([at("server.crt"), at("server.key"), at("ca.crt")]);
        }
        let mut server = command.spawn().expect("python3 is installed");
        let control = server.stdin.take().unwrap();
        let mut answers = BufReader::new(server.stdout.take().unwrap());
        let mut port = String::new();
        answers.read_line(&mut port).unwrap();
        let kube = Self {
            server,
            control,
            answers,
            folder,
            port: port.trim().parse().expect("the server's port"),
            image: docker.unwrap_or_else(|| "any".to_owned()),
            tls,
        };
        kube.config(TOKEN);
        kube
    }

    pub fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn user(&self, user: &str) -> PathBuf {
        let scheme = self.scheme();
        let ca = if self.tls {
            format!(
                "    certificate-authority: {}\n",
                self.at("ca.crt").display()
            )
        } else {
            String::new()
        };
        let text = format!(
            "apiVersion: v1\nkind: Config\ncurrent-context: team\ncontexts:\n- name: team\n  context: {{cluster: team, user: ada}}\n\
             clusters:\n- name: team\n  cluster:\n    server: {scheme}://127.0.0.1:{}\n{ca}users:\n- name: ada\n  user:\n{user}",
            self.port
        );
        let path = self.at("kubeconfig");
        std::fs::write(&path, text).unwrap();
        path
    }

    fn scheme(&self) -> &'static str {
        if self.tls { "https" } else { "http" }
    }

    pub fn config(&self, token: &str) -> PathBuf {
        self.user(&format!("    token: {token}\n"))
    }

    pub fn cluster(&self) -> Cluster {
        Cluster {
            context: Some("team".to_owned()),
            kubeconfigs: vec![self.at("kubeconfig")],
            namespace: None,
        }
    }

    /// A word for the server, which has done it when this returns.
    pub fn say(&mut self, words: &str) {
        writeln!(self.control, "{words}").unwrap();
        let mut answer = String::new();
        self.answers.read_line(&mut answer).unwrap();
        assert!(answer.starts_with("ok"), "`{words}`: {answer}");
    }

    /// The real `kubectl`; `None`, aloud, where there is none.
    pub fn kubectl(&self, arguments: &[&str]) -> Option<Output> {
        let output = Command::new("kubectl")
            .arg("--kubeconfig")
            .arg(self.at("kubeconfig"))
            .args(arguments)
            .output();
        if output.is_err() {
            left_out("there is no kubectl");
        }
        output.ok()
    }

    /// Asks the server itself, in the cluster's own words.
    pub fn names(&self, kind: &str) -> Vec<String> {
        let output = Command::new("python3")
            .args([
                "-c",
                "import json, ssl, sys, urllib.request\n\
                 request = urllib.request.Request(sys.argv[1], headers={'Authorization': 'Bearer ' + sys.argv[2]})\n\
                 for one in json.load(urllib.request.urlopen(request, context=ssl._create_unverified_context()))['items']: print(one['metadata']['name'])",
                &format!("{}://127.0.0.1:{}{kind}", self.scheme(), self.port),
                TOKEN,
            ])
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        let text = String::from_utf8(output.stdout).unwrap();
        text.lines().map(str::to_owned).collect()
    }

    pub fn jobs(&self) -> Vec<String> {
        self.names("/apis/batch/v1/namespaces/default/jobs")
    }

    pub fn train_jobs(&self) -> Vec<String> {
        self.names("/apis/trainer.kubeflow.org/v1alpha1/namespaces/default/trainjobs")
    }

    pub fn pods(&self) -> Vec<String> {
        self.names("/api/v1/namespaces/default/pods")
    }
}

impl Drop for Kube {
    fn drop(&mut self) {
        // It takes its pods along. One that has died itself has nobody to tell.
        let _ = writeln!(self.control, "leave");
        let _ = self.server.wait();
    }
}

fn certificates(folder: &Path) {
    let run = |arguments: &str| {
        let output = Command::new("openssl")
            .args(arguments.split(' '))
            .current_dir(folder)
            .output()
            .expect("openssl is installed");
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
    };
    std::fs::write(folder.join("names"), "subjectAltName=IP:127.0.0.1\n").unwrap();
    let key = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes";
    run(&format!(
        "req -x509 {key} -keyout ca.key -out ca.crt -subj /CN=authority -days 2"
    ));
    for name in ["server", "client"] {
        run(&format!(
            "req {key} -keyout {name}.key -out {name}.csr -subj /CN={name}"
        ));
        run(&format!(
            "x509 -req -in {name}.csr -CA ca.crt -CAkey ca.key -CAcreateserial -out {name}.crt -days 2 -extfile names"
        ));
    }
}
