//! Docker, through its Engine API: images from requirements, jobs in containers, and containers that serve.

mod ca;
mod container;
mod engine;
mod image;
mod job;
mod making;
mod service;
mod tracked;
mod travel;

use std::future::Future;
use std::net::IpAddr;

use bollard::Docker;
use bollard::query_parameters::InspectNetworkOptions;

use crate::{Error, Result};

pub use engine::DockerHost;
pub use image::{ContextFile, Pushing, build, default_base, ensure, has_image, push};
pub(crate) use job::{Place, discard, has_container, run_job};
pub use making::Making;
pub use service::{
    ServiceSpec, ServiceState, service_logs, service_remove, service_start, service_state,
    service_stop,
};
pub use travel::RemoteDockerSpec;

/// Names our containers, so that they are found again.
pub(crate) const LABEL: &str = "io.lapwing.name";
/// A container may not have more processes than this.
pub(crate) const MAX_PIDS: i64 = 4096;

/// The engine that `DOCKER_HOST` names, or the local one.
pub(crate) async fn connect() -> Result<Docker> {
    DockerHost::Local.connect().await
}

/// Runs async work to its end on a runtime of its own. Called where nothing else is async: in a supervisor.
pub(crate) fn block_on<F: Future>(work: F) -> Result<F::Output> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    Ok(runtime.block_on(work))
}

/// The engine's version, when one answers.
///
/// # Errors
/// [`Error::NoDocker`].
pub async fn ping() -> Result<String> {
    DockerHost::Local.ping().await
}

/// The host's address as containers on the default network see it: the gateway that it names, or, where an older engine
/// names none, the first address of its subnet, which Docker gives to the bridge.
///
/// # Errors
/// When Docker is not reachable, or has no default network.
pub async fn bridge_gateway() -> Result<IpAddr> {
    let network = connect()
        .await?
        .inspect_network("bridge", None::<InspectNetworkOptions>)
        .await?;
    let configs = network
        .ipam
        .and_then(|ipam| ipam.config)
        .unwrap_or_default();
    configs
        .iter()
        .find_map(|config| config.gateway.as_ref()?.parse().ok()) // An address of another family: the next one.
        .or_else(|| {
            configs
                .iter()
                .find_map(|config| first_host(config.subnet.as_ref()?))
        })
        .ok_or_else(|| Error::NoDocker("its default network has no gateway".to_owned()))
}

/// `172.17.0.1` of `172.17.0.0/16`.
fn first_host(subnet: &str) -> Option<IpAddr> {
    let base: std::net::Ipv4Addr = subnet.split('/').next()?.parse().ok()?; // Not IPv4: not the default bridge.
    Some(IpAddr::V4(std::net::Ipv4Addr::from(
        u32::from(base).checked_add(1)?,
    )))
}

/// `uid:gid` of this process, so that files that a container writes belong to the user.
#[cfg(unix)]
pub(crate) fn user() -> Option<String> {
    let (uid, gid) = (rustix::process::getuid(), rustix::process::getgid());
    Some(format!("{}:{}", uid.as_raw(), gid.as_raw()))
}

#[cfg(not(unix))]
pub(crate) fn user() -> Option<String> {
    None
}
