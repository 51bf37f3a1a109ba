//! Buckets: listed a thousand names at a time, small files in one request, large ones in parts that survive a cut.

use std::path::Path;
use std::sync::Arc;

use futures_util::{StreamExt as _, TryStreamExt as _};
use lapwing_core::RemoteKind;
use object_store::list::{PaginatedListOptions, PaginatedListStore};
use object_store::multipart::{MultipartStore, PartId};
use object_store::path::Path as Key;
use object_store::{GetOptions, GetRange, ObjectStore, ObjectStoreExt as _, PutPayload};
use tokio::io::AsyncWriteExt as _;
use tokio::sync::{Mutex, Semaphore};

use super::connector::told;
use super::memory::{Memory, Upload};
use super::{Known, PROBE, Watch, joined};
use crate::diagnose::deepest;
use crate::{Error, Result};

/// A file up to this size goes in one request; larger ones in parts of it, or of more where there would be too many.
const PART_BYTES: u64 = 8 << 20;
/// All three kinds take ten thousand.
const MAX_PARTS: u64 = 9_000;
/// Parts of one file that travel at the same time: a cut costs so many. Other files travel beside them.
const PARTS_AT_ONCE: usize = 1;
/// What all transfers together keep in memory, in units.
const BUDGET_UNITS: u32 = 2_048;
const UNIT_BYTES: u64 = 64 << 10;
/// Questions that are asked at the same time.
const QUESTIONS: usize = 48;
/// A listing gives a thousand names for about the price of so many questions.
const QUESTIONS_PER_PAGE: usize = 32;
const MIN_PAGES: usize = 2;
const PAGE: usize = 1_000;
const TRIES: u32 = 4;

/// One bucket of one of the three kinds.
pub(super) trait Bucket: ObjectStore + MultipartStore + PaginatedListStore {}
impl<T: ObjectStore + MultipartStore + PaginatedListStore> Bucket for T {}

/// A folder of a bucket.
pub(super) struct Objects {
    bucket: Arc<dyn Bucket>,
    /// For people, and to tell remotes apart: without anything secret.
    address: String,
    prefix: String,
    service: &'static str,
    budget: Semaphore,
}

impl Objects {
    pub fn new(
        bucket: Arc<dyn Bucket>,
        address: String,
        prefix: String,
        service: &'static str,
    ) -> Self {
        Self {
            bucket,
            address,
            prefix,
            service,
            budget: Semaphore::new(BUDGET_UNITS as usize),
        }
    }

    fn key(&self, path: &str) -> Key {
        let path = joined(&self.prefix, path);
        // As DVC names it: `from` would write a name outside of ASCII in another way.
        Key::parse(&path).unwrap_or_else(|_| Key::from(path))
    }

    fn told(&self, path: &str, error: &object_store::Error) -> Error {
        told(
            error,
            &format!("{}/{path}", self.address.trim_end_matches('/')),
        )
    }

    pub async fn greet(&self) -> Result<String> {
        let options = PaginatedListOptions {
            max_keys: Some(1),
            ..PaginatedListOptions::default()
        };
        let prefix = joined(&self.prefix, PROBE);
        match self.bucket.list_paginated(Some(&prefix), options).await {
            Ok(_) => Ok(self.service.to_owned()),
            Err(error) => Err(match self.told("", &error) {
                // It answered, but nothing that a bucket would.
                Error::Unreadable { url, why } => wrong(url, why),
                Error::NotFound { url } => wrong(url, "it has no such path".to_owned()),
                other => other,
            }),
        }
    }

    pub async fn known(&self, paths: &[String]) -> Result<Known> {
        let mut wanted: Vec<&str> = paths.iter().map(String::as_str).collect();
        wanted.sort_unstable();
        wanted.dedup();
        let (mut known, reach) = self.listed(&wanted).await?;
        let rest = wanted.into_iter().filter(|path| match &reach {
            Reach::Nothing => true,
            Reach::UpTo(last) => *path > last.as_str(),
            Reach::Everything => false,
        });
        let asked: Vec<Option<(String, Option<u64>)>> = futures_util::stream::iter(rest)
            .map(|path| self.asked(path))
            .buffer_unordered(QUESTIONS)
            .try_collect()
            .await?;
        known.extend(asked.into_iter().flatten());
        Ok(known)
    }

