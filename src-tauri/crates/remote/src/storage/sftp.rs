//! A machine behind ssh: the system's `ssh` with everything in the user's `~/.ssh/config` (agents, keys, jump hosts), and its
//! `sftp` subsystem over that one connection.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use bytes::BytesMut;
use futures_util::{StreamExt as _, TryStreamExt as _};
use openssh_sftp_client::error::SftpErrorKind;
use openssh_sftp_client::file::File;
use openssh_sftp_client::{Error as Failure, Sftp as Session, SftpOptions};
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _, AsyncWriteExt as _};
use tokio::process::{Child, Command};
use tokio::sync::{Mutex, OnceCell};

use super::{Known, Settings, Watch};
use crate::digest::hex;
use crate::{Error, Result, Sent, client};

const KEYS: [&str; 7] = [
    "user",
    "port",
    "keyfile",
    "allow_agent",
    "max_sessions",
    "ask_password",
    "gss_auth",
];
const CONNECT_SECONDS: u32 = 15;
const ALIVE_SECONDS: u32 = 15;
/// Of what `ssh` says, what is read.
const MAX_SAID: u64 = 16 << 10;
const QUESTIONS: usize = 16;
/// Up to so many names in one folder are asked for; for more the folder is listed.
const ASKED_IN_FOLDER: usize = 2;
const PIECE: usize = 256 << 10;
/// What every server gives at once.
const READ_BYTES: u32 = 32 << 10;
/// Of what lies there after a cut, the end is sent again: it may have been on its way.
const AGAIN_BYTES: u64 = 1 << 20;

pub(super) struct Sftp {
    destination: String,
    options: Vec<String>,
    root: String,
    line: OnceCell<Line>,
    /// Folders that are there for certain.
    folders: Mutex<BTreeSet<String>>,
}

/// A connection, with the process that carries it.
struct Line {
    session: Session,
    /// Ends with the connection.
    _ssh: Child,
}

impl Sftp {
    pub fn open(settings: &Settings) -> Result<Self> {
        for key in ["password", "passphrase", "ask_passphrase"] {
            if settings.get(key).is_some_and(|text| text != "false") {
                return Err(settings.bad(
                    key,
                    "`ssh` takes no password from here: use a key or an agent",
                ));
            }
        }
        if settings.own().is_some() {
            return Err(settings.bad(
                "password",
                "`ssh` takes no password from here: use a key or an agent",
            ));
        }
        settings.only(&KEYS)?;
        let bad = |why: &str| Error::Address {
            address: settings.address().to_owned(),
            why: why.to_owned(),
        };
        let url = url::Url::parse(settings.address()).map_err(|error| bad(&error.to_string()))?;
        if url.password().is_some() {
            return Err(bad("credentials do not belong into an address"));
        }
        let host = url.host_str().unwrap_or_default();
        let user = percent_encoding::percent_decode_str(url.username()).decode_utf8_lossy();
        let user = settings.get("user").unwrap_or(&user);
        // What a `ProxyCommand` puts into a shell.
        let plain = |text: &str| {
            text.chars()
                .all(|c| c.is_ascii_alphanumeric() || "._-:[]%+@\\".contains(c))
        };
        let odd = |name: &str| name.starts_with('-') || !plain(name);
        if host.is_empty() || odd(host) || odd(user) {
            return Err(bad("it names no host"));
        }
        let port = url.port().map(|port| port.to_string());
        let port = port.or_else(|| settings.get("port").map(str::to_owned));
        let mut options = Vec::new();
        if let Some(port) = port {
            port.parse::<u16>()
                .map_err(|_| settings.bad("port", "it is no port"))?;
            options.extend(["-p".to_owned(), port]);
        }
        if let Some(key) = settings.get("keyfile") {
            options.extend(["-i".to_owned(), settings.path(key).display().to_string()]);
        }
        if !user.is_empty() {
            options.extend(["-l".to_owned(), user.to_owned()]);
        }
        let path = percent_encoding::percent_decode_str(url.path()).decode_utf8_lossy();
        Ok(Self {
            destination: host.trim_matches(['[', ']']).to_owned(),
            options,
            root: path.trim_end_matches('/').to_owned(),
            line: OnceCell::new(),
            folders: Mutex::new(BTreeSet::new()),
        })
    }

