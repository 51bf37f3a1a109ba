//! A copy of a project as it lies now, for commands that must neither disturb the project nor be disturbed by what is edited in it.
//!
//! Code is copied with its uncommitted changes; data that is clean in the cache comes from there, in the way that the project is
//! configured for: by default blocks are shared where the disk can, and nothing that a script writes reaches the cache. The copy shares
//! the cache, and is a git repository at the same commit with the same index, so that whatever asks git there gets the same answer.
//! Nothing of it leads back: the project's own history and branches stay as they are.

use std::path::{Path, PathBuf};

use git2::Repository;

use crate::{
    Cache, Out, Overwrite, Project, Result, State, Status, UploadFile, Why, checkout_out, config,
    git, hash::Known, status, upload_list, write_whole,
};

/// Makes the copy in the folder `into`, which must not be there, with what a command needs that reads `inputs`. An input that is
/// not there is left out.
///
/// # Errors
/// When the repository is damaged, or files cannot be read or written.
pub fn snapshot(project: &Project, inputs: &[String], into: &Path) -> Result<Project> {
    let repository = git::open(project)?;
    let below = project.below_repository()?;
    let unfinished = into.with_extension("new");
    if unfinished.exists() {
        fs_err::remove_dir_all(&unfinished)?;
    }
    let root = unfinished.join(&below);
    fs_err::create_dir_all(root.join(".dvc/tmp"))?;
    let from_cache = clean(project, inputs)?;
    // A sweep makes many copies: without this the same data is hashed for each of them.
    let (known, known_there) = (Known::open(project.root()), Known::open(&root));
    for file in upload_list(project, inputs)?.files {
        if !from_cache
            .iter()
            .any(|out| is_at_or_below(&file.path, &out.path))
        {
            copy(project, &file, &root)?;
            let from = project.root().join(&file.path);
            known_there.tell_copy(&root.join(&file.path), &known, &from);
        }
    }
    configure(project, &root)?;
    same_commit(&repository, &unfinished)?;
    let copied = Project::open(&root)?;
    for out in &from_cache {
        let place = root.join(&out.path);
        checkout_out(&copied, &out.out, &place, Overwrite::Force)?;
        tell(&known_there, &copied, &out.out, &place)?;
    }
    // It is written then.
    drop(known_there);
    fs_err::rename(&unfinished, into)?;
    Project::open(&into.join(below))
}

/// The tracked outputs that `inputs` read from, and whose content the cache has.
fn clean(project: &Project, inputs: &[String]) -> Result<Vec<Status>> {
    let is_read = |out: &Status| {
        let meets =
            |input: &String| is_at_or_below(input, &out.path) || is_at_or_below(&out.path, input);
        inputs.iter().any(meets)
    };
    let all = status(project)?.into_iter();
    Ok(all
        .filter(|out| out.state == State::Clean && out.out.cache && is_read(out))
        .collect())
}

/// What was just brought back from the cache need not be read to know what it is.
fn tell(known: &Known, copied: &Project, out: &Out, place: &Path) -> Result<()> {
    // Older releases of DVC had ids of another kind.
    let Some(id) = out.md5.as_deref().filter(|_| !out.is_legacy()) else {
        return Ok(());
    };
    if !id.ends_with(".dir") {
        known.tell(place, id);
        return Ok(());
    }
    for entry in Cache::of(copied).entries(id, false)? {
        known.tell(&place.join(&entry.relpath), &entry.md5);
    }
    Ok(())
}

fn is_at_or_below(path: &str, folder: &str) -> bool {
    Path::new(path).starts_with(folder)
}

fn copy(project: &Project, file: &UploadFile, root: &Path) -> Result<()> {
    let (from, to) = (project.root().join(&file.path), root.join(&file.path));
    if let Some(folder) = to.parent() {
        fs_err::create_dir_all(folder)?;
    }
    let copied = match file.why {
        // Git's own links are links there too.
        Why::Tracked | Why::New if from.is_symlink() => link(&from, &to),
        Why::Tracked | Why::New | Why::Input => fs_err::copy(&from, &to).map(|_| ()),
    };
    match copied {
        // Deleted since it was listed.
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        other => Ok(other?),
    }
}

#[cfg(unix)]
fn link(from: &Path, to: &Path) -> std::io::Result<()> {
    fs_err::os::unix::fs::symlink(fs_err::read_link(from)?, to)
}

/// Links need a right there that few people have.
#[cfg(not(unix))]
fn link(from: &Path, to: &Path) -> std::io::Result<()> {
    fs_err::copy(from, to).map(|_| ())
}

/// The same cache, and the user's own settings beside those that git tracks.
fn configure(project: &Project, root: &Path) -> Result<()> {
    let own = project.root().join(".dvc/config.local");
    let there = root.join(".dvc/config.local");
    if own.is_file() {
        // With its mode: it may hold secrets.
        fs_err::copy(&own, &there)?;
    }
    // Without one, ours is all that there is.
    let text = fs_err::read_to_string(own).unwrap_or_default();
    let cache = Cache::of(project).root().display().to_string();
    let text = config::with_key(&text, "cache", "dir", &cache);
    write_whole(&there, text.as_bytes())
}

/// A repository at the commit of `from`, with its index, that reads the objects of `from`.
fn same_commit(from: &Repository, into: &Path) -> Result<()> {
    let made = Repository::init(into)?;
    let objects = from.commondir().join("objects").canonicalize()?;
    let folder = made.path().to_owned();
    write_whole(
        &folder.join("objects/info/alternates"),
        format!("{}\n", objects.display()).as_bytes(),
    )?;
    let exclude: PathBuf = from.commondir().join("info/exclude");
    if exclude.is_file() {
        fs_err::create_dir_all(folder.join("info"))?;
        fs_err::copy(&exclude, folder.join("info/exclude"))?;
    }
    // Opened again, now that it knows where the objects are.
    let made = Repository::open(into)?;
    if let Ok(head) = from.head() {
        made.set_head_detached(head.peel_to_commit()?.id())?;
    }
    let mut index = made.index()?;
    for entry in from.index()?.iter() {
        index.add(&entry)?;
    }
    Ok(index.write()?)
}
