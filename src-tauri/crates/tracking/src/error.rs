//! What can go wrong with runs and models, and MLflow's words for it.

use lapwing_core::{Code, Report};

pub type Result<T, E = Error> = std::result::Result<T, E>;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{0}")]
    NotFound(String),
    #[error("{0}")]
    Exists(String),
    #[error("{0}")]
    Invalid(String),
    #[error("{0}")]
    Refused(String),
    #[error("{0}")]
    Store(#[from] lapwing_store::Error),
    #[error("{0}")]
    Io(#[from] std::io::Error),
}

impl Error {
    /// Code, stable name, one sentence, and a next step where one is known.
    #[must_use]
    pub fn report(&self) -> Report {
        let text = self.to_string();
        match self {
            Self::NotFound(_) => Report::new(Code::NotFound, "tracking.not_found", text),
            Self::Exists(_) => Report::new(Code::Conflict, "tracking.exists", text),
            Self::Invalid(_) => Report::new(Code::Invalid, "tracking.invalid", text),
            Self::Refused(_) => Report::new(Code::Invalid, "tracking.refused", text),
            Self::Store(error) => error.report(),
            Self::Io(_) => Report::new(Code::Failed, "tracking.io", text),
        }
    }

    /// HTTP status and MLflow's error code.
    #[must_use]
    pub(crate) fn mlflow(&self) -> (u16, &'static str) {
        match self {
            Self::NotFound(_) => (404, "RESOURCE_DOES_NOT_EXIST"),
            Self::Exists(_) => (400, "RESOURCE_ALREADY_EXISTS"),
            Self::Invalid(_) => (400, "INVALID_PARAMETER_VALUE"),
            Self::Refused(_) => (403, "PERMISSION_DENIED"),
            Self::Store(_) | Self::Io(_) => (500, "INTERNAL_ERROR"),
        }
    }
}
