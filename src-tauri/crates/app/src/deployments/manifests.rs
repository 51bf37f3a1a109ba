//! The files that start an exported image elsewhere: Compose, Kubernetes, KServe. Each runs it read-only, as nobody, with limits.

use lapwing_pipeline::export::yaml;
use lapwing_serving::exported::{TOKEN_VARIABLE, USER};
use lapwing_serving::image::{MOUNT, PORT};
use serde_json::{Value as Json, json};

use crate::wire::Package;

const HEAD: &str = "# Made by Lapwing: `lapwing deployments export` makes it anew.\n";
const READY: &str = "/v2/health/ready";
const LIVE: &str = "/v2/health/live";
/// A model may need so many tries of three seconds until it is loaded.
const START_TRIES: u32 = 100;
/// The prediction log and what the gateway says about itself.
const STATE_LIMIT: &str = "4Gi";
/// Requests that are being answered when the end comes have ten seconds.
const END_SECONDS: u32 = 15;
/// A label of a name in DNS is not longer.
const MAX_LABEL: usize = 63;

/// What all files say about an endpoint.
pub(super) struct Endpoint {
    pub(super) name: String,
    pub(super) image: String,
    pub(super) namespace: Option<String>,
    pub(super) replicas: u32,
    pub(super) memory_gib: f64,
    /// On the host, where there is one.
    pub(super) port: u16,
    pub(super) storage_uri: Option<String>,
}

impl Endpoint {
    fn memory(&self) -> String {
        format!("{}Mi", (self.memory_gib * 1024.0).ceil())
    }

    fn token_secret(&self) -> String {
        format!("{}-token", self.name)
    }

    fn metadata(&self) -> Json {
        let mut metadata = json!({"name": self.name, "labels": self.labels()});
        if let Some(namespace) = &self.namespace {
            metadata["namespace"] = json!(namespace);
        }
        metadata
    }

    fn labels(&self) -> Json {
        json!({"app.kubernetes.io/name": self.name, "app.kubernetes.io/component": "model-endpoint"})
    }
}

/// A name as Kubernetes and image registries take it: lowercase letters, digits and `-`, beginning with a letter.
pub(super) fn label(name: &str) -> String {
    let text: String = name
        .chars()
        .map(|character| {
            if character.is_ascii_alphanumeric() {
                character.to_ascii_lowercase()
            } else {
                '-'
            }
        })
        .collect();
    let text = text.trim_matches('-');
    let text = if text.starts_with(|first: char| first.is_ascii_lowercase()) {
        text.to_owned()
    } else {
        format!("model-{text}")
    };
    let cut: String = text.chars().take(MAX_LABEL - "-token".len()).collect();
    cut.trim_end_matches('-').to_owned()
}

/// A Compose file; the port is published on this machine only.
pub(super) fn compose(endpoint: &Endpoint, image_folder: &str) -> String {
    let document = json!({
        "services": {
            endpoint.name.as_str(): {
                "build": format!("./{image_folder}"),
                "image": endpoint.image,
                "ports": [format!("127.0.0.1:{}:{PORT}", endpoint.port)],
                // A dollar sign and braces: Compose reads the variable of the shell, or an empty text.
                "environment": {TOKEN_VARIABLE: format!("${{{TOKEN_VARIABLE}:-}}")},
                "read_only": true,
                "cap_drop": ["ALL"],
                "security_opt": ["no-new-privileges:true"],
                "tmpfs": ["/tmp"],
                "volumes": [format!("state:{MOUNT}")],
                "mem_limit": format!("{}m", (endpoint.memory_gib * 1024.0).ceil()),
                "pids_limit": 512,
                "init": true,
                "restart": "unless-stopped",
                "stop_grace_period": format!("{END_SECONDS}s"),
            },
        },
        "volumes": {"state": {}},
    });
    format!("{HEAD}{}", yaml(&document))
}

