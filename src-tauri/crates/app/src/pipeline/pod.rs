//! What a stage asks of a Kubernetes cluster, in its `meta: {lapwing: …}` or as options of the remote: `image`, `cpus`,
//! `memory_mib`, `gpus`, `gpu_resource`, `minutes`, `deadline_minutes`, `keep_minutes`, `node_selector`, `pull_secret`,
//! `service_account`, `user`, `queue`, `priority_class`.

use std::collections::BTreeMap;

use lapwing_core::{Code, Report};
use lapwing_jobs::{Cluster, KubernetesSpec, RemoteSpec};
use lapwing_pipeline::{Stage, Value};

use super::elsewhere::Asked;
use crate::config::Config;

pub(super) fn spec(
    asked: &Asked<'_>,
    cluster: &Cluster,
    config: &Config,
    remote: RemoteSpec,
) -> Result<KubernetesSpec, Report> {
    let image = asked
        .text("image")
        .or_else(|| config.docker.image.clone())
        .ok_or_else(|| no_image(asked.stage))?;
    let memory: Option<u64> = asked.number("memory_mib")?;
    Ok(KubernetesSpec {
        cpus: asked.number("cpus")?.or(config.docker.cpus),
        memory_mib: memory.or_else(|| {
            let gib = config.docker.memory_gib?;
            Some((gib * 1024.0) as u64)
        }),
        gpus: asked.number("gpus")?,
        gpu_resource: asked.text("gpu_resource"),
        minutes: asked.number("minutes")?,
        deadline_minutes: asked.number("deadline_minutes")?,
        keep_minutes: asked.number("keep_minutes")?,
        node_selector: node_selector(asked)?,
        pull_secret: asked.text("pull_secret"),
        service_account: asked.text("service_account"),
        user: asked.text("user"),
        queue: asked.text("queue"),
        priority_class: asked.text("priority_class"),
        ..KubernetesSpec::new(cluster.clone(), image, remote)
    })
}

fn no_image(stage: &Stage) -> Report {
    Report::new(
        Code::Invalid,
        "run.no_image",
        format!("no image is named for stage `{}` to run in", stage.address),
    )
    .hint(
        "name one in dvc.yaml (`meta: {lapwing: {image: python:3.12}}`), as `-o image=…` of the remote, or as `image` under [docker] in lapwing.toml",
    )
}

/// A map in `dvc.yaml`, or `disk=ssd,zone=a`.
fn node_selector(asked: &Asked<'_>) -> Result<BTreeMap<String, String>, Report> {
    let meta = asked.stage.meta.as_ref();
    let own = meta
        .and_then(|meta| meta.get("lapwing"))
        .and_then(|lapwing| lapwing.get("node_selector"));
    if let Some(Value::Map(pairs)) = own {
        return Ok(pairs
            .iter()
            .map(|(key, value)| (word(key), word(value)))
            .collect());
    }
    let text = asked.text("node_selector").unwrap_or_default();
    text.split(',')
        .map(str::trim)
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            pair.split_once('=')
                .map(|(key, value)| (key.trim().to_owned(), value.trim().to_owned()))
                .ok_or_else(|| asked.wrong("node_selector", pair, "no `label=value`"))
        })
        .collect()
}

fn word(value: &Value) -> String {
    value
        .as_str()
        .map_or_else(|| value.display(), str::to_owned)
}
