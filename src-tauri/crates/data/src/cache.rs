//! The content cache: objects named by their id, written once, read-only.

use std::path::{Path, PathBuf};

use tempfile::{NamedTempFile, TempPath};

use crate::crew::each;
use crate::hash::{DirEntry, is_id, parse_listing};
use crate::write::{at, new_file};
use crate::{Content, Error, Project, Result, hash};

/// So many files at once: each waits until the disk has it, and a disk takes many together.
const SYNCING: usize = 16;

/// DVC's cache of a project.
#[derive(Debug, Clone)]
pub struct Cache {
    root: PathBuf,
    links: Vec<Link>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Link {
    Reflink,
    Hardlink,
    Symlink,
    Copy,
}

impl Cache {
    /// The cache that the project's configuration names, `.dvc/cache` by default.
    #[must_use]
    pub fn of(project: &Project) -> Self {
        let config = project.config();
        let root = config
            .get("cache", "dir")
            .map_or_else(|| project.root().join(".dvc/cache"), PathBuf::from);
        let links = config.get("cache", "type").unwrap_or("reflink,copy");
        let links = links
            .split(',')
            .filter_map(|word| match word.trim().trim_matches('"') {
                "reflink" => Some(Link::Reflink),
                "hardlink" => Some(Link::Hardlink),
                "symlink" => Some(Link::Symlink),
                "copy" => Some(Link::Copy),
                _ => None,
            })
            .collect();
        Self { root, links }
    }

    /// Where the cache lies.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Where the object with that id lies, or would lie.
    ///
    /// # Errors
    /// When the text is no id.
    pub fn object(&self, id: &str, legacy: bool) -> Result<PathBuf> {
        if !is_id(id) {
            return Err(Error::BadListing(id.to_owned()));
        }
        let (first, rest) = id.split_at(2);
        let base = if legacy {
            self.root.clone()
        } else {
            self.root.join("files/md5")
        };
        Ok(base.join(first).join(rest))
    }

    /// The files of a folder's listing.
    ///
    /// # Errors
    /// When the listing is not in the cache, or damaged.
    pub fn entries(&self, id: &str, legacy: bool) -> Result<Vec<DirEntry>> {
        if !self.sound(id, legacy)? {
            return Err(Error::NotInCache {
                path: "a folder".to_owned(),
                id: id.to_owned(),
            });
        }
        parse_listing(id, &fs_err::read(self.object(id, legacy)?)?)
    }

    /// True when the object and, for a folder, each of its files is there and undamaged.
    #[must_use]
    pub fn has(&self, id: &str, legacy: bool) -> bool {
        let there = |id: &str| self.sound(id, legacy).unwrap_or(false); // Unreadable: not there for this user.
        if !there(id) {
            return false;
        }
        if !id.ends_with(".dir") {
            return true;
        }
        self.entries(id, legacy)
            .is_ok_and(|entries| entries.iter().all(|entry| there(&entry.md5)))
    }

    /// True when the object is there and is what its name says. As DVC does, a read-only object is trusted; any other may
    /// have been changed, is hashed, and made read-only again when it is sound.
    pub(crate) fn sound(&self, id: &str, legacy: bool) -> Result<bool> {
        let path = self.object(id, legacy)?;
        let Ok(meta) = fs_err::metadata(&path) else {
            return Ok(false);
        };
        if !meta.is_file() {
            return Ok(false);
        }
        if is_protected(&meta) {
            return Ok(true);
        }
        let folded = legacy && !id.ends_with(".dir");
        if hash::file_id(&path, folded, &mut |_| {})? != id.trim_end_matches(".dir") {
            tracing::warn!(object = %path.display(), "damaged, not used");
            return Ok(false);
        }
        if let Err(error) = protect(&path) {
            tracing::debug!(%error, "somebody else's object: it is hashed again the next time");
        }
        Ok(true)
    }

    /// Takes the content at `path` into the cache: files first, the listing last.
    ///
    /// # Errors
    /// When the cache cannot be written.
    pub fn save(&self, path: &Path, content: &Content) -> Result<()> {
        if !content.id.ends_with(".dir") {
            return self.take(path, &content.id);
        }
        each(&content.entries, SYNCING, &|entry| {
            self.take(&path.join(&entry.relpath), &entry.md5)
        })?;
        self.put(&content.id, hash::listing(&content.entries).as_bytes())
    }

    fn take(&self, from: &Path, id: &str) -> Result<()> {
        let to = self.object(id, false)?;
        if self.sound(id, false)? {
            return Ok(());
        }
        let folder = self.folder_of(&to)?;
        let temporary = new_file(&folder)?;
        fill(&temporary, from, &to)?;
        let temporary = temporary.into_temp_path();
        // The file may have changed between hashing and copying: what is kept must be what its name says.
        if hash::file_id(&temporary, false, &mut |_| {})? != *id {
            return Err(Error::Corrupt {
                what: from.display().to_string(),
            });
        }
        self.finish(temporary, &to)
    }

    /// Stores bytes under an id that was computed from them.
    pub(crate) fn put(&self, id: &str, bytes: &[u8]) -> Result<()> {
        let to = self.object(id, false)?;
        if self.sound(id, false)? {
            return Ok(());
        }
        let folder = self.folder_of(&to)?;
        let temporary = tempfile::Builder::new()
            .prefix(".lapwing-")
            .tempfile_in(&folder)?
            .into_temp_path();
        fs_err::write(&temporary, bytes)?;
        self.finish(temporary, &to)
    }

