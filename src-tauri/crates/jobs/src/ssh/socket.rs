//! A Unix socket there, brought here through the connection.

use std::os::unix::net::UnixStream;
use std::path::PathBuf;

use super::host::{BEGIN, Host, SshHost};
use super::tunnel::control;
use crate::{Error, Result};

/// Finds Docker's socket there, and returns where it is here.
///
/// # Errors
/// When the host cannot be reached, has no such socket, or does not let it through.
pub(crate) fn forward_socket(host: &SshHost, socket: Option<&str>) -> Result<PathBuf> {
    host.check()?;
    let local = local(host)?;
    if UnixStream::connect(&local).is_ok() {
        return Ok(local);
    }
    let there = find(host, socket.unwrap_or_default())?;
    // What a connection that was cut has left.
    let _ = fs_err::remove_file(&local);
    let way = format!("{}:{there}", local.display());
    let output = control(host, "forward", "-L", &way)?;
    if output.status.success() {
        return Ok(local);
    }
    // The connection still has the old one on its list, whose file is gone.
    control(host, "cancel", "-L", &way)?;
    let output = control(host, "forward", "-L", &way)?;
    if output.status.success() {
        return Ok(local);
    }
    Err(Error::NoDockerThere {
        host: host.destination.clone(),
        why: String::from_utf8_lossy(&output.stderr).trim().to_owned(),
    })
}

/// Removes what [`forward_socket`] of this process has left. The connection forgets it when it ends.
pub(crate) fn forget_socket(host: &SshHost) {
    if let Ok(local) = local(host) {
        // Never made, or gone with its connection.
        let _ = fs_err::remove_file(local);
    }
}

/// Of this process alone: another one may have ended in the middle of using it.
fn local(host: &SshHost) -> Result<PathBuf> {
    let mut local = host.socket()?;
    local.set_extension(format!("docker.{}", std::process::id()));
    Ok(local)
}

/// Also makes sure that there is a connection.
fn find(host: &SshHost, wanted: &str) -> Result<String> {
    const SCRIPT: &str = r#"
case ${DOCKER_HOST-} in unix://*) set -- "$@" "${DOCKER_HOST#unix://}" ;; esac
for socket in "$@" "${XDG_RUNTIME_DIR:-/run/user/$(id -u)}/docker.sock" /var/run/docker.sock; do
  if [ -S "$socket" ]; then
    [ -w "$socket" ] || { echo "you may not use $socket there: join the group docker"; exit 0; }
    echo "$socket"
    exit 0
  fi
done
echo "there is no Docker"
"#;
    let wanted = match wanted {
        "" => String::new(),
        wanted => format!("'{}'", wanted.replace('\'', r"'\''")),
    };
    let script = format!("echo {BEGIN}\nset -- {wanted}\n{SCRIPT}");
    let mut answer = String::new();
    Host::Ssh(host.clone()).call(
        "sh -s",
        None,
        &mut super::host::text(script.as_bytes()),
        &mut |reader| Ok(reader.read_to_string(&mut answer).map(|_| ())?),
    )?;
    let answer = answer.trim();
    if answer.starts_with('/') {
        Ok(answer.to_owned())
    } else {
        Err(Error::NoDockerThere {
            host: host.destination.clone(),
            why: answer.to_owned(),
        })
    }
}
