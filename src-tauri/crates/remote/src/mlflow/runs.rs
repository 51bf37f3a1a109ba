//! Experiments and runs: what was measured, and with what.

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Value, json};

use super::{KeyValue, MAX_PAGES, Mlflow, PAGE, integer};
use crate::{Error, Result};

/// Limits of one `log-batch`.
const MAX_METRICS: usize = 1000;
const MAX_PARAMS: usize = 100;
const MAX_TAGS: usize = 100;

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

/// What a run begins with.
#[derive(Debug, Clone, Serialize)]
pub struct NewRun {
    pub experiment_id: String,
    pub run_name: String,
    pub user_id: String,
    pub start_time: i64,
    pub tags: Vec<KeyValue>,
}

impl Mlflow {
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

    /// Sets a tag of a run.
    ///
    /// # Errors
    /// As [`Mlflow::experiment`].
    pub async fn set_tag(&self, run_id: &str, key: &str, value: &str) -> Result<()> {
        let body = json!({ "run_id": run_id, "key": key, "value": value });
        self.post::<Value>("runs/set-tag", &body).await.map(|_| ())
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
