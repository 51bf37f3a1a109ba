//! What a folder holds, with SHA-256 of each file: the identity of a model wherever it goes.

use std::fmt::Write as _;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use sha1::Sha1;
use sha2::{Digest as _, Sha256};

use crate::Result;

const PIECE: usize = 1024 * 1024;

/// One file below a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// Relative, with `/`.
    pub path: String,
    pub on_disk: PathBuf,
    pub size: u64,
    /// 64 hex digits.
    pub sha256: String,
}

/// The files below `root`, by path. Links are left out: they could lead anywhere.
///
/// # Errors
/// When a file cannot be read.
pub fn folder(root: &Path) -> Result<Vec<File>> {
    watched(root, &|| Ok(()))
}

/// As [`folder`]; `check` is asked before each piece that is read, and ends it when it fails.
///
/// # Errors
/// When a file cannot be read, or `check` fails.
pub fn watched(root: &Path, check: &dyn Fn() -> Result<()>) -> Result<Vec<File>> {
    let mut folders = vec![root.to_owned()];
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs_err::read_dir(&folder)? {
            let entry = entry?;
            let kind = entry.file_type()?;
            if kind.is_dir() {
                folders.push(entry.path());
            } else if kind.is_file() {
                files.push(file(root, entry.path(), check)?);
            }
        }
    }
    files.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(files)
}

fn file(root: &Path, on_disk: PathBuf, check: &dyn Fn() -> Result<()>) -> Result<File> {
    let path = on_disk
        .strip_prefix(root)
        .unwrap_or(&on_disk)
        .components()
        .map(|part| part.as_os_str().to_string_lossy())
        .collect::<Vec<_>>()
        .join("/");
    let (sha256, size) = sha256_watched(&on_disk, check)?;
    Ok(File {
        path,
        on_disk,
        size,
        sha256,
    })
}

/// SHA-256 of a file as 64 hex digits, and its size.
///
/// # Errors
/// When it cannot be read.
pub fn sha256(file: &Path) -> Result<(String, u64)> {
    sha256_watched(file, &|| Ok(()))
}

fn sha256_watched(file: &Path, check: &dyn Fn() -> Result<()>) -> Result<(String, u64)> {
    let mut opened = fs_err::File::open(file)?;
    let mut hash = Sha256::new();
    let mut piece = vec![0; PIECE];
    let mut size = 0;
    loop {
        check()?;
        let read = opened.read(&mut piece)?;
        if read == 0 {
            return Ok((hex(&hash.finalize()), size));
        }
        hash.update(piece.get(..read).unwrap_or_default());
        size += read as u64;
    }
}

/// Git's SHA-1 of a file's content as a blob, as 40 hex digits.
///
/// # Errors
/// When it cannot be read.
pub fn git_blob(file: &Path) -> Result<String> {
    let mut opened = fs_err::File::open(file)?;
    let mut hash = Sha1::new();
    hash.update(format!("blob {}\0", opened.metadata()?.len()));
    let mut piece = vec![0; PIECE];
    loop {
        let read = opened.read(&mut piece)?;
        if read == 0 {
            return Ok(hex(&hash.finalize()));
        }
        hash.update(piece.get(..read).unwrap_or_default());
    }
}

/// As [`git_blob`], of what is in memory.
#[must_use]
pub fn git_blob_of(content: &[u8]) -> String {
    let mut hash = Sha1::new();
    hash.update(format!("blob {}\0", content.len()));
    hash.update(content);
    hex(&hash.finalize())
}

/// SHA-256 of what is in memory, as 64 hex digits.
#[must_use]
pub fn sha256_of(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// One digest for all files: of their names and contents, whatever the order they were found in.
#[must_use]
pub fn of(files: &[File]) -> String {
    let mut hash = Sha256::new();
    for file in files {
        hash.update((file.path.len() as u64).to_le_bytes());
        hash.update(file.path.as_bytes());
        hash.update(file.sha256.as_bytes());
    }
    hex(&hash.finalize())
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::git_blob_of;

    #[test]
    fn a_blob_has_the_name_that_git_gives_it() {
        // `printf 'hello\n' | git hash-object --stdin`
        assert_eq!(
            git_blob_of(b"hello\n"),
            "ce013625030ba8dba906f756967f9e9ca394464a"
        );
        assert_eq!(git_blob_of(b""), "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391");
    }
}
