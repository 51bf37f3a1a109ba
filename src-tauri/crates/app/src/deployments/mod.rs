//! Deployments: deploy, start, stop, roll back, predict, and what they look like.

mod defaults;
mod export;
mod manifests;
mod push;
mod reference;
mod release;
mod runtime;
mod score;
mod view;

use std::path::{Path, PathBuf};

use lapwing_core::{Code, DeploymentName, JobId, Report, Tag};
use lapwing_jobs::{Command, JobSpec, Target as JobTarget};
use lapwing_monitor::Frame;
use lapwing_monitor::frame::Part;
use lapwing_serving::client;
use lapwing_store::deployments as table;
use serde::Serialize;

use crate::error::Reported as _;
use crate::jobs::{self, Owner};
use crate::wire::{
    Deploy, DeploymentRef, DeploymentRow, Nothing, Predict, Predicted, Rollback, Started, Target,
};
use crate::{App, models, monitors};

pub use defaults::named;
pub(crate) use defaults::of as defaults_of;
pub use export::export;
pub use push::push;
pub use release::deploy;
pub(crate) use release::{Release, environment_of, minor, release, scratch_revision};
pub(crate) use score::score_rows;
pub use view::{get, list, log, predictions, traffic};
pub(crate) use view::{live_revision, row};

/// A table larger than this is sent in parts by whoever has it.
const MAX_PREDICT_ROWS: usize = 2_000_000;

fn folder(app: &App, name: &DeploymentName) -> PathBuf {
    app.workspace().deployment(name)
}

/// The deployment of that name.
pub(crate) fn known(app: &App, name: &DeploymentName) -> Result<table::Deployment, Report> {
    table::get(app.store(), name).reported()?.ok_or_else(|| {
        let all = table::list(app.store()).unwrap_or_default();
        let names: Vec<String> = all.iter().map(|row| row.name.to_string()).collect();
        let hint = if names.is_empty() {
            "there are none yet: `lapwing deploy MODEL@ALIAS --name NAME`".to_owned()
        } else {
            format!("there are {}", names.join(", "))
        };
        Report::new(
            Code::NotFound,
            "deployment.unknown",
            format!("there is no deployment `{name}`"),
        )
        .hint(hint)
    })
}

/// Starts a deploy as a job of its own, so that it goes on when the window is closed.
///
/// # Errors
/// When the model does not exist.
pub fn start_deploy(app: &App, input: Deploy) -> Result<Started, Report> {
    // A model elsewhere is fetched by the job.
    if models::elsewhere(app, input.project.as_deref(), &input.model)?.is_none() {
        app.tracking().resolve(&input.model).reported()?;
    }
    let mut argv = vec![
        app.program().display().to_string(),
        "deploy".to_owned(),
        input.model.clone(),
        "--name".to_owned(),
        input.name.to_string(),
    ];
    if let Some(target) = input.target {
        argv.extend(["--in".to_owned(), jobs::target_word(target).to_owned()]);
    }
    if let Some(port) = input.port {
        argv.extend(["--port".to_owned(), port.to_string()]);
    }
    let cwd = input
        .project
        .clone()
        .map_or_else(|| app.workspace().root().to_owned(), PathBuf::from);
    let owner = Owner {
        project: input.project,
        ..Owner::default()
    };
    start_own(app, &format!("deploy {}", input.name), argv, cwd, owner)
}

/// One of our own commands as a job.
pub(crate) fn start_own(
    app: &App,
    title: &str,
    argv: Vec<String>,
    cwd: PathBuf,
    owner: Owner,
) -> Result<Started, Report> {
    let id = JobId::random();
    let home = app.workspace().root().display().to_string();
    let spec = JobSpec {
        id: id.clone(),
        title: title.to_owned(),
        command: Command { argv },
        cwd,
        env: [
            ("LAPWING_HOME".to_owned(), home),
            ("NO_COLOR".to_owned(), "1".to_owned()),
        ]
        .into(),
        timeout_seconds: None,
        target: JobTarget::Process,
        inputs: None,
        deliver: Vec::new(),
    };
    jobs::start(app, &spec, owner)?;
    Ok(Started { job: id })
}

