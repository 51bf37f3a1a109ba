//! The model registry: models, their versions and aliases.

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Value, json};

use super::{KeyValue, MAX_PAGES, Mlflow, PAGE};
use crate::{Error, Result};

/// Runs of one search for versions: they stand in the address.
const MAX_RUNS_ASKED: usize = 50;

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

/// Which version of a model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Which {
    Number(String),
    Alias(String),
    Newest,
}

impl Mlflow {
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
