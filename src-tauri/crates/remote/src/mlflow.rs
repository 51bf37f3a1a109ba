//! Somebody's MLflow server: the calls that bring a model version with its run there, and from there.
//!
//! Paths and words are those of MLflow's REST API 2.0 (<https://mlflow.org/docs/latest/rest-api.html>) and, for logged
//! models, of MLflow 3. Artifacts go through the server (`mlflow-artifacts:`), as `mlflow server` is set up by itself.

use std::path::Path;

use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use reqwest::Method;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Value, json};

use crate::{Client, Error, Moved, Result};

const API: &str = "api/2.0/mlflow";
const ARTIFACTS: &str = "api/2.0/mlflow-artifacts/artifacts";
const PAGE: u32 = 1000;
/// A server that always names a next page is not asked for ever.
const MAX_PAGES: usize = 10_000;
/// Limits of one `log-batch`.
const MAX_METRICS: usize = 1000;
const MAX_PARAMS: usize = 100;
const MAX_TAGS: usize = 100;
/// Runs of one search for versions: they stand in the address.
const MAX_RUNS_ASKED: usize = 50;
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

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyValue {
    pub key: String,
    pub value: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Metric {
    pub key: String,
    #[serde(deserialize_with = "number")]
    pub value: f64,
    #[serde(deserialize_with = "integer", default)]
    pub timestamp: i64,
    #[serde(deserialize_with = "integer", default)]
    pub step: i64,
}

/// A run as the server tells it.
#[derive(Debug, Clone, Deserialize)]
pub struct Run {
    pub info: RunInfo,
    #[serde(default)]
    pub data: RunData,
}

#[derive(Debug, Clone, Deserialize)]
pub struct RunInfo {
    pub run_id: String,
    #[serde(default)]
    pub run_name: String,
    pub experiment_id: String,
    #[serde(default)]
    pub user_id: String,
    pub status: String,
    #[serde(deserialize_with = "integer", default)]
    pub start_time: i64,
    #[serde(deserialize_with = "integer", default)]
    pub end_time: i64,
    #[serde(default)]
    pub artifact_uri: String,
}

/// Parameters, tags and the latest value of each metric.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct RunData {
    #[serde(default)]
    pub params: Vec<KeyValue>,
    #[serde(default)]
    pub tags: Vec<KeyValue>,
    #[serde(default)]
    pub metrics: Vec<Metric>,
}

#[derive(Debug, Clone, Deserialize)]
pub struct ModelVersion {
    pub name: String,
    #[serde(deserialize_with = "text")]
    pub version: String,
    #[serde(default)]
    pub source: String,
    #[serde(default)]
    pub run_id: String,
    #[serde(default)]
    pub description: String,
    #[serde(default)]
    pub tags: Vec<KeyValue>,
    #[serde(default)]
    pub aliases: Vec<String>,
}

#[derive(Debug, Clone, Deserialize)]
pub struct RegisteredModel {
    pub name: String,
    #[serde(default)]
    pub description: String,
    #[serde(default)]
    pub latest_versions: Vec<ModelVersion>,
    #[serde(default)]
    pub aliases: Vec<Alias>,
}

#[derive(Debug, Clone, Deserialize)]
pub struct Alias {
    pub alias: String,
    #[serde(deserialize_with = "text")]
    pub version: String,
}

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

/// What a run begins with.
#[derive(Debug, Clone, Serialize)]
pub struct NewRun {
    pub experiment_id: String,
    pub run_name: String,
    pub user_id: String,
    pub start_time: i64,
    pub tags: Vec<KeyValue>,
}

/// What a version begins with.
#[derive(Debug, Clone, Serialize)]
pub struct NewVersion {
    pub name: String,
    pub source: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model_id: Option<String>,
    pub description: String,
    pub tags: Vec<KeyValue>,
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

    /// The id of the experiment with that name, made when it is new.
    ///
    /// # Errors
    /// When the server cannot be reached, or refuses.
    pub async fn experiment(&self, name: &str) -> Result<String> {
        let query = [("experiment_name", name)];
        let found: Result<Value> = self.get("experiments/get-by-name", &query).await;
        let answer = match found {
            Err(Error::NotFound { .. }) => {
                self.post("experiments/create", &json!({ "name": name }))
                    .await?
            }
            other => other?,
        };
        let id = answer
            .pointer("/experiment/experiment_id")
            .or_else(|| answer.get("experiment_id"))
            .and_then(Value::as_str);
        id.map(str::to_owned)
            .ok_or_else(|| self.unreadable("an experiment without an id"))
    }