/// Starts a stopped endpoint with the revision that it had.
///
/// # Errors
/// When there is no such deployment, or it cannot be started.
pub fn start(app: &App, input: DeploymentRef) -> Result<DeploymentRow, Report> {
    let mut deployment = known(app, &input.name)?;
    deployment.wanted = "running".to_owned();
    runtime::start(app, &deployment, &|_| {})?;
    table::put(app.store(), deployment).reported()?;
    row(app, &known(app, &input.name)?)
}

/// Ends an endpoint; its revisions and its prediction log stay.
///
/// # Errors
/// When there is no such deployment, or it does not end.
pub fn stop(app: &App, input: DeploymentRef) -> Result<DeploymentRow, Report> {
    let mut deployment = known(app, &input.name)?;
    runtime::stop(app, &deployment)?;
    deployment.wanted = "stopped".to_owned();
    table::put(app.store(), deployment).reported()?;
    row(app, &known(app, &input.name)?)
}

/// Ends an endpoint and removes its revisions, labels and prediction log.
///
/// # Errors
/// When there is no such deployment, or it does not end.
pub fn remove(app: &App, input: DeploymentRef) -> Result<Nothing, Report> {
    let deployment = known(app, &input.name)?;
    runtime::stop(app, &deployment)?;
    table::remove(app.store(), &input.name).reported()?;
    lapwing_store::measurements::remove(app.store(), &input.name).reported()?;
    let place = folder(app, &input.name);
    if place.exists() {
        fs_err::remove_dir_all(&place).map_err(|error| crate::file::unwritable(&place, &error))?;
    }
    app.announce(&[Tag::Deployments, Tag::Monitors]);
    Ok(Nothing {})
}

/// Serves an earlier revision again: the one before, or the named one.
///
/// # Errors
/// When there is no such revision, or it cannot be loaded: then the present one stays.
pub fn rollback(app: &App, input: Rollback) -> Result<DeploymentRow, Report> {
    let deployment = known(app, &input.name)?;
    let revisions = table::revisions(app.store(), &input.name).reported()?;
    let live = deployment.live_revision.unwrap_or(0);
    let wanted = match input.revision {
        Some(number) => revisions.iter().find(|revision| revision.number == number),
        None => revisions.iter().find(|revision| revision.number < live),
    };
    let Some(wanted) = wanted else {
        return Err(Report::new(
            Code::NotFound,
            "deployment.no_revision",
            format!("{} has no such earlier revision", input.name),
        )
        .hint(format!("see `lapwing deployments show {}`", input.name)));
    };
    release::switch(app, deployment, wanted.number, &|_| {})?;
    row(app, &known(app, &input.name)?)
}

/// Sends rows to an endpoint and answers whatever it says, errors too.
///
/// # Errors
/// When there is no such deployment, or it does not run.
pub fn predict(app: &App, input: Predict) -> Result<Predicted, Report> {
    known(app, &input.name)?;
    let url = client::url(&folder(app, &input.name)).reported()?;
    let body = serde_json::json!({ "dataframe_records": input.records });
    let response = app
        .block_on(client::post(&url, "/invocations", None, &body))?
        .reported()?;
    app.announce(&[Tag::Deployments, Tag::Monitors]);
    Ok(Predicted {
        status: response.status,
        latency_ms: response.latency.as_secs_f64() * 1000.0,
        body: response.body,
    })
}

/// Predictions for the rows of a file.
#[derive(Debug, Clone, Serialize)]
pub struct FilePredictions {
    pub rows: Vec<FilePrediction>,
}

#[derive(Debug, Clone, Serialize)]
pub struct FilePrediction {
    pub prediction_id: String,
    pub prediction: String,
    pub score: Option<f64>,
}

