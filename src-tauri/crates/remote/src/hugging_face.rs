//! The Hugging Face Hub, and servers that speak like it: repositories of models, their revisions and files, and changes to them.
//!
//! Paths and words are those of `huggingface_hub` 2.4 (<https://huggingface.co/docs/hub/api>). The crate `hf-hub` 1.0 was weighed: it
//! begins a cut download anew and sends large files through Xet alone, which mirrors do not speak.

mod commit;
mod lfs;

use std::path::Path;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::{Method, RequestBuilder, Response, StatusCode};
use serde::Deserialize;
use serde::de::DeserializeOwned;

pub use commit::{Added, Change, Content, Done};

use crate::client::{accepted, bytes, json, next_page, shown};
use crate::{Client, Error, Moved, Result, Sessions, digest};

const MAX_PAGES: usize = 1000;
/// What may stand in one segment of a path.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~');

/// A model as search and lookup tell it.
#[derive(Debug, Clone, Deserialize)]
pub struct Model {
    pub id: String,
    /// The commit that was asked for.
    #[serde(default)]
    pub sha: Option<String>,
    #[serde(default)]
    pub private: bool,
    #[serde(default)]
    pub downloads: u64,
    #[serde(default)]
    pub pipeline_tag: Option<String>,
    #[serde(default)]
    pub library_name: Option<String>,
    #[serde(default)]
    pub tags: Vec<String>,
}

/// What names commits of a repository.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Refs {
    #[serde(default)]
    pub branches: Vec<Ref>,
    #[serde(default)]
    pub tags: Vec<Ref>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Ref {
    pub name: String,
    pub target_commit: String,
}

/// One file of a revision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub path: String,
    pub size: u64,
    pub oid: Oid,
}

/// By what the Hub knows the content of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Oid {
    /// SHA-256, for files in LFS.
    Lfs(String),
    /// Git's SHA-1 of a blob, for plain files.
    Git(String),
}

impl Oid {
    /// The hex digits: also the name of the file in the cache of `huggingface_hub`.
    #[must_use]
    pub fn text(&self) -> &str {
        match self {
            Self::Lfs(text) | Self::Git(text) => text,
        }
    }

    /// The same kind of digest of a file here.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn of_file(&self, file: &Path) -> Result<String> {
        match self {
            Self::Lfs(_) => digest::sha256(file).map(|(found, _)| found),
            Self::Git(_) => digest::git_blob(file),
        }
    }
}

/// The Hub at an address.
#[derive(Debug, Clone)]
pub struct HuggingFace {
    client: Client,
    sessions: Option<Sessions>,
}

impl HuggingFace {
    #[must_use]
    pub fn new(client: Client) -> Self {
        Self {
            client,
            sessions: None,
        }
    }

    /// The same, remembering there where its uploads stand.
    #[must_use]
    pub fn remembering(self, sessions: Sessions) -> Self {
        Self {
            sessions: Some(sessions),
            ..self
        }
    }

    /// Whether there is a token.
    #[must_use]
    pub fn signed_in(&self) -> bool {
        self.client.credential().is_some()
    }

    async fn ask(&self, request: RequestBuilder) -> Result<Response> {
        granted(self.client.send(request).await?).await
    }

    async fn get<T: DeserializeOwned>(&self, path: &str, query: &[(&str, &str)]) -> Result<T> {
        let request = self.client.request(Method::GET, path).query(query);
        json(self.ask(request).await?).await
    }

    /// Whose token it is.
    ///
    /// # Errors
    /// When the server cannot be reached, or the token is none of its own.
    pub async fn user(&self) -> Result<String> {
        #[derive(Deserialize)]
        struct Answer {
            name: String,
        }
        let answer: Answer = self.get("api/whoami-v2", &[]).await?;
        Ok(answer.name)
    }

    /// Models of which the name contains `text`, by their downloads; those of `author` alone, where one is named.
    ///
    /// # Errors
    /// As [`HuggingFace::user`].
    pub async fn search(
        &self,
        text: &str,
        author: Option<&str>,
        most: usize,
    ) -> Result<Vec<Model>> {
        let limit = most.to_string();
        let mut query = vec![("limit", limit.as_str()), ("sort", "downloads")];
        if !text.is_empty() {
            query.push(("search", text));
        }
        if let Some(author) = author {
            query.push(("author", author));
        }
        self.get("api/models", &query).await
    }

