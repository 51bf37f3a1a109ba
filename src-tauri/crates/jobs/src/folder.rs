//! A job's folder: spec, state, log, lock, and the wish to end.

use std::fs::{File, TryLockError};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use lapwing_core::{JobId, Workspace};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::{Error, Result};

#[derive(Debug, Clone)]
pub(crate) struct Folder {
    root: PathBuf,
    /// Instead of its own wish to end.
    ended_by: Option<PathBuf>,
}

impl Folder {
    pub fn of(workspace: &Workspace, id: &JobId) -> Self {
        Self {
            root: workspace.job(id),
            ended_by: None,
        }
    }

    pub fn at(root: &Path) -> Self {
        Self {
            root: root.to_owned(),
            ended_by: None,
        }
    }

    /// Its command ends when `wish` is there: it is a part of a job that has more.
    pub fn ended_by(self, wish: &Path) -> Self {
        Self {
            ended_by: Some(wish.to_owned()),
            ..self
        }
    }

    pub fn root(&self) -> &Path {
        &self.root
    }

    pub fn spec(&self) -> PathBuf {
        self.root.join("spec.json")
    }

    pub fn state(&self) -> PathBuf {
        self.root.join("state.json")
    }

    pub fn output(&self) -> PathBuf {
        self.root.join("output.log")
    }

    /// What the supervisor itself has to say; empty when all is well.
    pub fn supervisor_log(&self) -> PathBuf {
        self.root.join("supervisor.log")
    }

    /// What a supervisor has done on another machine.
    pub fn remote(&self) -> PathBuf {
        self.root.join("remote.json")
    }

    /// What has come from another machine, until all of it has.
    pub fn fetched(&self) -> PathBuf {
        self.root.join("fetched")
    }

    /// What a command tracked in MLflow's files instead of on our server, when it is home.
    pub fn tracked(&self) -> PathBuf {
        self.root.join("mlruns")
    }

    /// There when somebody wants the job to end.
    pub fn cancel(&self) -> PathBuf {
        match &self.ended_by {
            Some(wish) => wish.clone(),
            None => self.root.join("cancel"),
        }
    }

    /// The supervisor's lock: `None` when it is held.
    pub fn try_lock(&self) -> Result<Option<File>> {
        let path = self.root.join("lock");
        let file = fs_err::OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(path)?
            .into_file();
        match file.try_lock() {
            Ok(()) => Ok(Some(file)),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error.into()),
        }
    }

    /// Writes a file whole, readable by its owner only.
    pub fn write<T: Serialize>(&self, path: &Path, value: &T) -> Result<()> {
        let bytes = serde_json::to_vec_pretty(value).map_err(|error| Error::Broken {
            path: path.to_owned(),
            reason: error.to_string(),
        })?;
        let mut file = tempfile::NamedTempFile::new_in(&self.root)?;
        file.write_all(&bytes)?;
        file.as_file().sync_all()?;
        file.persist(path).map_err(|error| error.error)?;
        Ok(())
    }

    /// Reads a file; `None` when it is not there.
    pub fn read<T: DeserializeOwned>(&self, path: &Path) -> Result<Option<T>> {
        match fs_err::read(path) {
            Ok(bytes) => serde_json::from_slice(&bytes)
                .map(Some)
                .map_err(|error| Error::Broken {
                    path: path.to_owned(),
                    reason: error.to_string(),
                }),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}
