//! From a kubeconfig to a connection: everything that `kubectl` signs in with works (certificates, tokens, programs, OIDC,
//! proxies), because the client reads the same file.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Mutex;
use std::time::Duration;

use k8s_openapi::api::authorization::v1::{
    ResourceAttributes, SelfSubjectAccessReview, SelfSubjectAccessReviewSpec,
};
use kube::api::PostParams;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Api, Client, Config};
use serde::{Deserialize, Serialize};

use super::failure;
use crate::{Error, Result};

/// Of an API server that does not answer at all.
const CONNECT_LIMIT: Duration = Duration::from_secs(15);
/// Of one that took the question.
const ANSWER_LIMIT: Duration = Duration::from_secs(30);
/// A connection without a byte for so long is dead: who follows a command hears of it more often.
const SILENCE_LIMIT: Duration = Duration::from_secs(295);
/// What a job needs to be allowed to: verb, group, resource, subresource.
const NEEDED: [(&str, &str, &str, &str); 8] = [
    ("create", "batch", "jobs", ""),
    ("get", "batch", "jobs", ""),
    ("delete", "batch", "jobs", ""),
    ("list", "", "pods", ""),
    ("get", "", "pods", ""),
    ("create", "", "pods", "exec"),
    ("get", "", "pods", "log"),
    ("list", "", "events", ""),
];

/// A cluster and a namespace of it, as the user's kubeconfig knows them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Cluster {
    /// Without one the current context.
    #[serde(default)]
    pub context: Option<String>,
    /// Read instead of what `KUBECONFIG` names or `~/.kube/config`; several are put together.
    #[serde(default)]
    pub kubeconfigs: Vec<PathBuf>,
    /// Without one that of the context.
    #[serde(default)]
    pub namespace: Option<String>,
}

/// A connection, and the namespace that it works in.
#[derive(Clone)]
pub(super) struct Connected {
    pub client: Client,
    pub namespace: String,
}

static OPEN: Mutex<Option<HashMap<Cluster, Connected>>> = Mutex::new(None);

impl Cluster {
    /// As people know it.
    #[must_use]
    pub fn name(&self) -> &str {
        self.context.as_deref().unwrap_or("the cluster")
    }

    /// The server's version, the namespace, and that everything that a job needs is allowed.
    ///
    /// # Errors
    /// When it cannot be reached or does not let us in, and why; or what is not allowed.
    pub async fn greet(&self) -> Result<String> {
        let connected = self.connect().await?;
        let version = bounded(self, connected.client.apiserver_version()).await?;
        let namespace = &connected.namespace;
        for (verb, group, resource, subresource) in NEEDED {
            if !self
                .may(&connected, verb, group, resource, subresource)
                .await?
            {
                return Err(Error::ClusterForbids {
                    cluster: self.name().to_owned(),
                    what: format!(
                        "{verb} {resource}{}{subresource} in the namespace `{namespace}`",
                        if subresource.is_empty() { "" } else { "/" }
                    ),
                });
            }
        }
        Ok(format!(
            "Kubernetes {}, namespace {namespace}",
            version.git_version
        ))
    }

    pub(super) async fn may(
        &self,
        connected: &Connected,
        verb: &str,
        group: &str,
        resource: &str,
        subresource: &str,
    ) -> Result<bool> {
        let text = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        let review = SelfSubjectAccessReview {
            spec: SelfSubjectAccessReviewSpec {
                resource_attributes: Some(ResourceAttributes {
                    namespace: Some(connected.namespace.clone()),
                    verb: text(verb),
                    group: text(group),
                    resource: text(resource),
                    subresource: text(subresource),
                    ..ResourceAttributes::default()
                }),
                non_resource_attributes: None,
            },
            ..SelfSubjectAccessReview::default()
        };
        let reviews: Api<SelfSubjectAccessReview> = Api::all(connected.client.clone());
        let answer = bounded(self, reviews.create(&PostParams::default(), &review)).await?;
        // A server without an answer is asked by doing it.
        Ok(answer.status.is_none_or(|status| status.allowed))
    }

    /// A new connection.
    async fn connect(&self) -> Result<Connected> {
        // Set once in a process; whoever was first is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let options = KubeConfigOptions {
            context: self.context.clone(),
            ..KubeConfigOptions::default()
        };
        let kubeconfig = self.kubeconfig()?;
        let mut known: Vec<String> = kubeconfig
            .contexts
            .iter()
            .map(|context| context.name.clone())
            .collect();
        known.sort();
        let mut config = Config::from_custom_kubeconfig(kubeconfig, &options)
            .await
            .map_err(|error| failure::of_kubeconfig(self, &error, &known))?;
        config.connect_timeout = Some(CONNECT_LIMIT);
        config.read_timeout = Some(SILENCE_LIMIT);
        config.reset_reader_on_write = true;
        // Whoever waits for something here tries again by himself, and says so.
        config.default_retry = false;
        let namespace = self
            .namespace
            .clone()
            .unwrap_or_else(|| config.default_namespace.clone());
        // It may run a program that signs in.
        let client = tokio::task::spawn_blocking(move || Client::try_from(config))
            .await
            .map_err(|error| failure::unreachable(self, &error.to_string()))?
            .map_err(|error| failure::of(self, &error))?;
        Ok(Connected { client, namespace })
    }

    fn kubeconfig(&self) -> Result<Kubeconfig> {
        let read = match self.kubeconfigs.as_slice() {
            [] => Kubeconfig::read(),
            files => files.iter().try_fold(Kubeconfig::default(), |all, file| {
                Kubeconfig::read_from(file).and_then(|next| all.merge(next))
            }),
        };
        read.map_err(|error| failure::of_kubeconfig(self, &error, &[]))
    }

    /// The connection that this process has, or a new one: a program that signs in takes its time.
    pub(super) async fn connected(&self) -> Result<Connected> {
        let known = OPEN
            .lock()
            .ok()
            .and_then(|open| open.as_ref()?.get(self).cloned());
        if let Some(connected) = known {
            return Ok(connected);
        }
        let connected = self.connect().await?;
        if let Ok(mut open) = OPEN.lock() {
            open.get_or_insert_default()
                .insert(self.clone(), connected.clone());
        }
        Ok(connected)
    }

    /// What was signed in with may be out of date: the next one reads it again.
    pub(super) fn forget(&self) {
        if let Ok(mut open) = OPEN.lock() {
            open.get_or_insert_default().remove(self);
        }
    }
}

/// The answer to one question, or why there is none.
pub(super) async fn bounded<T>(
    cluster: &Cluster,
    question: impl Future<Output = Result<T, kube::Error>>,
) -> Result<T> {
    match tokio::time::timeout(ANSWER_LIMIT, question).await {
        Ok(answer) => answer.map_err(|error| failure::of(cluster, &error)),
        Err(_) => Err(failure::unreachable(cluster, "it does not answer")),
    }
}