    /// Those of `wanted` (sorted) that a listing shows, and how far it went: a bucket with a hundred times more in it is asked
    /// name by name instead.
    async fn listed(&self, wanted: &[&str]) -> Result<(Known, Reach)> {
        let mut known = Known::new();
        if wanted.len() < QUESTIONS_PER_PAGE {
            return Ok((known, Reach::Nothing));
        }
        let prefix = joined(&self.prefix, common_prefix(wanted));
        let own = joined(&self.prefix, "");
        let (mut token, mut reach) = (None, Reach::Nothing);
        for _ in 0..MIN_PAGES.max(wanted.len() / QUESTIONS_PER_PAGE) {
            let options = PaginatedListOptions {
                page_token: token,
                max_keys: Some(PAGE),
                ..PaginatedListOptions::default()
            };
            let page = self.bucket.list_paginated(Some(&prefix), options).await;
            let page = page.map_err(|error| self.told("", &error))?;
            for object in &page.result.objects {
                let Some(path) = object.location.as_ref().strip_prefix(own.as_str()) else {
                    continue;
                };
                if wanted.binary_search(&path).is_ok() {
                    known.insert(path.to_owned(), Some(object.size));
                }
                reach = Reach::UpTo(path.to_owned());
            }
            token = page.page_token;
            if token.is_none() {
                return Ok((known, Reach::Everything));
            }
        }
        Ok((known, reach))
    }

    async fn asked(&self, path: &str) -> Result<Option<(String, Option<u64>)>> {
        match self.bucket.head(&self.key(path)).await {
            Ok(there) => Ok(Some((path.to_owned(), Some(there.size)))),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(self.reason(self.told(path, &error)).await),
        }
    }

    /// An answer to `HEAD` has no words, and what is wrong with a credential looks like a right that is missing: a listing says
    /// which.
    async fn reason(&self, error: Error) -> Error {
        if !matches!(error, Error::Forbidden { .. }) {
            return error;
        }
        match self.greet().await {
            Err(
                why @ (Error::Refusal { .. }
                | Error::Unauthorized { .. }
                | Error::Clock { .. }
                | Error::NoBucket { .. }),
            ) => why,
            Ok(_) | Err(_) => error,
        }
    }

    pub async fn send(
        &self,
        from: &Path,
        path: &str,
        memory: &Path,
        watch: Watch<'_>,
    ) -> Result<u64> {
        let size = fs_err::tokio::metadata(from).await?.len();
        if size > PART_BYTES {
            self.send_in_parts(from, path, size, memory, watch).await?;
            return Ok(size);
        }
        let _held = self.hold(size).await;
        let content = fs_err::tokio::read(from).await?;
        let size = content.len() as u64;
        self.bucket
            .put(&self.key(path), PutPayload::from(content))
            .await
            .map_err(|error| self.told(path, &error))?;
        (watch.moved)(size);
        Ok(size)
    }

