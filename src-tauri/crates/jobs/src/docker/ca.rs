//! A private certificate authority of the host, handed on: without it nothing inside reaches a package index behind it.

use std::path::PathBuf;

use super::ContextFile;
use crate::Result;

/// Where the host's certificates lie inside.
pub(super) const INSIDE: &str = "/etc/lapwing-ca.pem";
/// Read by Python and OpenSSL, by requests, and by pip.
pub(super) const VARIABLES: [&str; 3] = ["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "PIP_CERT"];
const IN_CONTEXT: &str = "lapwing-ca.pem";

/// What `SSL_CERT_FILE` names.
pub(super) fn host_file() -> Option<PathBuf> {
    std::env::var_os("SSL_CERT_FILE")
        .map(PathBuf::from)
        .filter(|file| file.is_absolute() && file.is_file())
}

/// The certificates as a file of the build context, and the Dockerfile that uses them while it runs its steps: an `ARG` is
/// in the environment of every `RUN`, and not in that of the image.
pub(super) fn in_build(dockerfile: &str) -> Result<Option<(String, ContextFile)>> {
    let Some(file) = host_file() else {
        return Ok(None);
    };
    let file = ContextFile {
        path: IN_CONTEXT.to_owned(),
        content: fs_err::read(file)?,
        mode: 0o644,
    };
    Ok(Some((with_arguments(dockerfile), file)))
}

fn with_arguments(dockerfile: &str) -> String {
    let mut text = String::new();
    for line in dockerfile.lines() {
        text.push_str(line);
        text.push('\n');
        let first = line.split_whitespace().next().unwrap_or_default();
        if first.eq_ignore_ascii_case("from") {
            text.push_str(&format!("COPY {IN_CONTEXT} {INSIDE}\n"));
            for name in VARIABLES {
                text.push_str(&format!("ARG {name}={INSIDE}\n"));
            }
        }
    }
    text
}
