//! What can go wrong with running something.

use std::path::PathBuf;

use lapwing_core::{Code, Report};

pub type Result<T, E = Error> = std::result::Result<T, E>;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("there is no job {0}")]
    Unknown(String),
    #[error("{path} cannot be understood: {reason}")]
    Broken { path: PathBuf, reason: String },
    #[error("the supervisor of this job did not start: {0}")]
    NoSupervisor(String),
    #[error("the job did not end within {0} seconds after it was told to")]
    Stubborn(u64),
    #[error("Docker is not reachable: {0}")]
    NoDocker(String),
    #[error("Docker on {host} is not reachable: {why}")]
    NoDockerThere { host: String, why: String },
    #[error("Docker: {0}")]
    Docker(#[from] bollard::errors::Error),
    #[error("there is no Docker image `{0}`")]
    NoImage(String),
    #[error("the image cannot be built: {0}")]
    Build(String),
    #[error("the image {image} cannot be pushed: {why}")]
    Push { image: String, why: String },
    #[error("`uv` is not on this machine")]
    NoUv,
    #[error("there is no Python on this machine")]
    NoPython,
    #[error("the Python environment cannot be made: {0}")]
    Environment(String),
    #[error("it was cancelled")]
    Cancelled,
    #[error("there is no `ssh` on this machine")]
    NoSsh,
    #[error("{host} cannot be used: {reason}")]
    BadHost { host: String, reason: String },
    #[error("the folder {0} of the ssh connections can be entered by others")]
    Sockets(PathBuf),
    #[error("there is no host {host}")]
    NoSuchHost { host: String },
    #[error("{host} does not accept your key")]
    Refused { host: String, by_hand: String },
    #[error("{host} has never been connected to: its host key is not known here")]
    HostKeyUnknown { host: String, by_hand: String },
    #[error("the host key of {host} has changed since the last connection")]
    HostKeyChanged { host: String, line: Option<String> },
    #[error("the connection to {host} failed: {why}")]
    Cut {
        host: String,
        why: String,
        /// What a person types to see the same; nothing where `ssh` is not the way.
        by_hand: Option<String>,
    },
    #[error("{0} lost Lapwing's script")]
    NoAgent(String),
    #[error("`uv` is not on {host}, and this machine's cannot run there")]
    NoUvThere { host: String },
    #[error("`{script}` imports {names}, which the environment on {host} does not have")]
    Imports {
        host: String,
        script: String,
        names: String,
    },
    #[error("there is no Slurm on {0}")]
    NoSlurm(String),
    #[error("Slurm on {host}: {said}")]
    Slurm { host: String, said: String },
    #[error("the disk of {host} is full")]
    FullThere { host: String },
    #[error(
        "{path} did not arrive whole on the way to or from {host}: it may have been changed meanwhile"
    )]
    Damaged { host: String, path: String },
    #[error("{host}: {said}")]
    There { host: String, said: String },
    #[error("there is no context `{context}` in the kubeconfig")]
    NoContext { context: String, known: String },
    #[error("the kubeconfig cannot be used: {why}")]
    Kubeconfig { why: String },
    #[error("the Kubernetes cluster {cluster} is not reachable: {why}")]
    ClusterUnreachable { cluster: String, why: String },
    #[error("the connection to the Kubernetes cluster {cluster} is not safe: {why}")]
    ClusterTls { cluster: String, why: String },
    #[error("the Kubernetes cluster {cluster} does not accept your credentials (401)")]
    ClusterRefuses { cluster: String },
    #[error("on the Kubernetes cluster {cluster} you may not {what} (403)")]
    ClusterForbids { cluster: String, what: String },
    #[error("nobody is signed in to the Kubernetes cluster {cluster}: {why}")]
    ClusterSignIn { cluster: String, why: String },
    #[error("the Kubernetes cluster {cluster}: {said}")]
    Cluster { cluster: String, said: String },
    #[error(
        "the Kubernetes cluster {cluster} does not have Kubeflow Trainer (no TrainJob in trainer.kubeflow.org/v1alpha1)"
    )]
    NoTrainer { cluster: String },
    #[error("the Kubernetes cluster {cluster} has no {runtime}")]
    NoRuntime {
        cluster: String,
        runtime: String,
        known: String,
    },
    #[error("the {runtime} {why}, and its nodes cannot each be given the command")]
    UnfitRuntime { runtime: String, why: &'static str },
    #[error("the job's pod on {cluster} does not run any more")]
    NoPod { cluster: String },
    #[error("the path `{0}` cannot travel to another machine")]
    BadPath(String),
    #[error("the cluster does not take a package of {size} ({said}); the largest files: {largest}")]
    PackageTooLarge {
        size: String,
        said: String,
        largest: String,
    },
    #[error("{0}")]
    Remote(#[from] lapwing_remote::Error),
    #[error("{0}")]
    Io(#[from] std::io::Error),
}

impl Error {
    /// Code, stable name, one sentence, and a next step where one is known.
    #[must_use]
    pub fn report(&self) -> Report {
        let text = self.to_string();
        match self {
            Self::Unknown(_) => {
                Report::new(Code::NotFound, "job.unknown", text).hint("see `lapwing jobs list`")
            }
            Self::Broken { .. } => Report::new(Code::Failed, "job.broken", text),
            Self::NoSupervisor(_) => Report::new(Code::Failed, "job.no_supervisor", text),
            Self::Stubborn(_) => Report::new(Code::Failed, "job.stubborn", text),
            Self::NoDocker(_) => Report::new(Code::Missing, "docker.unreachable", text)
                .hint("start Docker, or run it here without `--in docker`"),
            Self::NoDockerThere { .. } => {
                Report::new(Code::Missing, "docker.unreachable_there", text)
            }
            Self::Docker(_) => Report::new(Code::Failed, "docker.failed", text),
            Self::NoImage(_) => Report::new(Code::Missing, "docker.no_image", text)
                .hint("pull or import it, or name another one under [docker] in lapwing.toml"),
            Self::Build(_) => Report::new(Code::Failed, "docker.build", text),
            Self::Push { .. } => Report::new(Code::Failed, "docker.push", text)
                .hint("`lapwing remotes test NAME` says whether the registry lets you in"),
            Self::NoUv => Report::new(Code::Missing, "environment.no_uv", text)
                .hint("install it with `pip install uv`, or set LAPWING_UV to its path"),
            Self::NoPython => Report::new(Code::Missing, "environment.no_python", text)
                .hint("install Python 3.9 or newer"),
            Self::Environment(_) => Report::new(Code::Failed, "environment.failed", text)
                .hint("correct the requirement that is named, and run again"),
            Self::Cancelled => Report::new(Code::Failed, "job.cancelled", text),
            Self::NoSsh => {
                Report::new(Code::Missing, "ssh.none", text).hint("install an OpenSSH client")
            }
            Self::BadHost { .. } => Report::new(Code::Invalid, "ssh.bad_host", text),
            Self::Sockets(folder) => Report::new(Code::Failed, "ssh.sockets", text)
                .hint(format!("remove {}", folder.display())),
            Self::NoSuchHost { .. } => Report::new(Code::Missing, "ssh.no_such_host", text)
                .hint("check its spelling, and ~/.ssh/config"),
            Self::Refused { by_hand, .. } => {
                Report::new(Code::Missing, "ssh.refused", text).hint(format!(
                    "try `{by_hand}`: it must let you in; a key with a passphrase needs ssh-agent"
                ))
            }
            Self::HostKeyUnknown { by_hand, .. } => {
                Report::new(Code::Missing, "ssh.host_key_unknown", text).hint(format!(
                    "run `{by_hand}` once, and compare the fingerprint that it shows"
                ))
            }
            Self::HostKeyChanged { line, .. } => {
                let place = line.as_deref().unwrap_or("~/.ssh/known_hosts");
                Report::new(Code::Missing, "ssh.host_key_changed", text).hint(format!(
                    "somebody may be listening in; ask its administrator, and if the change is meant, remove the old key ({place})"
                ))
            }
            Self::Cut { by_hand, .. } => {
                let report = Report::new(Code::Missing, "ssh.cut", text);
                match by_hand {
                    Some(by_hand) => report.hint(format!("see whether `{by_hand}` works")),
                    None => report,
                }
            }
            Self::NoAgent(_) => Report::new(Code::Failed, "ssh.no_agent", text).hint("try again"),
            Self::NoUvThere { host } => Report::new(Code::Missing, "ssh.no_uv", text).hint(format!(
                "install it on {host}: `pip install --user uv`, or from https://docs.astral.sh/uv"
            )),
            Self::Imports { .. } => Report::new(Code::Failed, "environment.imports", text)
                .hint("add the packages to the requirements file"),
            Self::NoSlurm(_) => Report::new(Code::Missing, "slurm.none", text)
                .hint("name a login node that has `sbatch`"),
            Self::Slurm { .. } => Report::new(Code::Failed, "slurm.refused", text),
            Self::FullThere { .. } => Report::new(Code::Failed, "ssh.disk_full", text)
                .hint("make room there, or give the host another folder"),
            Self::Damaged { .. } => {
                Report::new(Code::Failed, "ssh.damaged", text).hint("try again")
            }
            Self::There { .. } => Report::new(Code::Failed, "ssh.failed", text),
            Self::NoContext { known, .. } => {
                let hint = if known.is_empty() {
                    "it has none: your cluster's provider makes them".to_owned()
                } else {
                    format!("there are: {known}")
                };
                Report::new(Code::Missing, "kubernetes.no_context", text).hint(hint)
            }
            Self::Kubeconfig { .. } => Report::new(Code::Invalid, "kubernetes.config", text)
                .hint("see whether `kubectl config view` works"),
            Self::ClusterUnreachable { .. } => {
                Report::new(Code::Missing, "kubernetes.unreachable", text)
                    .hint("see whether `kubectl get jobs` works, and whether a VPN is needed")
            }
            Self::ClusterTls { .. } => Report::new(Code::Missing, "kubernetes.tls", text)
                .hint("fetch the kubeconfig anew: the cluster may have been set up again"),
            Self::ClusterRefuses { .. } => Report::new(Code::Missing, "kubernetes.refused", text)
                .hint("sign in again with your cluster's own tool, or fetch the kubeconfig anew"),
            Self::ClusterForbids { .. } => Report::new(Code::Missing, "kubernetes.forbidden", text)
                .hint("ask its administrator for a role that may, or name another namespace with `-o namespace=NAME`"),
            Self::ClusterSignIn { .. } => Report::new(Code::Missing, "kubernetes.sign_in", text)
                .hint("install the program that its kubeconfig names, and sign in with it"),
            Self::Cluster { .. } => Report::new(Code::Failed, "kubernetes.refused_job", text),
            Self::NoTrainer { .. } => Report::new(Code::Missing, "kubernetes.no_trainer", text)
                .hint("ask its administrator to install Kubeflow Trainer, or leave `trainer` out: then it runs as a plain Job"),
            Self::NoRuntime { known, .. } => {
                let hint = if known.is_empty() {
                    "there is none: Kubeflow Trainer's own are installed separately".to_owned()
                } else {
                    format!("there are: {known}")
                };
                Report::new(Code::Missing, "kubernetes.no_runtime", text).hint(hint)
            }
            Self::UnfitRuntime { .. } => Report::new(Code::Invalid, "kubernetes.unfit_runtime", text)
                .hint("name one that runs the same command on every node: `torch-distributed`"),
            Self::NoPod { .. } => Report::new(Code::Failed, "kubernetes.no_pod", text),
            Self::BadPath(_) => Report::new(Code::Invalid, "ssh.bad_path", text)
                .hint("rename it: no line break, and nothing outside of the project"),
            Self::PackageTooLarge { .. } => Report::new(Code::Invalid, "ray.too_large", text)
                .hint("leave them out of the stage's deps and let it read them from shared storage, or ignore them with git"),
            Self::Remote(error) => error.report(),
            Self::Io(error) if error.kind() == std::io::ErrorKind::StorageFull => {
                Report::new(Code::Failed, "job.disk_full", text).hint("make room and try again")
            }
            Self::Io(_) => Report::new(Code::Failed, "job.io", text),
        }
    }
}