    /// A repository at a branch, tag or commit.
    ///
    /// # Errors
    /// As [`HuggingFace::user`]; [`Error::NotFound`] where there is none, or none that may be seen.
    pub async fn model(&self, repo: &str, revision: &str) -> Result<Model> {
        let revision = utf8_percent_encode(revision, SEGMENT);
        self.get(&format!("api/models/{repo}/revision/{revision}"), &[])
            .await
    }

    /// Branches and tags.
    ///
    /// # Errors
    /// As [`HuggingFace::model`].
    pub async fn refs(&self, repo: &str) -> Result<Refs> {
        self.get(&format!("api/models/{repo}/refs"), &[]).await
    }

    /// All files of a revision.
    ///
    /// # Errors
    /// As [`HuggingFace::model`].
    pub async fn files(&self, repo: &str, revision: &str) -> Result<Vec<Entry>> {
        #[derive(Deserialize)]
        struct Item {
            #[serde(rename = "type")]
            kind: String,
            path: String,
            #[serde(default)]
            size: u64,
            oid: String,
            #[serde(default)]
            lfs: Option<Lfs>,
        }
        #[derive(Deserialize)]
        struct Lfs {
            oid: String,
            size: u64,
        }
        let revision = utf8_percent_encode(revision, SEGMENT);
        let mut page = format!("api/models/{repo}/tree/{revision}?recursive=true");
        let mut all = Vec::new();
        for _ in 0..MAX_PAGES {
            let response = self.ask(self.client.request(Method::GET, &page)).await?;
            let next = next_page(&response);
            let items: Vec<Item> = json(response).await?;
            all.extend(
                items
                    .into_iter()
                    .filter(|item| item.kind == "file")
                    .map(|item| match item.lfs {
                        Some(lfs) => Entry {
                            path: item.path,
                            size: lfs.size,
                            oid: Oid::Lfs(lfs.oid),
                        },
                        None => Entry {
                            path: item.path,
                            size: item.size,
                            oid: Oid::Git(item.oid),
                        },
                    }),
            );
            match next {
                Some(next) => page = next,
                None => return Ok(all),
            }
        }
        Err(self.unreadable("a revision without an end to its list of files"))
    }

    fn unreadable(&self, why: &str) -> Error {
        Error::Unreadable {
            url: self.client.base().to_owned(),
            why: why.to_owned(),
        }
    }

    /// A small file; `None` where the revision has none of that name.
    ///
    /// # Errors
    /// As [`HuggingFace::model`].
    pub async fn read(&self, repo: &str, revision: &str, path: &str) -> Result<Option<Vec<u8>>> {
        let request = self
            .client
            .request(Method::GET, &address(repo, revision, path));
        match self.ask(request).await {
            Ok(response) => bytes(response).await.map(Some),
            Err(Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Fetches a file to `place`, which is only written when the digest is right; `part` keeps what has arrived until then.
    ///
    /// # Errors
    /// As [`HuggingFace::model`]; [`Error::Digest`] when it arrives damaged: then nothing of it stays.
    pub async fn fetch(
        &self,
        repo: &str,
        commit: &str,
        wanted: &Entry,
        part: &Path,
        place: &Path,
        moved: Moved<'_>,
    ) -> Result<()> {
        let address = address(repo, commit, &wanted.path);
        let request = || self.client.request(Method::GET, &address);
        self.client.fetch(request, part, moved).await?;
        let found = wanted.oid.of_file(part)?;
        if found != wanted.oid.text() {
            fs_err::remove_file(part)?;
            return Err(Error::Digest {
                what: wanted.path.clone(),
                expected: wanted.oid.text().to_owned(),
                found,
            });
        }
        Ok(fs_err::rename(part, place)?)
    }
}

/// Where a file is downloaded from. Large ones are handed on to another server from there.
fn address(repo: &str, revision: &str, path: &str) -> String {
    let revision = utf8_percent_encode(revision, SEGMENT);
    let path: Vec<String> = path
        .split('/')
        .map(|part| utf8_percent_encode(part, SEGMENT).to_string())
        .collect();
    format!("{repo}/resolve/{revision}/{}", path.join("/"))
}

/// The response, when it is a success. What only the Hub knows, the consent to a licence, is told apart from a lack of rights.
async fn granted(response: Response) -> Result<Response> {
    let gated = response
        .headers()
        .get("x-error-code")
        .is_some_and(|code| code.as_bytes() == b"GatedRepo");
    if gated && !response.status().is_success() {
        return Err(Error::Answered {
            url: shown(response.url()),
            status: StatusCode::FORBIDDEN.as_u16(),
            message: "its owner wants to be asked first: ask for access on the model's page"
                .to_owned(),
        });
    }
    accepted(response).await
}
