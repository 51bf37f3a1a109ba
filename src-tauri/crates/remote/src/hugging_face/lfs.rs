//! Large files: asked for with Git LFS's batch call, sent to where the answer says, whole or in parts. A cut costs one part, also where
//! the next program goes on.
//!
//! <https://github.com/git-lfs/git-lfs/blob/main/docs/api/batch.md>, and the Hub's own way of parts: their addresses are in the
//! `header` of the upload, by number.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use reqwest::{Method, RequestBuilder, Response, header};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::commit::{Added, Content, Done, MAX_FILES_ASKED};
use super::{HuggingFace, granted};
use crate::client::json as answer_of;
use crate::{Error, Moved, Result};

const LFS_JSON: &str = "application/vnd.git-lfs+json";
/// Files that are on the way at once.
const MAX_FILES: usize = 4;
/// Tries of one file or part.
const MAX_TRIES: u32 = 5;
const PAUSE: Duration = Duration::from_millis(400);

#[derive(Deserialize)]
struct Batch {
    objects: Vec<Object>,
}

#[derive(Deserialize)]
struct Object {
    oid: String,
    #[serde(default)]
    actions: Option<Actions>,
    #[serde(default)]
    error: Option<Refusal>,
}

#[derive(Deserialize)]
struct Actions {
    #[serde(default)]
    upload: Option<Action>,
    #[serde(default)]
    verify: Option<Action>,
}

#[derive(Deserialize)]
struct Action {
    href: String,
    #[serde(default)]
    header: BTreeMap<String, Value>,
}

#[derive(Deserialize)]
struct Refusal {
    code: u16,
    message: String,
}

impl Action {
    /// Bytes of each part, where the file is to be sent in parts.
    fn part_bytes(&self) -> Option<u64> {
        let said = self.header.get("chunk_size")?;
        // Said as text or as a number; anything else says nothing.
        let bytes = said.as_u64().or_else(|| said.as_str()?.parse().ok());
        bytes.filter(|bytes| *bytes > 0)
    }

    /// Addresses of the parts by their numbers.
    fn parts(&self) -> BTreeMap<u64, String> {
        self.header
            .iter()
            .filter_map(|(key, value)| Some((key.parse().ok()?, value.as_str()?.to_owned()))) // The other keys are no parts.
            .collect()
    }
}

/// An upload in parts that was begun, and what the storage calls the parts that it has. It lies on the disk: of the answer that
/// began it only what goes on with it, and none of the headers, in which other servers send tokens.
#[derive(Serialize, Deserialize)]
struct Begun {
    href: String,
    part_bytes: u64,
    parts: BTreeMap<u64, String>,
    etags: BTreeMap<u32, String>,
}

impl Begun {
    fn of(upload: &Action, part_bytes: u64) -> Self {
        Self {
            href: upload.href.clone(),
            part_bytes,
            parts: upload.parts(),
            etags: BTreeMap::new(),
        }
    }
}

impl HuggingFace {
    /// Sends the files that LFS does not have.
    pub(super) async fn send_large(
        &self,
        repo: &str,
        branch: &str,
        files: &[&Added],
        moved: Moved<'_>,
    ) -> Result<Done> {
        let mut done = Done {
            commit: String::new(),
            files: 0,
            bytes: 0,
        };
        for part in files.chunks(MAX_FILES_ASKED) {
            let objects = self.batch(repo, branch, part).await?;
            let sent: Vec<u64> = stream::iter(
                objects
                    .iter()
                    .map(|object| self.send_object(repo, part, object, moved)),
            )
            .buffer_unordered(MAX_FILES)
            .try_collect()
            .await?;
            done.files += sent.iter().filter(|bytes| **bytes > 0).count();
            done.bytes += sent.iter().sum::<u64>();
        }
        Ok(done)
    }

    /// Answers the bytes that went: none where the server has the object.
    async fn send_object(
        &self,
        repo: &str,
        files: &[&Added],
        object: &Object,
        moved: Moved<'_>,
    ) -> Result<u64> {
        let file = files.iter().find(|file| file.sha256 == object.oid);
        let file =
            file.ok_or_else(|| self.unreadable("an answer about a file that nobody asked for"))?;
        if let Some(refusal) = &object.error {
            return Err(Error::Answered {
                url: format!("{} for {}", self.client.base(), file.path),
                status: refusal.code,
                message: refusal.message.clone(),
            });
        }
        let upload = object.actions.as_ref().and_then(|all| all.upload.as_ref());
        let Some(upload) = upload else {
            moved(file.size);
            return Ok(0);
        };
        self.send_one(repo, file, upload, moved).await?;
        let verify = object.actions.as_ref().and_then(|all| all.verify.as_ref());
        if let Some(verify) = verify {
            let body = json!({ "oid": file.sha256, "size": file.size });
            let request = self.client.request(Method::POST, &verify.href);
            self.ask(request.json(&body)).await?;
        }
        Ok(file.size)
    }

    async fn batch(&self, repo: &str, branch: &str, files: &[&Added]) -> Result<Vec<Object>> {
        // Two files with one content are one object.
        let objects: BTreeMap<&str, u64> = files
            .iter()
            .map(|file| (file.sha256.as_str(), file.size))
            .collect();
        let objects: Vec<Value> = objects
            .into_iter()
            .map(|(oid, size)| json!({ "oid": oid, "size": size }))
            .collect();
        let body = json!({
            "operation": "upload",
            "transfers": ["basic", "multipart"],
            "objects": objects,
            "hash_algo": "sha256",
            "ref": { "name": branch },
        });
        let path = format!("{repo}.git/info/lfs/objects/batch");
        let request = self
            .client
            .request(Method::POST, &path)
            .json(&body)
            .header(header::ACCEPT, LFS_JSON)
            .header(header::CONTENT_TYPE, LFS_JSON);
        let batch: Batch = answer_of(self.ask(request).await?).await?;
        Ok(batch.objects)
    }

