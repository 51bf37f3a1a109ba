//! Bringing tracked versions back into the folder.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::{Cache, DirEntry, Error, Exclusive, Out, Project, Result, hash, ignores, status};

/// What may be done to files whose content is nowhere else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Overwrite {
    Refuse,
    Force,
}

/// Brings the outputs of all `.dvc` files back, or only those at or below `targets`. Answers what was changed.
///
/// # Errors
/// When content is not in the cache, or something would be lost: then that output is untouched.
pub fn checkout(
    project: &Project,
    targets: &[PathBuf],
    overwrite: Overwrite,
) -> Result<Vec<String>> {
    let mut changed = Vec::new();
    let mut matched = BTreeSet::new();
    let targets = targets
        .iter()
        .map(|path| project.beneath(path))
        .collect::<Result<Vec<_>>>()?;
    for (file, out, place) in status::tracked(project)? {
        let wanted = |target: &PathBuf| place.starts_with(target) || file.path == *target;
        if !targets.is_empty() && !targets.iter().any(wanted) {
            continue;
        }
        matched.extend(targets.iter().filter(|target| wanted(target)).cloned());
        let _lock = Exclusive::take(project.root())?;
        if checkout_out(project, &out, &place, overwrite)? {
            changed.push(project.relative(&place));
        }
    }
    match targets.iter().find(|target| !matched.contains(*target)) {
        Some(target) => Err(Error::NotTracked(project.relative(target))),
        None => Ok(changed),
    }
}

/// Makes `place` what `out` says. False when it was already.
///
/// # Errors
/// As [`checkout`].
pub fn checkout_out(
    project: &Project,
    out: &Out,
    place: &Path,
    overwrite: Overwrite,
) -> Result<bool> {
    let Some(id) = &out.md5 else { return Ok(false) };
    let cache = Cache::of(project);
    let legacy = out.is_legacy();
    if !out.cache {
        return Ok(false);
    }
    let current = if place.exists() {
        Some(hash::scan(project.root(), place, legacy, &|_| {})?)
    } else {
        None
    };
    if current.as_ref().is_some_and(|content| content.id == *id) {
        return Ok(false);
    }
    if !cache.has(id, legacy) {
        return Err(Error::NotInCache {
            path: project.relative(place),
            id: id.clone(),
        });
    }
    if let Some(content) = &current
        && overwrite == Overwrite::Refuse
    {
        let kept = |id: &str| cache.has(id, false) || cache.has(id, true);
        let lost = if content.entries.is_empty() && !content.id.ends_with(".dir") {
            !kept(&content.id)
        } else {
            !content.entries.iter().all(|entry| kept(&entry.md5))
        };
        if lost {
            return Err(Error::WouldLose(project.relative(place)));
        }
    }
    if id.ends_with(".dir") {
        folder(&cache, &cache.entries(id, legacy)?, legacy, place)?;
    } else {
        if place.is_dir() && !place.is_symlink() {
            if overwrite == Overwrite::Refuse && holds_more(place, current.as_ref())? {
                return Err(Error::WouldLose(project.relative(place)));
            }
            fs_err::remove_dir_all(place)?;
        }
        cache.link(id, legacy, place, out.isexec)?;
    }
    Ok(true)
}

/// True when the folder has files that its listing leaves out: `.dvcignore` keeps them out of the cache.
fn holds_more(place: &Path, listed: Option<&hash::Content>) -> Result<bool> {
    let listed: BTreeSet<PathBuf> = listed
        .iter()
        .flat_map(|content| &content.entries)
        .map(|entry| place.join(&entry.relpath))
        .collect();
    Ok(ignores::everything(place)?
        .iter()
        .any(|path| !path.is_symlink() && !listed.contains(path)))
}

/// Makes a folder what its listing says: only files that differ are touched.
fn folder(cache: &Cache, entries: &[DirEntry], legacy: bool, place: &Path) -> Result<()> {
    if place.is_file() || place.is_symlink() {
        fs_err::remove_file(place)?;
    }
    fs_err::create_dir_all(place)?;
    let wanted: BTreeSet<PathBuf> = entries
        .iter()
        .map(|entry| place.join(&entry.relpath))
        .collect();
    // Links are not followed: what they point to belongs to somebody else.
    for path in ignores::own_files(place)? {
        if !wanted.contains(&path) {
            fs_err::remove_file(&path)?;
        }
    }
    for entry in entries {
        let path = place.join(&entry.relpath);
        without_links(place, &path)?;
        let same = path.is_file() && hash::file_id(&path, legacy, &mut |_| {})? == entry.md5;
        if !same {
            cache.link(&entry.md5, legacy, &path, false)?;
        }
    }
    remove_empty_folders(place)
}

/// Removes links between `place` and `path`: writing through them would change files elsewhere.
fn without_links(place: &Path, path: &Path) -> Result<()> {
    let between = path
        .ancestors()
        .skip(1)
        .take_while(|folder| *folder != place);
    // The outermost first: what lies behind a link is not looked at.
    for folder in between.collect::<Vec<_>>().into_iter().rev() {
        if folder.is_symlink() {
            fs_err::remove_file(folder)?;
        }
    }
    Ok(())
}

fn remove_empty_folders(folder: &Path) -> Result<()> {
    for entry in fs_err::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() && !path.is_symlink() {
            remove_empty_folders(&path)?;
            // Not empty: it stays.
            let _ = std::fs::remove_dir(&path);
        }
    }
    Ok(())
}
