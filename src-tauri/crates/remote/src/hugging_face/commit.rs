//! Changing a repository: one commit for all files, tags and branches.

use std::io::Read as _;
use std::path::PathBuf;

use base64::Engine as _;
use percent_encoding::utf8_percent_encode;
use reqwest::{Method, header};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{HuggingFace, SEGMENT};
use crate::client::json as answer_of;
use crate::{Error, Moved, Result};

/// Files of one question, as `huggingface_hub` asks.
pub(super) const MAX_FILES_ASKED: usize = 256;
/// Of each file, so much is shown to the server, which decides by it what goes to LFS.
const SAMPLE_BYTES: u64 = 512;
/// Plain files travel inside the commit: no sensible one is larger.
const MAX_COMMIT_BYTES: usize = 512 * 1024 * 1024;

/// A file that a commit brings.
#[derive(Debug, Clone)]
pub struct Added {
    pub path: String,
    pub size: u64,
    /// 64 hex digits.
    pub sha256: String,
    pub content: Content,
}

#[derive(Debug, Clone)]
pub enum Content {
    OnDisk(PathBuf),
    InMemory(Vec<u8>),
}

impl Content {
    fn head(&self, most: u64) -> Result<Vec<u8>> {
        match self {
            Self::OnDisk(path) => {
                let mut content = Vec::new();
                fs_err::File::open(path)?
                    .take(most)
                    .read_to_end(&mut content)?;
                Ok(content)
            }
            Self::InMemory(content) => {
                let most = usize::try_from(most).unwrap_or(usize::MAX);
                Ok(content.iter().take(most).copied().collect())
            }
        }
    }
}

/// One commit on a branch.
#[derive(Debug)]
pub struct Change<'a> {
    pub branch: &'a str,
    /// The commit that it must follow: another one in between is a conflict.
    pub parent: Option<&'a str>,
    pub summary: &'a str,
    pub added: &'a [Added],
    pub deleted: &'a [String],
}

/// What a commit came to.
#[derive(Debug)]
pub struct Done {
    pub commit: String,
    /// Of the files, those that were sent: what LFS had already is not sent again.
    pub files: usize,
    pub bytes: u64,
}

/// How the server wants a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    Plain,
    Lfs,
}

