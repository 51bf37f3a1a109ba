//! Which Docker engine: the one here, one behind ssh, or one that listens to the network with certificates.

use std::path::{Path, PathBuf};
use std::time::Duration;

use bollard::{API_DEFAULT_VERSION, Docker};
use serde::{Deserialize, Serialize};

use crate::ssh::{SshHost, forward_socket};
use crate::{Error, Result};

const PING_LIMIT: Duration = Duration::from_secs(5);
/// Of an engine that is not here.
const FAR_LIMIT: Duration = Duration::from_secs(20);
/// Until the first byte of an answer.
const ANSWER_SECONDS: u64 = 120;

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DockerHost {
    /// The engine that `DOCKER_HOST` names, or the local one.
    #[default]
    Local,
    /// The engine of a machine that ssh reaches: its socket comes here through the connection.
    Ssh {
        host: SshHost,
        /// Without one: what `DOCKER_HOST` names there, a rootless engine's, or `/var/run/docker.sock`.
        #[serde(default)]
        socket: Option<String>,
    },
    /// `tcp://host:2376`. All three files for TLS; without them the engine has to be behind something that protects it.
    Tcp {
        url: String,
        #[serde(default)]
        ca: Option<PathBuf>,
        #[serde(default)]
        cert: Option<PathBuf>,
        #[serde(default)]
        key: Option<PathBuf>,
    },
}

impl DockerHost {
    #[must_use]
    pub fn is_local(&self) -> bool {
        matches!(self, Self::Local)
    }

    /// As people know it.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Local => "this machine",
            Self::Ssh { host, .. } => &host.destination,
            Self::Tcp { url, .. } => url,
        }
    }

    /// The engine's version, when it answers: for "test the connection".
    ///
    /// # Errors
    /// When it cannot be reached, and why.
    pub async fn ping(&self) -> Result<String> {
        let version = self.connect().await?.version().await;
        let version = version.map_err(|error| self.unreachable(&error.to_string()))?;
        Ok(version.version.unwrap_or_else(|| "unknown".to_owned()))
    }

    pub(crate) async fn connect(&self) -> Result<Docker> {
        let (docker, limit) = match self {
            Self::Local => (Docker::connect_with_defaults(), PING_LIMIT),
            Self::Ssh { host, socket } => {
                let (host, socket) = (host.clone(), socket.clone());
                // It waits for child processes.
                let local =
                    tokio::task::spawn_blocking(move || forward_socket(&host, socket.as_deref()))
                        .await
                        .map_err(|error| self.unreachable(&error.to_string()))??;
                let path = local.display().to_string();
                let docker = Docker::connect_with_unix(&path, ANSWER_SECONDS, API_DEFAULT_VERSION);
                (docker, FAR_LIMIT)
            }
            Self::Tcp { url, ca, cert, key } => (
                tcp(url, ca.as_deref(), cert.as_deref(), key.as_deref())?,
                FAR_LIMIT,
            ),
        };
        let unreachable = |error: bollard::errors::Error| self.unreachable(&reason(&error));
        let docker = docker.map_err(unreachable)?;
        match tokio::time::timeout(limit, docker.negotiate_version()).await {
            Ok(answer) => answer.map_err(unreachable),
            Err(_) => Err(self.unreachable("it does not answer")),
        }
    }

    fn unreachable(&self, why: &str) -> Error {
        match self {
            Self::Local => Error::NoDocker(why.to_owned()),
            Self::Ssh { .. } | Self::Tcp { .. } => Error::NoDockerThere {
                host: self.name().to_owned(),
                why: why.to_owned(),
            },
        }
    }
}

fn tcp(
    url: &str,
    ca: Option<&Path>,
    cert: Option<&Path>,
    key: Option<&Path>,
) -> Result<Result<Docker, bollard::errors::Error>> {
    let (ca, cert, key) = match (ca, cert, key) {
        (Some(ca), Some(cert), Some(key)) => (ca, cert, key),
        (None, None, None) => {
            return Ok(Docker::connect_with_http(
                url,
                ANSWER_SECONDS,
                API_DEFAULT_VERSION,
            ));
        }
        _ => {
            return Err(Error::NoDockerThere {
                host: url.to_owned(),
                why: "TLS needs all three: the CA's certificate, your certificate, and its key"
                    .to_owned(),
            });
        }
    };
    for file in [ca, cert, key] {
        // What is missing is named here; rustls would only say that something is.
        fs_err::File::open(file)?;
    }
    // Set once in a process; whoever was first is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Ok(Docker::connect_with_ssl(
        url,
        key,
        cert,
        ca,
        ANSWER_SECONDS,
        API_DEFAULT_VERSION,
    ))
}

/// An error with what lies below it: `client error (Connect)` alone helps nobody.
fn reason(error: &bollard::errors::Error) -> String {
    let mut text = error.to_string();
    let mut below = std::error::Error::source(error);
    while let Some(error) = below {
        let more = error.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        below = error.source();
    }
    text
}
