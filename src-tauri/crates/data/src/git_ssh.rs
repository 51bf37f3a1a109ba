//! git over ssh, with the user's own `ssh`: libgit2's built-in one knows no `~/.ssh/config`, no jump hosts, no hardware keys and
//! none of the commands that people set for git (`GIT_SSH_COMMAND`, `core.sshCommand`).

use std::cell::RefCell;
use std::io::{Error as IoError, IsTerminal as _, Read, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex, Once, PoisonError};
use std::time::Duration;

use git2::transport::{Service, SmartSubtransport, SmartSubtransportStream, Transport};
use git2::{ErrorClass, ErrorCode};
use percent_encoding::percent_decode_str;

use crate::Stop;

const SCHEMES: [&str; 3] = ["ssh", "ssh+git", "git+ssh"];
/// Of what `ssh` says, so much is kept.
const MAX_SAID: usize = 64 * 1024;
/// A shared connection that goes on in the background may hold standard error open.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// What the exchange on this thread may use, and what `ssh` has said to it.
#[derive(Clone, Default)]
struct Call {
    /// From git's settings: `core.sshCommand`.
    command: Option<String>,
    said: Arc<Mutex<String>>,
    stop: Stop,
}

thread_local! {
    // libgit2 asks for a connection on the thread of the exchange, and hands over nothing but an address.
    static CALL: RefCell<Call> = RefCell::default();
}

/// An exchange whose ssh addresses are reached by the user's `ssh`: `command`, where git's settings name one. Answers what
/// `ssh` said with the result; `stop` ends the `ssh` too.
pub(crate) fn with<T>(
    command: Option<String>,
    stop: &Stop,
    work: impl FnOnce() -> Result<T, git2::Error>,
) -> (Result<T, git2::Error>, String) {
    register();
    let call = Call {
        command,
        said: Arc::default(),
        stop: stop.clone(),
    };
    let said = Arc::clone(&call.said);
    CALL.set(call);
    let done = work();
    CALL.take();
    let said = said.lock().unwrap_or_else(PoisonError::into_inner).clone();
    (done, said)
}

#[expect(unsafe_code, reason = "git2 offers no safe way to add a transport")]
fn register() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        for scheme in SCHEMES {
            // SAFETY: it must not meet the making of a transport on another thread. Transports are made by exchanges alone, and
            // each exchange of this crate goes through `with`, which waits here for the first one.
            let added = unsafe {
                git2::transport::register(scheme, |remote| Transport::smart(remote, false, Ssh))
            };
            if let Err(error) = added {
                tracing::error!(%error, scheme, "git cannot use ssh");
            }
        }
    });
}

struct Ssh;

impl SmartSubtransport for Ssh {
    fn action(
        &self,
        url: &str,
        service: Service,
    ) -> Result<Box<dyn SmartSubtransportStream>, git2::Error> {
        let call = CALL.with_borrow(Clone::clone);
        let target = Target::parse(url).ok_or_else(|| failed("it is no address of ssh"))?;
        let program = match service {
            Service::UploadPackLs | Service::UploadPack => "git-upload-pack",
            Service::ReceivePackLs | Service::ReceivePack => "git-receive-pack",
        };
        let mut command = target.command(&call, &format!("{program} {}", quoted(&target.path)));
        let child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| failed(&format!("ssh cannot be started: {error}")))?;
        Ok(Box::new(Stream::new(child, &call)?))
    }

    fn close(&self) -> Result<(), git2::Error> {
        Ok(())
    }
}

fn failed(why: &str) -> git2::Error {
    git2::Error::new(ErrorCode::GenericError, ErrorClass::Ssh, why)
}

/// Where an address leads: `ssh://ada@host:22/path`, or `ada@host:path`.
#[derive(Debug, PartialEq, Eq)]
struct Target {
    /// With the user, where the address has one.
    host: String,
    port: Option<u16>,
    path: String,
}

impl Target {
    fn parse(url: &str) -> Option<Self> {
        let target = match url.split_once("://") {
            Some((_, rest)) => {
                let rest = percent_decode_str(rest).decode_utf8().ok()?; // No text: no address.
                let at = rest.find('/')?;
                let (authority, path) = rest.split_at(at);
                let (host, port) = authority_parts(authority)?;
                // `/~ada/x` is below a home folder there, as git has it.
                let path = if path.starts_with("/~") {
                    path.trim_start_matches('/')
                } else {
                    path
                };
                Self {
                    host,
                    port,
                    path: path.to_owned(),
                }
            }
            None => {
                let behind = url.find(']').unwrap_or_default();
                let at = behind + url.get(behind..)?.find(':')?;
                Self {
                    host: authority_parts(url.get(..at)?)?.0,
                    port: None,
                    path: url.get(at + 1..)?.to_owned(),
                }
            }
        };
        // `ssh` and the command there would take them for options.
        let odd = |text: &str| text.is_empty() || text.starts_with('-');
        (!odd(&target.host) && !odd(&target.path)).then_some(target)
    }

    fn command(&self, call: &Call, there: &str) -> Command {
        let variable = |name: &str| std::env::var(name).ok().filter(|text| !text.is_empty()); // Unset: not said.
        let shell = variable("GIT_SSH_COMMAND").or_else(|| call.command.clone());
        let plain = shell.is_none() && variable("GIT_SSH").is_none();
        let mut command = match shell {
            Some(line) => {
                let mut command = Command::new("sh");
                command.arg("-c").arg(format!("{line} \"$@\"")).arg(line);
                command
            }
            None => Command::new(variable("GIT_SSH").unwrap_or_else(|| "ssh".to_owned())),
        };
        if plain && !std::io::stdin().is_terminal() {
            // Nobody is there to be asked for a passphrase or whether a host is the right one.
            command.args(["-o", "BatchMode=yes"]);
        }
        if let Some(port) = self.port {
            command.args(["-p", &port.to_string()]);
        }
        command.args([&self.host, there]);
        command
    }
}

