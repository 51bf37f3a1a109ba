//! Calls about experiments, runs, metrics and run artifacts.

use lapwing_core::Timestamp;
use lapwing_store::experiments as table;
use lapwing_store::experiments::Experiment;
use lapwing_store::search::View;
use serde_json::{Value, json};

use super::{input, render};
use crate::runs::{DEFAULT_PAGE, MAX_BATCH_METRICS, MAX_BATCH_PARAMS, MAX_BATCH_TAGS};
use crate::{Error, Metric, NewRun, Point, Result, Run, RunInput, RunStatus, Search, Tracking};

/// Of the experiments that a search goes through.
const MAX_EXPERIMENTS: usize = 1000;

pub(super) fn experiment(tracking: &Tracking, id: i64) -> Result<Experiment> {
    let found = tracking
        .experiments()?
        .into_iter()
        .find(|experiment| experiment.id == id);
    found.ok_or_else(|| Error::NotFound(format!("No Experiment with id={id} exists")))
}

pub(super) fn experiments(tracking: &Tracking, verb: &str, given: &Value) -> Result<Value> {
    let now = Timestamp::now();
    match verb {
        "create" => {
            let name = input::text(given, "name")?;
            let id = table::create(tracking.store(), name, input::pairs(given, "tags")?, now)?;
            let id = id
                .ok_or_else(|| Error::Exists(format!("Experiment(name={name}) already exists.")))?;
            Ok(json!({ "experiment_id": id.to_string() }))
        }
        "get" => Ok(
            json!({ "experiment": render::experiment(&experiment(tracking, input::experiment_id(given)?)?) }),
        ),
        "get-by-name" => {
            let name = input::text(given, "experiment_name")?;
            let found = tracking
                .experiments()?
                .into_iter()
                .find(|experiment| experiment.name == name);
            let found = found.ok_or_else(|| {
                Error::NotFound(format!("Could not find experiment with name '{name}'"))
            })?;
            Ok(json!({ "experiment": render::experiment(&found) }))
        }
        "search" => search_experiments(tracking, given),
        "update" => {
            let (id, name) = (
                input::experiment_id(given)?,
                input::text(given, "new_name")?,
            );
            change(tracking, id, Some(name.to_owned()), None)
        }
        "delete" => change(
            tracking,
            input::experiment_id(given)?,
            None,
            Some("deleted"),
        ),
        "restore" => change(tracking, input::experiment_id(given)?, None, Some("active")),
        "set-experiment-tag" => {
            experiment(tracking, input::experiment_id(given)?)?;
            let value = given
                .get("value")
                .and_then(Value::as_str)
                .unwrap_or_default()
                .to_owned();
            table::set_tag(
                tracking.store(),
                input::experiment_id(given)?,
                input::text(given, "key")?,
                Some(value),
            )?;
            Ok(json!({}))
        }
        "delete-experiment-tag" => {
            table::set_tag(
                tracking.store(),
                input::experiment_id(given)?,
                input::text(given, "key")?,
                None,
            )?;
            Ok(json!({}))
        }
        "search-datasets" => search_datasets(tracking, given),
        other => Err(Error::NotFound(format!(
            "there is no call experiments/{other}"
        ))),
    }
}

fn change(
    tracking: &Tracking,
    id: i64,
    name: Option<String>,
    lifecycle: Option<&str>,
) -> Result<Value> {
    experiment(tracking, id)?;
    if name.as_ref().is_some_and(|name| {
        tracking
            .experiments()
            .is_ok_and(|all| all.iter().any(|other| other.name == *name))
    }) {
        return Err(Error::Exists(format!(
            "Experiment(name={}) already exists.",
            name.unwrap_or_default()
        )));
    }
    table::update(
        tracking.store(),
        id,
        name,
        lifecycle.map(str::to_owned),
        Timestamp::now(),
    )?;
    Ok(json!({}))
}

