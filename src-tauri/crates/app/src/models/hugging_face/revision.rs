//! What a revision of a repository holds of a model. A repository has files of its own beside it: its card, git's attributes, and the
//! record in which a push says what it brought.

use lapwing_remote::hugging_face::{Added, Content, Entry, HuggingFace, Oid};
use lapwing_remote::{Error, digest};
use serde::{Deserialize, Serialize};

use super::super::package::{Package, Travelling};
use super::card::CARD;

/// What a push writes beside the model.
pub(super) const RECORD: &str = "lapwing.json";
const ATTRIBUTES: &str = ".gitattributes";

/// What a push brought: which files are the model's, and the run that made it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(in super::super) struct Record {
    pub version: u32,
    #[serde(default)]
    pub description: String,
    /// Paths of the model's own files.
    pub files: Vec<String>,
    #[serde(default)]
    pub run: Option<Travelling>,
}

impl Record {
    pub fn of(package: &Package, version: u32) -> Self {
        Self {
            version,
            description: package.version.description.clone(),
            files: package.files.iter().map(|file| file.path.clone()).collect(),
            run: package.run.clone(),
        }
    }

    pub fn json(&self) -> Vec<u8> {
        let mut text = serde_json::json!(self).to_string().into_bytes();
        text.push(b'\n');
        text
    }
}

/// One commit of a repository.
pub(in super::super) struct Revision {
    pub repo: String,
    pub commit: String,
    /// Everything in it.
    pub files: Vec<Entry>,
    pub record: Option<Record>,
}

impl Revision {
    pub async fn read(server: &HuggingFace, repo: &str, commit: &str) -> Result<Self, Error> {
        let files = server.files(repo, commit).await?;
        let mut record = None;
        if files.iter().any(|file| file.path == RECORD) {
            let text = server.read(repo, commit, RECORD).await?;
            // A file of that name that says something else is no record: the repository is read as any other.
            record = text.and_then(|text| serde_json::from_slice(&text).ok());
        }
        Ok(Self {
            repo: repo.to_owned(),
            commit: commit.to_owned(),
            files,
            record,
        })
    }

    /// What a pull fetches: all but the repository's own files. Where no push of ours wrote the card, it is one of the model's.
    pub fn wanted(&self) -> Vec<&Entry> {
        let listed = |path: &str| {
            let record = self.record.as_ref();
            record.is_none_or(|record| record.files.iter().any(|one| one == path))
        };
        self.files
            .iter()
            .filter(|file| match file.path.as_str() {
                ATTRIBUTES => false,
                RECORD => self.record.is_none(),
                CARD => listed(CARD),
                _ => true,
            })
            .collect()
    }

    /// What the last push listed, as far as it is still there.
    fn listed(&self) -> Option<Vec<&Entry>> {
        let record = self.record.as_ref()?;
        let of = |path: &String| self.files.iter().find(|file| file.path == *path);
        Some(record.files.iter().filter_map(of).collect())
    }

    /// Whether these are the model's files. The card does not count: a person may have written another one.
    pub fn is(&self, files: &[digest::File]) -> Result<bool, Error> {
        if same(&self.wanted(), files)? {
            return Ok(true);
        }
        match self.listed() {
            Some(listed) => same(&listed, files),
            None => Ok(false),
        }
    }

    /// Files of the last push that the next one does not have.
    pub fn left_over(&self, next: &[Added]) -> Vec<String> {
        let stays = |path: &str| path == CARD || next.iter().any(|file| file.path == path);
        self.listed()
            .unwrap_or_default()
            .into_iter()
            .filter(|file| !stays(&file.path))
            .map(|file| file.path.clone())
            .collect()
    }

    /// Whether a file is here with the same content.
    pub fn has(&self, file: &Added) -> Result<bool, Error> {
        let Some(there) = self.files.iter().find(|there| there.path == file.path) else {
            return Ok(false);
        };
        if there.size != file.size {
            return Ok(false);
        }
        Ok(match (&there.oid, &file.content) {
            (Oid::Lfs(sha256), _) => *sha256 == file.sha256,
            (Oid::Git(sha1), Content::OnDisk(path)) => *sha1 == digest::git_blob(path)?,
            (Oid::Git(sha1), Content::InMemory(content)) => *sha1 == digest::git_blob_of(content),
        })
    }
}

fn same(there: &[&Entry], here: &[digest::File]) -> Result<bool, Error> {
    let counts = |path: &str| path != CARD;
    let there: Vec<_> = there.iter().filter(|file| counts(&file.path)).collect();
    let here: Vec<_> = here.iter().filter(|file| counts(&file.path)).collect();
    if there.len() != here.len() || here.is_empty() {
        return Ok(false);
    }
    for file in here {
        let Some(known) = there
            .iter()
            .find(|known| known.path == file.path && known.size == file.size)
        else {
            return Ok(false);
        };
        let equal = match &known.oid {
            Oid::Lfs(sha256) => *sha256 == file.sha256,
            Oid::Git(sha1) => *sha1 == digest::git_blob(&file.on_disk)?,
        };
        if !equal {
            return Ok(false);
        }
    }
    Ok(true)
}
