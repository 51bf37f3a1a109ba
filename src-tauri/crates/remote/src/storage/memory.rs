//! Where uploads in parts stand, so that a cut costs no more than one part.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use serde::{Deserialize, Serialize};

use crate::Result;
use crate::digest::hex;

/// One upload that has begun. The server's name for it is no secret: it is worth nothing without the credentials.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Upload {
    pub id: String,
    pub part_bytes: u64,
    size: u64,
    modified_ns: u128,
    /// By index, what the server calls the parts that it has.
    pub parts: BTreeMap<usize, String>,
}

/// The file that remembers one.
pub(super) struct Memory {
    file: PathBuf,
    size: u64,
    modified_ns: u128,
}

impl Memory {
    /// Of what is sent from `from` to `path` at `address`, in `folder`.
    pub fn of(folder: &Path, address: &str, path: &str, from: &Path) -> Result<Self> {
        use sha2::Digest as _;
        let name = hex(&sha2::Sha256::digest(format!("{address}\n{path}")));
        let meta = fs_err::metadata(from)?;
        let modified = meta.modified()?.duration_since(UNIX_EPOCH);
        Ok(Self {
            file: folder.join(format!("{name}.json")),
            size: meta.len(),
            modified_ns: modified.unwrap_or_default().as_nanos(),
        })
    }

    /// The upload that a cut left, of this very content.
    pub fn read(&self) -> Option<Upload> {
        // Not there, or cut while it was written: the upload begins anew.
        let upload: Upload = serde_json::from_slice(&fs_err::read(&self.file).ok()?).ok()?;
        let same = upload.size == self.size && upload.modified_ns == self.modified_ns;
        (same && upload.part_bytes > 0).then_some(upload)
    }

    pub fn begin(&self, id: String, part_bytes: u64) -> Upload {
        Upload {
            id,
            part_bytes,
            size: self.size,
            modified_ns: self.modified_ns,
            parts: BTreeMap::new(),
        }
    }

    pub fn keep(&self, upload: &Upload) -> Result<()> {
        let folder = self.file.parent().unwrap_or(Path::new("/"));
        fs_err::create_dir_all(folder)?;
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        file.write_all(&serde_json::to_vec(upload).map_err(std::io::Error::other)?)?;
        file.persist(&self.file).map_err(|error| error.error)?;
        Ok(())
    }

    pub fn forget(&self) {
        // There may have been none.
        let _ = fs_err::remove_file(&self.file);
    }
}
