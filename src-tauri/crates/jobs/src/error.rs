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
    #[error("Docker: {0}")]
    Docker(#[from] bollard::errors::Error),
    #[error("there is no Docker image `{0}`")]
    NoImage(String),
    #[error("the image cannot be built: {0}")]
    Build(String),
    #[error("`uv` is not on this machine")]
    NoUv,
    #[error("there is no Python on this machine")]
    NoPython,
    #[error("the Python environment cannot be made: {0}")]
    Environment(String),
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
            Self::Docker(_) => Report::new(Code::Failed, "docker.failed", text),
            Self::NoImage(_) => Report::new(Code::Missing, "docker.no_image", text)
                .hint("pull or import it, or name another one under [docker] in lapwing.toml"),
            Self::Build(_) => Report::new(Code::Failed, "docker.build", text),
            Self::NoUv => Report::new(Code::Missing, "environment.no_uv", text)
                .hint("install it with `pip install uv`, or set LAPWING_UV to its path"),
            Self::NoPython => Report::new(Code::Missing, "environment.no_python", text)
                .hint("install Python 3.9 or newer"),
            Self::Environment(_) => Report::new(Code::Failed, "environment.failed", text)
                .hint("correct the requirement that is named, and run again"),
            Self::Io(error) if error.kind() == std::io::ErrorKind::StorageFull => {
                Report::new(Code::Failed, "job.disk_full", text).hint("make room and try again")
            }
            Self::Io(_) => Report::new(Code::Failed, "job.io", text),
        }
    }
}
