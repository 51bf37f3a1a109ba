//! What deployments look like: state, traffic, snippets, recent predictions.

use std::io::{Read as _, Seek as _, SeekFrom};

use lapwing_core::{Code, DeploymentName, Report, Timestamp};
use lapwing_serving::gateway::{self, State};
use lapwing_serving::predictions::{Query, Summary, Window};
use lapwing_serving::{DeploymentFolder, labels, model_folder, predictions as log_of};
use lapwing_store::{alerts, deployments as table};
use serde_json::Value;

use super::{known, target_of};
use crate::error::Reported as _;
use crate::wire::{
    Count, DeploymentDetail, DeploymentRef, DeploymentRow, DeploymentState, LogChunk,
    LoggedPrediction, Nothing, ReadDeploymentLog, ReadTraffic, RecentPredictions, RevisionRow,
    SignatureColumn, Snippet, Traffic, TrafficBucket,
};
use crate::{App, models};

const HOUR_MILLIS: i64 = 3_600_000;
const BUCKETS: i64 = 60;
const MAX_LOG_BYTES: u64 = 4 << 20;
const MAX_ALERTS: u32 = 100;
const MAX_RECENT: u32 = 10_000;

/// All deployments by name.
///
/// # Errors
/// When the store cannot be read.
pub fn list(app: &App, _input: Nothing) -> Result<Vec<DeploymentRow>, Report> {
    table::list(app.store())
        .reported()?
        .iter()
        .map(|deployment| row(app, deployment))
        .collect()
}

/// The revision that gets the traffic.
pub(crate) fn live_revision(
    app: &App,
    deployment: &table::Deployment,
) -> Result<Option<table::Revision>, Report> {
    let revisions = table::revisions(app.store(), &deployment.name).reported()?;
    Ok(revisions
        .into_iter()
        .find(|revision| Some(revision.number) == deployment.live_revision))
}

fn summary(app: &App, name: &DeploymentName, millis: i64) -> Result<Summary, Report> {
    let now = Timestamp::now();
    let window = Window {
        since: Timestamp(now.0 - millis),
        until: Timestamp(now.0 + 1),
        bucket_millis: (millis / BUCKETS).max(1000),
    };
    log_of::summary(&app.workspace().deployment(name), window).reported()
}

pub(crate) fn row(app: &App, deployment: &table::Deployment) -> Result<DeploymentRow, Report> {
    let folder = app.workspace().deployment(&deployment.name);
    let (state, why, url) = match gateway::state(&folder).reported()? {
        State::Starting => (DeploymentState::Starting, None, None),
        State::Running { running } => {
            (DeploymentState::Running, running.problem, Some(running.url))
        }
        State::Stopped if deployment.wanted == "running" && deployment.live_revision.is_some() => (
            DeploymentState::Failed,
            Some("it ended without being asked to".to_owned()),
            None,
        ),
        State::Stopped => (DeploymentState::Stopped, None, None),
        State::Failed { why } => (DeploymentState::Failed, Some(why), None),
    };
    let live = live_revision(app, deployment)?;
    let hour = summary(app, &deployment.name, HOUR_MILLIS)?.totals;
    let open = alerts::list(app.store(), Some(&deployment.name), false, MAX_ALERTS).reported()?;
    Ok(DeploymentRow {
        name: deployment.name.clone(),
        state,
        why,
        url: url.or_else(|| container_url(deployment, state)),
        target: target_of(deployment),
        project: deployment.project.clone(),
        revision: deployment.live_revision,
        model: live
            .as_ref()
            .map(|revision| revision.model.clone())
            .unwrap_or_default(),
        model_version: live.as_ref().and_then(|revision| revision.version),
        runtime: live.map(|revision| revision.runtime).unwrap_or_default(),
        updated: deployment.updated,
        requests: Count(hour.requests),
        errors: Count(hour.errors),
        p50: hour.p50,
        p95: hour.p95,
        open_alerts: u32::try_from(open.len()).unwrap_or(u32::MAX),
    })
}

fn container_url(deployment: &table::Deployment, state: DeploymentState) -> Option<String> {
    (state == DeploymentState::Running)
        .then(|| format!("http://{}:{}", deployment.host, deployment.port))
}

/// The columns that the live revision takes; none before the first release.
pub(crate) fn inputs(app: &App, name: &DeploymentName) -> Result<Vec<SignatureColumn>, Report> {
    let deployment = known(app, name)?;
    let Some(number) = deployment.live_revision else {
        return Ok(Vec::new());
    };
    let place = DeploymentFolder::at(app.workspace().deployment(name));
    let model = model_folder::read(&place.model(number)).reported()?;
    Ok(models::signature(&model).inputs)
}

/// One deployment with its revisions, its inputs and how to call it.
///
/// # Errors
/// When there is none with that name.
pub fn get(app: &App, input: DeploymentRef) -> Result<DeploymentDetail, Report> {
    let deployment = known(app, &input.name)?;
    let row = row(app, &deployment)?;
    let revisions = table::revisions(app.store(), &input.name).reported()?;
    let place = DeploymentFolder::at(app.workspace().deployment(&input.name));
    let model = deployment
        .live_revision
        .and_then(|number| model_folder::read(&place.model(number)).ok()); // Gone: nothing to show.
    let example = model
        .as_ref()
        .and_then(lapwing_serving::ModelFolder::example_row)
        .map_or(Value::Null, Value::Object);
    Ok(DeploymentDetail {
        inputs: model
            .as_ref()
            .map(|model| models::signature(model).inputs)
            .unwrap_or_default(),
        snippets: row
            .url
            .as_deref()
            .map(|url| snippets(url, &example))
            .unwrap_or_default(),
        docs_url: row.url.as_ref().map(|url| format!("{url}/docs")),
        metrics_url: row.url.as_ref().map(|url| format!("{url}/metrics")),
        revisions: revisions
            .into_iter()
            .map(|revision| revision_row(revision, deployment.live_revision))
            .collect(),
        example,
        row,
    })
}

