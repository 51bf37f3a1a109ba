//! Logged models and files, which go through the server.

use std::path::Path;

use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use reqwest::Method;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{API, KeyValue, Mlflow, integer};
use crate::{Error, Moved, Result};

const ARTIFACTS: &str = "api/2.0/mlflow-artifacts/artifacts";
/// What may not stand in the path of a URL; `/` stays.
const IN_PATH: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'%')
    .add(b'<')
    .add(b'>')
    .add(b'?')
    .add(b'`')
    .add(b'{')
    .add(b'}');

/// A model that was logged, and where its files go.
#[derive(Debug, Clone, Deserialize)]
pub struct LoggedModel {
    pub model_id: String,
    pub artifact_uri: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Artifact {
    pub path: String,
    #[serde(default)]
    pub is_dir: bool,
    #[serde(deserialize_with = "integer", default)]
    pub file_size: i64,
}

impl Mlflow {
    /// A logged model of that name and tag: begun before, or made now. `None` where the server is older than MLflow 3 and knows
    /// none.
    ///
    /// # Errors
    /// As [`Mlflow::experiment`].
    pub async fn logged_model(
        &self,
        experiment_id: &str,
        name: &str,
        run_id: Option<&str>,
        tag: &KeyValue,
    ) -> Result<Option<LoggedModel>> {
        let wanted = json!({
            "experiment_ids": [experiment_id],
            "filter": format!("name = '{name}' AND tags.`{}` = '{}'", tag.key, tag.value),
            "max_results": 1,
        });
        match self.post::<Value>("logged-models/search", &wanted).await {
            Ok(found) => {
                let info = found.pointer("/models/0/info").cloned();
                if let Some(known) = info.and_then(|info| serde_json::from_value(info).ok()) {
                    return Ok(Some(known));
                }
            }
            Err(Error::NotFound { .. }) => return Ok(None),
            Err(error) => return Err(error),
        }
        self.create_logged_model(experiment_id, name, run_id, tag)
            .await
    }

    async fn create_logged_model(
        &self,
        experiment_id: &str,
        name: &str,
        run_id: Option<&str>,
        tag: &KeyValue,
    ) -> Result<Option<LoggedModel>> {
        #[derive(Deserialize)]
        struct Info {
            info: LoggedModel,
        }
        #[derive(Deserialize)]
        struct Answer {
            model: Info,
        }
        let body = json!({
            "experiment_id": experiment_id,
            "name": name,
            "source_run_id": run_id,
            "tags": [tag],
        });
        match self.post::<Answer>("logged-models", &body).await {
            Ok(answer) => Ok(Some(answer.model.info)),
            Err(Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Says that all files of a logged model are there.
    ///
    /// # Errors
    /// As [`Mlflow::experiment`].
    pub async fn finish_logged_model(&self, id: &str) -> Result<()> {
        let path = format!("{API}/logged-models/{id}");
        let body = json!({ "model_id": id, "status": "LOGGED_MODEL_READY" });
        self.client
            .post::<Value>(Method::PATCH, &path, &body)
            .await
            .map(|_| ())
    }

    /// The address of a file below an artifact location.
    fn artifact(&self, location: &str, path: &str) -> Result<String> {
        let Some(rest) = location.strip_prefix("mlflow-artifacts:") else {
            let scheme = location.split(':').next().unwrap_or(location);
            return Err(Error::UnsupportedStorage {
                scheme: format!(
                    "`{scheme}` behind an MLflow server that does not pass artifacts through"
                ),
            });
        };
        // `mlflow-artifacts:/1/…` and `mlflow-artifacts://host/1/…`.
        let rest = match rest.strip_prefix("//") {
            Some(with_host) => with_host.split_once('/').map_or("", |(_, path)| path),
            None => rest.trim_start_matches('/'),
        };
        let whole = format!("{rest}/{path}");
        Ok(format!(
            "{ARTIFACTS}/{}",
            utf8_percent_encode(&whole, IN_PATH)
        ))
    }

    /// Sends a file below an artifact location.
    ///
    /// # Errors
    /// As [`Mlflow::experiment`], and when the server does not pass artifacts through.
    pub async fn upload(
        &self,
        location: &str,
        path: &str,
        file: &Path,
        moved: impl Fn(u64) + Send + Sync + 'static,
    ) -> Result<()> {
        let request = self
            .client
            .request(Method::PUT, &self.artifact(location, path)?);
        self.client
            .send_file(request, file, moved)
            .await
            .map(|_| ())
    }

    /// Fetches a file below an artifact location into `part`.
    ///
    /// # Errors
    /// As [`Mlflow::upload`].
    pub async fn download(
        &self,
        location: &str,
        path: &str,
        part: &Path,
        moved: Moved<'_>,
    ) -> Result<()> {
        let address = self.artifact(location, path)?;
        let request = || self.client.request(Method::GET, &address);
        self.client.fetch(request, part, moved).await
    }

    /// Every file below an artifact location, with its path relative to it.
    ///
    /// # Errors
    /// As [`Mlflow::upload`].
    pub async fn files(&self, location: &str) -> Result<Vec<Artifact>> {
        #[derive(Deserialize)]
        struct Answer {
            #[serde(default)]
            files: Vec<Artifact>,
        }
        const MAX_FILES: usize = 100_000;
        let whole = self.artifact(location, "")?;
        let root = whole
            .strip_prefix(ARTIFACTS)
            .unwrap_or_default()
            .trim_matches('/')
            .to_owned();
        let mut folders = vec![String::new()];
        let mut all = Vec::new();
        while let Some(folder) = folders.pop() {
            let path = format!("{root}/{folder}");
            let query = [("path", path.trim_end_matches('/'))];
            let answer: Answer = self.client.get(ARTIFACTS, &query).await?;
            for mut found in answer.files {
                // The server names them relative to the folder that was asked for.
                found.path = format!("{folder}{}", found.path);
                if found.is_dir {
                    folders.push(format!("{}/", found.path));
                } else {
                    all.push(found);
                }
            }
            if all.len() + folders.len() > MAX_FILES {
                return Err(self.unreadable("a model with more than 100,000 files"));
            }
        }
        Ok(all)
    }
}
