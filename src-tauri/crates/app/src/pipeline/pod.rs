//! What a stage asks of a Kubernetes cluster, in its `meta: {lapwing: …}` or as options of the remote: `image`, `cpus`,
//! `memory_mib`, `gpus`, `gpu_resource`, `minutes`, `deadline_minutes`, `keep_minutes`, `node_selector`, `pull_secret`,
//! `service_account`, `user`, `queue`, `priority_class`; and for Kubeflow Trainer `trainer` (a training runtime) and `nodes`.

use std::collections::BTreeMap;

use lapwing_core::{Code, Report};
use lapwing_jobs::{Cluster, KubernetesSpec, RemoteSpec, Trainer};
use lapwing_pipeline::Value;

use super::elsewhere::Asked;
use crate::config::Config;

/// A TrainJob has no more nodes than this: each of them gets the files from here.
const MAX_NODES: u32 = 64;
/// Of a thing in a cluster.
const MAX_NAME: usize = 253;
/// What a TrainJob leaves to its training runtime.
const OF_RUNTIME: [&str; 5] = [
    "node_selector",
    "pull_secret",
    "service_account",
    "user",
    "priority_class",
];

pub(super) fn spec(
    asked: &Asked<'_>,
    cluster: &Cluster,
    config: &Config,
    remote: RemoteSpec,
) -> Result<KubernetesSpec, Report> {
    let image = asked
        .text("image")
        .or_else(|| config.docker.image.clone())
        .ok_or_else(|| no_image(asked))?;
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
        trainer: trainer(asked)?,
        ..KubernetesSpec::new(cluster.clone(), image, remote)
    })
}

fn trainer(asked: &Asked<'_>) -> Result<Option<Trainer>, Report> {
    if asked.stage.is_none() {
        // Nothing is trained: each node would do the same.
        return Ok(None);
    }
    let nodes: Option<u32> = asked.number("nodes")?;
    let Some(named) = asked.text("trainer").filter(|named| !named.is_empty()) else {
        return match nodes {
            Some(nodes) if nodes != 1 => Err(asked.wrong(
                "nodes",
                &nodes.to_string(),
                "only for a `trainer`: a plain Job has one",
            )),
            Some(_) | None => Ok(None),
        };
    };
    let wanted = Trainer {
        nodes: nodes.unwrap_or(1),
        ..Trainer::named(&named)
    };
    if !is_dns_name(&wanted.runtime) {
        return Err(asked.wrong(
            "trainer",
            &named,
            "no name of a training runtime (`torch-distributed`, `TrainingRuntime/my-own`)",
        ));
    }
    if !(1..=MAX_NODES).contains(&wanted.nodes) {
        let many = wanted.nodes.to_string();
        return Err(asked.wrong("nodes", &many, "not a number from 1 to 64"));
    }
    // Left out in silence, it would run where nobody meant it to.
    for key in OF_RUNTIME {
        if let Some(value) = asked.text(key) {
            return Err(Report::new(
                Code::Invalid,
                "run.of_runtime",
                format!(
                    "{} asks for `{key}: {value}`, which a TrainJob takes from its training runtime",
                    asked.called()
                ),
            )
            .hint(format!(
                "set it in the runtime `{}`, and leave `{key}` out here and at the remote",
                wanted.runtime
            )));
        }
    }
    Ok(Some(wanted))
}

/// What a thing in a cluster can be called: words of small letters and digits, with `-` inside and `.` between them.
fn is_dns_name(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let is_word = |word: &str| {
        let bytes = word.as_bytes();
        bytes.first().is_some_and(|byte| plain(*byte))
            && bytes.last().is_some_and(|byte| plain(*byte))
            && bytes.iter().all(|byte| plain(*byte) || *byte == b'-')
    };
    name.len() <= MAX_NAME && name.split('.').all(is_word)
}

fn no_image(asked: &Asked<'_>) -> Report {
    let (message, hint) = match asked.stage {
        Some(stage) => (
            format!("no image is named for stage `{}` to run in", stage.address),
            "name one in dvc.yaml (`meta: {lapwing: {image: python:3.12}}`), as `-o image=…` of the remote, or as `image` under [docker] in lapwing.toml",
        ),
        None => (
            format!("{} names no image to run in", asked.called()),
            "name one as `-o image=python:3.12` of the remote, or as `image` under [docker] in lapwing.toml",
        ),
    };
    Report::new(Code::Invalid, "run.no_image", message).hint(hint)
}

/// A map in `dvc.yaml`, or `disk=ssd,zone=a`.
fn node_selector(asked: &Asked<'_>) -> Result<BTreeMap<String, String>, Report> {
    let own = asked
        .stage
        .and_then(|stage| stage.meta.as_ref())
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_runtime_has_a_name_that_a_cluster_takes() {
        for name in ["torch-distributed", "a", "v1.torch", "7b"] {
            assert!(is_dns_name(name), "{name}");
        }
        let long = "a".repeat(254);
        for name in [
            "",
            "torch distributed",
            "Torch",
            "a/b",
            "-a",
            "a-",
            "a..b",
            "\u{e9}",
            &long,
        ] {
            assert!(!is_dns_name(name), "{name}");
        }
    }
}
