//! The package of a job: a zip archive that is the same, byte for byte, for the same files.

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipWriter};

use super::job::SCRIPT_NAME;
use crate::{Error, Result, ssh};

/// What runs there.
const SCRIPT: &str = include_str!("job.py");
/// Data is compressed already, and code is small: the quickest level.
const LEVEL: i64 = 1;
/// From so many bytes on an entry needs the larger format.
const LARGE: u64 = u32::MAX as u64;
const PROGRAM: u32 = 0o755;
const PLAIN: u32 = 0o644;
/// Letters of the digest in the name: as many as Ray's own packages have.
const NAME_LETTERS: usize = 40;
/// Of what is too large, so many files are named.
const NAMED: usize = 3;

pub(super) struct Package {
    /// `_ray_pkg_….zip`.
    pub name: String,
    pub archive: PathBuf,
    pub bytes: u64,
}

/// Packs `files` of `root` into `archive`.
pub(super) fn pack(root: &Path, files: &[String], archive: PathBuf) -> Result<Package> {
    let mut files: Vec<&String> = files.iter().collect();
    files.sort();
    files.dedup();
    let mut zip = ZipWriter::new(BufWriter::new(fs_err::File::create(&archive)?));
    let broken = |error: zip::result::ZipError| std::io::Error::other(error);
    for path in files {
        if path.contains('\\') || path.contains('\n') || path == SCRIPT_NAME {
            return Err(Error::BadPath(path.clone()));
        }
        let place = root.join(path);
        let mut file = fs_err::File::open(&place)?;
        let meta = file.metadata()?;
        zip.start_file(path.as_str(), options(mode(&meta), meta.len()))
            .map_err(broken)?;
        std::io::copy(&mut file, &mut zip)?;
    }
    zip.start_file(SCRIPT_NAME, options(PLAIN, 0))
        .map_err(broken)?;
    zip.write_all(SCRIPT.as_bytes())?;
    zip.finish().map_err(broken)?.flush()?;
    let (digest, bytes) = digest(&archive)?;
    let letters = digest.get(..NAME_LETTERS).unwrap_or(&digest);
    Ok(Package {
        name: format!("_ray_pkg_{letters}.zip"),
        archive,
        bytes,
    })
}

fn options(mode: u32, size: u64) -> SimpleFileOptions {
    SimpleFileOptions::default()
        .compression_method(CompressionMethod::Deflated)
        .compression_level(Some(LEVEL))
        // The time of a file is nothing of its content.
        .last_modified_time(DateTime::default())
        .unix_permissions(mode)
        .large_file(size >= LARGE)
}

#[cfg(unix)]
fn mode(meta: &std::fs::Metadata) -> u32 {
    use std::os::unix::fs::PermissionsExt as _;
    if meta.permissions().mode() & 0o100 != 0 {
        PROGRAM
    } else {
        PLAIN
    }
}

#[cfg(not(unix))]
fn mode(_: &std::fs::Metadata) -> u32 {
    PLAIN
}

/// SHA-256 and size of a file.
pub(super) fn digest(file: &Path) -> Result<(String, u64)> {
    let mut hash = Sha256::new();
    let bytes = std::io::copy(&mut File::open(file)?, &mut hash)?;
    let digest = hash.finalize();
    let text = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    Ok((text, bytes))
}

/// The largest files, for somebody who has to leave some out.
pub(super) fn largest(root: &Path, files: &[String]) -> String {
    let mut sizes: Vec<(u64, &String)> = files
        .iter()
        .filter_map(|path| Some((fs_err::metadata(root.join(path)).ok()?.len(), path))) // Gone meanwhile: not the largest.
        .collect();
    sizes.sort_by(|one, other| other.cmp(one));
    let named: Vec<String> = sizes
        .into_iter()
        .take(NAMED)
        .map(|(size, path)| format!("{path} ({})", ssh::size(size)))
        .collect();
    named.join(", ")
}

#[cfg(test)]
mod tests {
    use super::{largest, pack};

    #[test]
    fn the_same_files_make_the_same_package() {
        let folder = tempfile::tempdir().expect("a folder");
        let write = |name: &str, text: &str| {
            std::fs::write(folder.path().join(name), text).expect("a file");
        };
        write("b.py", "2");
        write("a.csv", "1,2,3");
        let name = |files: &[&str]| {
            let files: Vec<String> = files.iter().map(ToString::to_string).collect();
            let archive = folder.path().join("x.zip");
            pack(folder.path(), &files, archive).expect("packed").name
        };
        let first = name(&["b.py", "a.csv"]);
        write("b.py", "2");
        assert_eq!(
            first,
            name(&["a.csv", "b.py"]),
            "neither order nor time counts"
        );
        write("b.py", "3");
        assert_ne!(first, name(&["a.csv", "b.py"]), "every byte counts");
        let files = ["a.csv".to_owned(), "b.py".to_owned(), "gone".to_owned()];
        assert_eq!(largest(folder.path(), &files), "a.csv (5 B), b.py (1 B)");
    }
}
