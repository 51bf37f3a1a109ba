//! Who may talk to a server on this machine: exact hosts, no foreign pages, a token where one is set.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse as _, Response};

/// What is checked before any handler.
#[derive(Debug, Clone, Default)]
pub struct Guard {
    /// Clients must send it as bearer token, or as the password of basic authentication.
    pub token: Option<String>,
    /// Host names besides the loopback ones, without port.
    pub hosts: BTreeSet<String>,
    /// Paths below this one may carry the token as `?token=`: event streams cannot send headers.
    pub token_in_query: Option<&'static str>,
    /// Paths that need no token: pages and probes without content of the user's.
    pub open: Vec<&'static str>,
}

/// Puts the guard before every route.
pub fn guarded(router: Router, guard: Guard) -> Router {
    let guard = Arc::new(guard);
    router.layer(middleware::from_fn(move |request: Request, next: Next| {
        let guard = Arc::clone(&guard);
        async move {
            match guard.refusal(&request) {
                Some((status, why)) => refuse(status, why),
                None => {
                    let mut response = next.run(request).await;
                    response.headers_mut().insert(
                        header::X_CONTENT_TYPE_OPTIONS,
                        header::HeaderValue::from_static("nosniff"),
                    );
                    response
                }
            }
        }
    }))
}

fn refuse(status: StatusCode, why: &str) -> Response {
    let code = if status == StatusCode::UNAUTHORIZED {
        "UNAUTHENTICATED"
    } else {
        "PERMISSION_DENIED"
    };
    (
        status,
        axum::Json(serde_json::json!({ "error_code": code, "message": why })),
    )
        .into_response()
}

impl Guard {
    fn refusal(&self, request: &Request) -> Option<(StatusCode, &'static str)> {
        let headers = request.headers();
        let named = headers
            .get(header::HOST)
            .and_then(|value| value.to_str().ok())
            .or_else(|| request.uri().host());
        let Some(host) = named.filter(|host| self.is_ours(host)) else {
            return Some((
                StatusCode::FORBIDDEN,
                "this host name is not one of this server's",
            ));
        };
        let foreign_origin = headers.get(header::ORIGIN).is_some_and(|origin| {
            origin
                .to_str()
                .map_or(true, |origin| !same_origin(origin, host))
        });
        let cross_site = headers.get("sec-fetch-site").is_some_and(|site| {
            site.to_str()
                .map_or(true, |site| !matches!(site, "same-origin" | "none"))
        });
        if foreign_origin || cross_site {
            return Some((
                StatusCode::FORBIDDEN,
                "requests from other sites are refused",
            ));
        }
        let path = request.uri().path();
        let open = self
            .open
            .iter()
            .any(|open| path == *open || (open.ends_with('/') && path.starts_with(open)));
        match &self.token {
            Some(token) if !open && !self.carries(token, headers, request) => Some((
                StatusCode::UNAUTHORIZED,
                "a token is needed: set MLFLOW_TRACKING_TOKEN",
            )),
            _ => None,
        }
    }

    fn is_ours(&self, host: &str) -> bool {
        let name = match host.strip_prefix('[') {
            Some(rest) => rest.split(']').next().unwrap_or_default(),
            None => host.rsplit_once(':').map_or(host, |(name, _)| name),
        };
        matches!(name, "127.0.0.1" | "localhost" | "::1") || self.hosts.contains(name)
    }

    fn carries(&self, token: &str, headers: &HeaderMap, request: &Request) -> bool {
        let sent = headers
            .get(header::AUTHORIZATION)
            .and_then(|value| value.to_str().ok());
        let given = match sent.and_then(|text| text.split_once(' ')) {
            Some((scheme, value)) if scheme.eq_ignore_ascii_case("bearer") => {
                Some(value.trim().to_owned())
            }
            Some((scheme, value)) if scheme.eq_ignore_ascii_case("basic") => password(value.trim()),
            _ => self.query_token(request),
        };
        given.is_some_and(|given| same(given.as_bytes(), token.as_bytes()))
    }

    fn query_token(&self, request: &Request) -> Option<String> {
        let below = self.token_in_query?;
        if !request.uri().path().starts_with(below) {
            return None;
        }
        request
            .uri()
            .query()?
            .split('&')
            .find_map(|pair| pair.strip_prefix("token="))
            .map(str::to_owned)
    }
}

fn same_origin(origin: &str, host: &str) -> bool {
    origin
        .split_once("://")
        .is_some_and(|(_, rest)| rest == host)
}

/// Compares every byte, so that the time tells nothing of where two differ.
fn same(given: &[u8], wanted: &[u8]) -> bool {
    let differs = given
        .iter()
        .zip(wanted)
        .fold(given.len() ^ wanted.len(), |sum, (a, b)| {
            sum | usize::from(a ^ b)
        });
    differs == 0
}

/// The password of `user:password` in base 64.
fn password(encoded: &str) -> Option<String> {
    use base64::Engine as _;
    let bytes = base64::engine::general_purpose::STANDARD
        .decode(encoded)
        .ok()?; // Not base 64: no password.
    let text = String::from_utf8(bytes).ok()?; // Not text: not a password of ours.
    text.split_once(':')
        .map(|(_, password)| password.to_owned())
}
