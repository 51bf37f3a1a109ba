//! What can go wrong with a project or its data.

use std::path::PathBuf;

use lapwing_core::{Code, Report};

pub type Result<T, E = Error> = std::result::Result<T, E>;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("there is no folder {0}")]
    NoFolder(PathBuf),
    #[error("there is no file or folder {0}")]
    NoFile(PathBuf),
    #[error("{0} is in no git repository")]
    NotRepository(PathBuf),
    #[error("the repository {0} has no DVC layout")]
    NotDvc(PathBuf),
    #[error("{0} cannot be tracked as data: it is the project itself, or DVC's own folder")]
    NotData(PathBuf),
    #[error("{path} lies outside the project {root}")]
    Outside { path: PathBuf, root: PathBuf },
    #[error("{0} is tracked by git already")]
    TrackedByGit(String),
    #[error("{path} overlaps with {other}, which is tracked already")]
    Overlaps { path: String, other: String },
    #[error("{path} is not a valid DVC file: {reason}")]
    BadDvcFile { path: String, reason: String },
    #[error("the directory listing {0} in the cache is damaged")]
    BadListing(String),
    #[error("the content {id} of {path} is not in the cache")]
    NotInCache { path: String, id: String },
    #[error("{0} was changed and its content is nowhere else")]
    WouldLose(String),
    #[error("there is no remote `{0}` in .dvc/config")]
    NoRemote(String),
    #[error("{0}")]
    BadRemote(String),
    #[error("no remote is set")]
    NoDefaultRemote,
    #[error("remotes of the kind {0} are not supported yet")]
    UnsupportedRemote(String),
    #[error("{what} on the remote has other content than its name says")]
    Corrupt { what: String },
    #[error("`{0}` is not tracked")]
    NotTracked(String),
    #[error("{0} has no version with that name")]
    NoRevision(String),
    #[error("another program works on this project's data (lock {0})")]
    Locked(PathBuf),
    #[error("the folder {0} is not empty")]
    NotEmpty(PathBuf),
    #[error("cannot clone {url}: {reason}")]
    Clone { url: String, reason: String },
    #[error("there are more than {0} files to send")]
    TooManyFiles(usize),
    #[error("git: {0}")]
    Git(#[from] git2::Error),
    #[error("{0}")]
    Io(#[from] std::io::Error),
}

impl Error {
    /// Code, stable name, one sentence, and a next step where one is known.
    #[must_use]
    pub fn report(&self) -> Report {
        let (code, name, hint) = self.place();
        let report = Report::new(code, name, self.to_string());
        if hint.is_empty() {
            report
        } else {
            report.hint(hint)
        }
    }

    fn place(&self) -> (Code, &'static str, &'static str) {
        match self {
            Self::NoFolder(_) => (Code::NotFound, "project.no_folder", "check the path"),
            Self::NoFile(_) => (Code::NotFound, "data.no_file", "check the path"),
            Self::TooManyFiles(_) => (
                Code::Invalid,
                "upload.too_many",
                "add data folders to .gitignore, or track them with `lapwing data add`",
            ),
            Self::NotRepository(_) => (
                Code::NotFound,
                "project.not_repository",
                "make the folder a project with `lapwing init`",
            ),
            Self::NotDvc(_) => (
                Code::NotFound,
                "project.not_dvc",
                "add the layout with `lapwing init`",
            ),
            Self::NotData(_) => (
                Code::Invalid,
                "data.not_data",
                "name the files or folders in it that are data",
            ),
            Self::Outside { .. } => (
                Code::Invalid,
                "data.outside",
                "copy it into the project first",
            ),
            Self::TrackedByGit(_) => (
                Code::Conflict,
                "data.tracked_by_git",
                "take it out of git first: `git rm -r --cached PATH`",
            ),
            Self::Overlaps { .. } => (Code::Conflict, "data.overlaps", "add the outer path alone"),
            Self::BadDvcFile { .. } => (
                Code::Invalid,
                "data.bad_dvc_file",
                "correct the file, or restore it from git",
            ),
            Self::BadListing(_) => (
                Code::Failed,
                "data.bad_listing",
                "fetch it again with `lapwing data pull`",
            ),
            Self::NotInCache { .. } => (
                Code::Failed,
                "data.not_in_cache",
                "fetch it with `lapwing data pull`",
            ),
            Self::WouldLose(_) => (
                Code::Conflict,
                "data.would_lose",
                "keep it with `lapwing data add`, or overwrite it with --force",
            ),
            Self::NoRemote(_) => (
                Code::NotFound,
                "data.no_remote",
                "see `lapwing remotes list`",
            ),
            Self::BadRemote(_) => (
                Code::Invalid,
                "data.bad_remote",
                "a name has no quotes, brackets or line ends, and an address is one line",
            ),
            Self::NoDefaultRemote => (
                Code::Invalid,
                "data.no_default_remote",
                "add one: `lapwing remotes add NAME /path/to/folder --default`",
            ),
            Self::UnsupportedRemote(_) => (
                Code::Missing,
                "data.remote_unsupported",
                "a folder works today; for other kinds use `dvc push`, the files are the same",
            ),
            Self::Corrupt { .. } => (
                Code::Failed,
                "data.corrupt",
                "nothing was taken over; push it again from a good copy",
            ),
            Self::NotTracked(_) => (
                Code::NotFound,
                "data.not_tracked",
                "see `lapwing data status`",
            ),
            Self::NoRevision(_) => (
                Code::NotFound,
                "data.no_revision",
                "name a commit, branch or tag",
            ),
            Self::Locked(_) => (
                Code::Conflict,
                "data.locked",
                "wait until it is done, then try again",
            ),
            Self::NotEmpty(_) => (
                Code::Conflict,
                "project.not_empty",
                "name a folder that does not exist yet",
            ),
            Self::Clone { .. } => (
                Code::Missing,
                "project.clone",
                "check the address and your credentials",
            ),
            Self::Git(_) => (Code::Failed, "project.git", ""),
            Self::Io(error) if error.kind() == std::io::ErrorKind::StorageFull => (
                Code::Failed,
                "data.disk_full",
                "make room and try again; nothing was changed",
            ),
            Self::Io(_) => (Code::Failed, "data.io", ""),
        }
    }
}