    fn folder_of(&self, object: &Path) -> Result<PathBuf> {
        let folder = object.parent().unwrap_or(&self.root).to_owned();
        fs_err::create_dir_all(&folder)?;
        Ok(folder)
    }

    /// A finished object: synced, read-only (DVC trusts exactly that mode), under its name.
    pub(crate) fn finish(&self, temporary: TempPath, to: &Path) -> Result<()> {
        fs_err::File::open(&temporary)?.sync_all()?;
        protect(&temporary)?;
        #[cfg(not(unix))]
        if to.is_file() {
            // A damaged object: a file that may not be written cannot be replaced there.
            writable(to, 0)?;
        }
        temporary
            .persist(to)
            .map_err(|error| Error::Io(error.error))
    }

    /// Makes the workspace file `to` from an object, by the first kind of link that works here.
    pub(crate) fn link(&self, id: &str, legacy: bool, to: &Path, isexec: bool) -> Result<()> {
        let from = self.object(id, legacy)?;
        if !self.sound(id, legacy)? {
            return Err(Error::NotInCache {
                path: to.display().to_string(),
                id: id.to_owned(),
            });
        }
        if let Some(parent) = to.parent() {
            fs_err::create_dir_all(parent)?;
        }
        let folder = to.parent().unwrap_or(Path::new("."));
        // An executable hard link would change the mode of the object itself.
        let linked = if isexec {
            None
        } else {
            self.linked(&from, folder)?
        };
        let temporary = match linked {
            Some(link) => link,
            None => {
                let copy = new_file(folder)?;
                let mode = mode_of(copy.path())? | if isexec { 0o100 } else { 0 };
                fill(&copy, &from, to)?;
                writable(copy.path(), mode)?;
                copy.into_temp_path()
            }
        };
        temporary
            .persist(to)
            .map_err(|error| Error::Io(error.error))
    }

    /// A link to `from` in `folder`, by the first kind that works here; none where copies are wanted.
    fn linked(&self, from: &Path, folder: &Path) -> Result<Option<TempPath>> {
        let copies = |link: &Link| matches!(link, Link::Reflink | Link::Copy);
        if self.links.iter().all(copies) {
            return Ok(None);
        }
        let link = new_file(folder)?.into_temp_path();
        fs_err::remove_file(&link)?;
        let made = self.links.iter().any(|kind| make(*kind, from, &link));
        Ok(made.then_some(link))
    }
}

/// Gives a new file, which becomes `to`, the content of `from`, and its very blocks where the disk can share them. Into the file that is there: one
/// that is removed and made anew costs a file system more than the copy of a small file.
#[cfg(not(target_os = "macos"))]
fn fill(new: &NamedTempFile, from: &Path, to: &Path) -> Result<()> {
    let mut from = fs_err::File::open(from)?.into_file();
    if reflink_copy::reflink_file(&from, new.as_file()).is_err() {
        std::io::copy(&mut from, &mut new.as_file()).map_err(|error| at(to, error))?;
    }
    Ok(())
}

/// There, blocks are only shared by a file that is not there yet.
#[cfg(target_os = "macos")]
fn fill(new: &NamedTempFile, from: &Path, to: &Path) -> Result<()> {
    fs_err::remove_file(new.path())?;
    reflink_copy::reflink_or_copy(from, new.path()).map_err(|error| at(to, error))?;
    Ok(())
}

/// True when that kind of link could be made; copies are the caller's.
fn make(link: Link, from: &Path, to: &Path) -> bool {
    match link {
        Link::Reflink | Link::Copy => false,
        Link::Hardlink => fs_err::hard_link(from, to).is_ok(),
        #[cfg(unix)]
        Link::Symlink => from
            .canonicalize()
            .is_ok_and(|from| fs_err::os::unix::fs::symlink(from, to).is_ok()),
        #[cfg(not(unix))]
        Link::Symlink => false,
    }
}

/// The mode of objects that are taken as they are.
#[cfg(unix)]
const PROTECTED: u32 = 0o444;

#[cfg(unix)]
fn is_protected(meta: &std::fs::Metadata) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    meta.permissions().mode() & 0o777 == PROTECTED
}

#[cfg(not(unix))]
fn is_protected(meta: &std::fs::Metadata) -> bool {
    meta.permissions().readonly()
}

fn protect(path: &Path) -> Result<()> {
    #[cfg(unix)]
    let permissions = {
        use std::os::unix::fs::PermissionsExt as _;
        std::fs::Permissions::from_mode(PROTECTED)
    };
    #[cfg(not(unix))]
    let permissions = {
        let mut permissions = fs_err::metadata(path)?.permissions();
        permissions.set_readonly(true);
        permissions
    };
    Ok(fs_err::set_permissions(path, permissions)?)
}

#[cfg(unix)]
fn mode_of(path: &Path) -> Result<u32> {
    use std::os::unix::fs::PermissionsExt as _;
    Ok(fs_err::metadata(path)?.permissions().mode() & 0o777)
}

#[cfg(not(unix))]
fn mode_of(_path: &Path) -> Result<u32> {
    Ok(0)
}

#[cfg(unix)]
fn writable(path: &Path, mode: u32) -> Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    Ok(fs_err::set_permissions(
        path,
        std::fs::Permissions::from_mode(mode),
    )?)
}

#[cfg(not(unix))]
fn writable(path: &Path, _mode: u32) -> Result<()> {
    let mut permissions = fs_err::metadata(path)?.permissions();
    permissions.set_readonly(false);
    Ok(fs_err::set_permissions(path, permissions)?)
}
