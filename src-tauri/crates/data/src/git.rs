//! The git side of a project, through libgit2.

use std::path::{Path, PathBuf};

use git2::build::RepoBuilder;
use git2::{
    Cred, CredentialType, FetchOptions, ObjectType, RemoteCallbacks, Repository, Signature,
    StatusOptions,
};
use lapwing_core::Timestamp;

use crate::{Error, Progress, Project, Result};

/// libgit2 asks again after each refusal; a wrong password must not ask for ever.
const MAX_CREDENTIAL_TRIES: u32 = 5;

/// One commit, as far as data versions need it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Commit {
    pub id: String,
    pub short: String,
    /// The first line.
    pub message: String,
    pub author: String,
    pub at: Timestamp,
}

pub(crate) fn open(project: &Project) -> Result<Repository> {
    Ok(Repository::discover(project.root())?)
}

pub(crate) fn describe(commit: &git2::Commit<'_>) -> Commit {
    let id = commit.id().to_string();
    Commit {
        short: id.chars().take(7).collect(),
        id,
        message: commit
            .summary()
            .ok()
            .flatten()
            .unwrap_or_default()
            .to_owned(),
        author: String::from_utf8_lossy(commit.author().name_bytes()).into_owned(),
        at: Timestamp(commit.time().seconds().saturating_mul(1000)),
    }
}

impl Project {
    /// The commit at HEAD; `None` in a repository without commits.
    ///
    /// # Errors
    /// When the repository is damaged.
    pub fn head(&self) -> Result<Option<Commit>> {
        let repository = open(self)?;
        let Ok(head) = repository.head() else {
            return Ok(None);
        };
        Ok(Some(describe(&head.peel_to_commit()?)))
    }

    /// The branch that HEAD is on.
    ///
    /// # Errors
    /// When the repository is damaged.
    pub fn branch(&self) -> Result<Option<String>> {
        let repository = open(self)?;
        let Ok(head) = repository.head() else {
            return Ok(None);
        };
        Ok(if head.is_branch() {
            head.shorthand().ok().map(str::to_owned)
        } else {
            None
        })
    }

    /// True when tracked files differ from HEAD, or new ones are not ignored.
    ///
    /// # Errors
    /// When the repository is damaged.
    pub fn is_dirty(&self) -> Result<bool> {
        let repository = open(self)?;
        let mut options = StatusOptions::new();
        options
            .include_untracked(true)
            .recurse_untracked_dirs(false);
        Ok(!repository.statuses(Some(&mut options))?.is_empty())
    }

    /// Commits the named files (relative to the root) and nothing else. `None` when they are as in HEAD.
    ///
    /// # Errors
    /// When the repository cannot be written.
    pub fn commit(&self, paths: &[PathBuf], message: &str) -> Result<Option<Commit>> {
        let repository = open(self)?;
        let mut index = repository.index()?;
        // What else is staged stays there: the commit is HEAD with these files only.
        let mut only = git2::Index::new()?;
        if let Ok(head) = repository.head() {
            only.read_tree(&head.peel_to_tree()?)?;
        }
        let workdir = workdir(&repository)?;
        for path in paths {
            let full = self.root().join(path);
            let relative = full.strip_prefix(&workdir).unwrap_or(path).to_owned();
            if full.symlink_metadata().is_err() {
                index.remove_path(&relative)?;
                absent_is_fine(only.remove(&relative, 0))?;
                continue;
            }
            index.add_path(&relative)?;
            if let Some(entry) = index.get_path(&relative, 0) {
                only.add(&entry)?;
            }
        }
        let tree = repository.find_tree(only.write_tree_to(&repository)?)?;
        let commit = write_commit(&repository, &tree, message)?;
        index.write()?;
        Ok(commit)
    }

    /// Commits everything that is not ignored.
    ///
    /// # Errors
    /// When the repository cannot be written.
    pub fn commit_all(&self, message: &str) -> Result<Option<Commit>> {
        let repository = open(self)?;
        let mut index = repository.index()?;
        index.add_all(["*"], git2::IndexAddOption::DEFAULT, None)?;
        index.update_all(["*"], None)?;
        index.write()?;
        let tree = repository.find_tree(index.write_tree()?)?;
        write_commit(&repository, &tree, message)
    }

    /// True when git tracks this path or something below it.
    ///
    /// # Errors
    /// When the repository is damaged.
    pub fn is_tracked_by_git(&self, relative: &str) -> Result<bool> {
        let repository = open(self)?;
        let index = repository.index()?;
        let prefix = self.in_repository(&repository, relative)?;
        let inside = format!("{prefix}/");
        Ok(index.iter().any(|entry| {
            let path = String::from_utf8_lossy(&entry.path);
            path == prefix || path.starts_with(&inside)
        }))
    }

    /// A path relative to the project as git names it: the project may lie below the repository's root.
    pub(crate) fn in_repository(&self, repository: &Repository, relative: &str) -> Result<String> {
        let workdir = workdir(repository)?;
        let full = self.root().join(relative);
        Ok(full
            .strip_prefix(&workdir)
            .unwrap_or(Path::new(relative))
            .to_string_lossy()
            .replace('\\', "/"))
    }

