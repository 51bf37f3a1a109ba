//! The system's `ssh`, with one shared connection per host: everything in the user's `~/.ssh/config` holds, with its jump
//! hosts, agents and keys.

use std::fs::File;
use std::io::{BufRead, BufReader, Read as _, Seek as _, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::failure;
use crate::environment::digest;
use crate::kubernetes::Pod;
use crate::{Error, Result};

/// Of a host that does not answer at all.
const CONNECT_SECONDS: u32 = 15;
/// A link that is dead is noticed after three of these.
const ALIVE_SECONDS: u32 = 15;
/// The shared connection ends so long after its last use.
const PERSIST_SECONDS: u32 = 120;
/// After a login by a person the connection stays for a working day: a second factor is not asked for again.
const LOGIN_SECONDS: u32 = 12 * 3600;
const POLL: Duration = Duration::from_millis(30);
/// What a login script prints in front of our answers, at most.
const MAX_NOISE_LINES: usize = 1000;
pub(super) const BEGIN: &str = "lapwing-begin";
/// Where everything of ours lies there, seen from the home folder.
const FOLDER: &str = ".cache/lapwing";
/// Of a command's own talk, what is read.
const MAX_SAID: u64 = 16 << 10;

/// A machine that `ssh` reaches.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SshHost {
    /// `gpu-box`, an alias of `~/.ssh/config`, or `ada@gpu.example.org`.
    pub destination: String,
    #[serde(default)]
    pub port: Option<u16>,
    /// A private key to use beside those that `ssh` finds by itself.
    #[serde(default)]
    pub identity: Option<PathBuf>,
    /// Read instead of `~/.ssh/config`.
    #[serde(default)]
    pub config: Option<PathBuf>,
    /// Where files are kept there; without it `~/.cache/lapwing`. On a cluster it must be one that all nodes see.
    #[serde(default)]
    pub folder: Option<String>,
}

impl SshHost {
    #[must_use]
    pub fn new(destination: &str) -> Self {
        Self {
            destination: destination.to_owned(),
            port: None,
            identity: None,
            config: None,
            folder: None,
        }
    }

    /// Checks what would otherwise be understood as something else, by `ssh` or by a shell there.
    ///
    /// # Errors
    /// [`Error::BadHost`].
    pub fn check(&self) -> Result<()> {
        let bad = |what: &str| {
            Err(Error::BadHost {
                host: self.destination.clone(),
                reason: what.to_owned(),
            })
        };
        let plain = |text: &str, extra: &str| {
            text.chars()
                .all(|c| c.is_ascii_alphanumeric() || extra.contains(c))
        };
        if self.destination.is_empty() || self.destination.starts_with('-') {
            return bad("it is no host name");
        }
        if !plain(&self.destination, "@._-:[]%+") {
            return bad("a host name has letters, digits and @ . _ - : only");
        }
        if !plain(self.folder(), "._-/+@") || self.folder().split('/').any(|part| part == "..") {
            return bad("its folder may have letters, digits and . _ - / + @ only");
        }
        Ok(())
    }

    pub(super) fn folder(&self) -> &str {
        let folder = self.folder.as_deref().unwrap_or(FOLDER);
        folder.strip_prefix("~/").unwrap_or(folder)
    }

    /// `ssh` with a terminal, for a person: answers the questions (a password, a second factor, an unknown host key) once, and
    /// leaves a connection open that the jobs use.
    ///
    /// # Errors
    /// When the folder of the connections cannot be made.
    pub fn login(&self) -> Result<Command> {
        self.check()?;
        let mut command = Command::new("ssh");
        self.options(&mut command, LOGIN_SECONDS)?;
        command.args(["--", &self.destination, "true"]);
        Ok(command)
    }

