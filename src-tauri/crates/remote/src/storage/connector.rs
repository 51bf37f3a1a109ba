//! The HTTP below `object_store`: our own, so that failures are told apart, redirects carry no credential anywhere, and DVC's
//! `ssl_verify` holds.

use std::sync::Mutex;

use async_trait::async_trait;
use object_store::ClientOptions;
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse,
    HttpResponseBody, HttpService,
};
use reqwest::{StatusCode, header};

use super::Settings;
use crate::diagnose::{deepest, reach};
use crate::{Error, Result, Sent, check, client};

/// Of a refusal, what is read.
const MAX_REFUSAL_BYTES: usize = 64 * 1024;

/// Makes connections with the settings of one remote.
#[derive(Debug, Clone)]
pub(super) struct Connector {
    http: reqwest::Client,
}

impl Connector {
    pub fn of(settings: &Settings) -> Result<Self> {
        let builder = trusting(client::builder(), settings)?
            // A request is signed for one server, and its headers are a credential: nobody else gets them.
            .redirect(reqwest::redirect::Policy::none());
        let http = builder
            .build()
            .map_err(|error| settings.bad("ssl_verify", &error.to_string()))?;
        Ok(Self { http })
    }
}

/// DVC's `ssl_verify`: false, or a file with certificates to trust beside the system's.
pub(super) fn trusting(
    builder: reqwest::ClientBuilder,
    settings: &Settings,
) -> Result<reqwest::ClientBuilder> {
    let Some(text) = settings.get("ssl_verify") else {
        return Ok(builder);
    };
    match text.to_lowercase().as_str() {
        "true" | "yes" | "on" | "1" => Ok(builder),
        "false" | "no" | "off" | "0" => Ok(builder.danger_accept_invalid_certs(true)),
        _ => {
            let pem = fs_err::read(settings.path(text))?;
            certificates(&pem).try_fold(builder, |builder, one| {
                let certificate = reqwest::Certificate::from_pem(&one)
                    .map_err(|error| settings.bad("ssl_verify", &error.to_string()))?;
                Ok(builder.add_root_certificate(certificate))
            })
        }
    }
}

/// The certificates of a file, one by one.
fn certificates(pem: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
    let text = String::from_utf8_lossy(pem).into_owned();
    let parts: Vec<Vec<u8>> = text
        .split(BEGIN)
        .skip(1)
        .map(|part| format!("{BEGIN}{part}").into_bytes())
        .collect();
    parts.into_iter()
}

impl HttpConnector for Connector {
    fn connect(&self, _options: &ClientOptions) -> object_store::Result<HttpClient> {
        Ok(HttpClient::new(self.clone()))
    }
}

/// Our own error on its way through a library that keeps sources.
#[derive(Debug, thiserror::Error)]
#[error("told apart below")]
struct Cause(Mutex<Option<Error>>);

fn cause(kind: HttpErrorKind, error: Error) -> HttpError {
    HttpError::new(kind, Cause(Mutex::new(Some(error))))
}

/// Our own error, for a library that passes its own kind on.
pub(super) fn carried(error: Error) -> object_store::Error {
    object_store::Error::Generic {
        store: "S3",
        source: Box::new(Cause(Mutex::new(Some(error)))),
    }
}

/// What went wrong, as it was told apart below; otherwise the words of the innermost cause.
pub(super) fn told(error: &object_store::Error, what: &str) -> Error {
    let mut source: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(inner) = source {
        if let Some(Cause(kept)) = inner.downcast_ref::<Cause>()
            && let Some(error) = kept.lock().ok().and_then(|mut kept| kept.take())
        // A lock is only poisoned by a panic: then the words are all there is.
        {
            return error;
        }
        source = inner.source();
    }
    let url = what.to_owned();
    match error {
        object_store::Error::NotFound { .. } => Error::NotFound { url },
        // Its words for what it was told: what it sent is not known here any more.
        object_store::Error::Unauthenticated { .. } => Error::Unauthorized {
            url,
            sent: Sent::Credential,
        },
        object_store::Error::PermissionDenied { .. } => Error::Forbidden {
            url,
            sent: Sent::Credential,
        },
        // A kind of failure that needs no name of its own: the library's list of them is open.
        other => Error::Unreadable {
            url,
            why: client::short(&deepest(other)),
        },
    }
}