/// Conditions on name, tags and times of experiments, few enough to be looked at one by one.
fn search_experiments(tracking: &Tracking, given: &Value) -> Result<Value> {
    let view = view(given, "view_type");
    let conditions = super::models::Conditions::parse(
        input::optional(given, "filter").unwrap_or_default(),
        &["name", "creation_time", "last_update_time", "tags."],
    )?;
    let mut found: Vec<Experiment> = tracking
        .experiments()?
        .into_iter()
        .filter(|experiment| match view {
            View::Active => experiment.lifecycle == "active",
            View::Deleted => experiment.lifecycle == "deleted",
            View::All => true,
        })
        .filter(|experiment| {
            conditions.hold(&|key| match key {
                "name" => Some(experiment.name.clone()),
                "creation_time" => Some(experiment.created.0.to_string()),
                "last_update_time" => Some(experiment.updated.0.to_string()),
                key => experiment
                    .tags
                    .iter()
                    .find(|(tag, _)| Some(tag.as_str()) == key.strip_prefix("tags."))
                    .map(|(_, value)| value.clone()),
            })
        })
        .collect();
    if let Some(order) = input::texts(given, "order_by").first() {
        let (key, direction) = order.split_once(' ').unwrap_or((order, "ASC"));
        match key.trim_matches('`') {
            "name" => found.sort_by(|a, b| a.name.cmp(&b.name)),
            "experiment_id" => found.sort_by_key(|experiment| experiment.id),
            "creation_time" => found.sort_by_key(|experiment| experiment.created),
            _ => found.sort_by_key(|experiment| experiment.updated),
        }
        if direction.trim().eq_ignore_ascii_case("desc") {
            found.reverse();
        }
    }
    let max = input::count(given, "max_results")?.unwrap_or(DEFAULT_PAGE) as usize;
    let offset: usize = input::optional(given, "page_token")
        .and_then(|token| token.strip_prefix('o')?.parse().ok())
        .unwrap_or(0); // Not a token of ours: from the start.
    let more = found.len() > offset + max;
    let page: Vec<Value> = found
        .iter()
        .skip(offset)
        .take(max)
        .map(render::experiment)
        .collect();
    let mut answer = json!({ "experiments": page });
    if let (true, Some(answer)) = (more, answer.as_object_mut()) {
        answer.insert(
            "next_page_token".to_owned(),
            json!(format!("o{}", offset + max)),
        );
    }
    Ok(answer)
}

fn search_datasets(tracking: &Tracking, given: &Value) -> Result<Value> {
    let page = search(tracking, given)?;
    let mut found: Vec<Value> = Vec::new();
    for run in &page.runs {
        for dataset in &run.inputs {
            let row = json!({ "experiment_id": run.experiment_id.to_string(), "name": dataset.name, "digest": dataset.digest });
            if !found.contains(&row) {
                found.push(row);
            }
        }
    }
    Ok(json!({ "dataset_summaries": found }))
}

fn view(given: &Value, key: &str) -> View {
    match input::optional(given, key) {
        Some("DELETED_ONLY") => View::Deleted,
        Some("ALL") => View::All,
        _ => View::Active,
    }
}

fn full(tracking: &Tracking, run: &Run) -> Result<Value> {
    Ok(render::run(run, &tracking.logged_models(&run.id)?))
}