    /// Ends the shared connection. Jobs that use it connect again by themselves.
    ///
    /// # Errors
    /// When there is no `ssh`.
    pub fn disconnect(&self) -> Result<()> {
        let mut command = self.ssh()?;
        command.args(["-O", "exit", "--", &self.destination]);
        // Without a connection it fails, and there is nothing to end.
        command
            .stdin(Stdio::null())
            .output()
            .map(|_| ())
            .map_err(|_| Error::NoSsh)
    }

    /// What a person types to come to the same machine.
    fn by_hand(&self) -> String {
        let path = |path: &Path| {
            let text = path.display().to_string();
            if text.contains([' ', '\'']) {
                return format!("'{}'", text.replace('\'', r"'\''"));
            }
            text
        };
        let mut words = vec!["ssh".to_owned()];
        if let Some(config) = &self.config {
            words.extend(["-F".to_owned(), path(config)]);
        }
        if let Some(port) = self.port {
            words.extend(["-p".to_owned(), port.to_string()]);
        }
        if let Some(identity) = &self.identity {
            words.extend(["-i".to_owned(), path(identity)]);
        }
        words.push(self.destination.clone());
        words.join(" ")
    }

    pub(super) fn ssh(&self) -> Result<Command> {
        let mut command = Command::new("ssh");
        self.options(&mut command, PERSIST_SECONDS)?;
        command.args(["-T", "-o", "BatchMode=yes"]);
        Ok(command)
    }

    fn command(&self, line: &str) -> Result<Command> {
        let mut command = self.ssh()?;
        command.args(["--", &self.destination, line]);
        Ok(command)
    }

    fn options(&self, command: &mut Command, persist: u32) -> Result<()> {
        if let Some(config) = &self.config {
            command.arg("-F").arg(config);
        }
        if let Some(port) = self.port {
            command.args(["-p", &port.to_string()]);
        }
        if let Some(identity) = &self.identity {
            command.arg("-i").arg(identity);
        }
        let mut set = |option: String| {
            command.args(["-o", &option]);
        };
        set(format!("ConnectTimeout={CONNECT_SECONDS}"));
        set(format!("ServerAliveInterval={ALIVE_SECONDS}"));
        set("ServerAliveCountMax=3".to_owned());
        // What a person's own sessions want, and a command's must not have.
        for option in [
            "RequestTTY=no",
            "RemoteCommand=none",
            "PermitLocalCommand=no",
            "ForwardX11=no",
            "EscapeChar=none",
            "LogLevel=ERROR",
        ] {
            set(option.to_owned());
        }
        if cfg!(unix) {
            set("ControlMaster=auto".to_owned());
            set(format!("ControlPath={}", self.control_path()?));
            set(format!("ControlPersist={persist}"));
        }
        Ok(())
    }

    /// The shared connection's socket. `ssh` itself puts for `%C` what the name leads to now: a machine that moved is not reached
    /// over the connection to where it was. Short, because a socket's path may have 104 bytes only.
    fn control_path(&self) -> Result<String> {
        let name: String = self.name().chars().take(8).collect();
        let folder = sockets()?.display().to_string().replace('%', "%%");
        Ok(format!("{folder}/{name}-%C"))
    }

    /// The name of its own that a socket beside the shared connection's has.
    pub(super) fn socket(&self) -> Result<PathBuf> {
        let mut resolved = self.ssh()?;
        let resolved = resolved.args(["-G", "--", &self.destination]).output();
        let resolved = resolved.map_err(|_| Error::NoSsh)?;
        let text = String::from_utf8_lossy(&resolved.stdout);
        let leads = |line: &&str| {
            let key = line.split(' ').next().unwrap_or_default();
            ["hostname", "port", "user", "proxyjump", "proxycommand"].contains(&key)
        };
        let place: Vec<&str> = text.lines().filter(leads).collect();
        let hash = digest(&[&self.name(), &place.join("\n")]);
        let short: String = hash.chars().take(16).collect();
        Ok(sockets()?.join(short))
    }

