//! One HTTP connection to somebody else's server, with its credential, and with failures told apart.
//!
//! A redirect to another origin loses the credential (reqwest removes it). Answers are bounded; downloads go to a file and
//! are taken up where a cut left them.

use std::io::SeekFrom;
use std::ops::Range;
use std::path::Path;
use std::time::Duration;

use futures_util::StreamExt as _;
use reqwest::{Method, RequestBuilder, Response, StatusCode, header};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _, AsyncWriteExt as _};

use crate::diagnose::diagnose;
use crate::error::Sent;
use crate::secret::Credential;
use crate::{Error, Result};

const CONNECT_LIMIT: Duration = Duration::from_secs(10);
/// Without a byte for so long, a connection counts as cut.
const IDLE_LIMIT: Duration = Duration::from_secs(60);
const MAX_ANSWER_BYTES: usize = 64 * 1024 * 1024;
/// Of a refusal, the part worth showing.
const SHOWN_BYTES: usize = 400;
const MAX_REDIRECTS: usize = 5;
/// Cuts that a download survives without having got a single byte further.
const DOWNLOAD_TRIES: u32 = 4;
const PAUSE: Duration = Duration::from_millis(400);

/// Told while bytes move: how many more have.
pub type Moved<'a> = &'a (dyn Fn(u64) + Sync);

/// A server at a base address.
#[derive(Debug, Clone)]
pub struct Client {
    http: reqwest::Client,
    base: String,
    credential: Option<Credential>,
}

impl Client {
    /// A client of the server at `base` (`https://host:port/path`).
    ///
    /// # Errors
    /// When the address is none.
    pub fn new(base: &str, credential: Option<Credential>) -> Result<Self> {
        let bad = |why: String| Error::Address {
            address: base.to_owned(),
            why,
        };
        let url = url::Url::parse(base).map_err(|error| bad(error.to_string()))?;
        if !matches!(url.scheme(), "http" | "https") || url.host().is_none() {
            return Err(bad("it begins with http:// or https://".to_owned()));
        }
        if url.password().is_some() || !url.username().is_empty() {
            return Err(bad("credentials do not belong into an address".to_owned()));
        }
        let http = builder().build().map_err(|error| bad(error.to_string()))?;
        Ok(Self {
            http,
            base: base.trim_end_matches('/').to_owned(),
            credential,
        })
    }

    /// The same server by another connection: with certificates or headers of its own.
    pub(crate) fn with(self, http: reqwest::Client) -> Self {
        Self { http, ..self }
    }

    #[must_use]
    pub fn base(&self) -> &str {
        &self.base
    }

    #[must_use]
    pub fn credential(&self) -> Option<&Credential> {
        self.credential.as_ref()
    }

