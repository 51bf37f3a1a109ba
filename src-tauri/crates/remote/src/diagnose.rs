//! Why a server could not be reached. The network is asked again, step by step: no library says it in a form that could be told apart
//! without reading its texts.

use std::time::Duration;

use tokio::net::{TcpStream, lookup_host};

use crate::{Error, Result};

const STEP_LIMIT: Duration = Duration::from_secs(10);

/// A TCP connection to `host:port`: name lookup, refused or silent.
///
/// # Errors
/// [`Error::NameLookup`], [`Error::Refused`] or [`Error::Silent`].
pub(crate) async fn reach(host: &str, port: u16) -> Result<()> {
    let at = format!("{host}:{port}");
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let lookup = tokio::time::timeout(STEP_LIMIT, lookup_host((bare, port))).await;
    let Ok(Ok(addresses)) = lookup else {
        return Err(Error::NameLookup {
            host: host.to_owned(),
        });
    };
    let addresses: Vec<_> = addresses.collect();
    match tokio::time::timeout(STEP_LIMIT, TcpStream::connect(&addresses[..])).await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(error)) if error.kind() == std::io::ErrorKind::ConnectionRefused => {
            Err(Error::Refused { at })
        }
        Ok(Err(_)) | Err(_) => Err(Error::Silent { at }),
    }
}

/// What a failed request to `url` means.
pub(crate) async fn diagnose(url: &str, error: reqwest::Error) -> Error {
    let source = error.without_url();
    let broken = |source| Error::Broken {
        url: url.to_owned(),
        source,
    };
    if source.is_builder() || source.is_redirect() || source.is_body() {
        return broken(source);
    }
    let Ok(parsed) = url::Url::parse(url) else {
        return broken(source);
    };
    let (Some(host), Some(port)) = (parsed.host_str(), parsed.port_or_known_default()) else {
        return broken(source);
    };
    if let Err(error) = reach(host, port).await {
        return error;
    }
    let at = format!("{host}:{port}");
    if source.is_timeout() {
        return Error::Silent { at };
    }
    if source.is_connect() && parsed.scheme() == "https" {
        let why = deepest(&source);
        return Error::Tls { at, why };
    }
    broken(source)
}

/// The words of the innermost cause, which is the one that says something.
pub(crate) fn deepest(error: &dyn std::error::Error) -> String {
    let mut inner = error;
    while let Some(source) = inner.source() {
        inner = source;
    }
    reason(&inner.to_string())
}

/// Of OpenSSL's `error:CODE:library:function:reason:file:line:data`, the reason; other words as they are.
fn reason(text: &str) -> String {
    let parts: Vec<&str> = text.split(':').collect();
    match parts.as_slice() {
        ["error", _code, _library, _function, reason, _file, ..] => (*reason).to_owned(),
        _ => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::reason;

    #[test]
    fn of_openssl_only_the_reason_is_told() {
        let whole = "error:0A000086:SSL routines:tls_post_process_server_certificate:certificate verify failed:../ssl/statem/statem_clnt.c:1889:";
        assert_eq!(reason(whole), "certificate verify failed");
        let other = "unexpected end of file: at byte 3";
        assert_eq!(reason(other), other);
    }
}
