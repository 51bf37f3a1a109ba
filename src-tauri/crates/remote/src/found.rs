//! Connections that a user has already, in other programs' files: read, never written.
//!
//! Only names and addresses are taken. The credentials beside them stay where they are and are read again when they are
//! needed, so that a token which was renewed there is right here too.

use std::path::{Path, PathBuf};

use lapwing_core::RemoteKind;
use serde::Deserialize;

const HUGGING_FACE: &str = "https://huggingface.co";

/// One connection, and the file or variable that says so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    pub kind: RemoteKind,
    pub name: String,
    pub address: String,
    pub origin: String,
}

/// Everything found for the user whose home is `home`; `variable` reads the environment. What cannot be read is left
/// out: these are other programs' files.
#[must_use]
pub fn found(home: &Path, variable: &dyn Fn(&str) -> Option<String>) -> Vec<Found> {
    let mut all = Vec::new();
    all.extend(from_variables(variable));
    all.extend(hugging_face(home, variable));
    all.extend(ssh_hosts(&home.join(".ssh/config")));
    let kube = variable("KUBECONFIG")
        .and_then(|paths| std::env::split_paths(&paths).next())
        .unwrap_or_else(|| home.join(".kube/config"));
    all.extend(kube_contexts(&kube));
    all.extend(docker_contexts(&home.join(".docker/contexts/meta")));
    all
}

fn from_variables(variable: &dyn Fn(&str) -> Option<String>) -> Vec<Found> {
    let set = |name: &str| variable(name).filter(|value| !value.trim().is_empty());
    let mut all = Vec::new();
    let server = set("MLFLOW_TRACKING_URI").filter(|uri| uri.starts_with("http"));
    if let Some(address) = server {
        all.push(Found {
            kind: RemoteKind::Mlflow,
            name: "mlflow".to_owned(),
            address: without_user(&address),
            origin: "MLFLOW_TRACKING_URI".to_owned(),
        });
    }
    if let Some(address) = set("DOCKER_HOST").filter(|host| !host.starts_with("unix:")) {
        all.push(Found {
            kind: RemoteKind::Docker,
            name: "docker".to_owned(),
            address,
            origin: "DOCKER_HOST".to_owned(),
        });
    }
    all
}

/// The Hub, where a variable names it or its token, or `hf auth login` has left one.
fn hugging_face(home: &Path, variable: &dyn Fn(&str) -> Option<String>) -> Option<Found> {
    let set = |name: &str| variable(name).filter(|value| !value.trim().is_empty());
    let named = ["HF_TOKEN", "HF_ENDPOINT"]
        .into_iter()
        .find(|name| set(name).is_some());
    let origin = match named {
        Some(name) => name.to_owned(),
        None => {
            let token = HuggingFaceFiles::of(home, variable).token;
            token.is_file().then(|| token.display().to_string())?
        }
    };
    Some(Found {
        kind: RemoteKind::HuggingFace,
        name: "hugging-face".to_owned(),
        address: hugging_face_endpoint(variable),
        origin,
    })
}

/// The address for which `HF_TOKEN` and the token of `hf auth login` are.
#[must_use]
pub fn hugging_face_endpoint(variable: &dyn Fn(&str) -> Option<String>) -> String {
    let named = variable("HF_ENDPOINT").filter(|value| !value.trim().is_empty());
    let named = named.unwrap_or_else(|| HUGGING_FACE.to_owned());
    named.trim_end_matches('/').to_owned()
}

/// Where `huggingface_hub` keeps its files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HuggingFaceFiles {
    pub token: PathBuf,
    /// Repositories that it downloaded.
    pub cache: PathBuf,
}

impl HuggingFaceFiles {
    /// Where its variables, or their defaults, say.
    #[must_use]
    pub fn of(home: &Path, variable: &dyn Fn(&str) -> Option<String>) -> Self {
        let path = |name: &str| {
            variable(name)
                .filter(|value| !value.trim().is_empty())
                .map(PathBuf::from)
        };
        let root = path("HF_HOME").unwrap_or_else(|| {
            path("XDG_CACHE_HOME")
                .unwrap_or_else(|| home.join(".cache"))
                .join("huggingface")
        });
        Self {
            token: path("HF_TOKEN_PATH").unwrap_or_else(|| root.join("token")),
            cache: path("HF_HUB_CACHE").unwrap_or_else(|| root.join("hub")),
        }
    }
}

fn without_user(address: &str) -> String {
    match url::Url::parse(address) {
        Ok(mut url) => {
            // Only fails where there is no host, and then there is no user either.
            let _ = url.set_username("");
            let _ = url.set_password(None);
            url.to_string().trim_end_matches('/').to_owned()
        }
        Err(_) => address.to_owned(),
    }
}

/// `Host` lines without patterns. Included files are left to `ssh` itself: a host from there works by its name all the same.
fn ssh_hosts(file: &Path) -> Vec<Found> {
    let text = fs_err::read_to_string(file).unwrap_or_default();
    text.lines()
        .filter_map(|line| {
            let line = line.trim();
            let (word, rest) = line.split_once([' ', '\t', '='])?;
            word.eq_ignore_ascii_case("host").then_some(rest)
        })
        .flat_map(str::split_whitespace)
        .filter(|host| !host.contains(['*', '?', '!']))
        .map(|host| Found {
            kind: RemoteKind::Ssh,
            name: host.to_owned(),
            address: format!("ssh://{host}"),
            origin: file.display().to_string(),
        })
        .collect()
}

#[derive(Deserialize)]
struct KubeConfig {
    #[serde(default)]
    contexts: Vec<KubeContext>,
}

#[derive(Deserialize)]
struct KubeContext {
    name: String,
}

fn kube_contexts(file: &Path) -> Vec<Found> {
    let text = fs_err::read_to_string(file).unwrap_or_default();
    // A file that kubectl cannot read either offers nothing.
    let config: Option<KubeConfig> = serde_norway::from_str(&text).ok();
    config
        .map(|config| config.contexts)
        .unwrap_or_default()
        .into_iter()
        .map(|context| Found {
            kind: RemoteKind::Kubernetes,
            address: format!("kube://{}", context.name),
            name: context.name,
            origin: file.display().to_string(),
        })
        .collect()
}

#[derive(Deserialize)]
struct DockerContext {
    #[serde(rename = "Name")]
    name: String,
    #[serde(rename = "Endpoints")]
    endpoints: DockerEndpoints,
}

#[derive(Deserialize)]
struct DockerEndpoints {
    docker: Option<DockerEndpoint>,
}

#[derive(Deserialize)]
struct DockerEndpoint {
    #[serde(rename = "Host")]
    host: String,
}

fn docker_contexts(folder: &Path) -> Vec<Found> {
    let mut files: Vec<PathBuf> = match fs_err::read_dir(folder) {
        Ok(entries) => entries
            .flatten()
            .map(|entry| entry.path().join("meta.json"))
            .collect(),
        Err(_) => Vec::new(), // No contexts were ever made.
    };
    files.sort();
    files
        .into_iter()
        .filter_map(|file| {
            let text = fs_err::read_to_string(&file).ok()?; // A context in the making.
            let context: DockerContext = serde_json::from_str(&text).ok()?; // As above.
            let address = context.endpoints.docker?.host;
            (!address.starts_with("unix:")).then(|| Found {
                kind: RemoteKind::Docker,
                name: context.name,
                address,
                origin: file.display().to_string(),
            })
        })
        .collect()
}
