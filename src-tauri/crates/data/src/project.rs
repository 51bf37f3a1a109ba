//! A project: a git repository with a DVC layout.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use git2::Repository;

use crate::{Config, Error, Result, Stop, config, write_whole};

/// How far a long operation is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Progress {
    /// The file that is worked on.
    pub what: String,
    /// Bytes; objects, where git moves them.
    pub done_bytes: u64,
    /// 0 when it is not known yet.
    pub total_bytes: u64,
}

/// An open project. Opening reads; it runs and changes nothing.
#[derive(Debug, Clone)]
pub struct Project {
    root: PathBuf,
    config: Config,
}

impl Project {
    /// The project that `path` lies in.
    ///
    /// # Errors
    /// When there is no such folder, no git repository around it, or no DVC layout in it.
    pub fn open(path: &Path) -> Result<Self> {
        let path = path
            .canonicalize()
            .map_err(|_| Error::NoFolder(path.to_owned()))?;
        if !path.is_dir() {
            return Err(Error::NoFolder(path));
        }
        if let Some(root) = path.ancestors().find(|folder| folder.join(".dvc").is_dir()) {
            return Ok(Self {
                root: root.to_owned(),
                config: Config::read(root)?,
            });
        }
        match Repository::discover(&path) {
            Ok(_) => Err(Error::NotDvc(path)),
            Err(_) => Err(Error::NotRepository(path)),
        }
    }

    /// Makes `path` a project: git repository and DVC layout, each only where missing.
    ///
    /// # Errors
    /// When the folder cannot be written.
    pub fn init(path: &Path) -> Result<Self> {
        fs_err::create_dir_all(path)?;
        let path = path.canonicalize()?;
        let repository = match Repository::discover(&path) {
            Ok(repository) => repository,
            Err(_) => Repository::init(&path)?,
        };
        let made = layout(&path)?;
        let root = repository.workdir().unwrap_or(&path).canonicalize()?;
        let mut index = repository.index()?;
        for file in &made {
            // As `dvc init` does: the layout is staged, not committed.
            if let Ok(relative) = file.strip_prefix(&root) {
                index.add_path(relative)?;
            }
        }
        index.write()?;
        Self::open(&path)
    }

    /// Clones `url` into the folder `into`, which must not exist or be empty.
    ///
    /// # Errors
    /// When the folder is taken, the address cannot be reached, the credentials are refused or somebody stops it: then nothing
    /// is there.
    pub fn clone(url: &str, into: &Path, progress: &dyn Fn(Progress), stop: &Stop) -> Result<Self> {
        if into
            .read_dir()
            .is_ok_and(|mut entries| entries.next().is_some())
        {
            return Err(Error::NotEmpty(into.to_owned()));
        }
        crate::exchange_clone::clone(url, into, progress, stop)?;
        match Self::open(into) {
            Err(Error::NotDvc(_) | Error::NotRepository(_)) => Self::init(into),
            other => other,
        }
    }

    /// The folder that holds `.dvc`, absolute.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    #[must_use]
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// A path of the user as a path beneath the root.
    ///
    /// # Errors
    /// When it lies outside.
    pub fn beneath(&self, path: &Path) -> Result<PathBuf> {
        let direct = crate::beneath(&self.root, path);
        match (
            direct,
            path.parent().and_then(|parent| parent.canonicalize().ok()),
            path.file_name(),
        ) {
            (Ok(full), _, _) => Ok(full),
            // The same place by another name: `/tmp` and `/private/tmp`.
            (Err(_), Some(parent), Some(name)) => crate::beneath(&self.root, &parent.join(name)),
            (Err(error), _, _) => Err(error),
        }
    }

    /// `path` relative to the root, with forward slashes.
    #[must_use]
    pub fn relative(&self, path: &Path) -> String {
        path.strip_prefix(&self.root)
            .unwrap_or(path)
            .to_string_lossy()
            .replace('\\', "/")
    }

    /// Adds a storage remote to `.dvc/config`, or gives it another address; settings of it that are not named here stay. The
    /// address is written as it is: a relative path starts from the folder `.dvc`, as for any reader of that file, so callers
    /// that take one from a command line make it absolute first.
    ///
    /// # Errors
    /// When name, address or a setting cannot stand in the file, a setting is a secret, or the file cannot be written: then nothing is.
    pub fn add_remote(
        &self,
        name: &str,
        url: &str,
        default: bool,
        settings: &BTreeMap<String, String>,
    ) -> Result<()> {
        config::check_remote(name, url)?;
        for (key, value) in settings {
            config::check_setting(key, value)?;
        }
        let path = self.root.join(".dvc/config");
        let text = fs_err::read_to_string(&path).unwrap_or_default();
        let text = config::with_remote(&text, name, url, default);
        let text = settings.iter().fold(text, |text, (key, value)| {
            config::with_setting(&text, name, key, value)
        });
        write_whole(&path, text.as_bytes())
    }

    /// Removes a storage remote from `.dvc/config`.
    ///
    /// # Errors
    /// When there is none with that name, or the file cannot be written.
    pub fn remove_remote(&self, name: &str) -> Result<()> {
        if !self
            .config
            .remotes()
            .iter()
            .any(|remote| remote.name == name)
        {
            return Err(Error::NoRemote(name.to_owned()));
        }
        let path = self.root.join(".dvc/config");
        let text = fs_err::read_to_string(&path)?;
        write_whole(&path, config::without_remote(&text, name).as_bytes())
    }
}

const DVCIGNORE: &str = "# Add patterns of files dvc should ignore, which could improve\n# the performance. Learn more at\n# https://dvc.org/doc/user-guide/dvcignore\n";

/// The files that `dvc init` makes; answers those that were missing.
fn layout(root: &Path) -> Result<Vec<PathBuf>> {
    let files = [
        (
            root.join(".dvc/.gitignore"),
            "/config.local\n/tmp\n/cache\n",
        ),
        (root.join(".dvc/config"), ""),
        (root.join(".dvcignore"), DVCIGNORE),
    ];
    let mut made = Vec::new();
    for (path, content) in files {
        if !path.exists() {
            write_whole(&path, content.as_bytes())?;
            made.push(path);
        }
    }
    fs_err::create_dir_all(root.join(".dvc/tmp"))?;
    Ok(made)
}
