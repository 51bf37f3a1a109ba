//! Artifacts: files beneath the workspace's artifact folder, and nowhere else.

use std::path::{Component, Path, PathBuf};

use lapwing_core::RunId;

use crate::{Error, Result, Tracking};

/// One file or folder, its path relative to where the listing began.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileInfo {
    pub path: String,
    pub is_dir: bool,
    pub size: Option<u64>,
}

/// `relative` beneath `root`, or refused: no `..`, no absolute path, no link that leads out.
pub(crate) fn beneath(root: &Path, relative: &str) -> Result<PathBuf> {
    let refused = || Error::Invalid(format!("Invalid path: {relative}"));
    let path = Path::new(relative);
    if relative.contains('\\') || relative.contains('\0') {
        return Err(refused());
    }
    if !path
        .components()
        .all(|part| matches!(part, Component::Normal(_) | Component::CurDir))
    {
        return Err(refused());
    }
    if path.as_os_str().is_empty() {
        return Ok(root.to_owned());
    }
    let full = root.join(path);
    if let Ok(real_root) = root.canonicalize() {
        let mut place = root.to_owned();
        for part in path.components() {
            place.push(part);
            if place.symlink_metadata().is_err() {
                break; // Not there yet, so neither is what would lie below it.
            }
            // A link to nothing has no real place: what is written through it would appear outside.
            if !place
                .canonicalize()
                .is_ok_and(|real| real.starts_with(&real_root))
            {
                return Err(refused());
            }
        }
    }
    Ok(full)
}

/// Copies a file's bytes and permissions, and waits until they are on the disk.
pub(crate) fn copy_into(from: &Path, mut to: &std::fs::File) -> Result<()> {
    let mut source = fs_err::File::open(from)?;
    std::io::copy(&mut source, &mut to)?;
    to.set_permissions(source.metadata()?.permissions())?;
    to.sync_all()?;
    Ok(())
}

/// What lies in a folder, by name; empty when it is not there.
pub(crate) fn list(root: &Path, relative: &str) -> Result<Vec<FileInfo>> {
    let folder = beneath(root, relative)?;
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let prefix = relative.trim_matches('/');
    let mut found = Vec::new();
    for entry in fs_err::read_dir(&folder)? {
        let entry = entry?;
        let meta = entry.metadata()?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.starts_with(".lapwing-") {
            continue;
        }
        let path = if prefix.is_empty() {
            name
        } else {
            format!("{prefix}/{name}")
        };
        found.push(FileInfo {
            path,
            is_dir: meta.is_dir(),
            size: meta.is_file().then_some(meta.len()),
        });
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(found)
}

impl Tracking {
    /// The folder of a run's artifacts; it may not exist yet.
    ///
    /// # Errors
    /// When there is no such run.
    pub fn artifact_folder(&self, id: &RunId) -> Result<PathBuf> {
        let run = self.run(id)?;
        Ok(self
            .workspace()
            .artifacts()
            .join(run.experiment_id.to_string())
            .join(id.as_str())
            .join("artifacts"))
    }

    /// What lies in a folder of a run's artifacts.
    ///
    /// # Errors
    /// When there is no such run, or the path leads out.
    pub fn artifacts(&self, id: &RunId, path: &str) -> Result<Vec<FileInfo>> {
        list(&self.artifact_folder(id)?, path)
    }

    /// One file of a run's artifacts.
    ///
    /// # Errors
    /// When there is none, or the path leads out.
    pub fn artifact_file(&self, id: &RunId, path: &str) -> Result<PathBuf> {
        let file = beneath(&self.artifact_folder(id)?, path)?;
        if file.is_file() {
            Ok(file)
        } else {
            Err(Error::NotFound(format!("the run has no artifact {path}")))
        }
    }

    /// Copies a file into a run's artifacts; it appears under its name only when it is whole.
    ///
    /// # Errors
    /// When it cannot be read or written.
    pub fn log_artifact(&self, id: &RunId, local: &Path, path: &str) -> Result<()> {
        let to = beneath(&self.artifact_folder(id)?, path)?;
        let folder = to.parent().unwrap_or(Path::new("/"));
        fs_err::create_dir_all(folder)?;
        let part = tempfile::Builder::new()
            .prefix(".lapwing-")
            .tempfile_in(folder)?;
        copy_into(local, part.as_file())?;
        part.persist(&to)
            .map(drop)
            .map_err(|error| Error::Io(error.error))
    }
}
