//! A workspace and a folder of its own for each test, and the programs to use in it.

use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output};
use std::time::{Duration, Instant};

use serde_json::Value;

/// A temporary home: nothing of the user's, and nothing left behind.
pub struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    pub fn new() -> Self {
        Self {
            folder: tempfile::Builder::new()
                .prefix("lapwing test ")
                .tempdir()
                .unwrap(),
        }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn workspace(&self) -> PathBuf {
        self.path("workspace")
    }

    /// The command line program with this place's workspace.
    pub fn command(&self, folder: &Path, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_lapwing"));
        command.args(arguments).current_dir(folder);
        self.environment(&mut command);
        command
    }

    pub fn environment(&self, command: &mut Command) {
        command
            .env("LAPWING_HOME", self.workspace())
            .env("GIT_CONFIG_GLOBAL", self.path("gitconfig"))
            .env("GIT_AUTHOR_NAME", "Ada")
            .env("GIT_AUTHOR_EMAIL", "ada@example.org")
            .env("DVC_NO_ANALYTICS", "1")
            .env("LAPWING_KEYCHAIN", "off")
            .env("NO_COLOR", "1")
            .env_remove("MLFLOW_TRACKING_URI");
    }

    pub fn run(&self, folder: &Path, arguments: &[&str]) -> Output {
        self.command(folder, arguments).output().unwrap()
    }

    /// Runs a verb that must succeed, and answers what it printed.
    pub fn text(&self, folder: &Path, arguments: &[&str]) -> String {
        let output = self.run(folder, arguments);
        assert!(
            output.status.success(),
            "`lapwing {}` failed:\n{}",
            arguments.join(" "),
            told(&output)
        );
        String::from_utf8(output.stdout).unwrap()
    }

    /// The same with `--json`, parsed.
    pub fn json(&self, folder: &Path, arguments: &[&str]) -> Value {
        let mut all = arguments.to_vec();
        all.push("--json");
        let text = self.text(folder, &all);
        serde_json::from_str(&text)
            .unwrap_or_else(|error| panic!("`lapwing {}`: {error} in {text}", all.join(" ")))
    }
}

impl Drop for Place {
    /// Endpoints outlive whoever started them: end those of this place.
    fn drop(&mut self) {
        let Ok(names) = std::fs::read_dir(self.workspace().join("deployments")) else {
            return;
        };
        for name in names.flatten() {
            let _ = self.run(
                self.folder.path(),
                &["deployments", "stop", &name.file_name().to_string_lossy()],
            );
        }
    }
}

/// Ctrl-C for a program that runs; `heard` is called when it has said so. What it says then, and how it ends.
pub fn interrupted(mut child: Child, heard: impl FnOnce()) -> Output {
    let pid = child.id().to_string();
    let sent = Command::new("kill").args(["-INT", &pid]).status().unwrap();
    assert!(sent.success(), "it still ran");
    let mut talk = BufReader::new(child.stderr.take().expect("its talk is piped"));
    let mut line = String::new();
    while !line.starts_with("Stopping") {
        line.clear();
        let read = talk.read_line(&mut line).unwrap();
        assert_ne!(read, 0, "it says that it has heard");
    }
    heard();
    let mut rest = Vec::new();
    talk.read_to_end(&mut rest).unwrap();
    let mut output = child.wait_with_output().unwrap();
    output.stderr = rest;
    output
}

/// Waits for what must come. The bound is for a test that failed.
#[cfg(target_os = "linux")]
pub fn until(what: &str, mut done: impl FnMut() -> bool) {
    const BOUND: Duration = Duration::from_secs(180);
    const POLL: Duration = Duration::from_millis(20);
    let begun = Instant::now();
    while !done() {
        assert!(begun.elapsed() < BOUND, "{what} did not come");
        std::thread::sleep(POLL);
    }
}

/// Numbers of the processes whose command lines have a part.
#[cfg(target_os = "linux")]
pub fn processes(part: &str) -> Vec<String> {
    let all = std::fs::read_dir("/proc").unwrap();
    all.filter_map(|entry| entry.unwrap().file_name().into_string().ok())
        .filter(|pid| {
            let line = std::fs::read(Path::new("/proc").join(pid).join("cmdline"));
            line.is_ok_and(|line| String::from_utf8_lossy(&line).contains(part))
        })
        .collect()
}

/// They end without a word: what a part of each command line is. There are some.
#[cfg(target_os = "linux")]
pub fn kill(part: &str) {
    let pids = processes(part);
    assert!(!pids.is_empty(), "nothing is called {part}");
    // Some may end with the first one.
    let _ = Command::new("kill").arg("-9").args(pids).output().unwrap();
    until("their end", || processes(part).is_empty());
}

/// Both streams of a program that ended.
pub fn told(output: &Output) -> String {
    format!(
        "exit {:?}\n{}\n{}",
        output.status.code(),
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

/// A program of the peers' environment: `dvc`, `python`.
pub fn peer(name: &str) -> PathBuf {
    let peers = std::env::var_os("LAPWING_TEST_PEERS")
        .expect("LAPWING_TEST_PEERS names the peers' venv: run `make test`");
    PathBuf::from(peers).join("bin").join(name)
}
