//! What a run is told about its stages, so that a script that never heard of tracking is tracked too.

use lapwing_core::{JobId, Report, RunId, Timestamp};
use lapwing_data::Project;
use lapwing_pipeline::{LockEntry, Stage, StageLock, Value};
use lapwing_tracking::{Metric, Point, Run, RunInput, RunStatus};
use serde_json::json;

use crate::App;
use crate::config::Config;
use crate::error::Reported as _;

/// Longer parameter values are not parameters but data.
const MAX_PARAM_CHARS: usize = 6000;

/// Data, parameters and metrics of a stage as `dvc.lock` has them now.
pub(super) fn known(
    app: &App,
    run_id: &RunId,
    project: &Project,
    stage: &Stage,
) -> Result<(), Report> {
    let Some(lock) = lapwing_pipeline::recorded(project, stage).reported()? else {
        return Ok(());
    };
    read(app, run_id, project, stage, &lock)?;
    let outputs = lock
        .outs
        .iter()
        .filter_map(|entry| input(project, stage, entry, "output"));
    app.tracking()
        .add_inputs(run_id, outputs.collect())
        .reported()?;
    let now = Timestamp::now();
    let metrics: Vec<Metric> = lapwing_pipeline::stage_metrics(project.root(), stage)
        .reported()?
        .into_iter()
        .map(|metric| Metric {
            key: metric.key,
            point: Point {
                step: 0,
                timestamp: now,
                value: metric.value,
            },
        })
        .collect();
    app.tracking()
        .log(run_id, metrics, Vec::new(), Vec::new())
        .reported()
}

/// Data and parameters that a stage began with: what one that failed leaves to look for the reason in.
pub(super) fn read(
    app: &App,
    run_id: &RunId,
    project: &Project,
    stage: &Stage,
    lock: &StageLock,
) -> Result<(), Report> {
    let inputs = lock
        .deps
        .iter()
        .filter_map(|entry| input(project, stage, entry, "input"));
    app.tracking()
        .add_inputs(run_id, inputs.collect())
        .reported()?;
    for (_, values) in &lock.params {
        for (key, value) in values {
            flatten(key, value, &mut |key, text| {
                log_param(app, run_id, key, text)
            });
        }
    }
    Ok(())
}

/// What the script logged under the same name stays: it knows better.
fn log_param(app: &App, run_id: &RunId, key: &str, text: String) {
    let text: String = text.chars().take(MAX_PARAM_CHARS).collect();
    if let Err(error) =
        app.tracking()
            .log(run_id, Vec::new(), vec![(key.to_owned(), text)], Vec::new())
    {
        tracing::debug!(%error, key, "a parameter was logged by the script already");
    }
}

/// Of what a run failed, by the stable name of what was reported.
const FAULT: &str = "lapwing.failure.name";
/// A stage's own command failed.
pub(super) const COMMAND_FAILED: &str = "run.stage_failed";

pub(super) fn fault(app: &App, run_id: &RunId, report: &Report) -> Result<(), Report> {
    let tag = (FAULT.to_owned(), report.name.clone());
    app.tracking()
        .log(run_id, Vec::new(), Vec::new(), vec![tag])
        .reported()
}

/// Whether a run that failed would fail again, as long as nothing is changed.
pub(super) fn fails_again(run: &Run) -> bool {
    let fault = run.tags.get(FAULT).map(String::as_str);
    run.status == RunStatus::Failed
        && matches!(
            fault,
            Some(COMMAND_FAILED | "pipeline.missing_output" | "pipeline.missing_dependency")
        )
}

fn flatten(key: &str, value: &Value, each: &mut dyn FnMut(&str, String)) {
    match value {
        Value::Map(entries) => {
            for (name, value) in entries {
                flatten(&format!("{key}.{}", name.display()), value, each);
            }
        }
        other => each(key, other.display()),
    }
}

/// Who keeps the versions of what a stage reads or makes; DVC where nothing is said.
pub(crate) const KEPT_BY: &str = "lapwing.kept_by";
pub(crate) const GIT: &str = "git";

fn input(project: &Project, stage: &Stage, entry: &LockEntry, context: &str) -> Option<RunInput> {
    let name = match stage.wdir.as_str() {
        "" => entry.path.clone(),
        wdir => format!("{wdir}/{}", entry.path),
    };
    let mut tags = vec![
        json!({ "key": "mlflow.data.context", "value": context }),
        json!({ "key": "lapwing.stage", "value": stage.address }),
    ];
    // Where git cannot be asked, it is said of nothing.
    if project.is_tracked_by_git(&name).unwrap_or_default() {
        tags.push(json!({ "key": KEPT_BY, "value": GIT }));
    }
    Some(RunInput {
        name,
        digest: entry.md5.clone()?,
        source_type: "dvc".to_owned(),
        source: json!({ "path": entry.path, "size": entry.size }).to_string(),
        schema: None,
        profile: None,
        tags: serde_json::Value::Array(tags).to_string(),
    })
}

/// The stage's output, as an artifact of the run.
pub(super) fn log(app: &App, run_id: &RunId, stage: &Stage, job: &JobId) -> Result<(), Report> {
    let name: String = stage
        .address
        .chars()
        .map(|c| {
            if c.is_alphanumeric() || "-_.@".contains(c) {
                c
            } else {
                '_'
            }
        })
        .collect();
    let output = app.workspace().job(job).join("output.log");
    app.tracking()
        .log_artifact(run_id, &output, &format!("logs/{name}.log"))
        .reported()
}

/// `dvc.lock` and what the environment was made from.
pub(super) fn environment(
    app: &App,
    run_id: &RunId,
    project: &Project,
    config: &Config,
) -> Result<(), Report> {
    let requirements = config
        .environment
        .requirements
        .as_deref()
        .unwrap_or("requirements.txt");
    for (file, path) in [
        ("dvc.lock", "pipeline/dvc.lock"),
        ("dvc.yaml", "pipeline/dvc.yaml"),
        (requirements, "environment/requirements.txt"),
        ("pyproject.toml", "environment/pyproject.toml"),
        ("uv.lock", "environment/uv.lock"),
    ] {
        let local = project.root().join(file);
        if local.is_file() {
            app.tracking()
                .log_artifact(run_id, &local, path)
                .reported()?;
        }
    }
    Ok(())
}
