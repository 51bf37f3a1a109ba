//! Files appear under their final name only when they are whole and synced.

use std::io::Write as _;
use std::path::Path;

use tempfile::NamedTempFile;

use crate::Result;

/// A file with a name of its own in `folder`, and the mode that the user's umask gives any new file.
pub(crate) fn new_file(folder: &Path) -> Result<NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(".lapwing-");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        builder.permissions(std::fs::Permissions::from_mode(0o666));
    }
    Ok(builder.tempfile_in(folder)?)
}

/// Which disk is full says the path of what did not fit.
pub(crate) fn at(path: &Path, error: std::io::Error) -> std::io::Error {
    let text = format!("cannot write {}: {error}", path.display());
    std::io::Error::new(error.kind(), text)
}

/// Writes beside `path`, syncs, and renames into place; keeps the mode of what it replaces.
///
/// # Errors
/// When the folder cannot be written.
pub fn write_whole(path: &Path, content: &[u8]) -> Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    fs_err::create_dir_all(folder)?;
    let mut file = new_file(folder)?;
    file.write_all(content).map_err(|error| at(path, error))?;
    let synced = file.as_file().sync_all();
    synced.map_err(|error| at(path, error))?;
    #[cfg(unix)]
    if let Ok(old) = fs_err::metadata(path) {
        fs_err::set_permissions(file.path(), old.permissions())?;
    }
    file.persist(path).map_err(|error| error.error)?;
    Ok(())
}
