//! The git side of a project, through libgit2.

use std::path::{Path, PathBuf};

use git2::{ObjectType, Repository, Signature, StatusOptions};
use lapwing_core::Timestamp;

use crate::{Error, Project, Result};

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

    /// Where the project lies in its repository: nothing when it is the whole of it.
    ///
    /// # Errors
    /// When the repository is damaged.
    pub fn below_repository(&self) -> Result<PathBuf> {
        let below = self.in_repository(&open(self)?, "")?;
        Ok(PathBuf::from(below.trim_end_matches('/')))
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