#[async_trait]
impl HttpService for Connector {
    async fn call(&self, mut request: HttpRequest) -> Result<HttpResponse, HttpError> {
        // What the library puts where there is no token: Google refuses it, also where nobody needs one.
        if request
            .headers()
            .get(header::AUTHORIZATION)
            .is_some_and(|value| value.as_bytes().trim_ascii_end() == b"Bearer")
        {
            request.headers_mut().remove(header::AUTHORIZATION);
        }
        let uri = request.uri().clone();
        let of_a_part = request.headers().contains_key(header::RANGE);
        let proof = Proof::of(&request);
        let mut response = match self.http.call(request).await {
            Ok(response) => response,
            Err(error) => return Err(cut(&uri.to_string(), error).await),
        };
        let status = response.status();
        // Some servers of S3 send the part that was asked for, and do not say so in the status.
        if of_a_part
            && status == StatusCode::OK
            && response.headers().contains_key(header::CONTENT_RANGE)
        {
            *response.status_mut() = StatusCode::PARTIAL_CONTENT;
        }
        if status.is_success() || status.is_server_error() {
            return Ok(response);
        }
        refused(&uri.to_string(), proof, response).await
    }
}

/// How a request says who we are.
#[derive(Clone, Copy)]
enum Proof {
    Nothing,
    /// By the key of an account of Azure, which may do everything there.
    AccountKey,
    /// In a header, or by a signature in its address.
    Other,
}

impl Proof {
    fn of(request: &HttpRequest) -> Self {
        let query = request.uri().query().unwrap_or_default();
        let signed = query.split('&').any(|pair| pair.starts_with("sig="));
        match request.headers().get(header::AUTHORIZATION) {
            Some(value) if value.as_bytes().starts_with(b"SharedKey ") => Self::AccountKey,
            Some(_) => Self::Other,
            None if signed => Self::Other,
            None => Self::Nothing,
        }
    }

    fn sent(self) -> Sent {
        match self {
            Self::Nothing => Sent::Nothing,
            Self::AccountKey | Self::Other => Sent::Credential,
        }
    }
}

/// A request that got no answer: why, where that can be found out. What may pass by itself is tried again above.
async fn cut(url: &str, error: HttpError) -> HttpError {
    let kind = error.kind();
    let Ok(url) = url::Url::parse(url) else {
        return error;
    };
    let (Some(host), Some(port)) = (url.host_str(), url.port_or_known_default()) else {
        return error;
    };
    let at = format!("{host}:{port}");
    match reach(host, port).await {
        Err(found @ Error::NameLookup { .. }) => cause(HttpErrorKind::Unknown, found),
        Err(found) => cause(kind, found),
        Ok(()) if kind == HttpErrorKind::Timeout => cause(kind, Error::Silent { at }),
        Ok(()) if kind == HttpErrorKind::Connect && url.scheme() == "https" => {
            let why = deepest(&error);
            cause(HttpErrorKind::Unknown, Error::Tls { at, why })
        }
        Ok(()) => {
            let why = deepest(&error);
            let url = client::shown(&url);
            cause(kind, Error::Cut { url, why })
        }
    }
}

