//! A web server as DVC's `http` remote: asked name by name, because it lists nothing.
//!
//! Plain HTTP has no way to go on with an upload that was cut: such a file is sent from its beginning.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures_util::{StreamExt as _, TryStreamExt as _};
use reqwest::{Method, RequestBuilder, Response, StatusCode, header, redirect};

use super::connector::trusting;
use super::{Known, PROBE, Settings, Watch};
use crate::secret::{Credential, Secret};
use crate::{Client, Error, Result, client};

const KEYS: [&str; 7] = [
    "auth",
    "user",
    "password",
    "custom_auth_header",
    "ssl_verify",
    "method",
    "ask_password",
];
const QUESTIONS: usize = 32;
const QUESTION_LIMIT: Duration = Duration::from_secs(30);
/// So often is looked whether somebody wants the end.
const POLL: Duration = Duration::from_millis(100);

pub(super) struct Web {
    client: Client,
    method: Method,
    /// Beside what the client says.
    headers: header::HeaderMap,
}

impl Web {
    pub fn open(settings: &Settings) -> Result<Self> {
        settings.only(&KEYS)?;
        let method = match settings.get("method").map(str::to_uppercase).as_deref() {
            None | Some("POST") => Method::POST,
            Some("PUT") => Method::PUT,
            Some("PATCH") => Method::PATCH,
            Some(_) => return Err(settings.bad("method", "it is POST, PUT or PATCH")),
        };
        let (credential, header) = who(settings)?;
        let mut builder = trusting(client::builder(), settings)?;
        let mut headers = header::HeaderMap::new();
        if let Some((name, secret)) = header {
            headers = with_header(settings, &name, &secret)?;
            builder = builder.redirect(redirect::Policy::custom(at_home));
        }
        let http = builder
            .build()
            .map_err(|error| settings.bad("ssl_verify", &error.to_string()))?;
        let client = Client::new(settings.address(), credential)?.with(http);
        Ok(Self {
            client,
            method,
            headers,
        })
    }

    fn ask(&self, method: Method, path: &str) -> RequestBuilder {
        self.client
            .request(method, path)
            .headers(self.headers.clone())
    }

    pub async fn greet(&self) -> Result<String> {
        self.there(PROBE).await?;
        Ok("a web server".to_owned())
    }

