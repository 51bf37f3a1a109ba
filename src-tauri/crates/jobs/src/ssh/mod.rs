//! Commands on other machines, over the system's `ssh`.
//!
//! Each job is a folder there, as it is one here: `tree` (what was sent), `output.log`, and `exit`, which appears whole when
//! the command has ended. Nothing of it needs a connection, so a closed lid ends nothing; a supervisor that comes later
//! reads the log from the byte on that it has. What the command made comes home, verified, before its result is written.
//!
//! To use it: [`greet`] tests a [`Host`] (and [`SshHost::login`] lets a person answer its questions once); then
//! [`crate::start`] takes a [`crate::Target::Ssh`], or a [`crate::Target::Slurm`] with the same [`crate::RemoteSpec`]. While
//! something is prepared, waits or cannot be reached, `why` in [`crate::JobState`] says so.

mod agent;
mod environment;
mod failure;
mod fetch;
mod host;
mod job;
mod memory;
#[cfg(unix)]
mod socket;
mod tunnel;
mod upload;

pub(crate) use agent::Agent;
pub use agent::Machine;
pub(crate) use fetch::settle;
pub(crate) use host::{Feed, Take};
pub use host::{Host, SshHost};
pub(crate) use job::{discard, folders, run_job, slashes};
pub(crate) use memory::Memory;
#[cfg(unix)]
pub(crate) use socket::{forget_socket, forward_socket};
pub(crate) use tunnel::{Keeper, moved, open as open_tunnels, ports};
pub(crate) use upload::size;

use crate::Result;

/// There are no Unix sockets to bring here.
#[cfg(not(unix))]
pub(crate) fn forward_socket(host: &SshHost, _: Option<&str>) -> Result<std::path::PathBuf> {
    Err(crate::Error::NoDockerThere {
        host: host.destination.clone(),
        why: "Docker over ssh needs Linux or macOS here".to_owned(),
    })
}

#[cfg(not(unix))]
pub(crate) fn forget_socket(_: &SshHost) {}

/// Connects, and says what the machine is: for "test the connection", and before anything is sent.
///
/// # Errors
/// When it cannot be reached, or lacks what every Unix has.
pub fn greet(host: &Host) -> Result<Machine> {
    Agent::new(host)?.greet(None)
}