    /// The full address of a path here; a full address stays as it is.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        if path.contains("://") {
            return path.to_owned();
        }
        format!("{}/{}", self.base, path.trim_start_matches('/'))
    }

    /// A request with the credential: a bearer token, or user and password. Only for addresses of this server.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let url = self.url(path);
        let ours = same_origin(&url, &self.base);
        let request = self.http.request(method, url);
        match self.credential.as_ref().filter(|_| ours) {
            None => request,
            Some(Credential { user: None, secret }) => request.bearer_auth(secret.reveal()),
            Some(Credential {
                user: Some(user),
                secret,
            }) => request.basic_auth(user, Some(secret.reveal())),
        }
    }

    /// A request to an address that carries its own authority (a signed URL): without the credential.
    pub fn bare(&self, method: Method, url: &str) -> RequestBuilder {
        self.http.request(method, url)
    }

    /// Sends, and answers whatever comes back.
    ///
    /// # Errors
    /// When the server cannot be reached: told apart by asking the network again.
    pub async fn send(&self, request: RequestBuilder) -> Result<Response> {
        let request = request.build().map_err(|error| Error::Address {
            address: self.base.clone(),
            why: error.without_url().to_string(),
        })?;
        let (asked, says_who) = (request.url().clone(), says_who(request.headers()));
        match self.http.execute(request).await {
            Ok(mut response) => {
                // Wherever else it was led, it came without.
                if says_who && response.url().origin() == asked.origin() {
                    response.extensions_mut().insert(Sent::Credential);
                }
                Ok(response)
            }
            Err(error) => Err(diagnose(&shown(&asked), error).await),
        }
    }

    /// Sends, and answers a success only.
    ///
    /// # Errors
    /// As [`Client::send`], and when the server refuses.
    pub async fn ask(&self, request: RequestBuilder) -> Result<Response> {
        accepted(self.send(request).await?).await
    }

    /// `GET` of a JSON document.
    ///
    /// # Errors
    /// As [`Client::ask`], and when the answer is none.
    pub async fn get<T: DeserializeOwned>(&self, path: &str, query: &[(&str, &str)]) -> Result<T> {
        let request = self.request(Method::GET, path).query(query);
        json(self.ask(request).await?).await
    }

    /// `POST` (or another method) of a JSON document, answered by one.
    ///
    /// # Errors
    /// As [`Client::get`].
    pub async fn post<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: &(impl Serialize + Sync),
    ) -> Result<T> {
        json(self.ask(self.request(method, path).json(body)).await?).await
    }

    /// Sends a file as the body of `request`.
    ///
    /// # Errors
    /// As [`Client::ask`], and when the file cannot be read.
    pub async fn send_file(
        &self,
        request: RequestBuilder,
        file: &Path,
        moved: impl Fn(u64) + Send + Sync + 'static,
    ) -> Result<Response> {
        let size = fs_err::tokio::metadata(file).await?.len();
        accepted(self.send_part(request, file, 0..size, moved).await?).await
    }

    /// Sends a range of a file as the body of `request`, and answers whatever comes back.
    ///
    /// # Errors
    /// As [`Client::send`], and when the file cannot be read.
    pub async fn send_part(
        &self,
        request: RequestBuilder,
        file: &Path,
        bytes: Range<u64>,
        moved: impl Fn(u64) + Send + Sync + 'static,
    ) -> Result<Response> {
        let size = bytes.end - bytes.start;
        let mut opened = fs_err::tokio::File::open(file).await?;
        opened.seek(SeekFrom::Start(bytes.start)).await?;
        let stream = tokio_util::io::ReaderStream::new(opened.take(size)).inspect(move |piece| {
            if let Ok(piece) = piece {
                moved(piece.len() as u64);
            }
        });
        let request = request
            .header(header::CONTENT_LENGTH, size)
            .body(reqwest::Body::wrap_stream(stream));
        self.send(request).await
    }

    /// Fetches into `part`, going on behind what lies there already, through cuts. `request` makes the request anew for each try. What lay
    /// there counts as moved where the server goes on behind it.
    ///
    /// # Errors
    /// As [`Client::ask`], and when `part` cannot be written. What has arrived stays in `part`.
    pub async fn fetch(
        &self,
        request: impl Fn() -> RequestBuilder,
        part: &Path,
        moved: Moved<'_>,
    ) -> Result<()> {
        let mut tries = 0;
        let mut arrived = Arrived {
            part,
            bytes: 0,
            untold: size_of(part).await,
        };
        loop {
            let before = size_of(part).await;
            arrived.bytes = before;
            match self.fetch_once(request(), &mut arrived, moved).await {
                Ok(()) => return Ok(()),
                Err(error) if !error.is_passing() => return Err(error),
                Err(error) => {
                    tries = if size_of(part).await > before {
                        1
                    } else {
                        tries + 1
                    };
                    if tries >= DOWNLOAD_TRIES {
                        return Err(error);
                    }
                    tokio::time::sleep(PAUSE * tries).await;
                }
            }
        }
    }

    async fn fetch_once(
        &self,
        request: RequestBuilder,
        arrived: &mut Arrived<'_>,
        moved: Moved<'_>,
    ) -> Result<()> {
        let request = match arrived.bytes {
            0 => request,
            have => request.header(header::RANGE, format!("bytes={have}-")),
        };
        let response = self.send(request).await?;
        if response.status() == StatusCode::RANGE_NOT_SATISFIABLE && arrived.bytes > 0 {
            // Everything was here already: the digest tells.
            moved(std::mem::take(&mut arrived.untold));
            return Ok(());
        }
        let goes_on = response.status() == StatusCode::PARTIAL_CONTENT;
        let response = accepted(response).await?;
        let lay = std::mem::take(&mut arrived.untold);
        if goes_on {
            moved(lay);
        }
        let url = shown(response.url());
        let mut file = fs_err::tokio::OpenOptions::new()
            .create(true)
            .write(true)
            .append(goes_on)
            .truncate(!goes_on)
            .open(arrived.part)
            .await?;
        let mut body = response.bytes_stream();
        while let Some(piece) = body.next().await {
            let piece = match piece {
                Ok(piece) => piece,
                Err(source) => {
                    file.flush().await?;
                    return Err(Error::Broken {
                        url,
                        source: source.without_url(),
                    });
                }
            };
            file.write_all(&piece).await?;
            moved(piece.len() as u64);
        }
        file.flush().await?;
        Ok(file.sync_all().await?)
    }
}