    /// How long the file is that lies there, if one does. A server that knows no `HEAD`, or whose `HEAD` has no length, is asked
    /// for the first byte.
    async fn there(&self, path: &str) -> Result<Option<Option<u64>>> {
        let head = self.ask(Method::HEAD, path).timeout(QUESTION_LIMIT);
        let answer = self.client.send(head).await?;
        let empty = answer.status().is_success() && whole_length(&answer) == Some(0);
        let answer = match answer.status() {
            StatusCode::METHOD_NOT_ALLOWED | StatusCode::NOT_IMPLEMENTED => {
                self.first_byte(path).await?
            }
            _ if empty => self.first_byte(path).await?,
            _ => answer,
        };
        if answer.status() == StatusCode::RANGE_NOT_SATISFIABLE {
            return Ok(Some(Some(0))); // An empty file has no first byte.
        }
        match client::accepted(answer).await {
            Ok(answer) => Ok(Some(whole_length(&answer))),
            Err(Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn first_byte(&self, path: &str) -> Result<Response> {
        let first = self.ask(Method::GET, path).timeout(QUESTION_LIMIT);
        let first = first.header(header::RANGE, "bytes=0-0");
        self.client.send(first).await
    }

    pub async fn known(&self, paths: &[String]) -> Result<Known> {
        let asked: Vec<Option<(String, Option<u64>)>> = futures_util::stream::iter(paths)
            .map(async |path| {
                let there = self.there(path).await?;
                Ok::<_, Error>(there.map(|bytes| (path.clone(), bytes)))
            })
            .buffer_unordered(QUESTIONS)
            .try_collect()
            .await?;
        Ok(asked.into_iter().flatten().collect())
    }

    pub async fn send(&self, from: &Path, path: &str, watch: Watch<'_>) -> Result<u64> {
        let size = fs_err::tokio::metadata(from).await?.len();
        let request = self.ask(self.method.clone(), path);
        // The body belongs to the connection, which knows nothing of whoever watches.
        let count = Arc::new(AtomicU64::new(0));
        let counted = count.clone();
        let sending = self.client.send_file(request, from, move |bytes| {
            counted.fetch_add(bytes, Ordering::Relaxed);
        });
        watched(sending, &count, watch).await?;
        Ok(size)
    }

    pub async fn fetch(&self, path: &str, part: &Path, watch: Watch<'_>) -> Result<()> {
        let count = AtomicU64::new(0);
        let moved = |bytes| {
            count.fetch_add(bytes, Ordering::Relaxed);
        };
        let fetching = self
            .client
            .fetch(|| self.ask(Method::GET, path), part, &moved);
        watched(fetching, &count, watch).await
    }
}

/// How long the whole file is, where the answer says so.
fn whole_length(answer: &Response) -> Option<u64> {
    let said = |name: header::HeaderName| answer.headers().get(name)?.to_str().ok();
    if said(header::CONTENT_ENCODING).is_some_and(|encoding| encoding != "identity") {
        return None; // Of what travels, and not of the file.
    }
    let length = match answer.status() {
        StatusCode::PARTIAL_CONTENT => said(header::CONTENT_RANGE)?.rsplit('/').next()?,
        _ => said(header::CONTENT_LENGTH)?,
    };
    length.trim().parse().ok() // No number: not said.
}

/// Does `work`, tells what `count` grows by, and gives up when somebody wants the end.
async fn watched<T>(
    work: impl Future<Output = Result<T>>,
    count: &AtomicU64,
    watch: Watch<'_>,
) -> Result<T> {
    let mut work = std::pin::pin!(work);
    loop {
        let ended = tokio::time::timeout(POLL, &mut work).await;
        (watch.moved)(count.swap(0, Ordering::Relaxed));
        if let Ok(ended) = ended {
            return ended;
        }
        watch.check()?;
    }
}

/// A header and what it says.
type Header = Option<(String, Secret)>;

/// Our own credential, then the configuration's: DVC knows `basic` and `custom`.
fn who(settings: &Settings) -> Result<(Option<Credential>, Header)> {
    let password = settings.get("password").map(Secret::new);
    let own = settings.own().cloned();
    match (settings.get("auth"), settings.get("custom_auth_header")) {
        (Some("custom"), Some(name)) => {
            let secret = own.map(|own| own.secret).or(password);
            let secret =
                secret.ok_or_else(|| settings.bad("custom_auth_header", "it needs a password"))?;
            Ok((None, Some((name.to_owned(), secret))))
        }
        (Some("custom"), None) => Err(settings.bad("auth", "it needs custom_auth_header")),
        (None | Some("basic"), _) if own.is_some() => Ok((own, None)),
        (None, _) => Ok((None, None)),
        (Some("basic"), _) => match (settings.get("user"), password) {
            (Some(user), Some(secret)) => Ok((
                Some(Credential {
                    user: Some(user.to_owned()),
                    secret,
                }),
                None,
            )),
            (None, _) | (_, None) => Err(settings.bad("auth", "it needs user and password")),
        },
        (Some(_), _) => Err(settings.bad("auth", "it is basic or custom")),
    }
}

fn with_header(settings: &Settings, name: &str, secret: &Secret) -> Result<header::HeaderMap> {
    let bad = || settings.bad("custom_auth_header", "it is no header");
    let name = header::HeaderName::try_from(name).map_err(|_| bad())?;
    let mut value = header::HeaderValue::try_from(secret.reveal()).map_err(|_| bad())?;
    value.set_sensitive(true);
    Ok([(name, value)].into_iter().collect())
}

/// A header of one's own would go along to wherever a redirect leads: it is followed on the same server only.
fn at_home(attempt: redirect::Attempt<'_>) -> redirect::Action {
    let first = attempt.previous().first().map(url::Url::origin);
    if attempt.previous().len() > 5 {
        attempt.error("too many redirects")
    } else if first == Some(attempt.url().origin()) {
        attempt.follow()
    } else {
        attempt.stop()
    }
}