    async fn send_one(
        &self,
        repo: &str,
        file: &Added,
        upload: &Action,
        moved: Moved<'_>,
    ) -> Result<()> {
        let Some(part_bytes) = upload.part_bytes() else {
            let make = || {
                let request = self.client.bare(Method::PUT, &upload.href);
                upload.header.iter().fold(request, |request, (key, value)| {
                    request.header(key, value.as_str().unwrap_or_default())
                })
            };
            self.send_part(file, 0, file.size, make).await?;
            moved(file.size);
            return Ok(());
        };
        let key = format!("{} {}/{repo}", file.sha256, self.client.base());
        if let Some(begun) = self.begun(&key) {
            match self.send_parts(&key, file, begun, moved).await {
                // Too long ago, or ended in another way: the storage knows nothing of it any more.
                Err(
                    Error::Unauthorized { .. }
                    | Error::Forbidden { .. }
                    | Error::NotFound { .. }
                    | Error::Answered { status: 400, .. },
                ) => self.keep(&key, None)?,
                ended => return ended,
            }
        }
        self.send_parts(&key, file, Begun::of(upload, part_bytes), moved)
            .await
    }

    /// The upload of that name that a cut left.
    fn begun(&self, key: &str) -> Option<Begun> {
        let kept = self.sessions.as_ref()?.get(key)?;
        serde_json::from_str(&kept).ok() // Damaged: it begins anew.
    }

    fn keep(&self, key: &str, begun: Option<&Begun>) -> Result<()> {
        let Some(sessions) = &self.sessions else {
            return Ok(());
        };
        let kept = begun.map(|begun| json!(begun).to_string());
        sessions.set(key, kept.as_deref())
    }

    /// Sends the parts that the storage does not have yet, and says that these are all.
    async fn send_parts(
        &self,
        key: &str,
        file: &Added,
        mut begun: Begun,
        moved: Moved<'_>,
    ) -> Result<()> {
        let part_bytes = begun.part_bytes.max(1);
        let addresses: Vec<String> = begun.parts.values().cloned().collect();
        if addresses.len() as u64 != file.size.div_ceil(part_bytes) {
            return Err(self.unreadable("another number of parts than the file has"));
        }
        let mut at = 0;
        for (number, address) in (1_u32..).zip(&addresses) {
            let bytes = part_bytes.min(file.size - at);
            let there = begun.etags.contains_key(&number);
            if !there {
                let make = || self.client.bare(Method::PUT, address);
                let answer = self.send_part(file, at, bytes, make).await?;
                let etag = answer.headers().get(header::ETAG);
                let etag = etag
                    .and_then(|etag| etag.to_str().ok()) // Not text: none that could be sent back.
                    .ok_or_else(|| self.unreadable("a part without an ETag"))?;
                begun.etags.insert(number, etag.to_owned());
                self.keep(key, Some(&begun))?;
            }
            moved(bytes);
            at += bytes;
        }
        let parts: Vec<Value> = begun
            .etags
            .iter()
            .map(|(number, etag)| json!({ "partNumber": number, "etag": etag }))
            .collect();
        // Its address says who may do this: no token goes along.
        let request = self
            .client
            .bare(Method::POST, &begun.href)
            .json(&json!({ "oid": file.sha256, "parts": parts }))
            .header(header::ACCEPT, LFS_JSON)
            .header(header::CONTENT_TYPE, LFS_JSON);
        self.ask(request).await?;
        self.keep(key, None)
    }

    /// Sends bytes of a file, again after a cut.
    async fn send_part(
        &self,
        file: &Added,
        from: u64,
        bytes: u64,
        make: impl Fn() -> RequestBuilder,
    ) -> Result<Response> {
        let mut tries = 1;
        loop {
            let sent = match &file.content {
                Content::OnDisk(path) => {
                    self.client
                        .send_part(make(), path, from..from + bytes, |_| {})
                        .await
                }
                Content::InMemory(content) => {
                    let part = content.iter().skip(place(from)).take(place(bytes));
                    let part: Vec<u8> = part.copied().collect();
                    self.client.send(make().body(part)).await
                }
            };
            let answer = match sent {
                Ok(response) => granted(response).await,
                Err(error) => Err(error),
            };
            match answer {
                Err(error) if tries < MAX_TRIES && worth_it(&error) => {
                    tokio::time::sleep(PAUSE * tries).await;
                    tries += 1;
                }
                answer => return answer,
            }
        }
    }
}

/// Storage behind the Hub answers 500 now and then, and takes the same part a moment later.
fn worth_it(error: &Error) -> bool {
    error.is_passing() || matches!(error, Error::Answered { status: 500, .. })
}

/// A place in memory.
fn place(at: u64) -> usize {
    usize::try_from(at).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_of_an_upload_has_no_token() {
        let answer = json!({
            "href": "https://hub/complete",
            "header": {"chunk_size": "5", "10": "https://s3/10", "2": "https://s3/2", "Authorization": "Bearer canary"},
        });
        let upload: Action = serde_json::from_value(answer).expect("an action");
        let part_bytes = upload.part_bytes().expect("in parts");
        assert_eq!(part_bytes, 5);
        let begun = Begun::of(&upload, part_bytes);
        let kept = json!(begun).to_string();
        assert!(!kept.contains("canary"), "{kept}");
        let again: Begun = serde_json::from_str(&kept).expect("read");
        let parts: Vec<&str> = again.parts.values().map(String::as_str).collect();
        assert_eq!(parts, ["https://s3/2", "https://s3/10"]);
    }
}