pub(super) fn runs(tracking: &Tracking, verb: &str, given: &Value) -> Result<Value> {
    match verb {
        "create" => create(tracking, given),
        "get" => Ok(json!({ "run": full(tracking, &tracking.run(&input::run_id(given)?)?)? })),
        "update" => {
            let id = input::run_id(given)?;
            let status = input::optional(given, "status")
                .map(RunStatus::parse)
                .transpose()?;
            let name = input::optional(given, "run_name").map(str::to_owned);
            tracking.update_run(&id, status, input::time(given, "end_time")?, name)?;
            Ok(json!({ "run_info": render::info(&tracking.run(&id)?) }))
        }
        "delete" => tracking
            .set_deleted(&input::run_id(given)?, true)
            .map(|()| json!({})),
        "restore" => tracking
            .set_deleted(&input::run_id(given)?, false)
            .map(|()| json!({})),
        "log-metric" => log(
            tracking,
            given,
            vec![metric(given)?],
            Vec::new(),
            Vec::new(),
        ),
        "log-parameter" => {
            let pair = (input::text(given, "key")?.to_owned(), plain(given, "value"));
            log(tracking, given, Vec::new(), vec![pair], Vec::new())
        }
        "set-tag" => {
            let pair = (input::text(given, "key")?.to_owned(), plain(given, "value"));
            log(tracking, given, Vec::new(), Vec::new(), vec![pair])
        }
        "delete-tag" => tracking
            .delete_tag(&input::run_id(given)?, input::text(given, "key")?)
            .map(|()| json!({})),
        "log-batch" => log_batch(tracking, given),
        "log-inputs" => log_inputs(tracking, given),
        // What a run logged is known from the logged models themselves.
        "outputs" | "log-model" => tracking.run(&input::run_id(given)?).map(|_| json!({})),
        "search" => {
            let page = search(tracking, given)?;
            let runs = page
                .runs
                .iter()
                .map(|run| full(tracking, run))
                .collect::<Result<Vec<_>>>()?;
            let mut answer = json!({ "runs": runs });
            if let (Some(next), Some(answer)) = (page.next, answer.as_object_mut()) {
                answer.insert("next_page_token".to_owned(), json!(next));
            }
            Ok(answer)
        }
        other => Err(Error::NotFound(format!("there is no call runs/{other}"))),
    }
}

fn plain(given: &Value, key: &str) -> String {
    given
        .get(key)
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_owned()
}

fn create(tracking: &Tracking, given: &Value) -> Result<Value> {
    let id = input::integer(given, "experiment_id")?.unwrap_or(0);
    let experiment = experiment(tracking, id)?;
    if experiment.lifecycle != "active" {
        return Err(Error::Invalid(format!(
            "The experiment {id} must be in the 'active' state."
        )));
    }
    let new = NewRun {
        experiment: experiment.name,
        name: input::optional(given, "run_name").map(str::to_owned),
        user: input::optional(given, "user_id")
            .unwrap_or("unknown")
            .to_owned(),
        tags: input::pairs(given, "tags")?,
        start: input::time(given, "start_time")?.unwrap_or_else(Timestamp::now),
    };
    let run = tracking.insert_run(id, new)?;
    Ok(json!({ "run": full(tracking, &tracking.run(&run)?)? }))
}

fn metric(given: &Value) -> Result<Metric> {
    Ok(Metric {
        key: input::text(given, "key")?.to_owned(),
        point: Point {
            value: input::float(given, "value")?,
            timestamp: input::time(given, "timestamp")?.unwrap_or_else(Timestamp::now),
            step: input::integer(given, "step")?.unwrap_or(0),
        },
    })
}

fn log(
    tracking: &Tracking,
    given: &Value,
    metrics: Vec<Metric>,
    params: Vec<(String, String)>,
    tags: Vec<(String, String)>,
) -> Result<Value> {
    tracking
        .log(&input::run_id(given)?, metrics, params, tags)
        .map(|()| json!({}))
}

fn log_batch(tracking: &Tracking, given: &Value) -> Result<Value> {
    let metrics = input::list(given, "metrics")
        .iter()
        .map(metric)
        .collect::<Result<Vec<_>>>()?;
    let (params, tags) = (input::pairs(given, "params")?, input::pairs(given, "tags")?);
    let over = |what: &str, limit: usize| {
        Err(Error::Invalid(format!(
            "A batch logging request can contain at most {limit} {what}."
        )))
    };
    if metrics.len() > MAX_BATCH_METRICS {
        return over("metrics", MAX_BATCH_METRICS);
    }
    if params.len() > MAX_BATCH_PARAMS {
        return over("params", MAX_BATCH_PARAMS);
    }
    if tags.len() > MAX_BATCH_TAGS {
        return over("tags", MAX_BATCH_TAGS);
    }
    if metrics.len() + params.len() + tags.len() > MAX_BATCH_METRICS {
        return over("metrics, params, and tags", MAX_BATCH_METRICS);
    }
    log(tracking, given, metrics, params, tags)
}

