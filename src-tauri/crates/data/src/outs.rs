//! One tracked output, the shape that `.dvc` files and `dvc.lock` share.

use serde::{Deserialize, Serialize};

use crate::Content;

/// Path and content of something tracked. Keys that are not named here are kept by whoever edits the file.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Out {
    #[serde(default)]
    pub md5: Option<String>,
    #[serde(default)]
    pub size: Option<u64>,
    #[serde(default)]
    pub nfiles: Option<u64>,
    #[serde(default)]
    pub isexec: bool,
    /// `md5` since DVC 3; without it the id folds line ends of text (DVC 2).
    #[serde(default)]
    pub hash: Option<String>,
    /// Relative to the folder of the file that names it (or its `wdir`).
    #[serde(default)]
    pub path: String,
    #[serde(default = "yes")]
    pub cache: bool,
    #[serde(default)]
    pub persist: bool,
    #[serde(default = "yes")]
    pub push: bool,
    #[serde(default)]
    pub remote: Option<String>,
    #[serde(default)]
    pub desc: Option<String>,
}

fn yes() -> bool {
    true
}

impl Out {
    /// An output with that content.
    #[must_use]
    pub fn of(path: &str, content: &Content) -> Self {
        Self {
            md5: Some(content.id.clone()),
            size: Some(content.size),
            nfiles: content.nfiles,
            isexec: content.isexec,
            hash: Some("md5".to_owned()),
            path: path.to_owned(),
            cache: true,
            push: true,
            ..Self::default()
        }
    }

    #[must_use]
    pub fn is_dir(&self) -> bool {
        self.md5.as_ref().is_some_and(|id| id.ends_with(".dir"))
    }

    /// Ids of DVC 2 fold line ends and lie elsewhere in the cache.
    #[must_use]
    pub fn is_legacy(&self) -> bool {
        self.md5.is_some() && self.hash.is_none()
    }
}