    /// The id of the experiment with that name, where there is one.
    ///
    /// # Errors
    /// As [`Mlflow::experiment`].
    pub async fn find_experiment(&self, name: &str) -> Result<Option<String>> {
        let query = [("experiment_name", name)];
        let found: Result<Value> = self.get("experiments/get-by-name", &query).await;
        let answer = match found {
            Err(Error::NotFound { .. }) => return Ok(None),
            found => found?,
        };
        let id = answer.pointer("/experiment/experiment_id");
        Ok(id.and_then(Value::as_str).map(str::to_owned))
    }

    /// All runs of an experiment that are not deleted.
    ///
    /// # Errors
    /// As [`Mlflow::experiment`].
    pub async fn runs(&self, experiment_id: &str) -> Result<Vec<Run>> {
        #[derive(Deserialize)]
        struct Answer {
            #[serde(default)]
            runs: Vec<Run>,
            #[serde(default)]
            next_page_token: Option<String>,
        }
        let mut all = Vec::new();
        let mut token: Option<String> = None;
        for _ in 0..MAX_PAGES {
            let mut body = json!({ "experiment_ids": [experiment_id], "max_results": PAGE });
            if let (Some(token), Some(body)) = (&token, body.as_object_mut()) {
                body.insert("page_token".to_owned(), json!(token));
            }
            let answer: Answer = self.post("runs/search", &body).await?;
            all.extend(answer.runs);
            token = answer.next_page_token.filter(|next| !next.is_empty());
            if token.is_none() {
                break;
            }
        }
        Ok(all)
    }

    /// Sets a tag of a run.
    ///
    /// # Errors
    /// As [`Mlflow::experiment`].
    pub async fn set_tag(&self, run_id: &str, key: &str, value: &str) -> Result<()> {
        let body = json!({ "run_id": run_id, "key": key, "value": value });
        self.post::<Value>("runs/set-tag", &body).await.map(|_| ())
    }

    /// Registered versions that these runs made.
    ///
    /// # Errors
    /// As [`Mlflow::experiment`].
    pub async fn versions_of(&self, run_ids: &[String]) -> Result<Vec<ModelVersion>> {
        #[derive(Deserialize)]
        struct Answer {
            #[serde(default)]
            model_versions: Vec<ModelVersion>,
            #[serde(default)]
            next_page_token: Option<String>,
        }
        let mut all = Vec::new();
        for part in run_ids.chunks(MAX_RUNS_ASKED) {
            let list: Vec<String> = part.iter().map(|id| format!("'{id}'")).collect();
            let filter = format!("run_id IN ({})", list.join(","));
            let page = PAGE.to_string();
            let mut token = String::new();
            for _ in 0..MAX_PAGES {
                let mut query = vec![("filter", filter.as_str()), ("max_results", &page)];
                if !token.is_empty() {
                    query.push(("page_token", &token));
                }
                let answer: Answer = self.get("model-versions/search", &query).await?;
                all.extend(answer.model_versions);
                match answer.next_page_token.filter(|next| !next.is_empty()) {
                    Some(next) => token = next,
                    None => break,
                }
            }
        }
        Ok(all)
    }

    /// The name of an experiment.
    ///
    /// # Errors
    /// As [`Mlflow::experiment`].
    pub async fn experiment_name(&self, id: &str) -> Result<String> {
        let answer: Value = self
            .get("experiments/get", &[("experiment_id", id)])
            .await?;
        let name = answer.pointer("/experiment/name").and_then(Value::as_str);
        name.map(str::to_owned)
            .ok_or_else(|| self.unreadable("an experiment without a name"))
    }

    fn unreadable(&self, why: &str) -> Error {
        Error::Unreadable {
            url: self.client.base().to_owned(),
            why: why.to_owned(),
        }
    }

    /// The run of an experiment that has this tag.
    ///
    /// # Errors
    /// As [`Mlflow::experiment`].
    pub async fn run_with(
        &self,
        experiment_id: &str,
        key: &str,
        value: &str,
    ) -> Result<Option<Run>> {
        #[derive(Deserialize)]
        struct Answer {
            #[serde(default)]
            runs: Vec<Run>,
        }
        let body = json!({
            "experiment_ids": [experiment_id],
            "filter": format!("tags.`{key}` = '{value}'"),
            "max_results": 1,
        });
        let answer: Answer = self.post("runs/search", &body).await?;
        Ok(answer.runs.into_iter().next())
    }

    /// One run.
    ///
    /// # Errors
    /// As [`Mlflow::experiment`].
    pub async fn run(&self, id: &str) -> Result<Run> {
        #[derive(Deserialize)]
        struct Answer {
            run: Run,
        }
        let answer: Answer = self.get("runs/get", &[("run_id", id)]).await?;
        Ok(answer.run)
    }

