//! What can go wrong with an endpoint, and how a person is told.

use std::path::PathBuf;

use lapwing_core::{Code, Report};

pub type Result<T, E = Error> = std::result::Result<T, E>;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Io(#[from] std::io::Error),
    #[error("{path} is not a model folder: it has no file `MLmodel`")]
    NoModel { path: PathBuf },
    #[error("{path} cannot be read as {what}")]
    Unreadable {
        path: PathBuf,
        what: &'static str,
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    #[error("the deployment's configuration does not hold together: {why}")]
    Config { why: String },
    #[error("another gateway already serves {folder}")]
    AlreadyRunning { folder: PathBuf },
    #[error("the address {address} cannot be listened on")]
    Bind {
        address: String,
        #[source]
        source: std::io::Error,
    },
    #[error("revision {revision} cannot be loaded: {why}")]
    Load { revision: u32, why: String },
    #[error("the gateway did not end within {seconds} seconds")]
    StillRunning { seconds: u64 },
    #[error("the endpoint {} does not run", folder.file_name().unwrap_or_default().display())]
    NotRunning { folder: PathBuf },
    #[error("ONNX Runtime was not found")]
    NoOnnxRuntime,
    #[error("ONNX Runtime failed: {why}")]
    Onnx { why: String },
    #[error("the Python of the model's environment could not be started: {program}")]
    Python {
        program: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("the conversion to ONNX did not end properly: {why}")]
    Conversion { why: String },
    #[error("the endpoint at {url} does not answer")]
    Unreachable {
        url: String,
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    #[error("the endpoint answered {status}: {message}")]
    Refused { status: u16, message: String },
    #[error("the prediction log cannot be read or written")]
    Log(#[from] arrow::error::ArrowError),
    #[error("the prediction log cannot be read or written")]
    Parquet(#[from] parquet::errors::ParquetError),
}

impl Error {
    pub(crate) fn unreadable(
        path: impl Into<PathBuf>,
        what: &'static str,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        Self::Unreadable {
            path: path.into(),
            what,
            source: source.into(),
        }
    }

    /// Code, stable name, one sentence, and a next step where one is known.
    #[must_use]
    pub fn report(&self) -> Report {
        let (code, name, hint) = self.words();
        let report = Report::new(code, name, self.sentence());
        match hint {
            Some(hint) => report.hint(hint),
            None => report,
        }
    }

    /// The error with its causes: one sentence.
    fn sentence(&self) -> String {
        let mut text = self.to_string();
        let mut source = std::error::Error::source(self);
        while let Some(cause) = source {
            let cause_text = cause.to_string();
            if !text.contains(&cause_text) {
                text.push_str(": ");
                text.push_str(&cause_text);
            }
            source = cause.source();
        }
        text
    }

    fn words(&self) -> (Code, &'static str, Option<&'static str>) {
        match self {
            Self::Io(_) => (Code::Failed, "serving.io", None),
            Self::NoModel { .. } => (
                Code::NotFound,
                "serving.no_model",
                Some("name a folder made by `mlflow.<flavor>.log_model` or `save_model`"),
            ),
            Self::Unreadable { .. } => (Code::Invalid, "serving.unreadable", None),
            Self::Config { .. } => (Code::Invalid, "serving.config", None),
            Self::AlreadyRunning { .. } => (Code::Conflict, "serving.already_running", None),
            Self::Bind { .. } => (
                Code::Conflict,
                "serving.port_taken",
                Some("choose another port with --port, or leave it out to get a free one"),
            ),
            Self::Load { .. } => (
                Code::Failed,
                "serving.load",
                Some("the deployment's log has the details: `lapwing deployments logs NAME`"),
            ),
            Self::StillRunning { .. } => (Code::Failed, "serving.still_running", None),
            Self::NotRunning { .. } => (
                Code::Conflict,
                "serving.not_running",
                Some("start it in the window, or with `lapwing deployments start NAME`"),
            ),
            Self::NoOnnxRuntime => (
                Code::Missing,
                "serving.no_onnxruntime",
                Some(
                    "set LAPWING_ONNXRUNTIME to libonnxruntime.so, or serve with the Python runtime",
                ),
            ),
            Self::Onnx { .. } => (Code::Failed, "serving.onnx", None),
            Self::Python { .. } => (
                Code::Missing,
                "serving.python",
                Some("deploy again to make the model's environment anew"),
            ),
            Self::Conversion { .. } => (Code::Failed, "serving.conversion", None),
            Self::Unreachable { .. } => (
                Code::Failed,
                "serving.unreachable",
                Some("see whether it runs: `lapwing deployments list`"),
            ),
            Self::Refused { .. } => (Code::Failed, "serving.refused", None),
            Self::Log(_) | Self::Parquet(_) => (Code::Failed, "serving.log", None),
        }
    }
}