fn revision_row(revision: table::Revision, live: Option<u32>) -> RevisionRow {
    RevisionRow {
        traffic: if Some(revision.number) == live {
            1.0
        } else {
            0.0
        },
        number: revision.number,
        created: revision.created,
        model: revision.model,
        model_version: revision.version,
        // A run id of another server is none of ours.
        run_id: revision.run_id.and_then(|id| id.parse().ok()),
        runtime: revision.runtime,
        runtime_note: revision.runtime_note,
        released_by: revision.released_by,
    }
}

fn snippets(url: &str, example: &Value) -> Vec<Snippet> {
    // A model without a signature names no columns: the row is left to the user.
    let row = match example {
        Value::Null => serde_json::json!({}),
        row => row.clone(),
    };
    let body = serde_json::json!({ "dataframe_records": [row] });
    let curl = format!(
        "curl {url}/invocations \\\n  -H 'Content-Type: application/json' \\\n  -d '{}'",
        body.to_string().replace('\'', r"'\''")
    );
    let rows = serde_json::to_string_pretty(&body).unwrap_or_default();
    let rows = rows
        .replace(": null", ": None")
        .replace(": true", ": True")
        .replace(": false", ": False");
    let python = format!(
        "import json, urllib.request\n\nbody = {rows}\nrequest = urllib.request.Request(\n    \"{url}/invocations\",\n    data=json.dumps(body).encode(),\n    headers={{\"Content-Type\": \"application/json\"}},\n)\nprint(json.load(urllib.request.urlopen(request)))"
    );
    vec![
        Snippet {
            title: "curl".to_owned(),
            code: curl,
        },
        Snippet {
            title: "Python".to_owned(),
            code: python,
        },
    ]
}

/// Requests, errors and latencies over time.
///
/// # Errors
/// When there is no such deployment.
pub fn traffic(app: &App, input: ReadTraffic) -> Result<Traffic, Report> {
    known(app, &input.name)?;
    let summary = summary(app, &input.name, i64::from(input.minutes.max(1)) * 60_000)?;
    let totals = &summary.totals;
    Ok(Traffic {
        requests: Count(totals.requests),
        errors: Count(totals.errors),
        p50: totals.p50,
        p95: totals.p95,
        p99: totals.p99,
        buckets: summary
            .buckets
            .iter()
            .map(|bucket| TrafficBucket {
                at: bucket.at,
                requests: Count(bucket.totals.requests),
                errors: Count(bucket.totals.errors),
                p50: bucket.totals.p50,
                p95: bucket.totals.p95,
                p99: bucket.totals.p99,
            })
            .collect(),
    })
}

/// A prediction as people write it.
pub(crate) fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// The newest logged predictions, with their labels where those have come.
///
/// # Errors
/// When there is no such deployment.
pub fn predictions(app: &App, input: RecentPredictions) -> Result<Vec<LoggedPrediction>, Report> {
    known(app, &input.name)?;
    let folder = app.workspace().deployment(&input.name);
    let query = Query {
        limit: Some(input.limit.clamp(1, MAX_RECENT) as usize),
        ..Query::default()
    };
    let labels = labels::read(&folder).reported()?;
    let mut rows: Vec<LoggedPrediction> = log_of::read(&folder, &query)
        .reported()?
        .rows()
        .into_iter()
        .map(|logged| LoggedPrediction {
            label: labels.get(logged.prediction_id.as_str()).cloned(),
            prediction_id: logged.prediction_id.to_string(),
            at: logged.at,
            revision: logged.revision,
            prediction: logged.prediction,
            score: logged.score,
            latency_ms: logged.latency_ms,
            features: Value::Object(logged.features),
        })
        .collect();
    rows.sort_by_key(|row| std::cmp::Reverse(row.at));
    Ok(rows)
}

/// A piece of what the gateway printed.
///
/// # Errors
/// When there is no such deployment.
pub fn log(app: &App, input: ReadDeploymentLog) -> Result<LogChunk, Report> {
    known(app, &input.name)?;
    let path = DeploymentFolder::at(app.workspace().deployment(&input.name)).log();
    let failed =
        |error: std::io::Error| Report::new(Code::Failed, "deployment.log", error.to_string());
    let mut file = match fs_err::File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Ok(LogChunk {
                text: String::new(),
                next: Count(0),
                ended: false,
            });
        }
        Err(error) => return Err(failed(error)),
    };
    let size = file.metadata().map_err(failed)?.len();
    let from = if input.from < 0.0 {
        size.saturating_sub(-input.from as u64)
    } else {
        (input.from as u64).min(size)
    };
    file.seek(SeekFrom::Start(from)).map_err(failed)?;
    let mut bytes = Vec::new();
    file.take(u64::from(input.max).min(MAX_LOG_BYTES))
        .read_to_end(&mut bytes)
        .map_err(failed)?;
    let next = from + bytes.len() as u64;
    Ok(LogChunk {
        text: String::from_utf8_lossy(&bytes).into_owned(),
        next: Count(next),
        ended: false,
    })
}