    /// So much memory, or as much as there is at all.
    async fn hold(&self, bytes: u64) -> Option<tokio::sync::SemaphorePermit<'_>> {
        let units = u32::try_from(bytes.div_ceil(UNIT_BYTES)).unwrap_or(BUDGET_UNITS);
        // It is never closed.
        self.budget.acquire_many(units.min(BUDGET_UNITS)).await.ok()
    }

    async fn send_in_parts(
        &self,
        from: &Path,
        path: &str,
        size: u64,
        memory: &Path,
        watch: Watch<'_>,
    ) -> Result<()> {
        let memory = Memory::of(memory, &self.address, path, from)?;
        if let Some(upload) = memory.read() {
            let done = upload.parts.len() as u64 * upload.part_bytes;
            (watch.moved)(done.min(size));
            match self.go_on(from, path, size, &memory, upload, watch).await {
                // The server has thrown the begun upload away: anew.
                Err(Error::NotFound { .. }) => memory.forget(),
                ended => return ended,
            }
        }
        let id = self.bucket.create_multipart(&self.key(path)).await;
        let id = id.map_err(|error| self.told(path, &error))?;
        let part_bytes = PART_BYTES.max(size.div_ceil(MAX_PARTS).next_multiple_of(UNIT_BYTES));
        let upload = memory.begin(id, part_bytes);
        memory.keep(&upload)?;
        self.go_on(from, path, size, &memory, upload, watch).await
    }

    async fn go_on(
        &self,
        from: &Path,
        path: &str,
        size: u64,
        memory: &Memory,
        upload: Upload,
        watch: Watch<'_>,
    ) -> Result<()> {
        let key = self.key(path);
        let count = usize::try_from(size.div_ceil(upload.part_bytes)).unwrap_or(usize::MAX);
        let missing: Vec<usize> = (0..count)
            .filter(|index| !upload.parts.contains_key(index))
            .collect();
        let (id, part_bytes) = (upload.id.clone(), upload.part_bytes);
        let state = Mutex::new(upload);
        let (key_of, id_of, state_of) = (&key, &id, &state);
        futures_util::stream::iter(missing)
            .map(|index| async move {
                watch.check()?;
                let _held = self.hold(part_bytes).await;
                let piece = piece(from, index as u64 * part_bytes, part_bytes).await?;
                let bytes = piece.len() as u64;
                let part = self
                    .bucket
                    .put_part(key_of, id_of, index, PutPayload::from(piece))
                    .await
                    .map_err(|error| self.told(path, &error))?;
                let mut state = state_of.lock().await;
                state.parts.insert(index, part.content_id);
                memory.keep(&state)?;
                (watch.moved)(bytes);
                Ok::<(), Error>(())
            })
            .buffer_unordered(PARTS_AT_ONCE)
            .try_collect::<Vec<()>>()
            .await?;
        let parts = state.into_inner().parts.into_values();
        let parts = parts.map(|content_id| PartId { content_id }).collect();
        self.bucket
            .complete_multipart(&key, &id, parts)
            .await
            .map_err(|error| self.told(path, &error))?;
        memory.forget();
        Ok(())
    }

    pub async fn fetch(&self, path: &str, part: &Path, watch: Watch<'_>) -> Result<()> {
        let mut tries = 0;
        loop {
            let before = size_of(part).await;
            match self.fetch_once(path, part, before, watch).await {
                Ok(()) => return Ok(()),
                // Everything was here already: the digest tells.
                Err(Error::Answered { status: 416, .. }) if before > 0 => return Ok(()),
                // Some servers send all of a file of which everything was here already: it begins anew.
                Err(Error::Unreadable { .. }) if before > 0 => {
                    fs_err::tokio::remove_file(part).await?;
                }
                Err(error @ (Error::Cut { .. } | Error::Silent { .. })) => {
                    let further = size_of(part).await > before;
                    tries = if further { 1 } else { tries + 1 };
                    if tries >= TRIES {
                        return Err(error);
                    }
                }
                Err(error) => return Err(error),
            }
        }
    }

    async fn fetch_once(&self, path: &str, part: &Path, have: u64, watch: Watch<'_>) -> Result<()> {
        let options = GetOptions {
            range: (have > 0).then_some(GetRange::Offset(have)),
            ..GetOptions::default()
        };
        let answer = self.bucket.get_opts(&self.key(path), options).await;
        let answer = answer.map_err(|error| self.told(path, &error))?;
        let mut file = fs_err::tokio::OpenOptions::new()
            .create(true)
            .append(true)
            .open(part)
            .await?;
        let mut pieces = answer.into_stream();
        while let Some(piece) = pieces.next().await {
            let piece = match piece {
                Ok(piece) => piece,
                Err(error) => {
                    file.flush().await?;
                    let why = deepest(&error);
                    let url = format!("{}/{path}", self.address);
                    return Err(Error::Cut { url, why });
                }
            };
            file.write_all(&piece).await?;
            (watch.moved)(piece.len() as u64);
            watch.check()?;
        }
        Ok(file.flush().await?)
    }
}

/// How far a listing went.
enum Reach {
    Nothing,
    UpTo(String),
    Everything,
}

fn wrong(url: String, why: String) -> Error {
    Error::WrongServer {
        url,
        kind: RemoteKind::Storage,
        why,
    }
}

/// What all of `paths` (sorted) begin with.
fn common_prefix<'a>(paths: &[&'a str]) -> &'a str {
    let (Some(first), Some(last)) = (paths.first(), paths.last()) else {
        return "";
    };
    let same = first.bytes().zip(last.bytes()).take_while(|(a, b)| a == b);
    // Paths of ours are ASCII: the count is a boundary.
    first.get(..same.count()).unwrap_or_default()
}

async fn piece(from: &Path, offset: u64, bytes: u64) -> Result<Vec<u8>> {
    use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _};
    let mut file = fs_err::tokio::File::open(from).await?;
    file.seek(std::io::SeekFrom::Start(offset)).await?;
    let mut piece = Vec::with_capacity(usize::try_from(bytes).unwrap_or_default());
    file.take(bytes).read_to_end(&mut piece).await?;
    Ok(piece)
}

async fn size_of(file: &Path) -> u64 {
    // Not there yet: nothing has arrived.
    fs_err::tokio::metadata(file)
        .await
        .map_or(0, |found| found.len())
}
