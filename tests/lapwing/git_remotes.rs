//! Commits to git remotes and back: over a real `sshd` with the user's own `ssh`, and over https to the real `git http-backend`.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;

use crate::cut::Cut;
use crate::elsewhere::Machine;
use crate::place::{Place, told};

pub const PASSWORD: &str = "right-horse-7391";

/// A user with a home, and a folder of bare repositories that others reach.
pub struct Desk {
    pub place: Place,
    pub variables: Vec<(String, String)>,
}

impl Desk {
    pub fn new(gitconfig: &str) -> Self {
        let place = Place::new();
        let home = place.path("home");
        std::fs::create_dir_all(&home).unwrap();
        std::fs::write(home.join(".gitconfig"), gitconfig).unwrap();
        let desk = Self {
            place,
            variables: Vec::new(),
        };
        let bare = desk.bare().display().to_string();
        desk.git(&home, &["init", "-q", "--bare", "-b", "main", &bare]);
        desk.colleague("README.md", "Flights\n");
        desk
    }

    pub fn bare(&self) -> PathBuf {
        self.place.path("served").join("flights.git")
    }

    pub fn home(&self) -> PathBuf {
        self.place.path("home")
    }

    pub fn git(&self, folder: &Path, arguments: &[&str]) -> String {
        let mut command = Command::new("git");
        command.args(arguments).current_dir(folder);
        self.settle(&mut command);
        let output = command.output().unwrap();
        assert!(
            output.status.success(),
            "git {arguments:?}: {}",
            told(&output)
        );
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    pub fn settle(&self, command: &mut Command) {
        self.place.environment(command);
        command
            .env("HOME", self.home())
            .env("GIT_CONFIG_GLOBAL", self.home().join(".gitconfig"))
            .env_remove("XDG_CONFIG_HOME")
            .env("GIT_COMMITTER_NAME", "Ada")
            .env("GIT_COMMITTER_EMAIL", "ada@example.org")
            .envs(self.variables.iter().cloned())
            .stdin(Stdio::null());
    }

    pub fn run(&self, folder: &Path, arguments: &[&str]) -> Output {
        let mut command = self.place.command(folder, arguments);
        self.settle(&mut command);
        command.output().unwrap()
    }

    pub fn json(&self, folder: &Path, arguments: &[&str]) -> Value {
        let output = self.run(folder, &[arguments, &["--json"]].concat());
        assert!(output.status.success(), "{arguments:?}: {}", told(&output));
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// What goes wrong, by its stable name.
    pub fn fails(&self, folder: &Path, arguments: &[&str]) -> (String, String) {
        let output = self.run(folder, &[arguments, &["--json"]].concat());
        let said = told(&output);
        assert!(!output.status.success(), "{arguments:?}: {said}");
        let report: Value = serde_json::from_slice(&output.stderr)
            .or_else(|_| serde_json::from_slice(&output.stdout))
            .unwrap_or_else(|_| panic!("{said}"));
        let name = report.pointer("/error/name").or(report.get("name"));
        (name.and_then(Value::as_str).unwrap().to_owned(), said)
    }

    /// A commit by somebody else, made with the real git.
    fn colleague(&self, file: &str, text: &str) {
        let folder = self.place.path("colleague");
        let home = self.home();
        if !folder.exists() {
            let bare = self.bare().display().to_string();
            self.git(
                &home,
                &["clone", "-q", &bare, &folder.display().to_string()],
            );
        }
        // The first commit finds nothing to pull.
        if folder.join("README.md").exists() {
            self.git(&folder, &["pull", "-q"]);
        }
        std::fs::write(folder.join(file), text).unwrap();
        self.git(&folder, &["add", file]);
        self.git(&folder, &["commit", "-q", "-m", file]);
        self.git(&folder, &["push", "-q"]);
    }

    pub fn commit(&self, folder: &Path, file: &str, text: &str) {
        std::fs::write(folder.join(file), text).unwrap();
        self.git(folder, &["add", "-A"]);
        self.git(folder, &["commit", "-q", "-m", file]);
    }

    pub fn tip(&self) -> String {
        self.git(&self.bare(), &["rev-parse", "main"])
    }

    /// Clones, commits, and sends everything there and back.
    fn there_and_back(&self, url: &str) -> PathBuf {
        let folder = self.place.path("flights");
        let path = folder.display().to_string();
        self.json(&self.home(), &["projects", "clone", url, &path]);
        self.commit(&folder, "train.py", "print(1)\n");
        let pushed = self.json(&folder, &["projects", "push"]);
        assert_eq!(pushed["position"]["upstream"], "origin/main", "{pushed}");
        assert_eq!(self.git(&folder, &["rev-parse", "HEAD"]), self.tip());
        assert_eq!(
            self.git(&folder, &["rev-parse", "--abbrev-ref", "@{u}"]),
            "origin/main",
            "the real git knows the upstream too"
        );
        let again = self.json(&folder, &["projects", "push"]);
        assert_eq!(again["commits"], 0, "{again}");
        self.colleague("late.csv.dvc", "outs:\n");
        let fetched = self.json(&folder, &["projects", "fetch"]);
        assert_eq!(fetched["position"]["behind"], 1, "{fetched}");
        assert!(
            !folder.join("late.csv.dvc").exists(),
            "a fetch changes no file"
        );
        let pulled = self.json(&folder, &["projects", "pull"]);
        assert_eq!(
            (&pulled["commits"], &pulled["data"]),
            (&1.into(), &true.into())
        );
        assert_eq!(self.git(&folder, &["status", "--porcelain"]), "");
        assert_eq!(self.git(&folder, &["rev-parse", "HEAD"]), self.tip());
        folder
    }
}

/// A machine behind `sshd` that the user reaches as `box`, through a command of git's settings.
pub fn over_ssh() -> (Desk, Machine) {
    let desk = Desk::new("");
    let machine = Machine::start(&desk.place);
    let config = machine.folder.join("config");
    let settings = format!(
        "[core]\n\tsshCommand = ssh -F {} -o BatchMode=yes\n[url \"box:{}/\"]\n\tinsteadOf = team:\n",
        config.display(),
        // The place's own path has spaces.
        desk.place.path("served").display(),
    );
    std::fs::write(desk.home().join(".gitconfig"), settings).unwrap();
    (desk, machine)
}

#[test]
fn commits_travel_over_the_users_own_ssh() {
    let (desk, _machine) = over_ssh();
    let folder = desk.there_and_back("team:flights.git");
    let listed = desk.json(&folder, &["remotes", "list"]);
    let origin = listed
        .as_array()
        .unwrap()
        .iter()
        .find(|row| row["name"] == "origin");
    assert_eq!(origin.unwrap()["kind"], "git", "{listed}");
    let health = desk.json(&folder, &["remotes", "test", "origin"]);
    assert_eq!(health["server"], "git repository with 1 branch", "{health}");

    // Data is on the storage, and nobody could find it: the commit is only here.
    let store = desk.place.path("store").display().to_string();
    desk.json(&folder, &["remotes", "add", "store", &store, "--default"]);
    std::fs::remove_file(folder.join("late.csv.dvc")).unwrap();
    std::fs::write(folder.join("rows.csv"), "a\n1\n").unwrap();
    desk.json(&folder, &["data", "add", "rows.csv", "-m", "Rows"]);
    let pushed = desk.json(&folder, &["data", "push"]);
    assert_eq!(pushed["unpushed_commits"], 1, "{pushed}");
    desk.git(&folder, &["add", "-A"]);
    desk.git(&folder, &["commit", "-q", "-m", "the rest"]);
    desk.json(&folder, &["projects", "push"]);
    let pushed = desk.json(&folder, &["data", "push"]);
    assert_eq!(pushed["unpushed_commits"], 0, "{pushed}");
}

#[test]
fn a_push_that_is_cut_changes_nothing_there_and_is_sent_again() {
    let (desk, machine) = over_ssh();
    let folder = desk.place.path("flights");
    let path = folder.display().to_string();
    desk.json(
        &desk.home(),
        &["projects", "clone", "team:flights.git", &path],
    );
    let noise: String = (0..300_000_u64)
        .map(|n| format!("{:x}", n.wrapping_mul(0x9e37_79b9_7f4a_7c15)))
        .collect();
    desk.commit(&folder, "large.txt", &noise);
    let before = desk.tip();
    let cut = Cut::before(machine.port, 1 << 20);
    machine.behind(cut.port);
    let (name, said) = desk.fails(&folder, &["projects", "push"]);
    assert!(cut.happened(), "{name}: {said}");
    assert_eq!(desk.tip(), before, "all or nothing: {said}");
    cut.mend();
    let pushed = desk.json(&folder, &["projects", "push"]);
    assert_eq!(pushed["commits"], 1, "{pushed}");
    assert_eq!(desk.git(&folder, &["rev-parse", "HEAD"]), desk.tip());
}

#[test]
fn a_pull_that_cannot_go_forward_changes_nothing() {
    let (desk, _machine) = over_ssh();
    let folder = desk.there_and_back("team:flights.git");
    desk.colleague("train.py", "print(2)\n");
    std::fs::write(folder.join("train.py"), "not committed\n").unwrap();
    let head = || desk.git(&folder, &["rev-parse", "HEAD"]);
    let before = head();
    let (name, said) = desk.fails(&folder, &["projects", "pull"]);
    assert_eq!(name, "git.in_the_way");
    assert!(said.contains("train.py"), "{said}");
    let text = std::fs::read_to_string(folder.join("train.py")).unwrap();
    assert_eq!(
        (text.as_str(), head()),
        ("not committed\n", before),
        "nothing is lost"
    );

    desk.commit(&folder, "train.py", "print(3)\n");
    let before = head();
    let (name, said) = desk.fails(&folder, &["projects", "pull"]);
    assert_eq!(name, "git.diverged", "{said}");
    let (name, said) = desk.fails(&folder, &["projects", "push"]);
    assert_eq!(name, "git.behind", "{said}");
    assert_eq!(head(), before);
    let (name, _) = desk.fails(&folder, &["projects", "pull", "--remote", "nobody"]);
    assert_eq!(name, "git.no_remote");
}

#[test]
fn a_host_that_is_not_who_it_was_and_a_key_that_is_not_accepted_are_said() {
    let (desk, machine) = over_ssh();
    let at = |name: &str| machine.folder.join(name);
    let path = desk.place.path("x").display().to_string();
    let clone = || {
        desk.fails(
            &desk.home(),
            &["projects", "clone", "team:flights.git", &path],
        )
    };
    let known = std::fs::read_to_string(at("known_hosts")).unwrap();
    std::fs::write(at("known_hosts"), "").unwrap();
    assert_eq!(clone().0, "git.host_key_unknown");
    let other = std::fs::read_to_string(at("user_key.pub")).unwrap();
    let wrong = format!("[127.0.0.1]:{} {other}", machine.port);
    std::fs::write(at("known_hosts"), wrong).unwrap();
    assert_eq!(clone().0, "git.host_key_changed");
    std::fs::write(at("known_hosts"), known).unwrap();
    std::fs::write(at("authorized_keys"), "").unwrap();
    assert_eq!(clone().0, "git.login");
    assert!(!Path::new(&path).join(".git").exists());
}

#[test]
fn what_somebody_put_into_a_folder_starts_nothing_until_it_is_trusted() {
    let (desk, _machine) = over_ssh();
    let folder = desk.there_and_back("team:flights.git");
    let trap = desk.place.path("trap");
    let command = format!("touch '{}'; ssh", trap.display());
    desk.git(&folder, &["config", "core.sshCommand", &command]);
    desk.json(&folder, &["projects", "fetch"]);
    assert!(!trap.exists(), "the folder was cloned and never trusted");
    desk.json(&folder, &["projects", "open"]);
    // The command itself knows no `box`.
    desk.fails(&folder, &["projects", "fetch"]);
    assert!(trap.exists(), "a trusted folder's settings count");
}

/// The real `git http-backend` behind TLS and a password.
pub struct Https {
    pub server: Child,
    pub port: u16,
}

impl Https {
    fn start(folder: &Path, served: &Path) -> Self {
        Self::certificate(folder);
        Self::start_at(folder, served, 0)
    }

    pub fn certificate(folder: &Path) {
        let output = Command::new("openssl")
            .args([
                "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=git",
            ])
            .args([
                "-addext",
                "subjectAltName=IP:127.0.0.1",
                "-keyout",
                "key.pem",
                "-out",
                "cert.pem",
            ])
            .current_dir(folder)
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", told(&output));
    }

    /// On that port, or on a free one for 0.
    pub fn start_at(folder: &Path, served: &Path, port: u16) -> Self {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/lapwing/git_server.py");
        let mut server = Command::new("python3")
            .arg(script)
            .arg(served)
            .args(["cert.pem", "key.pem", &port.to_string()])
            .current_dir(folder)
            .stdout(Stdio::piped())
            // A client that has gone is no matter here.
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(server.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        Self {
            server,
            port: line.trim().parse().unwrap(),
        }
    }
}

impl Drop for Https {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

pub fn helper(password: &str) -> String {
    format!(
        "[credential]\n\thelper = \"!f() {{ echo username=ada; echo password={password}; }}; f\"\n"
    )
}

#[test]
fn commits_travel_over_https_with_a_credential_helper() {
    let mut desk = Desk::new(&helper(PASSWORD));
    let folder = desk.place.path("tls");
    std::fs::create_dir_all(&folder).unwrap();
    let server = Https::start(&folder, &desk.place.path("served"));
    desk.git(&desk.bare(), &["config", "http.receivepack", "true"]);
    let url = format!("https://127.0.0.1:{}/flights.git", server.port);
    let path = desk.place.path("x").display().to_string();
    let (name, _) = desk.fails(&desk.home(), &["projects", "clone", &url, &path]);
    assert_eq!(name, "git.certificate", "nobody vouches for the server");

    let ca = folder.join("cert.pem").display().to_string();
    desk.variables.push(("SSL_CERT_FILE".to_owned(), ca));
    let project = desk.there_and_back(&url);

    let config = desk.home().join(".gitconfig");
    std::fs::write(&config, helper("wrong-horse")).unwrap();
    let (name, said) = desk.fails(&project, &["projects", "fetch"]);
    assert_eq!(name, "git.login");
    assert!(!said.contains("wrong-horse"), "{said}");
    let refused = desk.place.path("served").join("refused");
    assert_eq!(
        std::fs::read_to_string(refused).unwrap(),
        "x",
        "asked once, not for ever"
    );

    std::fs::write(&config, "").unwrap();
    assert_eq!(desk.fails(&project, &["projects", "fetch"]).0, "git.login");
    let mut login = desk.place.command(
        &project,
        &[
            "remotes",
            "login",
            "origin",
            "--user",
            "ada",
            "--secret-stdin",
        ],
    );
    desk.settle(&mut login);
    let mut child = login
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    writeln!(child.stdin.take().unwrap(), "{PASSWORD}").unwrap();
    assert!(child.wait().unwrap().success());
    desk.json(&project, &["projects", "fetch"]);
    let listed = desk.run(&project, &["remotes", "list", "--json"]);
    assert!(!told(&listed).contains(PASSWORD), "a secret is never shown");
}
