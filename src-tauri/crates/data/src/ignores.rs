//! `.dvcignore`: gitignore's syntax, for what data listings leave out.

use std::path::{Path, PathBuf};

use ignore::WalkBuilder;

use crate::{Error, Result};

/// Folders that are never data.
const NEVER: [&str; 3] = [".git", ".hg", ".dvc"];

/// All files below `folder` that no `.dvcignore` leaves out, unsorted. Links are followed, as DVC does.
pub(crate) fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    collect(data(folder).follow_links(true))
}

/// The same, but a link is itself and what lies behind it is not looked at.
pub(crate) fn own_files(folder: &Path) -> Result<Vec<PathBuf>> {
    collect(data(folder).follow_links(false))
}

/// All files and links below `folder`, ignored ones too.
pub(crate) fn everything(folder: &Path) -> Result<Vec<PathBuf>> {
    collect(WalkBuilder::new(folder).standard_filters(false))
}

fn data(folder: &Path) -> WalkBuilder {
    let mut walk = WalkBuilder::new(folder);
    walk.standard_filters(false)
        .parents(true)
        .add_custom_ignore_filename(".dvcignore")
        .filter_entry(|entry| !NEVER.iter().any(|name| entry.file_name() == *name));
    walk
}

fn collect(walk: &WalkBuilder) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in walk.build() {
        let entry = entry.map_err(|error| Error::Io(std::io::Error::other(error)))?;
        let is_wanted = |kind: std::fs::FileType| kind.is_file() || kind.is_symlink();
        if entry.file_type().is_some_and(is_wanted) {
            found.push(entry.into_path());
        }
    }
    Ok(found)
}

/// All files below the project with one of these names or endings, leaving out what git and DVC ignore.
pub(crate) fn named(root: &Path, wanted: impl Fn(&Path) -> bool) -> Vec<PathBuf> {
    let mut walk = WalkBuilder::new(root);
    walk.standard_filters(false)
        .parents(true)
        .git_ignore(true)
        .require_git(false)
        .add_custom_ignore_filename(".dvcignore")
        .filter_entry(|entry| !NEVER.iter().any(|name| entry.file_name() == *name));
    let mut found: Vec<PathBuf> = walk
        .build()
        .filter_map(std::result::Result::ok) // A folder that may not be read holds nothing for this user.
        .filter(|entry| {
            entry.file_type().is_some_and(|kind| kind.is_file()) && wanted(entry.path())
        })
        .map(ignore::DirEntry::into_path)
        .collect();
    found.sort();
    found
}