fn encoded(bytes: &[u8]) -> String {
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

impl HuggingFace {
    /// Makes a repository; one that is there stays as it is.
    ///
    /// # Errors
    /// When the server cannot be reached, or the token may not make one there.
    pub async fn create(&self, repo: &str, private: bool) -> Result<()> {
        let (organization, name) = match repo.split_once('/') {
            Some((organization, name)) => (Some(organization), name),
            None => (None, repo),
        };
        let body = json!({ "type": "model", "name": name, "organization": organization, "private": private });
        let request = self.client.request(Method::POST, "api/repos/create");
        match self.ask(request.json(&body)).await {
            Ok(_) | Err(Error::Answered { status: 409, .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Names a commit for good.
    ///
    /// # Errors
    /// As [`HuggingFace::create`]; also when the tag is taken.
    pub async fn tag(&self, repo: &str, tag: &str, commit: &str, message: &str) -> Result<()> {
        let path = format!("api/models/{repo}/tag/{commit}");
        let body = json!({ "tag": tag, "message": message });
        let request = self.client.request(Method::POST, &path).json(&body);
        self.ask(request).await.map(|_| ())
    }

    /// Lets a branch end at a commit, wherever it was before.
    ///
    /// # Errors
    /// As [`HuggingFace::create`].
    pub async fn set_branch(&self, repo: &str, branch: &str, commit: &str) -> Result<()> {
        let branch = utf8_percent_encode(branch, SEGMENT);
        let path = format!("api/models/{repo}/branch/{branch}");
        let body = json!({ "startingPoint": commit, "overwrite": true });
        let request = self.client.request(Method::POST, &path).json(&body);
        self.ask(request).await.map(|_| ())
    }

    /// Sends what is new and makes the commit: before it, nobody sees any of it.
    ///
    /// # Errors
    /// As [`HuggingFace::create`]; also when the branch has moved on from `parent`.
    pub async fn commit(&self, repo: &str, change: &Change<'_>, moved: Moved<'_>) -> Result<Done> {
        let modes = self.modes(repo, change).await?;
        let large: Vec<&Added> = change
            .added
            .iter()
            .zip(&modes)
            .filter(|(_, mode)| **mode == Mode::Lfs)
            .map(|(file, _)| file)
            .collect();
        let mut done = self.send_large(repo, change.branch, &large, moved).await?;
        let body = self.lines(change, &modes)?;
        for (file, _) in change
            .added
            .iter()
            .zip(&modes)
            .filter(|(_, mode)| **mode == Mode::Plain)
        {
            done.files += 1;
            done.bytes += file.size;
            moved(file.size);
        }
        #[derive(Deserialize)]
        struct Answer {
            #[serde(rename = "commitOid")]
            commit: String,
        }
        let branch = utf8_percent_encode(change.branch, SEGMENT);
        let path = format!("api/models/{repo}/commit/{branch}");
        let request = self
            .client
            .request(Method::POST, &path)
            .header(header::CONTENT_TYPE, "application/x-ndjson")
            .body(body);
        let answer: Answer = answer_of(self.ask(request).await?).await?;
        done.commit = answer.commit;
        Ok(done)
    }

    /// How the server wants each file, in their order.
    async fn modes(&self, repo: &str, change: &Change<'_>) -> Result<Vec<Mode>> {
        #[derive(Deserialize)]
        struct Answer {
            files: Vec<Wanted>,
        }
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Wanted {
            path: String,
            upload_mode: String,
            #[serde(default)]
            should_ignore: bool,
        }
        let branch = utf8_percent_encode(change.branch, SEGMENT);
        let path = format!("api/models/{repo}/preupload/{branch}");
        let mut modes = Vec::new();
        for part in change.added.chunks(MAX_FILES_ASKED) {
            let mut asked = Vec::new();
            for file in part {
                let sample = encoded(&file.content.head(SAMPLE_BYTES)?);
                asked.push(json!({ "path": file.path, "size": file.size, "sample": sample }));
            }
            let request = self.client.request(Method::POST, &path);
            let answer: Answer =
                answer_of(self.ask(request.json(&json!({ "files": asked }))).await?).await?;
            for file in part {
                let wanted = answer.files.iter().find(|one| one.path == file.path);
                let wanted = wanted
                    .ok_or_else(|| self.unreadable(&format!("nothing about {}", file.path)))?;
                if wanted.should_ignore {
                    return Err(self.unreadable(&format!(
                        "the repository's .gitignore leaves out {}, which is part of the model",
                        file.path
                    )));
                }
                // LFS takes no empty files.
                modes.push(if wanted.upload_mode == "lfs" && file.size > 0 {
                    Mode::Lfs
                } else {
                    Mode::Plain
                });
            }
        }
        Ok(modes)
    }

    /// The commit as the server reads it: a line for each thing that it does.
    fn lines(&self, change: &Change<'_>, modes: &[Mode]) -> Result<Vec<u8>> {
        let mut about = json!({ "summary": change.summary, "description": "" });
        if let (Some(parent), Some(about)) = (change.parent, about.as_object_mut()) {
            about.insert("parentCommit".to_owned(), json!(parent));
        }
        let mut body = Vec::new();
        let mut line = |key: &str, value: Value| {
            body.extend(json!({ "key": key, "value": value }).to_string().bytes());
            body.push(b'\n');
            body.len()
        };
        line("header", about);
        for path in change.deleted {
            line("deletedFile", json!({ "path": path }));
        }
        for (file, mode) in change.added.iter().zip(modes) {
            let size = match mode {
                Mode::Lfs => line(
                    "lfsFile",
                    json!({ "path": file.path, "algo": "sha256", "oid": file.sha256, "size": file.size }),
                ),
                Mode::Plain => {
                    let content = encoded(&file.content.head(MAX_COMMIT_BYTES as u64)?);
                    line(
                        "file",
                        json!({ "path": file.path, "encoding": "base64", "content": content }),
                    )
                }
            };
            if size > MAX_COMMIT_BYTES {
                return Err(self.unreadable("it wants all files in one piece, which is too large"));
            }
        }
        Ok(body)
    }
}
