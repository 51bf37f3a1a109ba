//! Tracking a new version of files and folders.

use std::path::{Path, PathBuf};

use crate::{
    Cache, DvcFile, Error, Out, Progress, Project, Result, hash, place, status, write_whole,
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

fn checked(project: &Project, path: &Path) -> Result<PathBuf> {
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
        return Err(Error::Outside {
            path: full,
            root: project.root().to_owned(),
        });
    }
    if project.is_tracked_by_git(&relative)? {
        return Err(Error::TrackedByGit(relative));
    }
    for (file, _, other) in status::tracked(project)? {
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
    }
    place::beneath(project.root(), &full)
}

fn add_one(project: &Project, place: &Path, progress: &(dyn Fn(Progress) + Sync)) -> Result<Added> {
    let content = hash::scan(project.root(), place, false, progress)?;
    let cache = Cache::of(project);
    cache.save(place, &content)?;
    let name = place
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    let dvc_file = place.with_file_name(format!("{name}.dvc"));
    let out = Out::of(&name, &content);
    let old = if dvc_file.exists() {
        DvcFile::read(&dvc_file)?.outs.into_iter().next()
    } else {
        None
    };
    let changed = old.is_none_or(|old| old.md5 != out.md5 || old.is_legacy());
    if changed {
        DvcFile::write(&dvc_file, &out)?;
    }
    ignore(project, place)?;
    Ok(Added {
        path: project.relative(place),
        dvc_file,
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
