//! Whether what lies in the folder is what is tracked.

use std::path::{Path, PathBuf};

use crate::hash::{self, Known};
use crate::{Cache, Content, DvcFile, Out, Project, Result, dvcfile};

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
    state_of(project, out, path, &Known::open(project.root()))
}

fn state_of(project: &Project, out: &Out, path: &Path, known: &Known) -> Result<State> {
    if !path.exists() {
        return Ok(State::Deleted);
    }
    let Some(id) = &out.md5 else {
        return Ok(State::New);
    };
    let content = hash::scan_with(known, path, out.is_legacy(), &|_| {})?;
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

/// Every output of every `.dvc` file, without those that [`problems`] tells of.
///
/// # Errors
/// When a `.dvc` file is not valid, or data cannot be read.
pub fn status(project: &Project) -> Result<Vec<Status>> {
    let known = Known::open(project.root());
    let mut all = Vec::new();
    for (file, out, place) in tracked(project)? {
        all.push(Status {
            dvc_file: project.relative(&file.path),
            path: project.relative(&place),
            state: state_of(project, &out, &place, &known)?,
            out,
        });
    }
    Ok(all)
}

/// An output that cannot be worked with here, while the others can.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Relative to the project.
    pub dvc_file: String,
    /// One sentence.
    pub reason: String,
}

/// The outputs that lie outside of the project: [`status`] and whatever works on all outputs leaves them out.
///
/// # Errors
/// When a `.dvc` file is not valid.
pub fn problems(project: &Project) -> Result<Vec<Problem>> {
    let mut all = Vec::new();
    for (file, _, place) in read_all(project)? {
        if let Err(error) = place {
            all.push(Problem {
                dvc_file: project.relative(&file.path),
                reason: error.to_string(),
            });
        }
    }
    Ok(all)
}

/// What `.dvc` files track: the file and the path of each output, relative to the project; nothing is hashed.
///
/// # Errors
/// When a `.dvc` file is not valid.
pub fn tracked_paths(project: &Project) -> Result<Vec<(String, String)>> {
    let all = tracked(project)?.into_iter();
    Ok(all
        .map(|(file, _, place)| (project.relative(&file.path), project.relative(&place)))
        .collect())
}

/// Every tracked output with its file and place; nothing is hashed.
pub(crate) fn tracked(project: &Project) -> Result<Vec<(DvcFile, Out, PathBuf)>> {
    let all = read_all(project)?.into_iter();
    Ok(all
        .filter_map(|(file, out, place)| match place {
            Ok(place) => Some((file, out, place)),
            Err(error) => {
                tracing::warn!(file = %file.path.display(), %error, "left out");
                None
            }
        })
        .collect())
}

fn read_all(project: &Project) -> Result<Vec<(DvcFile, Out, Result<PathBuf>)>> {
    let mut all = Vec::new();
    for path in dvcfile::find(project) {
        let file = DvcFile::read(&path)?;
        for out in file.outs.clone() {
            let place = file.place(project, &out);
            all.push((file.clone(), out, place));
        }
    }
    Ok(all)
}
