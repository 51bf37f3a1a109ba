//! Where uploads to registries stand, so that the next program goes on with what a cut, a stop or a crash left.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use crate::Result;

/// Uploads that were begun, by digest and repository, in a file: where to go on. What a registry says about it may let whoever has it
/// send the rest of these very bytes for some hours: the file is its owner's alone.
#[derive(Debug, Clone)]
pub struct Sessions {
    file: PathBuf,
}

impl Sessions {
    #[must_use]
    pub fn at(file: PathBuf) -> Self {
        Self { file }
    }

    fn all(&self) -> BTreeMap<String, String> {
        // Lost or damaged: the uploads begin anew.
        fs_err::read(&self.file)
            .ok()
            .and_then(|text| serde_json::from_slice(&text).ok())
            .unwrap_or_default()
    }

    pub(crate) fn get(&self, key: &str) -> Option<String> {
        self.all().remove(key)
    }

    pub(crate) fn set(&self, key: &str, location: Option<&str>) -> Result<()> {
        let mut all = self.all();
        match location {
            Some(location) => all.insert(key.to_owned(), location.to_owned()),
            None => all.remove(key),
        };
        let folder = self.file.parent().unwrap_or(Path::new("/"));
        fs_err::create_dir_all(folder)?;
        let mut part = tempfile::NamedTempFile::new_in(folder)?;
        part.write_all(serde_json::json!(all).to_string().as_bytes())?;
        part.persist(&self.file).map_err(|error| error.error)?;
        Ok(())
    }
}
