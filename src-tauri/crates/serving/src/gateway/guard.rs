//! Who may speak to the endpoint: Host and Origin, cross-site fetches, the token.
//!
//! A page in the user's browser can reach loopback; so Host must be one of our own names (DNS rebinding) and a foreign Origin is
//! refused for every method and path. No CORS header is ever sent.

use axum::http::HeaderMap;
use axum::http::header::{AUTHORIZATION, HOST, ORIGIN};
use sha2::{Digest as _, Sha256};

use crate::answer::Refusal;
use crate::{Exposure, GatewayConfig, token_digest};

/// Probes of orchestrators carry no token.
const OPEN: [&str; 5] = [
    "/ping",
    "/health",
    "/v2/health/live",
    "/v2/health/ready",
    "/version",
];

pub(super) fn check(
    config: &GatewayConfig,
    port: u16,
    path: &str,
    headers: &HeaderMap,
) -> Result<(), Refusal> {
    let host = headers
        .get(HOST)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let (name, given_port) = split_host(host);
    let local = ["127.0.0.1", "localhost", "[::1]"]
        .iter()
        .any(|own| name.eq_ignore_ascii_case(own));
    let good = match config.exposure {
        Exposure::Loopback => local && given_port.unwrap_or(80) == port,
        // The published port is another one, and the orchestrator's probe uses the container's address.
        Exposure::Container => local || name.parse::<std::net::IpAddr>().is_ok(),
        Exposure::Network | Exposure::Cluster => !name.is_empty(),
    };
    if !good {
        return Err(Refusal::forbidden(format!(
            "the Host `{host}` is not a name of this endpoint"
        )));
    }
    if let Some(origin) = headers.get(ORIGIN) {
        let origin = origin.to_str().unwrap_or_default();
        let same = origin
            .split_once("://")
            .is_some_and(|(_, authority)| authority.eq_ignore_ascii_case(host));
        if !same {
            return Err(Refusal::forbidden(
                "pages of other sites may not use this endpoint",
            ));
        }
    }
    let site = headers
        .get("sec-fetch-site")
        .and_then(|value| value.to_str().ok());
    if matches!(site, Some("cross-site" | "same-site")) {
        return Err(Refusal::forbidden(
            "pages of other sites may not use this endpoint",
        ));
    }
    match &config.token {
        Some(digest) if !OPEN.contains(&path) => token(headers, digest),
        _ => Ok(()),
    }
}

fn split_host(host: &str) -> (&str, Option<u16>) {
    match host.rsplit_once(':') {
        Some((name, port)) if !port.ends_with(']') => (name, port.parse().ok()),
        _ => (host, None),
    }
}

fn token(headers: &HeaderMap, digest: &str) -> Result<(), Refusal> {
    let given = headers
        .get(AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.strip_prefix("Bearer "))
        .ok_or_else(Refusal::unauthenticated)?;
    // Digests of both digests: comparing them tells nothing about the token, however long the comparison takes.
    let same = Sha256::digest(token_digest(given)) == Sha256::digest(digest);
    if same {
        Ok(())
    } else {
        Err(Refusal::unauthenticated())
    }
}
