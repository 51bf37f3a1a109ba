//! Tracking a new version of files and folders.

use std::path::{Path, PathBuf};

use crate::{
    Cache, DvcFile, Error, Exclusive, Out, Progress, Project, Result, hash, place, status,
    write_whole,
};

/// What adding one path did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Added {
    /// Relative to the project.
    pub path: String,
    pub dvc_file: PathBuf,
    pub out: Out,
    /// False when the same content was tracked already.
    pub changed: bool,
}

/// Tracks each path as a new version: hash, cache, `.dvc` file, `.gitignore`. All are checked before any is written.
///
/// # Errors
/// When a path is not there, outside, tracked by git or inside another output.
pub fn add(
    project: &Project,
    paths: &[PathBuf],
    progress: &(dyn Fn(Progress) + Sync),
) -> Result<Vec<Added>> {
    let places = paths
        .iter()
        .map(|path| checked(project, path))
        .collect::<Result<Vec<_>>>()?;
    places
        .iter()
        .map(|place| add_one(project, place, progress))
        .collect()
}

/// What is to be added, and where it is tracked.
struct Place {
    full: PathBuf,
    dvc_file: PathBuf,
    /// As the `.dvc` file names it.
    written: String,
}

impl Place {
    /// Beside the data, as `dvc add` does.
    fn beside(full: PathBuf) -> Self {
        let name = full.file_name().unwrap_or_default();
        let written = name.to_string_lossy().into_owned();
        Self {
            dvc_file: full.with_file_name(format!("{written}.dvc")),
            written,
            full,
        }
    }
}

fn checked(project: &Project, path: &Path) -> Result<Place> {
    let path = match path.extension() {
        // `lapwing data add raw.dvc` means the data.
        Some(extension) if extension == "dvc" => path.with_extension(""),
        _ => path.to_owned(),
    };
    let full = if path.is_absolute() {
        path
    } else {
        project.root().join(path)
    };
    if !full.exists() {
        return Err(Error::NoFile(full));
    }
    let full = project.beneath(&full)?;
    let relative = project.relative(&full);
    if relative.is_empty() || relative == ".dvc" || relative.starts_with(".dvc/") {
        return Err(Error::NotData(full));
    }
    if project.is_tracked_by_git(&relative)? {
        return Err(Error::TrackedByGit(relative));
    }
    let mut place = Place::beside(place::beneath(project.root(), &full)?);
    for (file, out, other) in status::tracked(project)? {
        let same = other == full;
        if !same && (full.starts_with(&other) || other.starts_with(&full)) {
            return Err(Error::Overlaps {
                path: relative,
                other: project.relative(&other),
            });
        }
        if same && file.imported {
            return Err(Error::Overlaps {
                path: relative,
                other: project.relative(&file.path),
            });
        }
        if same {
            place.dvc_file = file.path;
            place.written = out.path;
        }
    }
    if place.dvc_file.exists() {
        // Told before anything is hashed: a file that tracks something else, or cannot be edited.
        let old = DvcFile::read(&place.dvc_file)?;
        let probe = Out {
            md5: Some("0".repeat(32)),
            hash: Some("md5".to_owned()),
            path: place.written.clone(),
            ..Out::default()
        };
        old.with(&probe)?;
    }
    Ok(place)
}

fn add_one(
    project: &Project,
    place: &Place,
    progress: &(dyn Fn(Progress) + Sync),
) -> Result<Added> {
    let content = hash::scan(project.root(), &place.full, false, progress)?;
    Cache::of(project).save(&place.full, &content)?;
    let out = Out::of(&place.written, &content);
    // Only now: whoever waits for the lock does not wait for hashing.
    let _lock = Exclusive::take(project.root())?;
    let old = if place.dvc_file.exists() {
        let file = DvcFile::read(&place.dvc_file)?;
        file.outs.into_iter().find(|old| old.path == out.path)
    } else {
        None
    };
    let changed = old.is_none_or(|old| old.md5 != out.md5 || old.is_legacy());
    if changed {
        DvcFile::write(&place.dvc_file, &out)?;
    }
    ignore(project, &place.full)?;
    Ok(Added {
        path: project.relative(&place.full),
        dvc_file: place.dvc_file.clone(),
        out,
        changed,
    })
}

/// Names `place` in the `.gitignore` beside it, as DVC does: git must not track what the cache holds.
///
/// # Errors
/// When the file cannot be written.
pub fn ignore(project: &Project, place: &Path) -> Result<()> {
    let folder = place.parent().unwrap_or(project.root());
    let path = folder.join(".gitignore");
    let line = format!(
        "/{}",
        place.file_name().unwrap_or_default().to_string_lossy()
    );
    let mut text = match fs_err::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
        Err(error) => return Err(error.into()),
    };
    if text.lines().any(|known| known == line) {
        return Ok(());
    }
    if !text.is_empty() && !text.ends_with('\n') {
        text.push('\n');
    }
    text.push_str(&line);
    text.push('\n');
    write_whole(&path, text.as_bytes())
}
