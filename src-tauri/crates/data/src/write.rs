//! Files appear under their final name only when they are whole and synced.

use std::io::Write as _;
use std::path::Path;

use crate::Result;

/// Writes beside `path`, syncs, and renames into place; keeps the mode of what it replaces.
///
/// # Errors
/// When the folder cannot be written.
pub fn write_whole(path: &Path, content: &[u8]) -> Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    fs_err::create_dir_all(folder)?;
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(content)?;
    file.as_file().sync_all()?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = fs_err::metadata(path).map_or(0o644, |meta| meta.permissions().mode() & 0o777);
        fs_err::set_permissions(file.path(), std::fs::Permissions::from_mode(mode))?;
    }
    file.persist(path).map_err(|error| error.error)?;
    Ok(())
}
