//! Files that appear under their final name only when whole and synced.

use std::io::Write as _;
use std::path::Path;

use lapwing_core::{Code, Report};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Writes `content` beside `path`, syncs it and renames it into place.
///
/// # Errors
/// When the folder cannot be written: disk full, no permission.
pub fn write_whole(path: &Path, content: &[u8]) -> Result<(), Report> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let write = || -> std::io::Result<()> {
        fs_err::create_dir_all(folder)?;
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        file.write_all(content)?;
        file.as_file().sync_all()?;
        keep_mode(path, file.path())?;
        file.persist(path).map_err(|error| error.error)?;
        Ok(())
    };
    write().map_err(|error| unwritable(path, &error))
}

/// A temporary file is private; what it replaces, or a new file of the user, is not.
#[cfg(unix)]
fn keep_mode(path: &Path, temporary: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = fs_err::metadata(path).map_or(0o644, |meta| meta.permissions().mode() & 0o777);
    fs_err::set_permissions(temporary, std::fs::Permissions::from_mode(mode))
}

#[cfg(not(unix))]
fn keep_mode(_path: &Path, _temporary: &Path) -> std::io::Result<()> {
    Ok(())
}

/// Writes a value as indented JSON.
///
/// # Errors
/// As [`write_whole`].
pub fn write_json<T: Serialize>(path: &Path, value: &T) -> Result<(), Report> {
    let text = serde_json::to_vec_pretty(value).map_err(|error| {
        Report::new(
            Code::Internal,
            "file.encode",
            format!("cannot write {}: {error}", path.display()),
        )
    })?;
    write_whole(path, &text)
}

/// Reads a JSON file; `None` when it is not there.
///
/// # Errors
/// When it is there and cannot be read or understood.
pub fn read_json<T: DeserializeOwned>(path: &Path) -> Result<Option<T>, Report> {
    match fs_err::read(path) {
        Ok(bytes) => serde_json::from_slice(&bytes).map(Some).map_err(|error| {
            Report::new(
                Code::Failed,
                "file.invalid",
                format!("{} cannot be understood: {error}", path.display()),
            )
        }),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Report::new(
            Code::Failed,
            "file.unreadable",
            error.to_string(),
        )),
    }
}

/// A report for a failed write, with the one hint that helps when the disk is full.
#[must_use]
pub fn unwritable(path: &Path, error: &std::io::Error) -> Report {
    let report = Report::new(
        Code::Failed,
        "file.unwritable",
        format!("cannot write {}: {error}", path.display()),
    );
    match error.kind() {
        std::io::ErrorKind::StorageFull => {
            report.hint("the disk is full: make room and try again, nothing was changed")
        }
        std::io::ErrorKind::PermissionDenied => report.hint("check who owns the folder"),
        _ => report,
    }
}
