//! What can go wrong with rows.

use std::path::PathBuf;

use lapwing_core::{Code, Report};

pub type Result<T, E = Error> = std::result::Result<T, E>;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("there is no file {0}")]
    NoFile(PathBuf),
    #[error("{path} cannot be read: {reason}")]
    Unreadable { path: PathBuf, reason: String },
    #[error("{0} is no CSV, Parquet or JSON-lines file")]
    UnknownKind(PathBuf),
    #[error("{path} cannot be written: {reason}")]
    Unwritable { path: PathBuf, reason: String },
    #[error("there is no column `{0}`")]
    NoColumn(String),
    #[error("column `{column}` holds {found}, where numbers are needed")]
    NotNumbers { column: String, found: String },
    #[error("the frames have different columns: {0}")]
    Different(String),
    #[error("{0}")]
    Arrow(#[from] arrow::error::ArrowError),
}

impl Error {
    /// Code, stable name, one sentence, and a next step where one is known.
    #[must_use]
    pub fn report(&self) -> Report {
        let text = self.to_string();
        match self {
            Self::NoFile(_) => {
                Report::new(Code::NotFound, "frame.no_file", text).hint("check the path")
            }
            Self::Unreadable { .. } => Report::new(Code::Invalid, "frame.unreadable", text)
                .hint("it may be cut off, of another kind, or its text not in UTF-8: save it as UTF-8 then"),
            Self::UnknownKind(_) => Report::new(Code::Invalid, "frame.unknown_kind", text)
                .hint("name it .csv, .parquet or .jsonl"),
            Self::Unwritable { .. } => Report::new(Code::Failed, "frame.unwritable", text),
            Self::NoColumn(_) => Report::new(Code::Invalid, "frame.no_column", text)
                .hint("see the columns with `lapwing data preview FILE`"),
            Self::NotNumbers { .. } => Report::new(Code::Invalid, "frame.not_numbers", text),
            Self::Different(_) => Report::new(Code::Invalid, "frame.different", text),
            Self::Arrow(_) => Report::new(Code::Failed, "frame.arrow", text),
        }
    }
}