/// A Deployment and a Service inside the cluster.
pub(super) fn kubernetes(endpoint: &Endpoint) -> String {
    let mut pod = pod(container("endpoint", "http", endpoint));
    pod["terminationGracePeriodSeconds"] = json!(END_SECONDS);
    let deployment = json!({
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": endpoint.metadata(),
        "spec": {
            "replicas": endpoint.replicas,
            "selector": {"matchLabels": {"app.kubernetes.io/name": endpoint.name}},
            "template": {"metadata": {"labels": endpoint.labels()}, "spec": pod},
        },
    });
    let service = json!({
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": endpoint.metadata(),
        "spec": {
            "selector": {"app.kubernetes.io/name": endpoint.name},
            "ports": [{"name": "http", "port": 80, "targetPort": "http"}],
        },
    });
    format!("{HEAD}{}---\n{}", yaml(&deployment), yaml(&service))
}

/// An InferenceService: our image, or KServe's own MLflow runtime on a model in a store.
pub(super) fn kserve(endpoint: &Endpoint) -> String {
    let mut predictor = match &endpoint.storage_uri {
        Some(uri) => json!({
            "model": {
                "modelFormat": {"name": "mlflow"},
                "protocolVersion": "v2",
                "storageUri": uri,
                "resources": resources(endpoint),
            },
        }),
        None => pod(container("kserve-container", "http1", endpoint)),
    };
    predictor["minReplicas"] = json!(endpoint.replicas);
    let document = json!({
        "apiVersion": "serving.kserve.io/v1beta1",
        "kind": "InferenceService",
        "metadata": endpoint.metadata(),
        "spec": {"predictor": predictor},
    });
    format!("{HEAD}{}", yaml(&document))
}

fn pod(container: Json) -> Json {
    json!({
        "automountServiceAccountToken": false,
        "securityContext": {
            "runAsNonRoot": true,
            "runAsUser": USER,
            "runAsGroup": USER,
            "fsGroup": USER,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [container],
        "volumes": [
            {"name": "state", "emptyDir": {"sizeLimit": STATE_LIMIT}},
            {"name": "tmp", "emptyDir": {}},
        ],
    })
}

fn container(name: &str, port: &str, endpoint: &Endpoint) -> Json {
    let probe = |path: &str| json!({"path": path, "port": port});
    json!({
        "name": name,
        "image": endpoint.image,
        "ports": [{"name": port, "containerPort": PORT, "protocol": "TCP"}],
        // Without the secret nobody is asked for a token.
        "env": [{
            "name": TOKEN_VARIABLE,
            "valueFrom": {"secretKeyRef": {"name": endpoint.token_secret(), "key": "token", "optional": true}},
        }],
        "startupProbe": {"httpGet": probe(LIVE), "periodSeconds": 3, "failureThreshold": START_TRIES},
        "readinessProbe": {"httpGet": probe(READY), "periodSeconds": 5},
        "livenessProbe": {"httpGet": probe(LIVE), "periodSeconds": 10, "failureThreshold": 6},
        "resources": resources(endpoint),
        "securityContext": {
            "allowPrivilegeEscalation": false,
            "readOnlyRootFilesystem": true,
            "capabilities": {"drop": ["ALL"]},
        },
        "volumeMounts": [
            {"name": "state", "mountPath": MOUNT},
            {"name": "tmp", "mountPath": "/tmp"},
        ],
    })
}

fn resources(endpoint: &Endpoint) -> Json {
    json!({
        "requests": {"cpu": "250m", "memory": "256Mi"},
        "limits": {"memory": endpoint.memory()},
    })
}

/// What a person does with the export.
pub(super) fn next_steps(
    package: Package,
    endpoint: &Endpoint,
    folder: &str,
    file: &str,
    needs_image: bool,
) -> Vec<String> {
    let (image, port) = (&endpoint.image, endpoint.port);
    let build = format!("build it: docker build -t {image} {folder}/image");
    let push = format!("let the cluster have it: docker push {image}");
    let apply = format!("start it: kubectl apply -f {folder}/{file}");
    let token = format!(
        "ask clients for a token: kubectl create secret generic {} --from-literal=token=…",
        endpoint.token_secret()
    );
    match package {
        Package::Image => vec![
            build,
            format!(
                "start it: docker run --read-only --tmpfs /tmp -p 127.0.0.1:{port}:{PORT} {image}"
            ),
        ],
        Package::Compose => vec![format!(
            "start it: docker compose -f {folder}/{file} up --build; a token in {TOKEN_VARIABLE} is asked of clients"
        )],
        Package::Kubernetes => vec![build, push, apply, token],
        Package::Kserve if needs_image => vec![build, push, apply, token],
        Package::Kserve => vec![apply],
    }
}
