//! What can go wrong with somebody else's server.

use lapwing_core::{Code, Report};

pub type Result<T, E = Error> = std::result::Result<T, E>;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("storage of the kind {scheme} is not supported yet")]
    UnsupportedStorage { scheme: String },
    #[error("{0}")]
    Io(#[from] std::io::Error),
    #[error("{url} cannot be reached: {source}")]
    Unreachable { url: String, source: reqwest::Error },
    #[error("{url} answered {status}")]
    Refused { url: String, status: u16 },
}

impl Error {
    /// Code, stable name, one sentence, and a next step where one is known.
    #[must_use]
    pub fn report(&self) -> Report {
        match self {
            Self::UnsupportedStorage { .. } => {
                Report::new(Code::Missing, "remote.unsupported", self.to_string())
            }
            Self::Io(_) => Report::new(Code::Failed, "remote.io", self.to_string()),
            Self::Unreachable { .. } => {
                Report::new(Code::Missing, "remote.unreachable", self.to_string())
                    .hint("check the address and the network")
            }
            Self::Refused { .. } => Report::new(Code::Failed, "remote.refused", self.to_string()),
        }
    }
}
