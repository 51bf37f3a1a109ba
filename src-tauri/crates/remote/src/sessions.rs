//! Where uploads to registries stand, so that the next program goes on with what a cut, a stop or a crash left.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use lapwing_core::Timestamp;
use serde::{Deserialize, Serialize};

use crate::Result;

/// Servers forget an upload that nobody goes on with, and what may send the rest of it is not kept for longer than it is of use.
const MOST_MILLIS: i64 = 2 * 24 * 3600 * 1000;

/// Uploads that were begun, by digest and repository, in a file: where to go on. What a registry says about it may let whoever has it
/// send the rest of these very bytes for some hours: the file is its owner's alone.
#[derive(Debug, Clone)]
pub struct Sessions {
    file: PathBuf,
}

#[derive(Serialize, Deserialize)]
struct Session {
    location: String,
    at: Timestamp,
}

impl Session {
    /// One of a clock that went back is as good as new.
    fn is_of_use(&self) -> bool {
        Timestamp::now().millis_since(self.at) < MOST_MILLIS
    }
}

impl Sessions {
    #[must_use]
    pub fn at(file: PathBuf) -> Self {
        Self { file }
    }

    fn all(&self) -> BTreeMap<String, Session> {
        // Lost, damaged or of another version: the uploads begin anew.
        let mut all: BTreeMap<String, Session> = fs_err::read(&self.file)
            .ok()
            .and_then(|text| serde_json::from_slice(&text).ok())
            .unwrap_or_default();
        all.retain(|_, session| session.is_of_use());
        all
    }

    pub(crate) fn get(&self, key: &str) -> Option<String> {
        Some(self.all().remove(key)?.location)
    }

    pub(crate) fn set(&self, key: &str, location: Option<&str>) -> Result<()> {
        let mut all = self.all();
        match location {
            Some(location) => all.insert(
                key.to_owned(),
                Session {
                    location: location.to_owned(),
                    at: Timestamp::now(),
                },
            ),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_upload_of_long_ago_is_forgotten() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("uploads.json");
        let now = Timestamp::now();
        let old = Timestamp(now.0 - MOST_MILLIS - 1);
        let kept = serde_json::json!({
            "new": {"location": "https://a/1", "at": now},
            "old": {"location": "https://a/canary", "at": old},
        });
        std::fs::write(&file, kept.to_string()).expect("written");
        let sessions = Sessions::at(file.clone());
        assert_eq!(sessions.get("new").as_deref(), Some("https://a/1"));
        assert_eq!(sessions.get("old"), None);
        sessions.set("other", Some("https://a/2")).expect("kept");
        let text = std::fs::read_to_string(&file).expect("a text");
        assert!(
            text.contains("https://a/2") && !text.contains("canary"),
            "{text}"
        );
    }

    #[test]
    fn what_an_older_version_kept_does_not_stay() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("uploads.json");
        std::fs::write(&file, r#"{"a": "canary"}"#).expect("written");
        let sessions = Sessions::at(file.clone());
        assert_eq!(sessions.get("a"), None);
        sessions.set("b", None).expect("kept");
        assert_eq!(std::fs::read_to_string(&file).expect("a text"), "{}");
    }
}
