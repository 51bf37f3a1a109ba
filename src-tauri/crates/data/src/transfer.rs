//! Push and pull: content goes to a remote and comes back, verified.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use lapwing_remote::Storage;

use crate::{
    Cache, Error, Exclusive, Out, Overwrite, Progress, Project, Result, checkout, hash, status,
};

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

/// The remotes of one transfer: an output that names its own goes there.
struct Remotes<'a> {
    project: &'a Project,
    /// What the user named.
    chosen: Option<&'a str>,
    open: BTreeMap<Option<String>, (Storage, String)>,
}

impl<'a> Remotes<'a> {
    fn new(project: &'a Project, chosen: Option<&'a str>) -> Self {
        Self {
            project,
            chosen,
            open: BTreeMap::new(),
        }
    }

    /// As DVC does: a remote that the user named leaves out what belongs to another.
    fn takes(&self, out: &Out) -> bool {
        match (self.chosen, &out.remote) {
            (Some(chosen), Some(own)) => chosen == own,
            _ => true,
        }
    }

    fn of(&mut self, out: &Out) -> Result<Storage> {
        let name = out.remote.clone().or(self.chosen.map(str::to_owned));
        if let Some((storage, _)) = self.open.get(&name) {
            return Ok(storage.clone());
        }
        let found = storage(self.project, name.as_deref())?;
        self.open.insert(name, found.clone());
        Ok(found.0)
    }

    /// The addresses that were used; where nothing was to move, the one that would have been.
    fn addresses(self) -> Result<String> {
        if self.open.is_empty() {
            return Ok(storage(self.project, self.chosen)?.1);
        }
        let urls: BTreeSet<String> = self.open.into_values().map(|(_, url)| url).collect();
        Ok(urls.into_iter().collect::<Vec<_>>().join(", "))
    }
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
    let mut remotes = Remotes::new(project, remote);
    let cache = Cache::of(project);
    let mut done = Transferred::default();
    let mut sent = BTreeSet::new();
    for (out, place) in wanted(project, targets, more)? {
        if !remotes.takes(&out) {
            continue;
        }
        let storage = remotes.of(&out)?;
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
            if sent.insert((out.remote.clone(), id.clone(), legacy)) {
                send(&storage, &cache, &id, legacy, &place, &mut done)?;
                progress(Progress {
                    what: project.relative(&place),
                    done_bytes: done.bytes,
                    total_bytes: 0,
                });
            }
        }
    }
    done.remote = remotes.addresses()?;
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
    if !cache.sound(id, legacy)? {
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
    let mut remotes = Remotes::new(project, remote);
    let cache = Cache::of(project);
    let mut done = Transferred::default();
    for (out, place) in wanted(project, targets, more)? {
        let (Some(id), legacy) = (&out.md5, out.is_legacy()) else {
            continue;
        };
        if !remotes.takes(&out) {
            continue;
        }
        let storage = remotes.of(&out)?;
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
        let _lock = Exclusive::take(project.root())?;
        checkout::checkout_out(project, &out, &place, Overwrite::Refuse)?;
    }
    done.remote = remotes.addresses()?;
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
    if cache.sound(id, legacy)? {
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
    let path = remote_path(id, legacy);
    if !storage.has(&path).map_err(std::io::Error::other)? {
        let Storage::Folder(root) = storage;
        return Err(if root.is_dir() {
            missing()
        } else {
            // A disk that is not mounted is not a remote that lacks a file.
            Error::NoFolder(root.clone())
        });
    }
    let bytes = storage
        .fetch(&path, &temporary)
        .map_err(std::io::Error::other)?;
    let found = hash::file_id(&temporary, legacy && !id.ends_with(".dir"), &mut |_| {})?;
    if found != id.trim_end_matches(".dir") {
        return Err(Error::Corrupt { what: path });
    }
    cache.finish(temporary, &to)?;
    done.files += 1;
    done.bytes += bytes;
    Ok(())
}
