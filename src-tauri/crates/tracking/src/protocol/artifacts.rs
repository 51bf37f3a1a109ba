//! The artifact proxy: files stream in and out, whole or in ranges; nothing is ever shown in a browser.

use std::path::{Path as FilePath, PathBuf};
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures_util::StreamExt as _;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _, AsyncWriteExt as _};
use tokio::time::timeout;
use tokio_util::io::ReaderStream;

use super::{failure, input};
use crate::artifacts::{self, FileInfo, beneath};
use crate::{Error, Result, Tracking};

/// How long an upload may be silent.
const IDLE: Duration = Duration::from_secs(120);

pub(super) fn rows(files: &[FileInfo]) -> Value {
    files
        .iter()
        .map(|file| match file.size {
            Some(size) => json!({ "path": file.path, "is_dir": file.is_dir, "file_size": size }),
            None => json!({ "path": file.path, "is_dir": file.is_dir }),
        })
        .collect()
}

/// Paths in this listing are relative to the folder that was asked for.
pub(super) async fn list(State(tracking): State<Tracking>, request: Request) -> Response {
    let given = input::from_query(request.uri().query().unwrap_or_default());
    let folder = input::optional(&given, "path").unwrap_or_default();
    let listed = (|| -> Result<Value> {
        let root = beneath(&tracking.workspace().artifacts(), folder)?;
        Ok(json!({ "files": rows(&artifacts::list(&root, "")?) }))
    })();
    match listed {
        Ok(answer) => axum::Json(answer).into_response(),
        Err(error) => failure(&error),
    }
}

pub(super) async fn download(
    State(tracking): State<Tracking>,
    Path(path): Path<String>,
    headers: HeaderMap,
) -> Response {
    match open(&tracking, &path, &headers).await {
        Ok(response) => response,
        Err(error) => failure(&error),
    }
}

async fn open(tracking: &Tracking, path: &str, headers: &HeaderMap) -> Result<Response> {
    let place = beneath(&tracking.workspace().artifacts(), path)?;
    let missing = || Error::NotFound(format!("there is no artifact {path}"));
    let mut file = tokio::fs::File::open(&place).await.map_err(|_| missing())?;
    let meta = file.metadata().await?;
    if !meta.is_file() {
        return Err(missing());
    }
    let size = meta.len();
    let range = headers
        .get(header::RANGE)
        .and_then(|value| value.to_str().ok())
        .and_then(|text| parse_range(text, size));
    let (status, from, length) = match range {
        Some((from, to)) => (StatusCode::PARTIAL_CONTENT, from, to - from + 1),
        None => (StatusCode::OK, 0, size),
    };
    file.seek(std::io::SeekFrom::Start(from)).await?;
    let body = Body::from_stream(ReaderStream::new(file.take(length)));
    let name = FilePath::new(path)
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .replace(['"', '\\'], "_");
    let mut response = (status, body).into_response();
    let out = response.headers_mut();
    out.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/octet-stream"),
    );
    out.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    out.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    if let Ok(value) = HeaderValue::from_str(&format!("attachment; filename=\"{name}\"")) {
        out.insert(header::CONTENT_DISPOSITION, value);
    }
    if status == StatusCode::PARTIAL_CONTENT
        && let Ok(value) =
            HeaderValue::from_str(&format!("bytes {from}-{}/{size}", from + length - 1))
    {
        out.insert(header::CONTENT_RANGE, value);
    }
    Ok(response)
}

/// One range `bytes=a-b`, `bytes=a-` or `bytes=-n`, both ends included; anything else is answered with the whole.
fn parse_range(text: &str, size: u64) -> Option<(u64, u64)> {
    let (from, to) = text.strip_prefix("bytes=")?.split_once('-')?;
    let last = size.checked_sub(1)?;
    let range = match (from.parse::<u64>(), to.parse::<u64>()) {
        (Ok(from), Ok(to)) => (from, to.min(last)),
        (Ok(from), Err(_)) if to.is_empty() => (from, last),
        (Err(_), Ok(count)) if from.is_empty() => (size.saturating_sub(count), last),
        _ => return None,
    };
    (range.0 <= range.1).then_some(range)
}

pub(super) async fn upload(
    State(tracking): State<Tracking>,
    Path(path): Path<String>,
    request: Request,
) -> Response {
    match store(&tracking, &path, request.into_body()).await {
        Ok(()) => axum::Json(json!({})).into_response(),
        Err(error) => failure(&error),
    }
}

/// A place strictly below the root: the root itself is nobody's to write or to delete.
fn below(tracking: &Tracking, path: &str) -> Result<PathBuf> {
    let named = FilePath::new(path)
        .components()
        .any(|part| matches!(part, std::path::Component::Normal(_)));
    if !named {
        return Err(Error::Invalid(format!("Invalid path: {path}")));
    }
    beneath(&tracking.workspace().artifacts(), path)
}

/// A file under a temporary name that goes away when the upload is cut.
struct Part(PathBuf);

impl Drop for Part {
    fn drop(&mut self) {
        // Renamed already: then there is nothing to remove.
        let _ = std::fs::remove_file(&self.0);
    }
}

async fn store(tracking: &Tracking, path: &str, body: Body) -> Result<()> {
    let to = below(tracking, path)?;
    let folder = to.parent().unwrap_or(FilePath::new("/")).to_owned();
    tokio::fs::create_dir_all(&folder).await?;
    let part = Part(folder.join(format!(".lapwing-{}", lapwing_core::RunId::random())));
    let mut file = tokio::fs::File::create(&part.0).await?;
    let mut stream = body.into_data_stream();
    let idle = |_| Error::Invalid(format!("nothing more came of {path}"));
    while let Some(piece) = timeout(IDLE, stream.next()).await.map_err(idle)? {
        let piece = piece.map_err(|error| Error::Io(std::io::Error::other(error)))?;
        file.write_all(&piece).await?;
    }
    file.sync_all().await?;
    tokio::fs::rename(&part.0, &to).await?;
    Ok(())
}

pub(super) async fn delete(State(tracking): State<Tracking>, Path(path): Path<String>) -> Response {
    let gone = (|| -> Result<()> {
        let place = below(&tracking, &path)?;
        if place.is_dir() {
            fs_err::remove_dir_all(&place)?;
        } else if place.exists() {
            fs_err::remove_file(&place)?;
        } else {
            return Err(Error::NotFound(format!("there is no artifact {path}")));
        }
        Ok(())
    })();
    match gone {
        Ok(()) => axum::Json(json!({})).into_response(),
        Err(error) => failure(&error),
    }
}
