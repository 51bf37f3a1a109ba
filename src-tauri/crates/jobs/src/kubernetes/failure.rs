//! What the API server, the connection or the kubeconfig says when it cannot, in words that help.

use std::error::Error as Source;

use kube::client::{AuthError, UpgradeConnectionError};
use kube::config::KubeconfigError;

use super::Cluster;
use crate::Error;

/// Of what a program that signs in said, the part worth showing.
const SHOWN_LINES: usize = 3;

/// The API server refused, or could not be asked.
pub(super) fn of(cluster: &Cluster, error: &kube::Error) -> Error {
    let name = || cluster.name().to_owned();
    if let kube::Error::Api(status) = error {
        return match status.code {
            401 => refused(cluster),
            403 if !is_about_the_job(&status.message) => Error::ClusterForbids {
                cluster: name(),
                what: forbidden(&status.message),
            },
            408 | 429 | 500.. => unreachable(cluster, &status.message),
            _ => Error::Cluster {
                cluster: name(),
                said: status.message.clone(),
            },
        };
    }
    if let kube::Error::UpgradeConnection(UpgradeConnectionError::ProtocolSwitch(status)) = error {
        return match status.as_u16() {
            401 => refused(cluster),
            403 => Error::ClusterForbids {
                cluster: name(),
                what: "create pods/exec".to_owned(),
            },
            code => unreachable(cluster, &format!("it lets nobody into the pod ({code})")),
        };
    }
    if let Some(auth) = within::<AuthError>(error) {
        return of_sign_in(cluster, auth);
    }
    match within::<rustls::Error>(error) {
        Some(tls) => Error::ClusterTls {
            cluster: name(),
            why: certificate(tls),
        },
        None => unreachable(cluster, &chain(error)),
    }
}

/// What a quota or an admission webhook refuses is wrong with the job, and not with who asks.
fn is_about_the_job(message: &str) -> bool {
    message.contains("exceeded quota") || message.contains("denied the request")
}

fn refused(cluster: &Cluster) -> Error {
    cluster.forget();
    Error::ClusterRefuses {
        cluster: cluster.name().to_owned(),
    }
}

pub(super) fn unreachable(cluster: &Cluster, why: &str) -> Error {
    cluster.forget();
    Error::ClusterUnreachable {
        cluster: cluster.name().to_owned(),
        why: why.to_owned(),
    }
}

/// `create pods/exec in the namespace …` of `pods "x" is forbidden: User "ada" cannot create resource "pods/exec" in …`.
fn forbidden(message: &str) -> String {
    match message.split_once(" cannot ") {
        Some((_, what)) => what.replace("resource ", "").replace('"', "`"),
        None => message.to_owned(),
    }
}

fn of_sign_in(cluster: &Cluster, error: &AuthError) -> Error {
    let why = match error {
        AuthError::AuthExecStart(error) if error.kind() == std::io::ErrorKind::NotFound => {
            "the program that its kubeconfig signs in with is not on this machine".to_owned()
        }
        // What it printed on standard output may be a token, and so may its arguments and variables.
        AuthError::AuthExecRun { out, .. } => {
            let said = String::from_utf8_lossy(&out.stderr);
            let lines: Vec<&str> = said
                .lines()
                .filter(|line| !line.trim().is_empty())
                .collect();
            let from = lines.len().saturating_sub(SHOWN_LINES);
            let last = lines.get(from..).unwrap_or_default().join(" ");
            format!(
                "the program that its kubeconfig signs in with failed ({}): {last}",
                out.status
            )
        }
        AuthError::AuthExecParse(_) => {
            "the program that its kubeconfig signs in with answered something else".to_owned()
        }
        other => other.to_string(),
    };
    cluster.forget();
    Error::ClusterSignIn {
        cluster: cluster.name().to_owned(),
        why,
    }
}

pub(super) fn of_kubeconfig(cluster: &Cluster, error: &KubeconfigError, known: &[String]) -> Error {
    match error {
        KubeconfigError::LoadContext(context) => Error::NoContext {
            context: context.clone(),
            known: known.join(", "),
        },
        KubeconfigError::ReadConfig(error, path) => Error::Kubeconfig {
            why: format!("{}: {error}", path.display()),
        },
        // Its text may show a line of the file, and that line a token.
        KubeconfigError::Parse(_) => Error::Kubeconfig {
            why: "it is no YAML of that kind".to_owned(),
        },
        other => Error::Kubeconfig {
            why: format!("context `{}`: {other}", cluster.name()),
        },
    }
}

fn certificate(error: &rustls::Error) -> String {
    use rustls::CertificateError as Bad;
    match error {
        rustls::Error::InvalidCertificate(Bad::UnknownIssuer) => {
            "its certificate was not made by the authority that the kubeconfig names".to_owned()
        }
        rustls::Error::InvalidCertificate(Bad::Expired | Bad::ExpiredContext { .. }) => {
            "its certificate has expired".to_owned()
        }
        rustls::Error::InvalidCertificate(
            Bad::NotValidForName | Bad::NotValidForNameContext { .. },
        ) => "its certificate is for another name".to_owned(),
        other => other.to_string(),
    }
}

/// The first error of that type below.
fn within<'a, T: Source + 'static>(error: &'a kube::Error) -> Option<&'a T> {
    let mut below: Option<&'a (dyn Source + 'static)> = Some(error);
    while let Some(error) = below {
        if let Some(found) = error.downcast_ref::<T>() {
            return Some(found);
        }
        // An I/O error hides what it wraps, which may be another one.
        let mut inner = hidden(error);
        while let Some(error) = inner {
            if let Some(found) = error.downcast_ref::<T>() {
                return Some(found);
            }
            inner = hidden(error);
        }
        below = error.source();
    }
    None
}

fn hidden<'a>(error: &'a (dyn Source + 'static)) -> Option<&'a (dyn Source + 'static)> {
    let inner = error.downcast_ref::<std::io::Error>()?.get_ref()?;
    Some(inner)
}

/// The lowest error says most: `Connection refused (os error 111)`.
fn chain(error: &kube::Error) -> String {
    let mut last = error.to_string();
    let mut below = error.source();
    while let Some(error) = below {
        last = error.to_string();
        below = error.source();
    }
    last
}
