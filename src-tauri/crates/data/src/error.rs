//! What can go wrong with a project or its data.

use std::path::PathBuf;

use lapwing_core::{Code, Report};

use crate::git_ssh;

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
    #[error("`{0}` is a secret, and .dvc/config is shared")]
    SecretSetting(String),
    #[error(transparent)]
    Remote(#[from] lapwing_remote::Error),
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
    #[error("the repository has no git remote `{0}`")]
    NoGitRemote(String),
    #[error("the repository has no git remote")]
    NoGitRemotes,
    #[error("there are several git remotes: {0}")]
    ManyGitRemotes(String),
    #[error("no branch is checked out")]
    NoBranch,
    #[error("there is no commit yet")]
    NoCommit,
    #[error("`{remote}` has no branch {branch}")]
    NoUpstream { remote: String, branch: String },
    #[error(
        "{branch} and {upstream} went apart: {ahead} commits are only here, {behind} only there"
    )]
    Diverged {
        branch: String,
        upstream: String,
        ahead: usize,
        behind: usize,
    },
    #[error("{upstream} has commits that are not here")]
    Behind { upstream: String },
    #[error("{branch} was changed by another program meanwhile")]
    Moved { branch: String },
    #[error("{files} changed here and would be overwritten")]
    InTheWay { files: String },
    #[error("{upstream} does not take these commits: {why}")]
    Rejected { upstream: String, why: String },
    #[error("{url} does not let you in")]
    GitLogin { url: String },
    #[error("{url} has never been connected to: its host key is not known here")]
    GitHostKeyUnknown { url: String },
    #[error("the host key of {url} has changed since the last connection")]
    GitHostKeyChanged { url: String },
    #[error("no safe connection to {url} can be made: {why}")]
    GitCertificate { url: String, why: String },
    #[error("the git repository {url} cannot be reached: {why}")]
    Unreached { url: String, why: String },
    #[error("the exchange of commits was stopped")]
    GitStopped,
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
        if let Self::Remote(error) = self {
            return error.report();
        }
        let (code, name, hint) = self.place();
        let report = Report::new(code, name, self.to_string());
        if let Self::GitHostKeyUnknown { url } = self {
            let by_hand = git_ssh::by_hand(url);
            return report.hint(format!(
                "run `{by_hand}` once, and compare the fingerprint that it shows"
            ));
        }
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
            Self::SecretSetting(_) => (
                Code::Invalid,
                "data.secret_setting",
                "keep it with `lapwing remotes login`, or with `dvc remote modify --local`",
            ),
            // Told by the remote itself.
            Self::Remote(_) => (Code::Failed, "data.remote", ""),
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
            Self::NoGitRemote(_) => (Code::NotFound, "git.no_remote", "see `git remote -v`"),
            Self::NoGitRemotes => (
                Code::NotFound,
                "git.no_remotes",
                "add one: `git remote add origin ADDRESS`",
            ),
            Self::ManyGitRemotes(_) => {
                (Code::Invalid, "git.many_remotes", "name one with --remote")
            }
            Self::NoBranch => (
                Code::Conflict,
                "git.no_branch",
                "check one out: `git switch BRANCH`",
            ),
            Self::NoCommit => (
                Code::Conflict,
                "git.no_commit",
                "commit first: `git commit`, or `lapwing data add PATH -m MESSAGE`",
            ),
            Self::NoUpstream { .. } => (
                Code::NotFound,
                "git.no_upstream",
                "send it there with `lapwing projects push`",
            ),
            Self::Diverged { .. } => (
                Code::Conflict,
                "git.diverged",
                "nothing was changed; bring them together with `git rebase` or `git merge` and the name of the branch there",
            ),
            Self::Behind { .. } => (
                Code::Conflict,
                "git.behind",
                "nothing was sent; fetch them first: `lapwing projects pull`",
            ),
            Self::Moved { .. } => (
                Code::Conflict,
                "git.moved",
                "nothing was changed; pull again",
            ),
            Self::InTheWay { .. } => (
                Code::Conflict,
                "git.in_the_way",
                "nothing was changed; commit your changes, or set them aside with `git stash`",
            ),
            Self::Rejected { .. } => (
                Code::Failed,
                "git.rejected",
                "the branch may be protected: push another one and ask for its merge",
            ),
            Self::GitLogin { .. } => (
                Code::Missing,
                "git.login",
                "ssh: the key must be in your agent or in ~/.ssh; https: a credential helper must know it, or `lapwing remotes login NAME --user USER`",
            ),
            Self::GitHostKeyUnknown { .. } => (Code::Missing, "git.host_key_unknown", ""),
            Self::GitHostKeyChanged { .. } => (
                Code::Missing,
                "git.host_key_changed",
                "somebody may be listening in; ask its administrator before you remove the old key from ~/.ssh/known_hosts",
            ),
            Self::GitCertificate { .. } => (
                Code::Missing,
                "git.certificate",
                "if its own authority signed it, add that to this machine's, or name its file in SSL_CERT_FILE",
            ),
            Self::Unreached { .. } => (
                Code::Missing,
                "git.unreached",
                "check the address, and whether you may see it",
            ),
            Self::GitStopped => (
                Code::Failed,
                "git.stopped",
                "nothing half-done stays on either side; start it again",
            ),
            Self::Git(_) => (Code::Failed, "project.git", ""),
            Self::Io(error) if error.kind() == std::io::ErrorKind::StorageFull => (
                Code::Failed,
                "data.disk_full",
                "make room and try again: nothing was lost",
            ),
            Self::Io(_) => (Code::Failed, "data.io", ""),
        }
    }
}
