//! Somebody's MLflow server: the calls that bring a model version with its run there, and from there.
//!
//! Paths and words are those of MLflow's REST API 2.0 (<https://mlflow.org/docs/latest/rest-api.html>) and, for logged
//! models, of MLflow 3. Artifacts go through the server (`mlflow-artifacts:`), as `mlflow server` is set up by itself.

mod artifacts;
mod registry;
mod runs;

use reqwest::Method;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use crate::{Client, Error, Result};

pub use artifacts::{Artifact, LoggedModel};
pub use registry::{Alias, ModelVersion, NewVersion, RegisteredModel, Which};
pub use runs::{Metric, NewRun, Run, RunData, RunInfo};

const API: &str = "api/2.0/mlflow";
const PAGE: u32 = 1000;
/// A server that always names a next page is not asked for ever.
const MAX_PAGES: usize = 10_000;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyValue {
    pub key: String,
    pub value: String,
}

/// An MLflow server.
#[derive(Debug, Clone)]
pub struct Mlflow {
    client: Client,
}

impl Mlflow {
    #[must_use]
    pub fn new(client: Client) -> Self {
        Self { client }
    }

    async fn get<T: DeserializeOwned>(&self, path: &str, query: &[(&str, &str)]) -> Result<T> {
        self.client.get(&format!("{API}/{path}"), query).await
    }

    async fn post<T: DeserializeOwned>(&self, path: &str, body: &Value) -> Result<T> {
        self.client
            .post(Method::POST, &format!("{API}/{path}"), body)
            .await
    }

    fn unreadable(&self, why: &str) -> Error {
        Error::Unreadable {
            url: self.client.base().to_owned(),
            why: why.to_owned(),
        }
    }
}

/// 64-bit integers travel as numbers or as text.
fn integer<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i64, D::Error> {
    match Value::deserialize(deserializer)? {
        Value::Number(number) => Ok(number.as_i64().unwrap_or_default()),
        Value::String(text) => text.parse().map_err(serde::de::Error::custom),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => Ok(0),
    }
}
