//! Versions of datasets: commits, and what changed between two of them.

use std::collections::BTreeMap;
use std::path::Path;

use lapwing_core::Timestamp;

use crate::{Cache, DvcFile, Error, Out, Project, Result, git, hash, status};

/// One committed version of a dataset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    pub commit: git::Commit,
    pub out: Out,
}

/// The versions of what is tracked at `path`, newest first.
///
/// # Errors
/// When nothing is tracked there, or the repository is damaged.
pub fn log(project: &Project, path: &Path) -> Result<Vec<Version>> {
    let full = project.beneath(path)?;
    let name = full
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    let dvc_file = if name.ends_with(".dvc") {
        full.clone()
    } else {
        full.with_file_name(format!("{name}.dvc"))
    };
    let relative = project.relative(&dvc_file);
    let repository = git::open(project)?;
    let inside = project.in_repository(&repository, &relative)?;
    let mut versions: Vec<Version> = Vec::new();
    let mut walk = repository.revwalk()?;
    if walk.push_head().is_err() {
        return if dvc_file.exists() {
            Ok(versions)
        } else {
            Err(Error::NotTracked(project.relative(&full)))
        };
    }
    walk.set_sorting(git2::Sort::TOPOLOGICAL | git2::Sort::TIME)?;
    for id in walk {
        let commit = repository.find_commit(id?)?;
        let Ok(entry) = commit.tree()?.get_path(Path::new(&inside)) else {
            continue;
        };
        let same_as_parent = commit.parents().any(|parent| {
            parent
                .tree()
                .and_then(|tree| tree.get_path(Path::new(&inside)))
                .is_ok_and(|old| old.id() == entry.id())
        });
        if same_as_parent {
            continue;
        }
        let blob = entry.to_object(&repository)?.peel_to_blob()?;
        let text = String::from_utf8_lossy(blob.content()).into_owned();
        // A version that is no valid file is no version; the working tree reports it.
        let Ok(file) = DvcFile::parse(&dvc_file, text) else {
            continue;
        };
        let Some(out) = file.outs.into_iter().next() else {
            continue;
        };
        versions.push(Version {
            commit: git::describe(&commit),
            out,
        });
    }
    if versions.is_empty() && !dvc_file.exists() {
        return Err(Error::NotTracked(project.relative(&full)));
    }
    Ok(versions)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ChangeKind {
    Added,
    Modified,
    Deleted,
    Renamed,
}

/// One file that differs between two versions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    pub kind: ChangeKind,
    pub path: String,
    pub old_path: Option<String>,
    pub old_size: Option<u64>,
    pub new_size: Option<u64>,
}

/// What a side of a comparison has: path → id and size.
type Side = BTreeMap<String, (String, Option<u64>)>;

/// What changed in the data tracked by `.dvc` files between `from` and `to`, or the folder as it is. Folders whose
/// listing is in the cache are compared file by file.
///
/// # Errors
/// When a revision does not exist.
pub fn diff(project: &Project, from: &str, to: Option<&str>) -> Result<Vec<Change>> {
    let old = committed(project, from)?;
    let new = match to {
        Some(revision) => committed(project, revision)?,
        None => present(project)?,
    };
    let (old, new) = (expand(project, &old, &new), expand(project, &new, &old));
    Ok(compare(&old, &new))
}

fn committed(project: &Project, revision: &str) -> Result<Side> {
    let repository = git::open(project)?;
    let object = repository
        .revparse_single(revision)
        .map_err(|_| Error::NoRevision(revision.to_owned()))?;
    let tree = object.peel_to_tree()?;
    let prefix = project.in_repository(&repository, "")?;
    let mut side = Side::new();
    let mut found = Vec::new();
    tree.walk(git2::TreeWalkMode::PreOrder, |folder, entry| {
        if let (Ok(name), Ok(folder)) = (entry.name(), std::str::from_utf8(folder.as_bytes()))
            && name.ends_with(".dvc")
            && entry.kind() == Some(git2::ObjectType::Blob)
        {
            found.push((format!("{folder}{name}"), entry.id()));
        }
        git2::TreeWalkResult::Ok
    })?;
    for (path, id) in found {
        let Some(relative) = path.strip_prefix(prefix.as_str()) else {
            continue;
        };
        let full = project.root().join(relative.trim_start_matches('/'));
        let text = String::from_utf8_lossy(repository.find_blob(id)?.content()).into_owned();
        let file = DvcFile::parse(&full, text)?;
        for out in &file.outs {
            put(&mut side, project.relative(&file.place(project, out)?), out);
        }
    }
    Ok(side)
}

