//! A folder, on this machine or mounted.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use super::{Known, Watch};
use crate::{Error, Result};

const PIECE: usize = 1024 * 1024;

pub(super) struct Folder {
    root: PathBuf,
}

impl Folder {
    pub fn new(address: &str) -> Self {
        let path = address.split_once("://").map_or(address, |(_, path)| path);
        Self {
            root: PathBuf::from(path),
        }
    }

    pub fn greet(&self) -> Result<String> {
        match self.root.try_exists() {
            Ok(true) if self.root.is_dir() => Ok("a folder".to_owned()),
            // The first push makes it, where its parent is there: a disk that is mounted.
            Ok(false) if self.root.parent().is_some_and(Path::is_dir) => {
                Ok("a folder that the first push makes".to_owned())
            }
            Ok(_) => Err(Error::NoFolder {
                path: self.root.clone(),
            }),
            Err(error) => Err(error.into()),
        }
    }

    pub fn known(&self, paths: &[String]) -> Result<Known> {
        let mut known = Known::new();
        for path in paths {
            match fs_err::metadata(self.root.join(path)) {
                Ok(there) => {
                    known.insert(path.clone(), Some(there.len()));
                }
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(known)
    }

    pub fn send(&self, from: &Path, path: &str, watch: Watch<'_>) -> Result<u64> {
        let to = self.root.join(path);
        let folder = to.parent().unwrap_or(Path::new("/"));
        fs_err::create_dir_all(folder)?;
        // A name of its own: two programs may send the same object at once.
        let part = part_in(folder)?;
        let bytes = copy(&mut fs_err::File::open(from)?, &mut part.as_file(), watch)?;
        part.as_file().sync_all()?;
        #[cfg(unix)]
        fs_err::set_permissions(part.path(), fs_err::metadata(from)?.permissions())?;
        part.persist(&to).map_err(|error| error.error)?;
        Ok(bytes)
    }

    pub fn fetch(&self, path: &str, part: &Path, watch: Watch<'_>) -> Result<()> {
        let from = self.root.join(path);
        let mut from = match fs_err::File::open(&from) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Err(if self.root.is_dir() {
                    Error::NotFound {
                        url: from.display().to_string(),
                    }
                } else {
                    // A disk that is not mounted is not a remote that lacks a file.
                    Error::NoFolder {
                        path: self.root.clone(),
                    }
                });
            }
            Err(error) => return Err(error.into()),
        };
        copy(&mut from, &mut fs_err::File::create(part)?, watch)?;
        Ok(())
    }
}

fn copy(from: &mut fs_err::File, to: &mut impl std::io::Write, watch: Watch<'_>) -> Result<u64> {
    let mut piece = vec![0; PIECE];
    let mut bytes = 0;
    loop {
        watch.check()?;
        let read = from.read(&mut piece)?;
        if read == 0 {
            to.flush()?;
            return Ok(bytes);
        }
        to.write_all(piece.get(..read).unwrap_or_default())?;
        bytes += read as u64;
        (watch.moved)(read as u64);
    }
}

fn part_in(folder: &Path) -> Result<NamedTempFile> {
    Ok(tempfile::Builder::new()
        .prefix(".lapwing-")
        .suffix(".part")
        .tempfile_in(folder)?)
}
