//! What can go wrong with the workspace's database.

use lapwing_core::{Code, Report};

pub type Result<T, E = Error> = std::result::Result<T, E>;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("cannot use the workspace folder: {0}")]
    Folder(#[from] std::io::Error),
    #[error("the workspace database failed: {0}")]
    Database(#[from] rusqlite::Error),
    #[error(
        "the workspace was written by a newer Lapwing (schema {found}, this one knows {known})"
    )]
    Newer { found: u32, known: u32 },
    #[error("the workspace database holds something that is not valid: {0}")]
    Broken(String),
    /// A whole group of writes failed together: each of its callers is told the same.
    #[error("{0}")]
    Commit(std::sync::Arc<Error>),
    #[error("the workspace's writer has ended")]
    WriterGone,
}

impl Error {
    /// One sentence and a next step.
    #[must_use]
    pub fn report(&self) -> Report {
        match self {
            Self::Folder(_) => Report::new(Code::Failed, "store.folder", self.to_string())
                .hint("check LAPWING_HOME, and who owns that folder"),
            Self::Database(error) if is_full(error) => Report::new(
                Code::Failed,
                "store.disk_full",
                "the disk is full: nothing was saved",
            )
            .hint("make room and try again; what was saved before is safe"),
            Self::Database(error) if is_disk(error) => Report::new(
                Code::Failed,
                "store.disk",
                "the disk under the workspace does not let its database be used",
            )
            .hint("it may be full: make room and try again; what was saved before is safe"),
            Self::Database(_) | Self::Broken(_) => {
                Report::new(Code::Failed, "store.database", self.to_string())
            }
            Self::Newer { .. } => {
                Report::new(Code::Failed, "store.newer", self.to_string()).hint("update Lapwing")
            }
            Self::Commit(shared) => shared.report(),
            Self::WriterGone => Report::new(Code::Internal, "store.writer", self.to_string()),
        }
    }
}

fn is_full(error: &rusqlite::Error) -> bool {
    error.sqlite_error_code() == Some(rusqlite::ErrorCode::DiskFull)
}

/// A full disk often shows first in the small file that SQLite's readers share, as a failure of the disk.
fn is_disk(error: &rusqlite::Error) -> bool {
    use rusqlite::ErrorCode::{CannotOpen, SystemIoFailure};
    matches!(
        error.sqlite_error_code(),
        Some(SystemIoFailure | CannotOpen)
    )
}