fn log_inputs(tracking: &Tracking, given: &Value) -> Result<Value> {
    let inputs = input::list(given, "datasets")
        .iter()
        .map(|row| {
            let dataset = row.get("dataset").cloned().unwrap_or_default();
            let some = |key: &str| input::optional(&dataset, key).map(str::to_owned);
            Ok(RunInput {
                name: input::text(&dataset, "name")?.to_owned(),
                digest: input::text(&dataset, "digest")?.to_owned(),
                source_type: some("source_type").unwrap_or_default(),
                source: some("source").unwrap_or_default(),
                schema: some("schema"),
                profile: some("profile"),
                tags: Value::Array(input::list(row, "tags")).to_string(),
            })
        })
        .collect::<Result<Vec<_>>>()?;
    let id = input::run_id(given)?;
    tracking.run(&id)?;
    tracking.add_inputs(&id, inputs).map(|()| json!({}))
}

fn search(tracking: &Tracking, given: &Value) -> Result<crate::Page> {
    let mut experiments = Vec::new();
    for id in input::list(given, "experiment_ids") {
        let number = id
            .as_i64()
            .or_else(|| id.as_str().and_then(|text| text.parse().ok())); // Not an id: refused below.
        experiments
            .push(number.ok_or_else(|| Error::Invalid(format!("{id} is no experiment id")))?);
    }
    if experiments.len() > MAX_EXPERIMENTS {
        return Err(Error::Invalid(format!(
            "A search goes through at most {MAX_EXPERIMENTS} experiments"
        )));
    }
    tracking.search(&Search {
        experiments: Some(experiments),
        filter: input::optional(given, "filter")
            .unwrap_or_default()
            .to_owned(),
        order_by: input::texts(given, "order_by"),
        max: input::count(given, "max_results")?,
        page_token: input::optional(given, "page_token").map(str::to_owned),
        view: view(given, "run_view_type"),
    })
}

pub(super) fn metrics(tracking: &Tracking, verb: &str, given: &Value) -> Result<Value> {
    match verb {
        "get-history" => {
            let key =
                input::optional(given, "metric_key").or_else(|| input::optional(given, "metric"));
            let key = key.ok_or_else(|| {
                Error::Invalid("Missing value for required parameter 'metric_key'.".to_owned())
            })?;
            let id = input::run_id(given)?;
            tracking.run(&id)?;
            let points = tracking.history(&id, key)?;
            let max = input::count(given, "max_results")?
                .map_or(points.len(), |max| max as usize)
                .max(1);
            let offset: usize = input::optional(given, "page_token")
                .and_then(|token| token.strip_prefix('o')?.parse().ok())
                .unwrap_or(0); // Not a token of ours: from the start.
            let page: Vec<Value> = points
                .iter()
                .skip(offset)
                .take(max)
                .map(|point| render::metric(key, point))
                .collect();
            let mut answer = json!({ "metrics": page });
            if let (true, Some(answer)) = (points.len() > offset + max, answer.as_object_mut()) {
                answer.insert(
                    "next_page_token".to_owned(),
                    json!(format!("o{}", offset + max)),
                );
            }
            Ok(answer)
        }
        "get-history-bulk-interval" => {
            let key = input::text(given, "metric_key")?;
            let max = input::count(given, "max_results")?.unwrap_or(2500) as usize;
            let mut all = Vec::new();
            for id in input::texts(given, "run_ids") {
                let id = id
                    .parse()
                    .map_err(|_| Error::NotFound(format!("Run with id={id} not found")))?;
                for point in tracking.downsampled(&id, key, max)?.0 {
                    let mut row = render::metric(key, &point);
                    if let Some(row) = row.as_object_mut() {
                        row.insert("run_id".to_owned(), json!(id));
                    }
                    all.push(row);
                }
            }
            Ok(json!({ "metrics": all }))
        }
        other => Err(Error::NotFound(format!("there is no call metrics/{other}"))),
    }
}

pub(super) fn artifacts(tracking: &Tracking, given: &Value) -> Result<Value> {
    let id = input::run_id(given)?;
    let run = tracking.run(&id)?;
    let path = input::optional(given, "path").unwrap_or_default();
    let files = tracking.artifacts(&id, path)?;
    Ok(json!({ "root_uri": run.artifact_uri(), "files": super::artifacts::rows(&files) }))
}
