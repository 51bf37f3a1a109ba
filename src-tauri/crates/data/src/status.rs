//! Whether what lies in the folder is what is tracked.

use std::path::{Path, PathBuf};

use crate::{Cache, Content, DvcFile, Out, Project, Result, dvcfile, hash};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    Clean,
    Modified,
    /// Tracked, but not in the folder.
    Deleted,
    /// In the folder, but without a recorded content.
    New,
    NotInCache,
}

/// One tracked output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// Relative to the project.
    pub dvc_file: String,
    /// Relative to the project.
    pub path: String,
    pub state: State,
    pub out: Out,
}

/// What lies at `path` now, hashed only where it changed since the last time.
///
/// # Errors
/// When it is not there or cannot be read.
pub fn content_of(project: &Project, path: &Path, legacy: bool) -> Result<Content> {
    hash::scan(project.root(), path, legacy, &|_| {})
}

/// The state of one output that lies at `path`.
///
/// # Errors
/// When it is there and cannot be read.
pub fn out_state(project: &Project, out: &Out, path: &Path) -> Result<State> {
    if !path.exists() {
        return Ok(State::Deleted);
    }
    let Some(id) = &out.md5 else {
        return Ok(State::New);
    };
    let content = content_of(project, path, out.is_legacy())?;
    if content.id != *id {
        return Ok(State::Modified);
    }
    let cached = !out.cache || Cache::of(project).has(id, out.is_legacy());
    Ok(if cached {
        State::Clean
    } else {
        State::NotInCache
    })
}

/// Every output of every `.dvc` file.
///
/// # Errors
/// When a `.dvc` file is not valid, or data cannot be read.
pub fn status(project: &Project) -> Result<Vec<Status>> {
    let mut all = Vec::new();
    for file in dvcfile::find(project) {
        let file = DvcFile::read(&file)?;
        for out in &file.outs {
            let place = file.place(project, out)?;
            all.push(Status {
                dvc_file: project.relative(&file.path),
                path: project.relative(&place),
                state: out_state(project, out, &place)?,
                out: out.clone(),
            });
        }
    }
    Ok(all)
}

/// Every tracked output with its file and place; nothing is hashed.
pub(crate) fn tracked(project: &Project) -> Result<Vec<(DvcFile, Out, PathBuf)>> {
    let mut all = Vec::new();
    for path in dvcfile::find(project) {
        let file = DvcFile::read(&path)?;
        for out in file.outs.clone() {
            let place = file.place(project, &out)?;
            all.push((file.clone(), out, place));
        }
    }
    Ok(all)
}
