//! Whether a connection works: reached, let in, and the right kind of server.

use std::time::Duration;

use jiff::Timestamp;
use lapwing_core::RemoteKind;
use reqwest::{Method, Response, header};
use serde_json::Value;

use crate::{Client, Error, Result, client};

const LIMIT: Duration = Duration::from_secs(20);
/// Signatures of the common clouds allow five minutes.
const MAX_SKEW_SECONDS: i64 = 300;

/// What a server says about itself, such as `MLflow 3.17.2`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Health {
    pub server: String,
    /// Whom the server takes us for, where it says so.
    pub user: Option<String>,
}

/// Asks a server that speaks HTTP who it is, with the credential.
///
/// # Errors
/// What is wrong, as exactly as can be told; [`Error::UnsupportedStorage`] for kinds that do not speak HTTP.
pub async fn check(kind: RemoteKind, client: &Client) -> Result<Health> {
    match kind {
        RemoteKind::Mlflow => mlflow(client).await,
        RemoteKind::HuggingFace => hugging_face(client).await,
        RemoteKind::Oci => oci(client).await,
        RemoteKind::Ray => ray(client).await,
        RemoteKind::Airflow => airflow(client).await,
        RemoteKind::Kubeflow => kubeflow(client).await,
        RemoteKind::Storage
        | RemoteKind::Git
        | RemoteKind::Docker
        | RemoteKind::Ssh
        | RemoteKind::Slurm
        | RemoteKind::Kubernetes => Err(Error::UnsupportedStorage {
            scheme: kind.as_str().to_owned(),
        }),
    }
}

async fn get(client: &Client, path: &str) -> Result<Response> {
    let request = client.request(Method::GET, path).timeout(LIMIT);
    let response = client.send(request).await?;
    let skew = skew_seconds(&response);
    let at = client.base().to_owned();
    client::accepted(response)
        .await
        .map_err(|error| match (&error, skew) {
            // A clock that is wrong makes good credentials bad: said first.
            (Error::Unauthorized { .. } | Error::Forbidden { .. }, Some(seconds)) => {
                Error::Clock { at, seconds }
            }
            _ => error,
        })
}

/// How far the server's clock is from ours, when it is too far.
fn skew_seconds(response: &Response) -> Option<i64> {
    // Not text: nothing can be said.
    skew_seconds_of(response.headers().get(header::DATE)?.to_str().ok()?)
}

/// The same from the date that a server gave.
pub(crate) fn skew_seconds_of(date: &str) -> Option<i64> {
    let theirs = jiff::fmt::rfc2822::parse(date).ok()?; // No date: nothing can be said.
    let seconds = theirs.timestamp().as_second() - Timestamp::now().as_second();
    (seconds.abs() > MAX_SKEW_SECONDS).then_some(seconds)
}

fn wrong(kind: RemoteKind, client: &Client, why: &str) -> Error {
    Error::WrongServer {
        url: client.base().to_owned(),
        kind,
        why: why.to_owned(),
    }
}

/// What is there but answers otherwise than its kind does.
async fn document(kind: RemoteKind, client: &Client, path: &str) -> Result<Value> {
    let response = match get(client, path).await {
        Ok(response) => response,
        Err(Error::NotFound { .. }) => {
            return Err(wrong(kind, client, &format!("it has no {path}")));
        }
        Err(error) => return Err(error),
    };
    client::json(response)
        .await
        .map_err(|_| wrong(kind, client, &format!("{path} answers with no JSON")))
}

async fn mlflow(client: &Client) -> Result<Health> {
    let path = "api/2.0/mlflow/experiments/search?max_results=1";
    let found = document(RemoteKind::Mlflow, client, path).await?;
    if !found.is_object() {
        return Err(wrong(RemoteKind::Mlflow, client, "it lists no experiments"));
    }
    let version = match get(client, "version").await {
        Ok(answer) => String::from_utf8_lossy(&client::bytes(answer).await?)
            .trim()
            .to_owned(),
        // Servers behind a gateway may not show it.
        Err(_) => String::new(),
    };
    let short = !version.is_empty() && version.len() < 32 && !version.contains('<');
    Ok(Health {
        server: if short {
            format!("MLflow {version}")
        } else {
            "MLflow".to_owned()
        },
        user: None,
    })
}

async fn hugging_face(client: &Client) -> Result<Health> {
    let kind = RemoteKind::HuggingFace;
    if client.credential().is_none() {
        let found = document(kind, client, "api/models?limit=1").await?;
        return found
            .is_array()
            .then(|| Health {
                server: "Hugging Face Hub".to_owned(),
                user: None,
            })
            .ok_or_else(|| wrong(kind, client, "it lists no models"));
    }
    let found = document(kind, client, "api/whoami-v2").await?;
    let Some(user) = found.get("name").and_then(Value::as_str) else {
        return Err(wrong(kind, client, "it does not say who you are"));
    };
    Ok(Health {
        server: "Hugging Face Hub".to_owned(),
        user: Some(user.to_owned()),
    })
}

async fn oci(client: &Client) -> Result<Health> {
    let request = client.request(Method::GET, "v2/").timeout(LIMIT);
    let response = client.send(request).await?;
    let registry = response
        .headers()
        .contains_key("docker-distribution-api-version");
    let challenge = response
        .headers()
        .get(header::WWW_AUTHENTICATE)
        .and_then(|value| value.to_str().ok()) // Not text: no challenge that could be answered.
        .map(str::to_owned);
    match (response.status().as_u16(), challenge) {
        // Asks for a token of its own kind: the transfer fetches it, and says if the credential is wrong.
        (401, Some(challenge)) if challenge.to_ascii_lowercase().starts_with("bearer") => {
            Ok(Health {
                server: "OCI registry with tokens".to_owned(),
                user: None,
            })
        }
        (200, _) if !registry => {
            let answer: Result<Value> = client::json(response).await;
            answer.map_err(|_| wrong(RemoteKind::Oci, client, "/v2/ answers with no JSON"))?;
            Ok(registry_health(client))
        }
        (404, _) => Err(wrong(RemoteKind::Oci, client, "it has no /v2/")),
        _ => client::accepted(response)
            .await
            .map(|_| registry_health(client)),
    }
}

fn registry_health(client: &Client) -> Health {
    Health {
        server: "OCI registry".to_owned(),
        user: client
            .credential()
            .and_then(|credential| credential.user.clone()),
    }
}

async fn ray(client: &Client) -> Result<Health> {
    let found = document(RemoteKind::Ray, client, "api/version").await;
    let found = found.map_err(crate::ray::told)?;
    let version = found.get("ray_version").and_then(Value::as_str);
    let version = version.ok_or_else(|| wrong(RemoteKind::Ray, client, "it names no version"))?;
    Ok(Health {
        server: format!("Ray {version}"),
        user: None,
    })
}

async fn airflow(client: &Client) -> Result<Health> {
    let found = document(RemoteKind::Airflow, client, "api/v2/version").await?;
    let version = found.get("version").and_then(Value::as_str);
    let version =
        version.ok_or_else(|| wrong(RemoteKind::Airflow, client, "it names no version"))?;
    Ok(Health {
        server: format!("Airflow {version}"),
        user: None,
    })
}

async fn kubeflow(client: &Client) -> Result<Health> {
    let kind = RemoteKind::Kubeflow;
    let found = document(kind, client, "apis/v2beta1/healthz").await?;
    if !found.is_object() {
        return Err(wrong(kind, client, "it says nothing about its health"));
    }
    Ok(Health {
        server: "Kubeflow Pipelines".to_owned(),
        user: None,
    })
}
