//! Sending blobs in parts. After a cut the registry is asked how far it got, also by the next program that tries: then the cut costs one
//! part. Registries built on distribution 2, as Debian's, forget an upload that breaks off in the middle of a part (tried with 2.8.2:
//! "upload resumed at wrong offset"); there that blob begins anew. So whoever stops on purpose stops between two parts.

use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use reqwest::{Method, Response, StatusCode, header};

use super::{Registry, digest_of, push_scope};
use crate::client::{accepted, shown};
use crate::{Client, Error, Result, Sessions, Watch};

/// Large enough that the round trips do not count, small enough to be sent again.
const PART_BYTES: u64 = 16 * 1024 * 1024;
/// Cuts in a row without a part that arrived.
const MAX_TRIES: u32 = 5;
const PAUSE: Duration = Duration::from_millis(400);

impl Registry {
    /// Whether the repository has a blob.
    ///
    /// # Errors
    /// When the registry refuses.
    pub async fn has(&self, repository: &str, digest: &str) -> Result<bool> {
        let path = format!("v2/{repository}/blobs/{digest}");
        let make = |client: &Client| client.request(Method::HEAD, &path);
        let response = self.send(&push_scope(repository), make).await?;
        match accepted(response).await {
            Ok(_) => Ok(true),
            Err(Error::NotFound { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Sends a small blob from memory, unless it is there. Answers whether it was sent.
    ///
    /// # Errors
    /// When the registry refuses.
    pub async fn send_bytes(&self, repository: &str, content: &[u8]) -> Result<bool> {
        let digest = digest_of(content);
        if self.has(repository, &digest).await? {
            return Ok(false);
        }
        let location = self.begin(repository).await?;
        self.finish(
            repository,
            &location,
            &digest,
            Bytes::copy_from_slice(content),
        )
        .await?;
        Ok(true)
    }

    /// Sends a file as a blob, unless it is there. Answers whether anything was sent.
    ///
    /// # Errors
    /// When the file cannot be read, the registry refuses, or whoever watches wants the end.
    pub async fn send_blob(
        &self,
        repository: &str,
        file: &Path,
        sha256: &str,
        sessions: &Sessions,
        watch: Watch<'_>,
    ) -> Result<bool> {
        watch.check()?;
        let digest = format!("sha256:{sha256}");
        if self.has(repository, &digest).await? {
            return Ok(false);
        }
        let size = fs_err::metadata(file)?.len();
        if size <= PART_BYTES {
            let location = self.begin(repository).await?;
            self.finish(repository, &location, &digest, part_of(file, 0, size)?)
                .await?;
            (watch.moved)(size);
            return Ok(true);
        }
        let upload = Upload {
            registry: self,
            repository,
            file,
            size,
            key: format!("{digest} {}/{repository}", self.client.base()),
            sessions,
        };
        let location = upload.all_parts(watch).await?;
        self.finish(repository, &location, &digest, Bytes::new())
            .await?;
        sessions.set(&upload.key, None)?;
        Ok(true)
    }

    async fn begin(&self, repository: &str) -> Result<String> {
        let path = format!("v2/{repository}/blobs/uploads/");
        let make = |client: &Client| {
            client
                .request(Method::POST, &path)
                .header(header::CONTENT_LENGTH, 0)
        };
        let response = accepted(self.send(&push_scope(repository), make).await?).await?;
        self.location(&response)
    }

    /// Where the registry wants the next part. Only at the registry itself: credentials go along.
    fn location(&self, response: &Response) -> Result<String> {
        let unreadable = || Error::Unreadable {
            url: self.client.base().to_owned(),
            why: "an upload without a place to go to".to_owned(),
        };
        let text = response
            .headers()
            .get(header::LOCATION)
            .and_then(|value| value.to_str().ok()) // Not text: no place.
            .ok_or_else(unreadable)?;
        let absolute = response.url().join(text).map_err(|_| unreadable())?;
        if absolute.origin() != response.url().origin() {
            return Err(Error::Unreadable {
                url: self.client.base().to_owned(),
                why: format!("it wants uploads at another server, {}", shown(&absolute)),
            });
        }
        Ok(absolute.to_string())
    }

    async fn finish(
        &self,
        repository: &str,
        location: &str,
        digest: &str,
        content: Bytes,
    ) -> Result<()> {
        let make = |client: &Client| {
            client
                .request(Method::PUT, location)
                .query(&[("digest", digest)])
                .header(header::CONTENT_TYPE, "application/octet-stream")
                .body(content.clone())
        };
        accepted(self.send(&push_scope(repository), make).await?)
            .await
            .map(|_| ())
    }
}

struct Upload<'a> {
    registry: &'a Registry,
    repository: &'a str,
    file: &'a Path,
    size: u64,
    key: String,
    sessions: &'a Sessions,
}

impl Upload<'_> {
    /// Sends what lacks; answers where the upload is to be finished.
    async fn all_parts(&self, watch: Watch<'_>) -> Result<String> {
        let (mut location, mut at) = self.resume().await?;
        (watch.moved)(at);
        let mut tries = 0;
        while at < self.size {
            watch.check()?;
            let until = self.size.min(at + PART_BYTES);
            match self.part(&location, at, until).await {
                Ok(next) => {
                    location = next;
                    (watch.moved)(until - at);
                    at = until;
                    tries = 0;
                    self.sessions.set(&self.key, Some(&location))?;
                }
                Err(error) if tries >= MAX_TRIES || !worth_it(&error) => return Err(error),
                Err(_) => {
                    tries += 1;
                    tokio::time::sleep(PAUSE * tries).await;
                    // It may have taken the part, or a piece of it, before the cut.
                    if let Ok(known) = self.resume().await {
                        (location, at) = known;
                    }
                }
            }
        }
        Ok(location)
    }

    /// Where an upload that was begun stands; or a new one.
    async fn resume(&self) -> Result<(String, u64)> {
        if let Some(location) = self.sessions.get(&self.key)
            && let Some(known) = self.standing(&location).await?
        {
            return Ok(known);
        }
        let location = self.registry.begin(self.repository).await?;
        self.sessions.set(&self.key, Some(&location))?;
        Ok((location, 0))
    }

    async fn standing(&self, location: &str) -> Result<Option<(String, u64)>> {
        let make = |client: &Client| client.request(Method::GET, location);
        let response = self
            .registry
            .send(&push_scope(self.repository), make)
            .await?;
        if response.status() != StatusCode::NO_CONTENT {
            return Ok(None);
        }
        let last = response
            .headers()
            .get(header::RANGE)
            .and_then(|value| value.to_str().ok()?.rsplit_once('-')?.1.parse().ok()) // Not said: nothing has arrived.
            .unwrap_or(0_u64);
        let at = if last == 0 { 0 } else { last + 1 };
        let next = self
            .registry
            .location(&response)
            .unwrap_or_else(|_| location.to_owned());
        Ok(Some((next, at.min(self.size))))
    }

    async fn part(&self, location: &str, from: u64, until: u64) -> Result<String> {
        let content = part_of(self.file, from, until)?;
        let make = |client: &Client| {
            client
                .request(Method::PATCH, location)
                .header(header::CONTENT_TYPE, "application/octet-stream")
                .header(header::CONTENT_RANGE, format!("{from}-{}", until - 1))
                .body(content.clone())
        };
        let response = self
            .registry
            .send(&push_scope(self.repository), make)
            .await?;
        let response = accepted(response).await?;
        self.registry.location(&response)
    }
}

fn worth_it(error: &Error) -> bool {
    let cut = matches!(
        error,
        Error::Broken { .. } | Error::Silent { .. } | Error::Refused { .. }
    );
    let busy = matches!(error, Error::Answered { status, .. } if matches!(status, 416 | 429 | 500 | 502 | 503 | 504));
    cut || busy
}

fn part_of(file: &Path, from: u64, until: u64) -> Result<Bytes> {
    let mut opened = fs_err::File::open(file)?;
    opened.seek(SeekFrom::Start(from))?;
    let mut content = Vec::new();
    opened.take(until - from).read_to_end(&mut content)?;
    // Shared, not copied, when a request is made again.
    Ok(content.into())
}
