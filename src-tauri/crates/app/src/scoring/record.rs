//! What a scoring leaves behind for lineage: a tracked run with model, data and output, ended when the job is known to have ended.

use lapwing_core::{JobId, Report, RunId, Timestamp};
use lapwing_data::DirEntry;
use lapwing_serving::scoring::{self, Left, Summary};
use lapwing_store::jobs as table;
use lapwing_tracking::{Metric, NewRun, Point, RunInput, RunStatus};
use serde_json::json;

use super::Kept;
use super::order::Asked;
use crate::App;
use crate::error::Reported as _;
use crate::jobs;
use crate::wire::JobStatus;

/// The experiment of all scorings: they are no tries at a better model.
const EXPERIMENT: &str = "scoring";
/// Of jobs that go on.
const MAX_LOOKED_AT: u32 = 500;
/// `name/version` of the registered model.
pub(crate) const SCORED: &str = "lapwing.scored_model";
/// The run that the model comes from.
pub(crate) const MODEL_RUN: &str = "lapwing.scored_model_run";

/// The run of a scoring that is about to begin.
pub(super) fn begin(app: &App, asked: &Asked, job: &JobId) -> Result<RunId, Report> {
    let place = match &asked.input.on {
        Some(name) => name.clone(),
        None => jobs::target_word(asked.input.target).to_owned(),
    };
    let mut tags = vec![
        ("lapwing.job".to_owned(), job.to_string()),
        ("lapwing.target".to_owned(), place.clone()),
        ("mlflow.source.name".to_owned(), "lapwing score".to_owned()),
        ("mlflow.source.type".to_owned(), "JOB".to_owned()),
    ];
    if let Some(version) = asked.model.version {
        tags.push((SCORED.to_owned(), format!("{}/{version}", asked.name())));
    }
    if let Some(run) = &asked.model.run_id {
        tags.push((MODEL_RUN.to_owned(), run.to_string()));
    }
    let run = app
        .tracking()
        .create_run(NewRun {
            experiment: EXPERIMENT.to_owned(),
            name: Some(format!("score {}", asked.called())),
            user: crate::pipeline::user(),
            tags,
            start: Timestamp::now(),
        })
        .reported()?;
    let mut params = vec![
        ("model".to_owned(), asked.name()),
        ("data".to_owned(), asked.data.display().to_string()),
        ("out".to_owned(), asked.out.display().to_string()),
        ("where".to_owned(), place),
    ];
    if let Some(version) = asked.model.version {
        params.push(("version".to_owned(), version.to_string()));
    }
    app.tracking()
        .log(&run, Vec::new(), params, Vec::new())
        .reported()?;
    Ok(run)
}

/// Ends the run of a scoring that could not be started.
pub(super) fn failed(app: &App, run: &RunId, why: &str) -> Result<(), Report> {
    end(app, run, RunStatus::Failed, Timestamp::now(), Some(why))
}

fn end(
    app: &App,
    run: &RunId,
    status: RunStatus,
    at: Timestamp,
    why: Option<&str>,
) -> Result<(), Report> {
    if let Some(why) = why {
        let tags = vec![("lapwing.failure".to_owned(), why.to_owned())];
        app.tracking()
            .log(run, Vec::new(), Vec::new(), tags)
            .reported()?;
    }
    app.tracking()
        .update_run(run, Some(status), Some(at), None)
        .reported()
}

/// Brings the runs of scorings up to how their jobs are: for whoever is about to look at runs.
pub(crate) fn look(app: &App) -> Result<(), Report> {
    let going = table::Filter {
        unfinished: true,
        ..table::Filter::default()
    };
    for job in table::list(app.store(), &going, MAX_LOOKED_AT).reported()? {
        let is_scoring = super::kept(app, &job.id)?.is_some();
        // Whoever looks at runs can do nothing about a job; the list of jobs says what is wrong with it.
        if let Some(Err(report)) = is_scoring.then(|| jobs::refresh(app, &job.id)) {
            tracing::warn!(report.message, "a scoring's job could not be looked at");
        }
    }
    Ok(())
}

