//! Machines elsewhere that commands run on: from a connection to what `lapwing_jobs` starts there.

use lapwing_core::{Code, RemoteKind, Report};
use lapwing_jobs::{Cluster, DockerHost, Host, SshHost};
use lapwing_remote::Client;

use super::{Connection, options};
use crate::App;
use crate::error::Reported as _;
use crate::wire::RemoteOrigin;

/// A machine, a queue, an engine or a cluster elsewhere.
#[derive(Debug, Clone)]
pub(crate) enum Machine {
    Ssh(Host),
    Slurm(Host),
    Docker(DockerHost),
    Ray(Client),
    Kubernetes(Cluster),
}

impl Connection {
    /// What runs commands at this connection.
    ///
    /// # Errors
    /// When nothing does, or the address or a setting cannot be used.
    pub fn machine(&self, app: &App) -> Result<Machine, Report> {
        match self.kind {
            RemoteKind::Ssh => Ok(Machine::Ssh(Host::Ssh(self.ssh_host()?))),
            RemoteKind::Slurm => Ok(Machine::Slurm(match self.authority() {
                "local" | "localhost" => Host::Here {
                    folder: self.option("folder"),
                },
                _ => Host::Ssh(self.ssh_host()?),
            })),
            RemoteKind::Docker => Ok(Machine::Docker(self.engine()?)),
            RemoteKind::Ray => Ok(Machine::Ray(self.client(app)?)),
            RemoteKind::Kubernetes => Ok(Machine::Kubernetes(self.cluster())),
            RemoteKind::Storage
            | RemoteKind::Git
            | RemoteKind::Mlflow
            | RemoteKind::HuggingFace
            | RemoteKind::Oci
            | RemoteKind::Airflow
            | RemoteKind::Kubeflow => Err(Report::new(
                Code::Invalid,
                "remote.runs_nothing",
                format!(
                    "nothing can be run on the {1} `{0}`",
                    self.name,
                    self.kind.title()
                ),
            )
            .hint("name an ssh host, a Docker host, or a Slurm, Kubernetes or Ray cluster; `lapwing remotes list` shows them")),
        }
    }

    /// A setting that the user gave it.
    pub fn option(&self, key: &str) -> Option<String> {
        debug_assert!(
            options::known(self.kind).contains(&key),
            "`{key}` can be set"
        );
        self.options.get(key).cloned()
    }

    /// The address without its scheme.
    fn authority(&self) -> &str {
        let address = self.address.as_str();
        let rest = address.split_once("://").map_or(address, |(_, rest)| rest);
        rest.trim_end_matches('/')
    }

    fn ssh_host(&self) -> Result<SshHost, Report> {
        let authority = self.authority();
        let (destination, port) = match authority.rsplit_once(':') {
            Some((host, port)) if !host.is_empty() && !port.is_empty() => {
                (host, Some(self.port(port)?))
            }
            _ => (authority, None),
        };
        let host = SshHost {
            port,
            identity: self.option("identity").map(Into::into),
            config: self.option("config").map(Into::into),
            folder: self.option("folder"),
            ..SshHost::new(destination)
        };
        host.check().reported()?;
        Ok(host)
    }

    fn port(&self, text: &str) -> Result<u16, Report> {
        text.parse().map_err(|_| {
            Report::new(
                Code::Invalid,
                "remote.port",
                format!("`{}` has the port `{text}`, which is none", self.name),
            )
        })
    }

    /// The context that the address names, in the file that named it or that the user has set.
    fn cluster(&self) -> Cluster {
        let context = self.authority();
        let named = match &self.origin {
            RemoteOrigin::Found { file } => Some(file.clone()),
            RemoteOrigin::Project | RemoteOrigin::Workspace => self.option("kubeconfig"),
        };
        // A supervisor may be started by a program with other variables: it is told.
        let files = named
            .map(std::ffi::OsString::from)
            .or_else(|| std::env::var_os("KUBECONFIG"))
            .unwrap_or_default();
        Cluster {
            context: (!context.is_empty()).then(|| context.to_owned()),
            kubeconfigs: std::env::split_paths(&files)
                .filter(|file| !file.as_os_str().is_empty())
                .collect(),
            namespace: self.option("namespace"),
        }
    }

    fn engine(&self) -> Result<DockerHost, Report> {
        if self.address.starts_with("ssh://") {
            return Ok(DockerHost::Ssh {
                host: self.ssh_host()?,
                socket: self.option("socket"),
            });
        }
        Ok(DockerHost::Tcp {
            url: self.address.clone(),
            ca: self.option("ca").map(Into::into),
            cert: self.option("cert").map(Into::into),
            key: self.option("key").map(Into::into),
        })
    }
}

impl Machine {
    /// Whether commands run at remotes of that kind.
    pub fn is(kind: RemoteKind) -> bool {
        matches!(
            kind,
            RemoteKind::Ssh
                | RemoteKind::Slurm
                | RemoteKind::Docker
                | RemoteKind::Ray
                | RemoteKind::Kubernetes
        )
    }

    /// Connects, and says what answers: `Linux x86_64, uv 0.9`.
    ///
    /// # Errors
    /// When it cannot be reached, or lacks what is needed there.
    pub fn greet(&self, app: &App) -> Result<String, Report> {
        match self {
            Self::Docker(engine) => {
                let version = app.block_on(engine.ping())?.reported()?;
                Ok(format!("Docker {version}"))
            }
            Self::Ray(client) => app
                .block_on(lapwing_jobs::ray::greet(client.clone()))?
                .reported(),
            Self::Kubernetes(cluster) => app.block_on(cluster.greet())?.reported(),
            Self::Ssh(host) => {
                let machine = lapwing_jobs::ssh::greet(host).reported()?;
                let uv = machine.uv.unwrap_or_else(|| "without uv".to_owned());
                Ok(format!("{} {}, {uv}", machine.system, machine.architecture))
            }
            Self::Slurm(host) => {
                let machine = lapwing_jobs::ssh::greet(host).reported()?;
                machine.slurm.ok_or_else(|| {
                    Report::new(
                        Code::Invalid,
                        "remote.no_slurm",
                        format!("there is no Slurm on {}: it has no `sbatch`", host.name()),
                    )
                    .hint("name the cluster's login node, or add it as an ssh host")
                })
            }
        }
    }
}