    /// Begins a run.
    ///
    /// # Errors
    /// As [`Mlflow::experiment`].
    pub async fn create_run(&self, new: &NewRun) -> Result<Run> {
        #[derive(Deserialize)]
        struct Answer {
            run: Run,
        }
        let answer: Answer = self.post("runs/create", &json!(new)).await?;
        Ok(answer.run)
    }

    /// Adds to a run, in as many batches as the server's limits ask for.
    ///
    /// # Errors
    /// As [`Mlflow::experiment`].
    pub async fn log(
        &self,
        run_id: &str,
        metrics: &[Metric],
        params: &[KeyValue],
        tags: &[KeyValue],
    ) -> Result<()> {
        for part in metrics.chunks(MAX_METRICS) {
            self.log_batch(json!({ "run_id": run_id, "metrics": part.iter().map(metric_json).collect::<Vec<_>>() })).await?;
        }
        for part in params.chunks(MAX_PARAMS) {
            self.log_batch(json!({ "run_id": run_id, "params": part }))
                .await?;
        }
        for part in tags.chunks(MAX_TAGS) {
            self.log_batch(json!({ "run_id": run_id, "tags": part }))
                .await?;
        }
        Ok(())
    }

    async fn log_batch(&self, body: Value) -> Result<()> {
        self.post::<Value>("runs/log-batch", &body)
            .await
            .map(|_| ())
    }

    /// Ends a run.
    ///
    /// # Errors
    /// As [`Mlflow::experiment`].
    pub async fn end_run(&self, run_id: &str, status: &str, end_time: i64) -> Result<()> {
        let body = json!({ "run_id": run_id, "status": status, "end_time": end_time });
        self.post::<Value>("runs/update", &body).await.map(|_| ())
    }

    /// All points of a metric.
    ///
    /// # Errors
    /// As [`Mlflow::experiment`].
    pub async fn history(&self, run_id: &str, key: &str) -> Result<Vec<Metric>> {
        #[derive(Deserialize)]
        struct Answer {
            #[serde(default)]
            metrics: Vec<Metric>,
            #[serde(default)]
            next_page_token: Option<String>,
        }
        let mut all = Vec::new();
        let mut token = String::new();
        let page = PAGE.to_string();
        for _ in 0..MAX_PAGES {
            let mut query = vec![
                ("run_id", run_id),
                ("metric_key", key),
                ("max_results", &page),
            ];
            if !token.is_empty() {
                query.push(("page_token", &token));
            }
            let answer: Answer = self.get("metrics/get-history", &query).await?;
            all.extend(answer.metrics);
            match answer.next_page_token.filter(|next| !next.is_empty()) {
                Some(next) => token = next,
                None => break,
            }
        }
        Ok(all)
    }

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

    /// Registered models, of which the name contains `text`: no more than `most`, which no server allows above 1000.
    ///
    /// # Errors
    /// As [`Mlflow::experiment`].
    pub async fn search_models(&self, text: &str, most: usize) -> Result<Vec<RegisteredModel>> {
        #[derive(Deserialize)]
        struct Answer {
            #[serde(default)]
            registered_models: Vec<RegisteredModel>,
        }
        let filter = format!("name ILIKE '%{}%'", text.replace('\'', "''"));
        let most = most.to_string();
        let mut query = vec![("max_results", most.as_str())];
        if !text.is_empty() {
            query.push(("filter", &filter));
        }
        let answer: Answer = self.get("registered-models/search", &query).await?;
        Ok(answer.registered_models)
    }

    /// Makes a registered model; one of that name stays as it is.
    ///
    /// # Errors
    /// As [`Mlflow::experiment`].
    pub async fn ensure_model(&self, name: &str, description: &str) -> Result<()> {
        let found: Result<Value> = self.get("registered-models/get", &[("name", name)]).await;
        match found {
            Err(Error::NotFound { .. }) => self
                .post::<Value>(
                    "registered-models/create",
                    &json!({ "name": name, "description": description }),
                )
                .await
                .map(|_| ()),
            other => other.map(|_| ()),
        }
    }

    /// The version of a model that has this tag.
    ///
    /// # Errors
    /// As [`Mlflow::experiment`].
    pub async fn version_with(
        &self,
        name: &str,
        key: &str,
        value: &str,
    ) -> Result<Option<ModelVersion>> {
        #[derive(Deserialize)]
        struct Answer {
            #[serde(default)]
            model_versions: Vec<ModelVersion>,
        }
        let filter = format!(
            "name = '{}' AND tags.`{key}` = '{value}'",
            name.replace('\'', "''")
        );
        let query = [("filter", filter.as_str()), ("max_results", "1")];
        let answer: Answer = self.get("model-versions/search", &query).await?;
        Ok(answer.model_versions.into_iter().next())
    }