    /// What tells this way to a machine from others.
    fn name(&self) -> String {
        let text = |path: &Option<PathBuf>| {
            path.as_ref()
                .map(|path| path.display().to_string())
                .unwrap_or_default()
        };
        let port = self.port.map(|port| port.to_string()).unwrap_or_default();
        digest(&[
            &self.destination,
            &port,
            &text(&self.identity),
            &text(&self.config),
        ])
    }
}

/// A folder that nobody else can enter: whoever can write a socket there would answer as the host.
#[cfg(unix)]
fn sockets() -> Result<PathBuf> {
    use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
    let me = rustix::process::getuid().as_raw();
    let runtime = std::env::var_os("XDG_RUNTIME_DIR")
        .map(PathBuf::from)
        .filter(|folder| folder.is_absolute() && folder.is_dir());
    let folder = match runtime {
        Some(folder) => folder.join("lapwing-ssh"),
        None => PathBuf::from(format!("/tmp/lapwing-ssh-{me}")),
    };
    match std::fs::DirBuilder::new().mode(0o700).create(&folder) {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => return Err(error.into()),
        Ok(()) | Err(_) => {}
    }
    let meta = fs_err::symlink_metadata(&folder)?;
    if !meta.is_dir() || meta.uid() != me || meta.mode() & 0o077 != 0 {
        return Err(Error::Sockets(folder));
    }
    Ok(folder)
}

#[cfg(not(unix))]
fn sockets() -> Result<PathBuf> {
    Ok(std::env::temp_dir())
}

/// Where commands run: there, or on this machine, which may itself be a cluster's login node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Host {
    Here {
        /// Without it `~/.cache/lapwing`.
        #[serde(default)]
        folder: Option<String>,
    },
    Ssh(SshHost),
    /// A pod that runs in a cluster.
    Pod(Pod),
}

/// What goes to a command's standard input.
pub(crate) type Feed<'a> = &'a mut (dyn FnMut(&mut dyn Write) -> Result<()> + Send);
/// What reads its standard output.
pub(crate) type Take<'a> = &'a mut dyn FnMut(&mut dyn BufRead) -> Result<()>;