/// An answer that is no success: told apart by the code that S3, Google and Azure give it.
async fn refused(
    url: &str,
    proof: Proof,
    response: HttpResponse,
) -> Result<HttpResponse, HttpError> {
    let (parts, body) = response.into_parts();
    let text = read(body).await?;
    // Azure says it in a header too: an answer to `HEAD` has nothing else.
    let header = || parts.headers.get("x-ms-error-code")?.to_str().ok();
    let code = between(&text, "<Code>", "</Code>").or_else(header);
    let code = code.unwrap_or_default();
    let shown = url::Url::parse(url).map_or_else(|_| String::new(), |url| client::shown(&url));
    let skew = parts
        .headers
        .get(header::DATE)
        .and_then(|date| date.to_str().ok()) // Not text: nothing can be said.
        .and_then(check::skew_seconds_of);
    if let Some(error) = meaning(parts.status, code, &shown, proof, skew) {
        return Err(cause(HttpErrorKind::Unknown, error));
    }
    let body = HttpResponseBody::from(text);
    Ok(HttpResponse::from_parts(parts, body))
}

fn meaning(
    status: StatusCode,
    code: &str,
    url: &str,
    proof: Proof,
    skew: Option<i64>,
) -> Option<Error> {
    let (url, sent) = (url.to_owned(), proof.sent());
    let refusal = |why: &str| {
        let (url, why) = (url.clone(), why.to_owned());
        Some(Error::Refusal { url, why })
    };
    match (status.as_u16(), code, skew) {
        (_, "RequestTimeTooSkewed", skew) => Some(Error::Clock {
            at: url,
            seconds: skew.unwrap_or_default(),
        }),
        // A clock that is wrong makes good credentials bad: said first.
        (401 | 403, _, Some(seconds)) => Some(Error::Clock { at: url, seconds }),
        (_, "InvalidAccessKeyId", _) => refusal("it does not know this access key"),
        (_, "SignatureDoesNotMatch", _) => {
            refusal("the secret key is not the one that belongs to the access key")
        }
        (_, "ExpiredToken" | "InvalidToken" | "TokenRefreshRequired", _) => {
            refusal("the session token is over, or of somebody else")
        }
        (_, "AuthenticationFailed" | "InvalidAuthenticationInfo", _) => match proof {
            Proof::AccountKey => refusal("the key is not the storage account's"),
            Proof::Other => refusal("the token or signature is not the storage account's"),
            Proof::Nothing => Some(Error::Unauthorized { url, sent }),
        },
        // Its key may do everything: Azurite says so of a wrong one, Azure of a firewall.
        (403, "AuthorizationFailure", _) if matches!(proof, Proof::AccountKey) => refusal(
            "the key is not the storage account's, or its firewall does not let this machine in",
        ),
        (_, "NoAuthenticationInformation" | "PublicAccessNotPermitted", _) => {
            Some(Error::Unauthorized { url, sent })
        }
        // Of a begun upload, what it knows nothing of any more.
        (_, "InvalidBlockList" | "InvalidPart", _) => Some(Error::NotFound { url }),
        (_, "NoSuchBucket" | "ContainerNotFound", _) => Some(Error::NoBucket { url }),
        (301 | 307 | 308, _, _)
        | (_, "PermanentRedirect" | "AuthorizationHeaderMalformed" | "TemporaryRedirect", _) => {
            Some(Error::Elsewhere { url })
        }
        (401, _, _) => Some(Error::Unauthorized { url, sent }),
        // Buckets say so to strangers as well.
        (403, _, _) if sent == Sent::Nothing => Some(Error::Unauthorized { url, sent }),
        (403, _, _) => Some(Error::Forbidden { url, sent }),
        (416, _, _) => Some(Error::Answered {
            url,
            status: 416,
            message: "there is no more of it".to_owned(),
        }),
        _ => None,
    }
}

async fn read(body: HttpResponseBody) -> Result<String, HttpError> {
    use futures_util::StreamExt as _;
    let mut bytes = Vec::new();
    let mut stream = body.bytes_stream();
    while let Some(piece) = stream.next().await {
        bytes.extend_from_slice(&piece?);
        if bytes.len() > MAX_REFUSAL_BYTES {
            break;
        }
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn between<'a>(text: &'a str, begin: &str, end: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(begin)?;
    rest.split_once(end).map(|(inner, _)| inner)
}
