//! Push and pull: content goes to a remote and comes back, verified.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use lapwing_remote::Storage;

use crate::{Cache, Error, Out, Overwrite, Progress, Project, Result, checkout, hash, status};

/// What a transfer did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Transferred {
    /// Address of the remote.
    pub remote: String,
    pub files: u64,
    pub bytes: u64,
    /// Already there.
    pub skipped: u64,
}

fn storage(project: &Project, name: Option<&str>) -> Result<(Storage, String)> {
    let remotes = project.config().remotes();
    let remote = match name {
        Some(name) => remotes
            .into_iter()
            .find(|remote| remote.name == name)
            .ok_or(Error::NoRemote(name.to_owned()))?,
        None => remotes
            .into_iter()
            .find(|remote| remote.default)
            .ok_or(Error::NoDefaultRemote)?,
    };
    match Storage::open(&remote.url) {
        Ok(storage) => Ok((storage, remote.url)),
        Err(lapwing_remote::Error::UnsupportedStorage { scheme }) => {
            Err(Error::UnsupportedRemote(scheme))
        }
        Err(other) => Err(Error::Io(std::io::Error::other(other))),
    }
}

fn remote_path(id: &str, legacy: bool) -> String {
    let (first, rest) = id.split_at(2);
    if legacy {
        format!("{first}/{rest}")
    } else {
        format!("files/md5/{first}/{rest}")
    }
}

/// The outputs to move: those tracked by `.dvc` files at or below `targets`, and `more` (of stages) likewise.
fn wanted(
    project: &Project,
    targets: &[PathBuf],
    more: &[(Out, PathBuf)],
) -> Result<Vec<(Out, PathBuf)>> {
    let targets = targets
        .iter()
        .map(|path| project.beneath(path))
        .collect::<Result<Vec<_>>>()?;
    let mut all: Vec<(Out, PathBuf)> = status::tracked(project)?
        .into_iter()
        .map(|(_, out, place)| (out, place))
        .collect();
    all.extend(more.iter().cloned());
    all.retain(|(out, place)| {
        let dvc_file = PathBuf::from(format!("{}.dvc", place.display()));
        let named = targets.is_empty()
            || targets
                .iter()
                .any(|target| place.starts_with(target) || dvc_file == *target);
        named && out.cache && out.push && out.md5.is_some()
    });
    Ok(all)
}

/// Sends what the remote does not have. A folder's files go first and its listing last, so that a listing on the remote
/// always means a whole folder.
///
/// # Errors
/// When content is not in the cache, or the remote cannot be written.
pub fn push(
    project: &Project,
    remote: Option<&str>,
    targets: &[PathBuf],
    more: &[(Out, PathBuf)],
    progress: &dyn Fn(Progress),
) -> Result<Transferred> {
    let (storage, url) = storage(project, remote)?;
    let cache = Cache::of(project);
    let mut done = Transferred {
        remote: url,
        ..Transferred::default()
    };
    let mut sent = BTreeSet::new();
    for (out, place) in wanted(project, targets, more)? {
        let (Some(id), legacy) = (&out.md5, out.is_legacy()) else {
            continue;
        };
        let mut ids = Vec::new();
        if id.ends_with(".dir") {
            ids.extend(
                cache
                    .entries(id, legacy)?
                    .into_iter()
                    .map(|entry| entry.md5),
            );
        }
        ids.push(id.clone());
        for id in ids {
            if sent.insert((id.clone(), legacy)) {
                send(&storage, &cache, &id, legacy, &place, &mut done)?;
                progress(Progress {
                    what: project.relative(&place),
                    done_bytes: done.bytes,
                    total_bytes: 0,
                });
            }
        }
    }
    Ok(done)
}

fn send(
    storage: &Storage,
    cache: &Cache,
    id: &str,
    legacy: bool,
    place: &Path,
    done: &mut Transferred,
) -> Result<()> {
    let path = remote_path(id, legacy);
    if storage.has(&path).map_err(std::io::Error::other)? {
        done.skipped += 1;
        return Ok(());
    }
    let object = cache.object(id, legacy)?;
    if !object.is_file() {
        return Err(Error::NotInCache {
            path: place.display().to_string(),
            id: id.to_owned(),
        });
    }
    done.bytes += storage
        .send(&object, &path)
        .map_err(std::io::Error::other)?;
    done.files += 1;
    Ok(())
}

/// Fetches what the cache does not have, verifies it, and checks the outputs out.
///
/// # Errors
/// When the remote does not have it, or has something else under its name: then nothing of it becomes visible.
pub fn pull(
    project: &Project,
    remote: Option<&str>,
    targets: &[PathBuf],
    more: &[(Out, PathBuf)],
    progress: &dyn Fn(Progress),
) -> Result<Transferred> {
    let (storage, url) = storage(project, remote)?;
    let cache = Cache::of(project);
    let mut done = Transferred {
        remote: url,
        ..Transferred::default()
    };
    for (out, place) in wanted(project, targets, more)? {
        let (Some(id), legacy) = (&out.md5, out.is_legacy()) else {
            continue;
        };
        fetch(&storage, &cache, id, legacy, &place, &mut done)?;
        if id.ends_with(".dir") {
            for entry in cache.entries(id, legacy)? {
                fetch(&storage, &cache, &entry.md5, legacy, &place, &mut done)?;
                progress(Progress {
                    what: project.relative(&place),
                    done_bytes: done.bytes,
                    total_bytes: 0,
                });
            }
        }
        checkout::checkout_out(project, &out, &place, Overwrite::Refuse)?;
    }
    Ok(done)
}

fn fetch(
    storage: &Storage,
    cache: &Cache,
    id: &str,
    legacy: bool,
    place: &Path,
    done: &mut Transferred,
) -> Result<()> {
    let to = cache.object(id, legacy)?;
    if to.is_file() {
        done.skipped += 1;
        return Ok(());
    }
    let folder = to.parent().unwrap_or(cache.root());
    fs_err::create_dir_all(folder)?;
    let temporary = tempfile::Builder::new()
        .prefix(".lapwing-")
        .tempfile_in(folder)?
        .into_temp_path();
    let missing = || Error::NotInCache {
        path: place.display().to_string(),
        id: id.to_owned(),
    };
    let bytes = storage
        .fetch(&remote_path(id, legacy), &temporary)
        .map_err(|_| missing())?;
    let found = hash::file_id(&temporary, legacy && !id.ends_with(".dir"), &mut |_| {})?;
    if found != id.trim_end_matches(".dir") {
        return Err(Error::Corrupt {
            what: remote_path(id, legacy),
        });
    }
    fs_err::File::open(&temporary)?.sync_all()?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        fs_err::set_permissions(&temporary, std::fs::Permissions::from_mode(0o444))?;
    }
    temporary
        .persist(&to)
        .map_err(|error| Error::Io(error.error))?;
    done.files += 1;
    done.bytes += bytes;
    Ok(())
}
