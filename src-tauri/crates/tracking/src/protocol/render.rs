//! Domain values as MLflow's JSON.

use std::collections::BTreeMap;

use lapwing_store::experiments::Experiment;
use lapwing_store::registry as table;
use serde_json::{Value, json};

use crate::{LoggedModel, ModelVersion, Point, RegisteredModel, Run};

pub(super) fn pairs<'a>(map: impl IntoIterator<Item = (&'a String, &'a String)>) -> Value {
    map.into_iter()
        .map(|(key, value)| json!({ "key": key, "value": value }))
        .collect()
}

/// What JSON has no number for travels as its word, and the client reads it back exactly.
pub(super) fn float(value: f64) -> Value {
    if value.is_nan() {
        json!("NaN")
    } else if value.is_infinite() {
        json!(if value > 0.0 { "Infinity" } else { "-Infinity" })
    } else {
        json!(value)
    }
}

pub(super) fn experiment(experiment: &Experiment) -> Value {
    json!({
        "experiment_id": experiment.id.to_string(),
        "name": experiment.name,
        "artifact_location": format!("mlflow-artifacts:/{}", experiment.id),
        "lifecycle_stage": experiment.lifecycle,
        "creation_time": experiment.created.0,
        "last_update_time": experiment.updated.0,
        "tags": experiment.tags.iter().map(|(key, value)| json!({ "key": key, "value": value })).collect::<Value>(),
    })
}

pub(super) fn metric(key: &str, point: &Point) -> Value {
    json!({ "key": key, "value": float(point.value), "timestamp": point.timestamp.0, "step": point.step })
}

pub(super) fn info(run: &Run) -> Value {
    let mut info = json!({
        "run_id": run.id,
        "run_uuid": run.id,
        "run_name": run.name,
        "experiment_id": run.experiment_id.to_string(),
        "user_id": run.user,
        "status": run.status.as_str(),
        "start_time": run.start.0,
        "artifact_uri": run.artifact_uri(),
        "lifecycle_stage": if run.deleted { "deleted" } else { "active" },
    });
    if let (Some(end), Some(info)) = (run.end, info.as_object_mut()) {
        info.insert("end_time".to_owned(), json!(end.0));
    }
    info
}

pub(super) fn run(run: &Run, models: &[LoggedModel]) -> Value {
    let inputs: Vec<Value> = run
        .inputs
        .iter()
        .map(|input| {
            let tags: Value = serde_json::from_str(&input.tags).unwrap_or_else(|_| json!([]));
            json!({
                "dataset": {
                    "name": input.name, "digest": input.digest, "source_type": input.source_type, "source": input.source,
                    "schema": input.schema, "profile": input.profile,
                },
                "tags": tags,
            })
        })
        .collect();
    let outputs: Vec<Value> = models
        .iter()
        .map(|model| json!({ "model_id": model.row.id, "step": 0 }))
        .collect();
    json!({
        "info": info(run),
        "data": {
            "metrics": run.metrics.iter().map(|(key, point)| metric(key, point)).collect::<Value>(),
            "params": pairs(&run.params),
            "tags": pairs(&run.tags),
        },
        "inputs": { "dataset_inputs": inputs, "model_inputs": [] },
        "outputs": { "model_outputs": outputs },
    })
}

pub(super) fn logged_model(model: &LoggedModel) -> Value {
    let table::LoggedModel {
        id,
        experiment_id,
        run_id,
        name,
        kind,
        status,
        created,
        updated,
        tags,
        params,
    } = &model.row;
    let parsed = |text: &str| -> Value { serde_json::from_str(text).unwrap_or_else(|_| json!([])) };
    json!({
        "info": {
            "model_id": id, "experiment_id": experiment_id.to_string(), "name": name, "model_type": kind,
            "creation_timestamp_ms": created.0, "last_updated_timestamp_ms": updated.0,
            "artifact_uri": format!("mlflow-artifacts:/{experiment_id}/models/{id}/artifacts"),
            "status": status, "source_run_id": run_id.clone().unwrap_or_default(), "tags": parsed(tags),
        },
        "data": { "params": parsed(params), "metrics": [] },
    })
}

pub(super) fn version(version: &ModelVersion) -> Value {
    json!({
        "name": version.name,
        "version": version.version.to_string(),
        "creation_timestamp": version.created.0,
        "last_updated_timestamp": version.updated.0,
        "description": version.description,
        "current_stage": version.stage,
        "source": version.source,
        "run_id": version.run_id.clone().unwrap_or_default(),
        "model_id": version.model_id,
        "status": "READY",
        "tags": pairs(&version.tags),
        "aliases": version.aliases,
    })
}

pub(super) fn model(model: &RegisteredModel, versions: &[ModelVersion]) -> Value {
    let mut latest: BTreeMap<&str, &ModelVersion> = BTreeMap::new();
    for version in versions.iter().filter(|version| version.name == model.name) {
        let known = latest.entry(version.stage.as_str()).or_insert(version);
        if known.version < version.version {
            *known = version;
        }
    }
    json!({
        "name": model.name,
        "creation_timestamp": model.created.0,
        "last_updated_timestamp": model.updated.0,
        "description": model.description,
        "latest_versions": latest.values().map(|row| version(row)).collect::<Value>(),
        "tags": pairs(&model.tags),
        "aliases": model.aliases.iter().map(|(alias, number)| json!({ "alias": alias, "version": number.to_string() })).collect::<Value>(),
    })
}