    async fn session(&self) -> Result<&Session> {
        let line = self.line.get_or_try_init(|| self.connect()).await?;
        Ok(&line.session)
    }

    async fn connect(&self) -> Result<Line> {
        let mut said = tempfile::tempfile()?;
        let mut ssh = Command::new("ssh");
        ssh.args(&self.options);
        for option in [
            format!("ConnectTimeout={CONNECT_SECONDS}"),
            format!("ServerAliveInterval={ALIVE_SECONDS}"),
        ] {
            ssh.args(["-o", &option]);
        }
        // What a person's own sessions want, and this one must not have.
        for option in [
            "BatchMode=yes",
            "ServerAliveCountMax=3",
            "RequestTTY=no",
            "RemoteCommand=none",
            "PermitLocalCommand=no",
            "ClearAllForwardings=yes",
            "ForwardX11=no",
            "EscapeChar=none",
            "LogLevel=ERROR",
        ] {
            ssh.args(["-o", option]);
        }
        let mut child = ssh
            .args(["-s", "--", &self.destination, "sftp"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(said.try_clone()?)
            .kill_on_drop(true)
            .spawn()
            .map_err(Error::NoSsh)?;
        let (Some(stdin), Some(stdout)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(self.unreached("it has no standard input".to_owned()));
        };
        match Session::new(stdin, stdout, SftpOptions::new()).await {
            Ok(session) => Ok(Line {
                session,
                _ssh: child,
            }),
            Err(failure) => {
                // It says why when it has ended.
                let _ = child.wait().await;
                let words = heard(&mut said)?;
                Err(self.refused(&words, &failure))
            }
        }
    }

    /// What `ssh` says when it cannot, in words that help. Its English text is all there is to go by (it is not translated).
    fn refused(&self, said: &str, failure: &Failure) -> Error {
        let host = self.destination.clone();
        let has = |text: &str| said.contains(text);
        let at = || place(said).unwrap_or_else(|| host.clone());
        if has("REMOTE HOST IDENTIFICATION HAS CHANGED") {
            Error::HostKeyChanged { host }
        } else if has("Host key verification failed") || has("host key is known for") {
            let by_hand = self.by_hand();
            Error::HostKeyUnknown { host, by_hand }
        } else if has("Could not resolve hostname") {
            Error::NameLookup { host }
        } else if has("Connection refused") {
            Error::Refused { at: at() }
        } else if has("timed out") || has("No route to host") {
            Error::Silent { at: at() }
        } else if has("Permission denied (") || has("Too many authentication failures") {
            let by_hand = self.by_hand();
            Error::SshKey { host, by_hand }
        } else if has("subsystem request failed") {
            Error::WrongServer {
                url: format!("ssh://{host}"),
                kind: lapwing_core::RemoteKind::Storage,
                why: "its ssh server offers no sftp".to_owned(),
            }
        } else if said.is_empty() {
            self.unreached(failure.to_string())
        } else {
            self.unreached(client::short(said))
        }
    }

    fn unreached(&self, why: String) -> Error {
        Error::Ssh {
            host: self.destination.clone(),
            by_hand: self.by_hand(),
            why,
        }
    }

    /// What a person types to see the same.
    fn by_hand(&self) -> String {
        let words = self.options.iter().chain([&self.destination]);
        let words = words.map(|word| {
            if word.contains([' ', '\\', '\'']) {
                return format!("'{}'", word.replace('\'', r"'\''"));
            }
            word.clone()
        });
        format!("ssh {}", words.collect::<Vec<_>>().join(" "))
    }

    fn full(&self, path: &str) -> String {
        format!("{}/{path}", self.root)
    }

    fn told(&self, path: &str, failure: Failure) -> Error {
        let url = format!("ssh://{}{}", self.destination, self.full(path));
        match kind(&failure) {
            Some(SftpErrorKind::NoSuchFile) => Error::NotFound { url },
            Some(SftpErrorKind::PermDenied) => Error::Forbidden {
                url,
                sent: Sent::Credential,
            },
            Some(_) => {
                let why = failure.to_string();
                Error::Unreadable { url, why }
            }
            None => {
                let why = failure.to_string();
                Error::Cut { url, why }
            }
        }
    }

    pub async fn greet(&self) -> Result<String> {
        let session = self.session().await?;
        let mut path = Path::new(self.full("").as_str()).to_owned();
        // The first push makes what is not there, if it may.
        loop {
            match session.fs().metadata(&path).await {
                Ok(_) => return Ok("files over ssh".to_owned()),
                Err(failure) if is_missing(&failure) => {
                    if !path.pop() {
                        return Err(self.told("", failure));
                    }
                }
                Err(failure) => return Err(self.told("", failure)),
            }
        }
    }

    pub async fn known(&self, paths: &[String]) -> Result<Known> {
        let mut by_folder: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for path in paths {
            let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
            by_folder.entry(folder).or_default().insert(name);
        }
        let session = self.session().await?;
        let found: Vec<Known> = futures_util::stream::iter(by_folder)
            .map(|(folder, names)| self.known_in(session, folder, names))
            .buffer_unordered(QUESTIONS)
            .try_collect()
            .await?;
        Ok(found.into_iter().flatten().collect())
    }

    async fn known_in(
        &self,
        session: &Session,
        folder: &str,
        names: BTreeSet<&str>,
    ) -> Result<Known> {
        let mut known = Known::new();
        if names.len() <= ASKED_IN_FOLDER {
            for name in names {
                let path = super::joined(folder, name);
                match session.fs().metadata(self.full(&path)).await {
                    Ok(there) => {
                        known.insert(path, there.len());
                    }
                    Err(failure) if is_missing(&failure) => {}
                    Err(failure) => return Err(self.told(&path, failure)),
                }
            }
            return Ok(known);
        }
        let opened = match session.fs().open_dir(self.full(folder)).await {
            Ok(opened) => opened,
            Err(failure) if is_missing(&failure) => return Ok(known),
            Err(failure) => return Err(self.told(folder, failure)),
        };
        let mut entries = std::pin::pin!(opened.read_dir());
        while let Some(entry) = entries.next().await {
            let entry = entry.map_err(|failure| self.told(folder, failure))?;
            let name = entry.filename().to_string_lossy();
            if names.contains(name.as_ref()) {
                let bytes = entry.metadata().len();
                known.insert(super::joined(folder, &name), bytes);
            }
        }
        Ok(known)
    }

    pub async fn send(&self, from: &Path, path: &str, watch: Watch<'_>) -> Result<u64> {
        let session = self.session().await?;
        let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
        self.make(session, folder).await?;
        let size = fs_err::tokio::metadata(from).await?.len();
        let part = super::joined(folder, &part_name(from, size)?);
        let told = |failure| self.told(path, failure);
        let mut fs = session.fs();
        let mut file = session
            .options()
            // To be asked how long it is.
            .read(true)
            .write(true)
            .create(true)
            .open(self.full(&part))
            .await
            .map_err(told)?;
        // Of the file that is open: the one of that name may be finished by another push in between.
        let there = file.metadata().await.map_err(told)?;
        let have = there.len().unwrap_or(0).saturating_sub(AGAIN_BYTES);
        self.fill(&mut file, from, have.min(size), path, watch)
            .await?;
        file.close().await.map_err(told)?;
        if let Err(failure) = fs.rename(self.full(&part), self.full(path)).await {
            // An old server does not replace, and a push beside this one may have given the part that both fill its name: either
            // way the same content is there.
            match fs.metadata(self.full(path)).await {
                Ok(there) if there.len() == Some(size) => {}
                Ok(_) | Err(_) => return Err(told(failure)),
            }
            match fs.remove_file(self.full(&part)).await {
                Err(failure) if !is_missing(&failure) => return Err(told(failure)),
                Ok(()) | Err(_) => {}
            }
        }
        Ok(size)
    }

    async fn fill(
        &self,
        file: &mut File,
        from: &Path,
        have: u64,
        path: &str,
        watch: Watch<'_>,
    ) -> Result<()> {
        let mut source = fs_err::tokio::File::open(from).await?;
        source.seek(SeekFrom::Start(have)).await?;
        file.seek(SeekFrom::Start(have)).await?;
        (watch.moved)(have);
        let mut piece = vec![0; PIECE];
        let mut size = have;
        loop {
            watch.check()?;
            let read = source.read(&mut piece).await?;
            if read == 0 {
                break;
            }
            file.write_all(piece.get(..read).unwrap_or_default())
                .await
                .map_err(|failure| self.told(path, failure))?;
            size += read as u64;
            (watch.moved)(read as u64);
        }
        // What lay there may have been longer.
        file.set_len(size)
            .await
            .map_err(|failure| self.told(path, failure))
    }

    /// The folder below the root, and the root itself.
    async fn make(&self, session: &Session, folder: &str) -> Result<()> {
        let mut known = self.folders.lock().await;
        if known.contains(folder) {
            return Ok(());
        }
        let full = self.full(folder);
        let mut fs = session.fs();
        let mut missing = Vec::new();
        let mut path = PathBuf::from(&full);
        while fs.metadata(&path).await.is_err() {
            missing.push(path.clone());
            if !path.pop() {
                break;
            }
        }
        for path in missing.into_iter().rev() {
            if let Err(failure) = fs.create_dir(&path).await {
                // Somebody else may have made it meanwhile.
                if fs.metadata(&path).await.is_err() {
                    return Err(self.told(folder, failure));
                }
            }
        }
        known.insert(folder.to_owned());
        Ok(())
    }

    pub async fn fetch(&self, path: &str, part: &Path, watch: Watch<'_>) -> Result<()> {
        let session = self.session().await?;
        let told = |failure| self.told(path, failure);
        let mut file = session.open(self.full(path)).await.map_err(told)?;
        let mut to = fs_err::tokio::OpenOptions::new()
            .create(true)
            .append(true)
            .open(part)
            .await?;
        let have = to.metadata().await?.len();
        file.seek(SeekFrom::Start(have)).await?;
        let mut buffer = BytesMut::with_capacity(PIECE);
        while let Some(mut piece) = file.read(READ_BYTES, buffer).await.map_err(told)? {
            to.write_all(&piece).await?;
            (watch.moved)(piece.len() as u64);
            watch.check()?;
            piece.clear();
            buffer = piece;
        }
        to.flush().await?;
        file.close().await.map_err(told)
    }
}

fn kind(failure: &Failure) -> Option<SftpErrorKind> {
    match failure {
        Failure::SftpError(kind, _) => Some(*kind),
        // The library's list of failures is open.
        _ => None,
    }
}

fn is_missing(failure: &Failure) -> bool {
    matches!(kind(failure), Some(SftpErrorKind::NoSuchFile))
}

/// The same name after a cut, so that nothing is left over. Two pushes of one file fill the same part with the same bytes.
fn part_name(from: &Path, size: u64) -> Result<String> {
    use sha2::Digest as _;
    let modified = fs_err::metadata(from)?.modified()?;
    let text = format!("{}\n{size}\n{modified:?}", from.display());
    let name: String = hex(&sha2::Sha256::digest(text)).chars().take(24).collect();
    Ok(format!(".lapwing-{name}.part"))
}

/// Of `connect to host box port 22: …`, the place.
fn place(said: &str) -> Option<String> {
    let (_, rest) = said.split_once("connect to host ")?;
    let (host, rest) = rest.split_once(" port ")?;
    let (port, _) = rest.split_once(':')?;
    Some(format!("{host}:{port}"))
}

fn heard(said: &mut std::fs::File) -> Result<String> {
    said.seek(SeekFrom::Start(0))?;
    let mut bytes = Vec::new();
    said.take(MAX_SAID).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).trim().to_owned())
}