/// Sends every row of a file through an endpoint, in batches.
///
/// # Errors
/// When the file cannot be read, or the endpoint refuses a row: the message names the column.
pub fn predict_file(
    app: &App,
    name: &DeploymentName,
    path: &Path,
) -> Result<FilePredictions, Report> {
    let frame = Frame::read(
        path,
        &Part {
            limit: Some(MAX_PREDICT_ROWS),
            ..Part::default()
        },
    )
    .reported()?;
    predict_frame(app, name, &frame)
}

/// The same for a frame; columns that the model does not take are left out.
///
/// # Errors
/// As [`predict_file`].
pub fn predict_frame(
    app: &App,
    name: &DeploymentName,
    frame: &Frame,
) -> Result<FilePredictions, Report> {
    known(app, name)?;
    let url = client::url(&folder(app, name)).reported()?;
    let wanted = view::inputs(app, name)?;
    let columns: Vec<String> = if wanted.is_empty() {
        frame.names()
    } else {
        wanted
            .into_iter()
            .map(|column| column.name)
            .filter(|name| frame.has(name))
            .collect()
    };
    if columns.is_empty() {
        let wanted: Vec<String> = view::inputs(app, name)?
            .into_iter()
            .map(|column| column.name)
            .collect();
        return Err(Report::new(
            Code::Invalid,
            "deployment.no_columns",
            format!("the data has none of the columns that `{name}` takes"),
        )
        .hint(format!(
            "it takes {}; the data has {}",
            wanted.join(", "),
            frame.names().join(", ")
        )));
    }
    let frame = frame.select(&columns).reported()?;
    let scored = app
        .block_on(client::predict(&url, None, frame.batch()))?
        .reported()?;
    wait_for_log(app, name, scored.prediction_ids.last());
    app.announce(&[Tag::Deployments, Tag::Monitors]);
    if let Err(report) = monitors::check(app, name) {
        tracing::debug!(
            message = report.message,
            "the monitor could not look at the new predictions"
        );
    }
    let rows = scored
        .prediction_ids
        .into_iter()
        .enumerate()
        .map(|(index, prediction_id)| FilePrediction {
            prediction_id,
            prediction: scored
                .predictions
                .get(index)
                .map(view::plain)
                .unwrap_or_default(),
            score: scored.scores.get(index).and_then(serde_json::Value::as_f64),
        });
    Ok(FilePredictions {
        rows: rows.collect(),
    })
}

/// The gateway answers before it logs. Whoever joins labels next, or asks for a lineage, should find every row.
fn wait_for_log(app: &App, name: &DeploymentName, last: Option<&String>) {
    const LIMIT: std::time::Duration = std::time::Duration::from_secs(3);
    const POLL: std::time::Duration = std::time::Duration::from_millis(20);
    let Some(last) = last.and_then(|id| id.parse().ok()) else {
        return;
    }; // No rows: nothing to wait for.
    let begun = std::time::Instant::now();
    while begun.elapsed() < LIMIT {
        if matches!(
            lapwing_serving::predictions::find(&folder(app, name), &last),
            Ok(Some(_))
        ) {
            return;
        }
        std::thread::sleep(POLL);
    }
}

/// Writes predictions as CSV.
///
/// # Errors
/// When the file cannot be written.
pub fn write_predictions(answer: &FilePredictions, path: &Path) -> Result<(), Report> {
    let mut text = String::from("prediction_id,prediction,score\n");
    for row in &answer.rows {
        let score = row.score.map_or(String::new(), |score| score.to_string());
        let prediction = if row.prediction.contains([',', '"', '\n']) {
            format!("\"{}\"", row.prediction.replace('"', "\"\""))
        } else {
            row.prediction.clone()
        };
        text.push_str(&format!("{},{prediction},{score}\n", row.prediction_id));
    }
    crate::file::write_whole(path, text.as_bytes())
}

/// The target of a stored deployment.
pub(crate) fn target_of(deployment: &table::Deployment) -> Target {
    jobs::parse_target(&deployment.target)
}
