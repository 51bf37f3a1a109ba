//! Programs of our own that outlive whoever started them.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::folder::Folder;
use crate::{Error, Result};

/// Starts `program` with no terminal, its output appended to `log`. The program itself moves into a session of its own
/// with [`leave_session`].
///
/// # Errors
/// When it cannot be started.
pub fn spawn(
    program: &Path,
    arguments: &[String],
    log: &Path,
    env: &BTreeMap<String, String>,
) -> Result<Child> {
    if let Some(folder) = log.parent() {
        fs_err::create_dir_all(folder)?;
    }
    let out = fs_err::OpenOptions::new()
        .create(true)
        .append(true)
        .open(log)?
        .into_file();
    let mut command = Command::new(program);
    command
        .args(arguments)
        .envs(env)
        .stdin(Stdio::null())
        .stdout(out.try_clone()?)
        .stderr(out)
        // The folder of whoever started it may go away.
        .current_dir("/");
    #[cfg(windows)]
    {
        use std::os::windows::process::CommandExt as _;
        const DETACHED_PROCESS: u32 = 0x0000_0008;
        const CREATE_NEW_PROCESS_GROUP: u32 = 0x0000_0200;
        command
            .creation_flags(DETACHED_PROCESS | CREATE_NEW_PROCESS_GROUP)
            .current_dir("C:\\");
    }
    command
        .spawn()
        .map_err(|error| Error::NoSupervisor(format!("{}: {error}", program.display())))
}

/// The first act of a detached program: a session of its own, so that closing a terminal or killing the starter's group
/// does not reach it.
pub fn leave_session() {
    #[cfg(unix)]
    if let Err(error) = rustix::process::setsid() {
        // It leads a group already: then it has been moved before.
        tracing::debug!(%error, "no new session");
    }
}

pub(crate) fn supervisor(program: &Path, folder: &Folder) -> Result<Child> {
    let arguments = [
        "__supervise".to_owned(),
        folder.root().display().to_string(),
    ];
    spawn(
        program,
        &arguments,
        &folder.supervisor_log(),
        &BTreeMap::new(),
    )
}