impl Host {
    /// As people know it.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Here { .. } => "this machine",
            Self::Ssh(host) => &host.destination,
            Self::Pod(pod) => pod.cluster.name(),
        }
    }

    /// What a person types to see whether it lets them in.
    pub(super) fn by_hand(&self) -> Option<String> {
        match self {
            Self::Here { .. } | Self::Pod(_) => None,
            Self::Ssh(host) => Some(host.by_hand()),
        }
    }

    pub(super) fn check(&self) -> Result<()> {
        match self {
            Self::Here { .. } | Self::Pod(_) => Ok(()),
            Self::Ssh(host) => host.check(),
        }
    }

    pub(super) fn folder(&self) -> &str {
        match self {
            Self::Here { folder } => folder.as_deref().unwrap_or(FOLDER),
            Self::Ssh(host) => host.folder(),
            Self::Pod(_) => FOLDER,
        }
    }

    /// Runs `line` there. `cancel` is a file that ends it when it appears. Standard output is read from behind
    /// [`BEGIN`] on, so that a login script that prints something does no harm.
    pub(super) fn call(
        &self,
        line: &str,
        cancel: Option<&Path>,
        feed: Feed<'_>,
        take: Take<'_>,
    ) -> Result<()> {
        let command = match self {
            Self::Here { .. } => here(line),
            Self::Ssh(host) => host.command(line)?,
            Self::Pod(pod) => {
                let called = pod.call(line, cancel, feed, &mut |reader| {
                    self.behind_noise(reader).and_then(|()| take(reader))
                })?;
                return match called.code {
                    0 => Ok(()),
                    code => Err(failure::of(self, Some(code), &called.said)),
                };
            }
        };
        self.spawned(command, cancel, feed, take)
    }

    fn spawned(
        &self,
        mut command: Command,
        cancel: Option<&Path>,
        feed: Feed<'_>,
        take: Take<'_>,
    ) -> Result<()> {
        let mut said = tempfile::tempfile()?;
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            // A file, not a pipe: a shared connection may keep it open after the command has ended.
            .stderr(said.try_clone()?)
            .spawn()
            .map_err(|_| Error::NoSsh)?;
        let (stdin, stdout) = (child.stdin.take(), child.stdout.take());
        let child = Mutex::new(child);
        let done = AtomicBool::new(false);
        let (fed, taken) = std::thread::scope(|scope| {
            let feeder = scope.spawn(|| stdin.map_or(Ok(()), |mut stdin| feed(&mut stdin)));
            scope.spawn(|| watch(&child, cancel, &done));
            let taken = stdout.map_or(Ok(()), |stdout| {
                let mut reader = BufReader::new(stdout);
                self.behind_noise(&mut reader)
                    .and_then(|()| take(&mut reader))
            });
            if taken.is_err() {
                kill(&child);
            }
            let status = wait(&child);
            done.store(true, Ordering::Release);
            let fed = feeder.join().unwrap_or(Ok(()));
            (fed, taken.and(Ok(status)))
        });
        if cancel.is_some_and(Path::exists) {
            return Err(Error::Cancelled);
        }
        let (status, silent) = match taken {
            Ok(status) => (status?, None),
            Err(error @ Error::Cut { .. }) => (wait(&child)?, Some(error)),
            Err(error) => return Err(error),
        };
        if status.success() {
            return silent.map_or(fed, Err);
        }
        let said = heard(&mut said)?;
        // A file that cannot be read here is why the other end complains.
        match fed {
            Err(error) if !matches!(&error, Error::Io(error) if error.kind() == std::io::ErrorKind::BrokenPipe) => {
                Err(error)
            }
            Ok(()) | Err(_) => Err(failure::of(self, status.code(), &said)),
        }
    }

    fn behind_noise(&self, reader: &mut dyn BufRead) -> Result<()> {
        let mut line = Vec::new();
        for _ in 0..MAX_NOISE_LINES {
            line.clear();
            if reader.read_until(b'\n', &mut line)? == 0 {
                break;
            }
            if line.trim_ascii_end().ends_with(BEGIN.as_bytes()) {
                return Ok(());
            }
        }
        Err(Error::Cut {
            host: self.name().to_owned(),
            why: "it gave no answer".to_owned(),
            by_hand: self.by_hand(),
        })
    }
}

fn here(line: &str) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", line]);
    if let Some(home) = std::env::home_dir() {
        command.current_dir(home);
    }
    command
}

fn watch(child: &Mutex<Child>, cancel: Option<&Path>, done: &AtomicBool) {
    let Some(cancel) = cancel else { return };
    while !done.load(Ordering::Acquire) {
        if cancel.exists() {
            kill(child);
            return;
        }
        std::thread::sleep(POLL);
    }
}

fn kill(child: &Mutex<Child>) {
    if let Ok(mut child) = child.lock() {
        // It may have ended by itself.
        let _ = child.kill();
    }
}

fn wait(child: &Mutex<Child>) -> Result<std::process::ExitStatus> {
    loop {
        let ended = match child.lock() {
            Ok(mut child) => child.try_wait()?,
            Err(_) => None,
        };
        if let Some(status) = ended {
            return Ok(status);
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}

fn heard(said: &mut File) -> Result<String> {
    said.seek(SeekFrom::Start(0))?;
    let mut bytes = Vec::new();
    said.take(MAX_SAID).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).trim().to_owned())
}

/// Gives a whole text to a command.
pub(super) fn text(content: &[u8]) -> impl FnMut(&mut dyn Write) -> Result<()> + Send + '_ {
    move |stdin| Ok(stdin.write_all(content)?)
}