/// What a person types to come to the machine of an address.
pub(crate) fn by_hand(url: &str) -> String {
    let Some(target) = Target::parse(url) else {
        return "ssh HOST".to_owned();
    };
    match target.port {
        Some(port) => format!("ssh -p {port} {}", target.host),
        None => format!("ssh {}", target.host),
    }
}

/// `ada@[::1]:22` as `ada@::1` and 22.
fn authority_parts(authority: &str) -> Option<(String, Option<u16>)> {
    let (user, rest) = match authority.rsplit_once('@') {
        Some((user, rest)) => (Some(user), rest),
        None => (None, authority),
    };
    let (host, port) = match rest.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((host, port)) => (host, port.strip_prefix(':')),
        None => match rest.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (rest, None),
        },
    };
    let port = match port.filter(|port| !port.is_empty()) {
        Some(port) => Some(port.parse().ok()?), // No number: no address.
        None => None,
    };
    if host.is_empty() || host.starts_with('-') {
        return None;
    }
    let host = user.map_or_else(|| host.to_owned(), |user| format!("{user}@{host}"));
    Some((host, port))
}

/// One word for the shell there.
fn quoted(path: &str) -> String {
    format!("'{}'", path.replace('\'', r"'\''").replace('!', r"'\!'"))
}

/// The conversation with git there.
struct Stream {
    child: Arc<Mutex<Child>>,
    stop: Stop,
    to: Option<ChildStdin>,
    from: Option<ChildStdout>,
    silent: Receiver<()>,
}

impl Stream {
    fn new(mut child: Child, call: &Call) -> Result<Self, git2::Error> {
        let (to, from) = (child.stdin.take(), child.stdout.take());
        let words = child.stderr.take().ok_or_else(|| failed("no pipe"))?;
        let (done, silent) = channel();
        let said = Arc::clone(&call.said);
        std::thread::spawn(move || {
            listen(words, &said);
            // Nobody may wait for it any more.
            let _ = done.send(());
        });
        let child = Arc::new(Mutex::new(child));
        call.stop.ends(&child);
        Ok(Self {
            child,
            stop: call.stop.clone(),
            to,
            from,
            silent,
        })
    }
}

fn listen(mut words: impl Read, said: &Mutex<String>) {
    let mut block = [0; 1024];
    while let Ok(read) = words.read(&mut block) {
        let Some(bytes) = block.get(..read).filter(|bytes| !bytes.is_empty()) else {
            return;
        };
        let mut said = said.lock().unwrap_or_else(PoisonError::into_inner);
        if said.len() < MAX_SAID {
            said.push_str(&String::from_utf8_lossy(bytes));
        }
    }
}

impl Read for Stream {
    fn read(&mut self, bytes: &mut [u8]) -> Result<usize, IoError> {
        match &mut self.from {
            Some(from) => from.read(bytes),
            None => Ok(0),
        }
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> Result<usize, IoError> {
        match &mut self.to {
            _ if self.stop.is_wanted() => Err(std::io::ErrorKind::ConnectionAborted.into()),
            Some(to) => to.write(bytes),
            None => Err(std::io::ErrorKind::BrokenPipe.into()),
        }
    }

    fn flush(&mut self) -> Result<(), IoError> {
        self.to.as_mut().map_or(Ok(()), Write::flush)
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        // Without its pipes git there ends, and `ssh` with it.
        self.to = None;
        self.from = None;
        let mut child = self.child.lock().unwrap_or_else(PoisonError::into_inner);
        if self.stop.is_wanted() {
            // Ended already: that is what is wanted.
            let _ = child.kill();
        }
        let ended_well = child.wait().is_ok_and(|status| status.success());
        if !ended_well {
            // Its last words say why; without them there is less to show.
            let _ = self.silent.recv_timeout(LAST_WORDS);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Target, quoted};

    fn parsed(url: &str) -> Option<(String, Option<u16>, String)> {
        Target::parse(url).map(|target| (target.host, target.port, target.path))
    }

    #[test]
    fn addresses_are_read_as_git_reads_them() {
        let is = |host: &str, port, path: &str| Some((host.to_owned(), port, path.to_owned()));
        assert_eq!(
            parsed("ssh://ada@box:2222/srv/a%20b.git"),
            is("ada@box", Some(2222), "/srv/a b.git")
        );
        assert_eq!(parsed("ssh://box/~ada/x"), is("box", None, "~ada/x"));
        assert_eq!(
            parsed("git@box:team/x.git"),
            is("git@box", None, "team/x.git")
        );
        assert_eq!(parsed("[::1]:x"), is("::1", None, "x"));
        assert_eq!(parsed("ssh://a@[::1]:22/x"), is("a@::1", Some(22), "/x"));
        for odd in [
            "ssh://-oProxyCommand=x/y",
            "-oProxyCommand=x:y",
            "ssh://box:x/y",
            "box:",
            "a@-b:c",
        ] {
            assert_eq!(parsed(odd), None, "{odd}");
        }
        assert_eq!(quoted("it's!"), r"'it'\''s'\!''");
    }
}