    /// The content of a file (relative to the root) in a revision; `None` when it was not there.
    ///
    /// # Errors
    /// When there is no such revision.
    pub fn file_at(&self, revision: &str, relative: &str) -> Result<Option<Vec<u8>>> {
        let repository = open(self)?;
        let object = repository
            .revparse_single(revision)
            .map_err(|_| Error::NoRevision(revision.to_owned()))?;
        let tree = object.peel_to_tree()?;
        let path = self.in_repository(&repository, relative)?;
        let Ok(entry) = tree.get_path(Path::new(&path)) else {
            return Ok(None);
        };
        if entry.kind() != Some(ObjectType::Blob) {
            return Ok(None);
        }
        Ok(Some(
            entry
                .to_object(&repository)?
                .peel_to_blob()?
                .content()
                .to_vec(),
        ))
    }

    /// The commit that a revision names.
    ///
    /// # Errors
    /// When there is no such revision.
    pub fn resolve(&self, revision: &str) -> Result<Commit> {
        let repository = open(self)?;
        let object = repository
            .revparse_single(revision)
            .map_err(|_| Error::NoRevision(revision.to_owned()))?;
        Ok(describe(&object.peel_to_commit()?))
    }
}

pub(crate) fn workdir(repository: &Repository) -> Result<PathBuf> {
    let folder = repository.workdir().unwrap_or_else(|| repository.path());
    Ok(folder.canonicalize()?)
}

fn absent_is_fine(removed: Result<(), git2::Error>) -> Result<()> {
    match removed {
        Err(error) if error.code() != git2::ErrorCode::NotFound => Err(error.into()),
        _ => Ok(()),
    }
}

fn write_commit(
    repository: &Repository,
    tree: &git2::Tree<'_>,
    message: &str,
) -> Result<Option<Commit>> {
    let parent = match repository.head() {
        Ok(head) => Some(head.peel_to_commit()?),
        Err(_) => None,
    };
    if parent
        .as_ref()
        .is_some_and(|parent| parent.tree_id() == tree.id())
    {
        return Ok(None);
    }
    let author = match repository.signature() {
        Ok(signature) => signature,
        // Nobody told git who they are; a version with a plain name is better than none.
        Err(_) => Signature::now(&user_name(), "lapwing@localhost")?,
    };
    let parents: Vec<&git2::Commit<'_>> = parent.iter().collect();
    let id = repository.commit(Some("HEAD"), &author, &author, message, tree, &parents)?;
    Ok(Some(describe(&repository.find_commit(id)?)))
}

fn user_name() -> String {
    ["GIT_AUTHOR_NAME", "USER", "USERNAME"]
        .iter()
        .find_map(|name| std::env::var(name).ok().filter(|value| !value.is_empty())) // Unset or not text: the next one.
        .unwrap_or_else(|| "Lapwing".to_owned())
}

pub(crate) fn clone(url: &str, into: &Path, progress: &dyn Fn(Progress)) -> Result<()> {
    let mut tries = 0;
    let mut keys = ssh_keys().into_iter();
    let mut callbacks = RemoteCallbacks::new();
    callbacks.credentials(move |url, user, allowed| {
        tries += 1;
        if tries > MAX_CREDENTIAL_TRIES {
            return Err(git2::Error::from_str("the credentials were refused"));
        }
        credentials(url, user, allowed, &mut keys)
    });
    callbacks.transfer_progress(|stats| {
        progress(Progress {
            what: url.to_owned(),
            done_bytes: stats.received_objects() as u64,
            total_bytes: stats.total_objects() as u64,
        });
        true
    });
    let mut fetch = FetchOptions::new();
    fetch.remote_callbacks(callbacks);
    RepoBuilder::new()
        .fetch_options(fetch)
        .clone(url, into)
        .map_err(|error| Error::Clone {
            url: url.to_owned(),
            reason: error.message().to_owned(),
        })?;
    Ok(())
}

/// One way to log in over ssh.
#[derive(Debug, PartialEq, Eq)]
enum SshKey {
    Agent,
    File(PathBuf),
}

/// The ways that there are here, best first: the agent where one runs, then the usual key files.
fn ssh_keys() -> Vec<SshKey> {
    // Asking for an agent that does not run ends the attempt before any key file is tried.
    let runs = cfg!(windows) || std::env::var_os("SSH_AUTH_SOCK").is_some();
    let mut keys = Vec::new();
    if runs {
        keys.push(SshKey::Agent);
    }
    if let Some(home) = std::env::home_dir() {
        keys.extend(key_files(&home));
    }
    keys
}

fn key_files(home: &Path) -> impl Iterator<Item = SshKey> {
    ["id_ed25519", "id_rsa"]
        .map(|name| home.join(".ssh").join(name))
        .into_iter()
        .filter(|path| path.is_file())
        .map(SshKey::File)
}

/// Agent and key files, then git's credential helper, then whatever the platform offers by itself.
fn credentials(
    url: &str,
    user: Option<&str>,
    allowed: CredentialType,
    keys: &mut impl Iterator<Item = SshKey>,
) -> Result<Cred, git2::Error> {
    let user = user.unwrap_or("git");
    if allowed.contains(CredentialType::USERNAME) {
        return Cred::username(user);
    }
    if allowed.contains(CredentialType::SSH_KEY) {
        return match keys.next() {
            Some(SshKey::Agent) => Cred::ssh_key_from_agent(user),
            Some(SshKey::File(path)) => Cred::ssh_key(user, None, &path, None),
            None => Err(git2::Error::from_str(
                "no ssh agent and no key in ~/.ssh was accepted; a key with a passphrase needs `ssh-add`",
            )),
        };
    }
    if allowed.contains(CredentialType::USER_PASS_PLAINTEXT) {
        let config = git2::Config::open_default()?;
        return Cred::credential_helper(&config, url, Some(user));
    }
    Cred::default()
}
