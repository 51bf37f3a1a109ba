//! Servers of this machine, reachable from there through the connection: a run reports to the tracking server that started
//! it, and nothing here has to listen to the network.

use std::collections::BTreeMap;
use std::process::{Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::host::SshHost;
use super::memory::Memory;
use crate::{Error, Result};

/// A new connection gets its tunnels after so long at most.
const CHECK: Duration = Duration::from_secs(5);
const POLL: Duration = Duration::from_millis(50);

/// The port of `http://127.0.0.1:5000/…`.
pub(super) fn port(address: &str) -> Option<u16> {
    let (_, rest) = address.split_once("://")?;
    let (host, port) = rest.split(['/', '?']).next()?.rsplit_once(':')?;
    matches!(host, "127.0.0.1" | "localhost")
        .then(|| port.parse().ok()) // No number: no port.
        .flatten()
}

/// The same address with the port there.
pub(crate) fn moved(address: &str, tunnels: &BTreeMap<u16, u16>) -> String {
    moved_with(address, tunnels, |port| port.to_string())
}

/// The same, with the port as `shown`.
pub(crate) fn moved_with(
    address: &str,
    tunnels: &BTreeMap<u16, u16>,
    shown: impl Fn(u16) -> String,
) -> String {
    let Some((from, to)) = port(address).and_then(|from| Some((from, tunnels.get(&from)?))) else {
        return address.to_owned();
    };
    let to = shown(*to);
    let (front, back) = address
        .split_once(&format!(":{from}"))
        .unwrap_or((address, ""));
    format!("{front}:{to}{back}")
}

/// The ports here that these variables name.
pub(crate) fn ports(env: &BTreeMap<String, String>, names: &[String]) -> Vec<u16> {
    names
        .iter()
        .filter_map(|name| port(env.get(name)?))
        .collect()
}

/// Opens a way from some port there to each of `wanted` here, unless one is known already.
pub(crate) fn open(host: &SshHost, wanted: &[u16], memory: &mut Memory) -> Result<()> {
    for here in wanted {
        if !memory.tunnels.contains_key(here) {
            memory.tunnels.insert(*here, open_one(host, *here)?);
        }
    }
    Ok(())
}

fn open_one(host: &SshHost, here: u16) -> Result<u16> {
    let output = control(host, "forward", "-R", &way(0, here))?;
    let said = String::from_utf8_lossy(&output.stdout);
    said.trim().parse().map_err(|_| Error::There {
        host: host.destination.clone(),
        said: format!(
            "it does not let commands there reach this machine: {}",
            String::from_utf8_lossy(&output.stderr).trim()
        ),
    })
}

fn way(there: u16, here: u16) -> String {
    format!("127.0.0.1:{there}:127.0.0.1:{here}")
}

pub(super) fn control(host: &SshHost, verb: &str, kind: &str, way: &str) -> Result<Output> {
    let mut command = host.ssh()?;
    command.args(["-O", verb, kind, way, "--", &host.destination]);
    command
        .stdin(Stdio::null())
        .output()
        .map_err(|_| Error::NoSsh)
}

/// Keeps the tunnels open over all connections for as long as it lives, and closes them then.
pub(crate) struct Keeper {
    done: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Keeper {
    pub fn start(host: &SshHost, tunnels: &BTreeMap<u16, u16>) -> Self {
        let done = Arc::new(AtomicBool::new(false));
        let thread = (!tunnels.is_empty()).then(|| {
            let (host, tunnels, done) = (host.clone(), tunnels.clone(), Arc::clone(&done));
            std::thread::spawn(move || keep(&host, &tunnels, &done))
        });
        Self { done, thread }
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.done.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take() {
            // A thread that panicked keeps nothing open.
            let _ = thread.join();
        }
    }
}

fn keep(host: &SshHost, tunnels: &BTreeMap<u16, u16>, done: &AtomicBool) {
    while !done.load(Ordering::Acquire) {
        for (here, there) in tunnels {
            // One that is open stays as it is. Without a connection there is nothing to do yet.
            if let Err(error) = control(host, "forward", "-R", &way(*there, *here)) {
                tracing::debug!(%error, "no tunnel");
            }
        }
        let checked = Instant::now();
        while checked.elapsed() < CHECK && !done.load(Ordering::Acquire) {
            std::thread::sleep(POLL);
        }
    }
    for (here, there) in tunnels {
        // A connection that has ended has taken its tunnels along.
        let _ = control(host, "cancel", "-R", &way(*there, *here));
    }
}

#[cfg(test)]
mod tests {
    use super::{moved, port};

    #[test]
    fn only_the_port_of_a_loopback_address_is_moved() {
        let tunnels = [(5000, 40_001)].into();
        assert_eq!(
            moved("http://127.0.0.1:5000/api", &tunnels),
            "http://127.0.0.1:40001/api"
        );
        assert_eq!(
            moved("http://10.0.0.1:5000", &tunnels),
            "http://10.0.0.1:5000"
        );
        assert_eq!(port("http://localhost:80"), Some(80));
        assert_eq!(port("no address"), None);
    }
}