/// Called by whoever is the first to see that a job has ended: records what a scoring came to, and says in the row why it failed.
/// Done twice, it changes nothing.
pub(crate) fn ended(app: &App, row: &mut table::Job) -> Result<(), Report> {
    let Some(kept) = super::kept(app, &row.id)? else {
        return Ok(());
    };
    let folder = app.workspace().scoring(&row.id);
    let run = app.tracking().run(&kept.run_id);
    let keeps = run.is_ok_and(|run| !run.deleted);
    let at = row.ended.unwrap_or_else(Timestamp::now);
    let status = match (
        jobs::parse_status(&row.status),
        scoring::left(&folder).reported()?,
    ) {
        (JobStatus::Succeeded, Left::Output(summary)) => {
            if keeps {
                record(app, &kept, &summary, at)?;
            }
            RunStatus::Finished
        }
        (JobStatus::Cancelled, _) => RunStatus::Killed,
        (JobStatus::Failed, Left::Refused(refusal)) => {
            row.outcome = Some(refusal.message);
            RunStatus::Failed
        }
        (
            JobStatus::Queued
            | JobStatus::Running
            | JobStatus::Succeeded
            | JobStatus::Failed
            | JobStatus::TimedOut
            | JobStatus::Lost,
            _,
        ) => RunStatus::Failed,
    };
    // One that somebody has deleted meanwhile is told nothing.
    if keeps {
        let output = app.workspace().job(&row.id).join("output.log");
        if output.is_file() {
            app.tracking()
                .log_artifact(&kept.run_id, &output, "logs/score.log")
                .reported()?;
        }
        end(app, &kept.run_id, status, at, row.outcome.as_deref())?;
    }
    // An output that is not where it was wanted stays: the row names it.
    if status == RunStatus::Failed && has_output(&folder) {
        return Ok(());
    }
    scoring::clear(&folder).reported()
}

fn has_output(folder: &std::path::Path) -> bool {
    matches!(scoring::left(folder), Ok(Left::Output(_)))
}

/// Rows and time, what was read, and what was made.
fn record(app: &App, kept: &Kept, summary: &Summary, at: Timestamp) -> Result<(), Report> {
    let metric = |key: &str, value: f64| Metric {
        key: key.to_owned(),
        point: Point {
            step: 0,
            timestamp: at,
            value,
        },
    };
    let metrics = vec![
        metric("rows", summary.rows as f64),
        metric("seconds", summary.seconds),
    ];
    app.tracking()
        .log(&kept.run_id, metrics, Vec::new(), Vec::new())
        .reported()?;
    let read = input(&kept.data, digest(kept, summary), "scoring");
    let made = input(&kept.out, summary.md5.clone(), "output");
    app.tracking()
        .add_inputs(&kept.run_id, vec![read, made])
        .reported()
}

/// As DVC has it, so that a tracked dataset is found by it.
fn digest(kept: &Kept, summary: &Summary) -> String {
    match summary.data.as_slice() {
        [only] if !kept.is_folder => only.md5.clone(),
        files => {
            let entries: Vec<DirEntry> = files
                .iter()
                .map(|file| DirEntry {
                    md5: file.md5.clone(),
                    relpath: file.name().to_owned(),
                })
                .collect();
            lapwing_data::listing_id(&lapwing_data::listing(&entries))
        }
    }
}

fn input(path: &std::path::Path, digest: String, context: &str) -> RunInput {
    let path = path.display().to_string();
    RunInput {
        source: json!({ "path": path }).to_string(),
        name: path,
        digest,
        source_type: "local".to_owned(),
        schema: None,
        profile: None,
        tags: json!([{ "key": "mlflow.data.context", "value": context }]).to_string(),
    }
}