fn present(project: &Project) -> Result<Side> {
    let mut side = Side::new();
    for (_, out, place) in status::tracked(project)? {
        if !place.exists() {
            continue;
        }
        let content = hash::scan(project.root(), &place, out.is_legacy(), &|_| {})?;
        let path = project.relative(&place);
        for entry in &content.entries {
            let size = fs_err::metadata(place.join(&entry.relpath))
                .map(|meta| meta.len())
                .ok(); // Gone since: unknown.
            side.insert(
                format!("{path}/{}", entry.relpath),
                (entry.md5.clone(), size),
            );
        }
        side.insert(path, (content.id, Some(content.size)));
    }
    Ok(side)
}

fn put(side: &mut Side, path: String, out: &Out) {
    if let Some(id) = &out.md5 {
        side.insert(path, (id.clone(), out.size));
    }
}

/// Folders that differ are replaced by their files, where both listings are known.
fn expand(project: &Project, side: &Side, other: &Side) -> Side {
    let cache = Cache::of(project);
    let mut out = Side::new();
    for (path, (id, size)) in side {
        let same = other.get(path).is_some_and(|(other, _)| other == id);
        if !id.ends_with(".dir") {
            out.insert(path.clone(), (id.clone(), *size));
            continue;
        }
        if same {
            continue;
        }
        match cache.entries(id, false) {
            Ok(entries) => {
                for entry in entries {
                    let size = cache
                        .object(&entry.md5, false)
                        .ok()
                        .and_then(|file| file.metadata().ok())
                        .map(|meta| meta.len()); // Not here: unknown.
                    out.insert(format!("{path}/{}", entry.relpath), (entry.md5, size));
                }
            }
            Err(_) => {
                out.insert(path.clone(), (id.clone(), *size));
            }
        }
    }
    out
}

fn compare(old: &Side, new: &Side) -> Vec<Change> {
    let mut gone: BTreeMap<&str, (&str, Option<u64>)> = BTreeMap::new();
    let mut changes = Vec::new();
    for (path, (id, size)) in old {
        match new.get(path) {
            None => {
                gone.insert(path, (id, *size));
            }
            Some((new_id, new_size)) if new_id != id => changes.push(Change {
                kind: ChangeKind::Modified,
                path: path.clone(),
                old_path: None,
                old_size: *size,
                new_size: *new_size,
            }),
            Some(_) => {}
        }
    }
    for (path, (id, size)) in new.iter().filter(|(path, _)| !old.contains_key(*path)) {
        let moved = gone
            .iter()
            .find(|(_, (old_id, _))| old_id == id)
            .map(|(path, _)| *path);
        let old_size = moved
            .and_then(|path| gone.remove(path))
            .and_then(|(_, size)| size);
        changes.push(Change {
            kind: if moved.is_some() {
                ChangeKind::Renamed
            } else {
                ChangeKind::Added
            },
            path: path.clone(),
            old_path: moved.map(str::to_owned),
            old_size,
            new_size: *size,
        });
    }
    changes.extend(gone.into_iter().map(|(path, (_, size))| Change {
        kind: ChangeKind::Deleted,
        path: path.to_owned(),
        old_path: None,
        old_size: size,
        new_size: None,
    }));
    changes.sort_by(|a, b| (a.kind, &a.path).cmp(&(b.kind, &b.path)));
    changes
}

/// When a commit was made; used by callers that sort versions.
impl Version {
    #[must_use]
    pub fn at(&self) -> Timestamp {
        self.commit.at
    }
}
