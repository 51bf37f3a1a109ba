//! `gateway.json`: what a gateway should serve. Written whole by the caller, watched by the gateway.

use std::fmt::Write as _;
use std::io::Write as _;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};

use lapwing_core::{DeploymentName, RunId, Timestamp};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use specta::Type;

use crate::{DeploymentFolder, Error, Result};

/// Who may reach the endpoint, and so what is checked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, Type)]
#[serde(rename_all = "snake_case")]
pub enum Exposure {
    /// Programs on this machine.
    #[default]
    Loopback,
    /// Inside a container whose port is published on the loopback of its host.
    Container,
    /// Other machines: needs a token.
    Network,
    /// Inside a network of containers, which decides itself who may come, under names that only it knows.
    Cluster,
}

/// What answers for a revision.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Type)]
#[serde(rename_all = "snake_case")]
pub enum RuntimeKind {
    /// ONNX Runtime inside the gateway.
    Onnx,
    /// A Python process in the model's environment.
    Python,
}

impl RuntimeKind {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Onnx => "onnx",
            Self::Python => "python",
        }
    }
}

/// One immutable revision of a deployment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Type)]
pub struct RevisionConfig {
    pub number: u32,
    pub model_name: String,
    #[serde(default)]
    pub model_version: Option<u32>,
    #[serde(default)]
    pub run_id: Option<RunId>,
    pub runtime: RuntimeKind,
    /// The interpreter of the model's environment; needed by the Python runtime and by the fallback to it.
    #[serde(default)]
    pub python: Option<PathBuf>,
    pub created: Timestamp,
}

/// How much of the traffic a revision gets, relative to the other shares.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Type)]
pub struct TrafficShare {
    pub revision: u32,
    pub weight: f64,
}

/// What is kept of the answered predictions.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Type)]
pub struct LogConfig {
    /// Share of the requests whose rows are kept, 0 to 1; every request is counted in any case.
    pub sample: f64,
}

impl Default for LogConfig {
    fn default() -> Self {
        Self { sample: 1.0 }
    }
}

/// The desired state of one gateway.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Type)]
pub struct GatewayConfig {
    pub name: DeploymentName,
    /// The address to listen on; `127.0.0.1` unless something else is asked for.
    #[serde(default = "loopback")]
    pub host: String,
    /// 0 means any free port; the chosen one is in `running.json`.
    #[serde(default)]
    pub port: u16,
    #[serde(default)]
    pub exposure: Exposure,
    /// The port on the host that leads to the container's; clients use that one.
    #[serde(default)]
    pub published_port: Option<u16>,
    /// SHA-256 of the bearer token in hex ([`token_digest`]); the token itself is never written here.
    #[serde(default)]
    pub token: Option<String>,
    pub revisions: Vec<RevisionConfig>,
    pub traffic: Vec<TrafficShare>,
    #[serde(default)]
    pub log: LogConfig,
    /// Python processes for each revision that runs in Python.
    #[serde(default = "one")]
    pub workers: u32,
    /// After so many seconds a request is answered with 504.
    #[serde(default = "sixty")]
    pub timeout_seconds: u32,
}

fn loopback() -> String {
    "127.0.0.1".to_owned()
}

fn one() -> u32 {
    1
}

fn sixty() -> u32 {
    60
}

impl GatewayConfig {
    /// A gateway on loopback that serves one revision with all the traffic.
    #[must_use]
    pub fn new(name: DeploymentName, port: u16, revision: RevisionConfig) -> Self {
        Self {
            name,
            host: loopback(),
            port,
            exposure: Exposure::Loopback,
            published_port: None,
            token: None,
            traffic: vec![TrafficShare {
                revision: revision.number,
                weight: 1.0,
            }],
            revisions: vec![revision],
            log: LogConfig::default(),
            workers: one(),
            timeout_seconds: sixty(),
        }
    }

    /// The address to listen on.
    pub fn address(&self) -> Result<SocketAddr> {
        let host = if self.host == "localhost" {
            "127.0.0.1"
        } else {
            &self.host
        };
        let ip: IpAddr = host.parse().map_err(|_| Error::Config {
            why: format!("`{}` is not an IP address", self.host),
        })?;
        Ok(SocketAddr::new(ip, self.port))
    }

    /// Refuses what a gateway could not serve.
    pub fn check(&self) -> Result<()> {
        let wrong = |why: String| Err(Error::Config { why });
        let address = self.address()?;
        if self.exposure == Exposure::Loopback && !address.ip().is_loopback() {
            return wrong(format!(
                "{} is not an address of this machine alone",
                address.ip()
            ));
        }
        if self.exposure == Exposure::Network && self.token.is_none() {
            return wrong("an endpoint for other machines needs a token".to_owned());
        }
        if !self.traffic.iter().any(|share| share.weight > 0.0) {
            return wrong("no revision gets any traffic".to_owned());
        }
        for share in &self.traffic {
            if !share.weight.is_finite() || share.weight < 0.0 {
                return wrong(format!(
                    "revision {} has the weight {}",
                    share.revision, share.weight
                ));
            }
            if !self
                .revisions
                .iter()
                .any(|revision| revision.number == share.revision)
            {
                return wrong(format!(
                    "traffic goes to revision {}, which does not exist",
                    share.revision
                ));
            }
        }
        Ok(())
    }
}

/// What `gateway.json` keeps of a bearer token.
#[must_use]
pub fn token_digest(token: &str) -> String {
    let digest = Sha256::digest(token.as_bytes());
    digest.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}"); // writing to a String cannot fail
        text
    })
}

/// Writes `gateway.json`; a running gateway follows within a second.
pub fn write_config(folder: &Path, config: &GatewayConfig) -> Result<()> {
    config.check()?;
    let bytes = serde_json::to_vec_pretty(config).map_err(std::io::Error::from)?;
    write_whole(&DeploymentFolder::at(folder).config(), &bytes)
}

/// Reads `gateway.json`.
pub fn read_config(folder: &Path) -> Result<GatewayConfig> {
    let path = DeploymentFolder::at(folder).config();
    let bytes = fs_err::read(&path)?;
    serde_json::from_slice(&bytes)
        .map_err(|source| Error::unreadable(path, "a gateway's configuration", source))
}

/// The file appears under its name only when it is whole and synced; readable by its owner only.
pub(crate) fn write_whole(path: &Path, bytes: &[u8]) -> Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    fs_err::create_dir_all(folder)?;
    // NamedTempFile makes files with mode 0600.
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    file.persist(path).map_err(|failed| failed.error)?;
    if let Ok(folder) = fs_err::File::open(folder) {
        let _ = folder.sync_all(); // not every file system can sync a folder
    }
    Ok(())
}
