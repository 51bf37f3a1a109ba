//! Storage with paths, as DVC lays it out: for now a folder, on this machine or mounted.

use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use crate::{Error, Result};

/// Somewhere to keep files under paths with forward slashes.
#[derive(Debug, Clone)]
pub enum Storage {
    Folder(PathBuf),
}

impl Storage {
    /// The storage at an address: a path, or `file://`.
    ///
    /// # Errors
    /// When the address is of a kind that is not supported yet.
    pub fn open(address: &str) -> Result<Self> {
        match address.split_once("://") {
            None => Ok(Self::Folder(PathBuf::from(address))),
            Some(("file" | "local", path)) => Ok(Self::Folder(PathBuf::from(path))),
            Some((scheme, _)) => Err(Error::UnsupportedStorage {
                scheme: scheme.to_owned(),
            }),
        }
    }

    fn place(&self, path: &str) -> PathBuf {
        let Self::Folder(root) = self;
        root.join(path)
    }

    /// True when a file lies at that path.
    ///
    /// # Errors
    /// When the storage cannot be asked.
    pub fn has(&self, path: &str) -> Result<bool> {
        Ok(self.place(path).try_exists()?)
    }

    /// Copies a file there; it appears under its name only when it is whole. Answers its size.
    ///
    /// # Errors
    /// When the storage cannot be written.
    pub fn send(&self, from: &Path, path: &str) -> Result<u64> {
        let to = self.place(path);
        let folder = to.parent().unwrap_or(Path::new("/"));
        fs_err::create_dir_all(folder)?;
        // A name of its own: two programs may send the same object at once.
        let part = part_in(folder)?;
        let bytes = std::io::copy(&mut fs_err::File::open(from)?, &mut part.as_file())?;
        part.as_file().sync_all()?;
        #[cfg(unix)]
        fs_err::set_permissions(part.path(), fs_err::metadata(from)?.permissions())?;
        part.persist(&to).map_err(|error| error.error)?;
        Ok(bytes)
    }

    /// Copies a file from there into `to`. Answers its size.
    ///
    /// # Errors
    /// When there is none, or it cannot be read.
    pub fn fetch(&self, path: &str, to: &Path) -> Result<u64> {
        let mut from = fs_err::File::open(self.place(path))?;
        let mut file = fs_err::File::create(to)?;
        Ok(std::io::copy(&mut from, &mut file)?)
    }
}

fn part_in(folder: &Path) -> Result<NamedTempFile> {
    Ok(tempfile::Builder::new()
        .prefix(".lapwing-")
        .suffix(".part")
        .tempfile_in(folder)?)
}
