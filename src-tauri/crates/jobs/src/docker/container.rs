//! How a job's container is made.

use bollard::Docker;
use bollard::models::{ContainerCreateBody, HostConfig};
use bollard::query_parameters::CreateContainerOptionsBuilder;

use super::{LABEL, MAX_PIDS, Place, ca, user};
use crate::{JobSpec, Mount, Result};

pub(super) fn binds(mounts: &[Mount]) -> Vec<String> {
    mounts
        .iter()
        .map(|mount| {
            let mode = if mount.read_only { "ro" } else { "rw" };
            format!(
                "{}:{}:{mode}",
                mount.host.display(),
                mount.container.display()
            )
        })
        .collect()
}

/// Processors as the engine counts them.
pub(super) fn nano(cpus: f64) -> i64 {
    (cpus * 1e9) as i64
}

pub(super) async fn create(
    docker: &Docker,
    name: &str,
    image: &str,
    spec: &JobSpec,
    how: &Place,
) -> Result<()> {
    let mut mounts = binds(&how.mounts);
    let mut env = vec!["HOME=/tmp".to_owned()];
    if let Some(file) = ca::host_file() {
        if how.away.is_none() {
            mounts.push(format!("{}:{}:ro", file.display(), ca::INSIDE));
        }
        let own = ca::VARIABLES
            .iter()
            .filter(|name| !spec.env.contains_key(**name));
        env.extend(own.map(|name| format!("{name}={}", ca::INSIDE)));
    }
    let wanted = how.env(&spec.env);
    env.extend(wanted.iter().map(|(key, value)| format!("{key}={value}")));
    let body = ContainerCreateBody {
        image: Some(image.to_owned()),
        entrypoint: Some(spec.command.argv.clone()),
        cmd: Some(Vec::new()),
        working_dir: Some(spec.cwd.display().to_string()),
        env: Some(env),
        user: user(),
        labels: Some([(LABEL.to_owned(), name.to_owned())].into()),
        host_config: Some(HostConfig {
            binds: Some(mounts),
            memory: how.memory_bytes,
            nano_cpus: how.cpus.map(nano),
            pids_limit: Some(MAX_PIDS),
            cap_drop: Some(vec!["ALL".to_owned()]),
            security_opt: Some(vec!["no-new-privileges".to_owned()]),
            network_mode: how.network(),
            extra_hosts: Some(vec!["host.docker.internal:host-gateway".to_owned()]),
            init: Some(true),
            ..HostConfig::default()
        }),
        ..ContainerCreateBody::default()
    };
    let options = CreateContainerOptionsBuilder::new().name(name).build();
    docker.create_container(Some(options), body).await?;
    Ok(())
}