    /// One version, by number or alias; the newest without either.
    ///
    /// # Errors
    /// As [`Mlflow::experiment`].
    pub async fn version(&self, name: &str, which: &Which) -> Result<ModelVersion> {
        #[derive(Deserialize)]
        struct Answer {
            model_version: ModelVersion,
        }
        let answer: Answer = match which {
            Which::Number(number) => {
                let query = [("name", name), ("version", number.as_str())];
                self.get("model-versions/get", &query).await?
            }
            Which::Alias(alias) => {
                let query = [("name", name), ("alias", alias.as_str())];
                self.get("registered-models/alias", &query).await?
            }
            Which::Newest => {
                let body = json!({ "name": name });
                let found: Value = self
                    .post("registered-models/get-latest-versions", &body)
                    .await?;
                let newest = found
                    .get("model_versions")
                    .and_then(Value::as_array)
                    .into_iter()
                    .flatten()
                    .filter_map(|one| serde_json::from_value::<ModelVersion>(one.clone()).ok()) // Not one of ours to judge.
                    .max_by_key(|one| one.version.parse::<u64>().unwrap_or(0));
                return newest.ok_or_else(|| Error::NotFound {
                    url: format!("a version of {name} at {}", self.client.base()),
                });
            }
        };
        Ok(answer.model_version)
    }

    /// Makes a version.
    ///
    /// # Errors
    /// As [`Mlflow::experiment`].
    pub async fn create_version(&self, new: &NewVersion) -> Result<ModelVersion> {
        #[derive(Deserialize)]
        struct Answer {
            model_version: ModelVersion,
        }
        let answer: Answer = self.post("model-versions/create", &json!(new)).await?;
        Ok(answer.model_version)
    }

    /// Points an alias at a version.
    ///
    /// # Errors
    /// As [`Mlflow::experiment`].
    pub async fn set_alias(&self, name: &str, alias: &str, version: &str) -> Result<()> {
        let body = json!({ "name": name, "alias": alias, "version": version });
        self.post::<Value>("registered-models/alias", &body)
            .await
            .map(|_| ())
    }

    /// Where the files of a version lie.
    ///
    /// # Errors
    /// As [`Mlflow::experiment`].
    pub async fn location(&self, version: &ModelVersion) -> Result<String> {
        let query = [
            ("name", version.name.as_str()),
            ("version", version.version.as_str()),
        ];
        let answer: Value = self.get("model-versions/get-download-uri", &query).await?;
        let uri = answer
            .get("artifact_uri")
            .and_then(Value::as_str)
            .unwrap_or(&version.source)
            .to_owned();
        if let Some(id) = uri
            .strip_prefix("models:/")
            .filter(|id| id.starts_with("m-"))
        {
            let answer: Value = self.get(&format!("logged-models/{id}"), &[]).await?;
            let place = answer
                .pointer("/model/info/artifact_uri")
                .and_then(Value::as_str);
            return place
                .map(str::to_owned)
                .ok_or_else(|| self.unreadable("a logged model without files"));
        }
        Ok(uri)
    }
}

/// Which version of a model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Which {
    Number(String),
    Alias(String),
    Newest,
}

/// JSON has no NaN and no infinity: MLflow takes them as words.
fn metric_json(metric: &Metric) -> Value {
    let value = if metric.value.is_finite() {
        json!(metric.value)
    } else if metric.value.is_nan() {
        json!("NaN")
    } else if metric.value > 0.0 {
        json!("Infinity")
    } else {
        json!("-Infinity")
    };
    json!({ "key": metric.key, "value": value, "timestamp": metric.timestamp, "step": metric.step })
}

/// A number, or the word for one that JSON does not have.
fn number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    match Value::deserialize(deserializer)? {
        Value::Number(number) => Ok(number.as_f64().unwrap_or(f64::NAN)),
        Value::String(word) if word == "Infinity" => Ok(f64::INFINITY),
        Value::String(word) if word == "-Infinity" => Ok(f64::NEG_INFINITY),
        Value::String(word) => Ok(word.parse().unwrap_or(f64::NAN)),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => Ok(f64::NAN),
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

/// Version numbers travel as text or as numbers.
fn text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    match Value::deserialize(deserializer)? {
        Value::String(text) => Ok(text),
        Value::Number(number) => Ok(number.to_string()),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => {
            Err(serde::de::Error::custom("a version is a number"))
        }
    }
}
