//! Containers that serve until they are stopped: deployments.

use bollard::models::{
    ContainerCreateBody, HostConfig, PortBinding, RestartPolicy, RestartPolicyNameEnum,
};
use bollard::query_parameters::{
    CreateContainerOptionsBuilder, InspectContainerOptions, LogsOptionsBuilder,
    RemoveContainerOptionsBuilder, StartContainerOptions, StopContainerOptionsBuilder,
};
use futures_util::StreamExt as _;

use super::{LABEL, MAX_PIDS, connect, container, user};
use crate::{Mount, Result};

const STOP_SECONDS: i32 = 15;

/// One serving container.
#[derive(Debug, Clone)]
pub struct ServiceSpec {
    pub name: String,
    pub image: String,
    pub argv: Vec<String>,
    pub env: Vec<(String, String)>,
    pub mounts: Vec<Mount>,
    /// Port on the host's loopback, and the port inside.
    pub publish: (u16, u16),
    pub memory_bytes: Option<i64>,
    /// Of whole processors: `1.5`.
    pub cpus: Option<f64>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ServiceState {
    Missing,
    Running,
    Stopped { exit_code: i64 },
}

/// Starts a container, replacing one of the same name. It comes back after a restart of the engine.
///
/// # Errors
/// When Docker is not reachable, the image is missing or the port is taken.
pub async fn service_start(spec: &ServiceSpec) -> Result<()> {
    service_remove(&spec.name).await?;
    let docker = connect().await?;
    let (outside, inside) = spec.publish;
    let port = format!("{inside}/tcp");
    let binding = PortBinding {
        host_ip: Some("127.0.0.1".to_owned()),
        host_port: Some(outside.to_string()),
    };
    let body = ContainerCreateBody {
        image: Some(spec.image.clone()),
        entrypoint: Some(spec.argv.clone()),
        cmd: Some(Vec::new()),
        env: Some(
            spec.env
                .iter()
                .map(|(key, value)| format!("{key}={value}"))
                .chain(["HOME=/tmp".to_owned()])
                .collect(),
        ),
        user: user(),
        exposed_ports: Some(vec![port.clone()]),
        labels: Some([(LABEL.to_owned(), spec.name.clone())].into()),
        host_config: Some(HostConfig {
            binds: Some(container::binds(&spec.mounts)),
            memory: spec.memory_bytes,
            nano_cpus: spec.cpus.map(container::nano),
            pids_limit: Some(MAX_PIDS),
            cap_drop: Some(vec!["ALL".to_owned()]),
            security_opt: Some(vec!["no-new-privileges".to_owned()]),
            init: Some(true),
            port_bindings: Some([(port, Some(vec![binding]))].into()),
            restart_policy: Some(RestartPolicy {
                name: Some(RestartPolicyNameEnum::UNLESS_STOPPED),
                maximum_retry_count: None,
            }),
            ..HostConfig::default()
        }),
        ..ContainerCreateBody::default()
    };
    let options = CreateContainerOptionsBuilder::new()
        .name(&spec.name)
        .build();
    docker.create_container(Some(options), body).await?;
    docker
        .start_container(&spec.name, None::<StartContainerOptions>)
        .await?;
    Ok(())
}

/// How the container of that name is.
///
/// # Errors
/// When Docker is not reachable.
pub async fn service_state(name: &str) -> Result<ServiceState> {
    match connect()
        .await?
        .inspect_container(name, None::<InspectContainerOptions>)
        .await
    {
        Ok(found) => {
            let state = found.state.unwrap_or_default();
            Ok(if state.running == Some(true) {
                ServiceState::Running
            } else {
                ServiceState::Stopped {
                    exit_code: state.exit_code.unwrap_or(-1),
                }
            })
        }
        Err(bollard::errors::Error::DockerResponseServerError {
            status_code: 404, ..
        }) => Ok(ServiceState::Missing),
        Err(error) => Err(error.into()),
    }
}

/// Stops the container; one that is stopped or missing stays so.
///
/// # Errors
/// When Docker is not reachable.
pub async fn service_stop(name: &str) -> Result<()> {
    let options = StopContainerOptionsBuilder::new().t(STOP_SECONDS).build();
    match connect().await?.stop_container(name, Some(options)).await {
        Ok(()) => Ok(()),
        Err(bollard::errors::Error::DockerResponseServerError {
            status_code: 404 | 304,
            ..
        }) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Removes the container; a missing one is no error.
///
/// # Errors
/// When Docker is not reachable.
pub async fn service_remove(name: &str) -> Result<()> {
    let options = RemoveContainerOptionsBuilder::new()
        .force(true)
        .v(true)
        .build();
    match connect().await?.remove_container(name, Some(options)).await {
        Ok(()) => Ok(()),
        Err(bollard::errors::Error::DockerResponseServerError {
            status_code: 404, ..
        }) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// The last lines that the container printed.
///
/// # Errors
/// When Docker is not reachable.
pub async fn service_logs(name: &str, lines: u32) -> Result<String> {
    let options = LogsOptionsBuilder::new()
        .stdout(true)
        .stderr(true)
        .tail(&lines.to_string())
        .build();
    let docker = connect().await?;
    let mut stream = docker.logs(name, Some(options));
    let mut text = String::new();
    while let Some(piece) = stream.next().await {
        text.push_str(&String::from_utf8_lossy(&piece?.into_bytes()));
    }
    Ok(text)
}