/// What is here of a file.
struct Arrived<'a> {
    part: &'a Path,
    bytes: u64,
    /// Of these, so many lay here before, and nobody was told yet.
    untold: u64,
}

/// What every connection of ours has in common.
pub(crate) fn builder() -> reqwest::ClientBuilder {
    reqwest::Client::builder()
        .connect_timeout(CONNECT_LIMIT)
        .read_timeout(IDLE_LIMIT)
        .redirect(reqwest::redirect::Policy::limited(MAX_REDIRECTS))
        .user_agent(concat!("lapwing/", env!("CARGO_PKG_VERSION")))
}

async fn size_of(file: &Path) -> u64 {
    // Not there yet: nothing has arrived.
    fs_err::tokio::metadata(file)
        .await
        .map_or(0, |found| found.len())
}

/// The address of the next page of a list, where there is one.
pub(crate) fn next_page(response: &Response) -> Option<String> {
    let link = response.headers().get(header::LINK)?.to_str().ok()?; // Not text: no page that could be asked for.
    let inside = link.strip_prefix('<')?.split('>').next()?;
    Some(inside.trim_start_matches('/').to_owned())
}

fn same_origin(url: &str, base: &str) -> bool {
    match (url::Url::parse(url), url::Url::parse(base)) {
        (Ok(url), Ok(base)) => url.origin() == base.origin(),
        _ => false,
    }
}

/// An address without what may be secret in it: user, password, query.
pub(crate) fn shown(url: &url::Url) -> String {
    let mut url = url.clone();
    url.set_query(None);
    url.set_fragment(None);
    // Only fails for addresses that have no host, and then there is nothing to hide.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url.to_string()
}

/// Whether a request has a credential: a header that is kept out of what is shown.
fn says_who(headers: &header::HeaderMap) -> bool {
    headers.values().any(header::HeaderValue::is_sensitive)
}

/// The response, when it is a success.
///
/// # Errors
/// What the status says, with the server's own words.
pub async fn accepted(response: Response) -> Result<Response> {
    let status = response.status();
    if status.is_success() {
        return Ok(response);
    }
    let url = shown(response.url());
    let sent = response.extensions().get().copied();
    let sent = sent.unwrap_or(Sent::Nothing);
    Err(match status {
        StatusCode::UNAUTHORIZED => Error::Unauthorized { url, sent },
        StatusCode::FORBIDDEN => Error::Forbidden { url, sent },
        StatusCode::NOT_FOUND => Error::NotFound { url },
        _ => Error::Answered {
            url,
            status: status.as_u16(),
            message: said(&bytes(response).await.unwrap_or_default()),
        },
    })
}

/// A server's own words: `message`, `error` or `detail` of a JSON document, or the text.
fn said(body: &[u8]) -> String {
    let json: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
    let named = ["message", "error", "detail"]
        .iter()
        .find_map(|key| json.get(key)?.as_str());
    let text = named.map_or_else(|| String::from_utf8_lossy(body).into_owned(), str::to_owned);
    let text = short(&text);
    if text.is_empty() {
        return "no reason given".to_owned();
    }
    text
}

/// One line, and not too much of it.
pub(crate) fn short(text: &str) -> String {
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    text.chars().take(SHOWN_BYTES).collect()
}

/// The body, up to a limit.
///
/// # Errors
/// When the connection breaks, or the answer is larger than any sensible one.
pub async fn bytes(mut response: Response) -> Result<Vec<u8>> {
    let url = shown(response.url());
    let mut body = Vec::new();
    loop {
        match response.chunk().await {
            Ok(None) => return Ok(body),
            Ok(Some(piece)) => body.extend_from_slice(&piece),
            Err(source) => {
                let source = source.without_url();
                return Err(Error::Broken { url, source });
            }
        }
        if body.len() > MAX_ANSWER_BYTES {
            let why = format!("more than {MAX_ANSWER_BYTES} bytes");
            return Err(Error::Unreadable { url, why });
        }
    }
}

/// The JSON document in an answer; `null` where it is empty.
///
/// # Errors
/// When it is none, or not of that shape.
pub async fn json<T: DeserializeOwned>(response: Response) -> Result<T> {
    let url = shown(response.url());
    let body = bytes(response).await?;
    let body = if body.is_empty() { b"null" } else { &body[..] };
    serde_json::from_slice(body).map_err(|error| Error::Unreadable {
        url,
        why: error.to_string(),
    })
}
