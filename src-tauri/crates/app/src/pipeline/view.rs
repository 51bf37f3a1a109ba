//! What the pipeline looks like now.

use std::collections::BTreeMap;

use lapwing_core::Report;
use lapwing_data::State;
use lapwing_pipeline::{Action, OutKind, Pipeline, PlanOptions, Step};
use lapwing_store::pipeline_runs;
use serde_json::{Value, json};

use super::{Intent, elsewhere};
use crate::error::Reported as _;
use crate::wire::{
    Edge, InProject, JobRow, JobStatus, PipelineView, StageRow, StageState, StartRun, WaitingRun,
};
use crate::{App, jobs, projects};

/// Stages with their state, and the edges between them.
///
/// # Errors
/// When the folder is no project. A pipeline that cannot be read is part of the answer.
pub fn get(app: &App, input: InProject) -> Result<PipelineView, Report> {
    let project = projects::project(&input.project)?;
    let found = super::reconcile(app, &input.project, Intent::ToLook)?;
    super::reconcile_sweeps(app, Some(&input.project))?;
    let sweep = lapwing_store::sweeps::active(app.store(), Some(&input.project)).reported()?;
    let current_sweep = sweep.into_iter().next().map(|sweep| sweep.run_id);
    let active = pipeline_runs::active(app.store(), Some(&input.project))
        .reported()?
        .into_iter()
        // One that waits for somebody to ask for a run does not go on.
        .find(|run| {
            let waiting = found.waiting.as_ref();
            waiting.is_none_or(|waiting| waiting.run_id != run.run_id)
        });
    let planned = Pipeline::read(&project).and_then(|pipeline| {
        let plan = lapwing_pipeline::plan(&pipeline, &project, &PlanOptions::default())?;
        Ok((pipeline, plan))
    });
    let (pipeline, plan) = match planned.reported() {
        Ok(found) => found,
        Err(report) => {
            let current_run = active.map(|run| run.run_id);
            return Ok(PipelineView {
                stages: Vec::new(),
                edges: Vec::new(),
                error: Some(report),
                current_run,
                current_sweep,
                waiting: found.waiting,
            });
        }
    };
    let newest = newest_jobs(app, &input.project)?;
    let queued: Vec<String> = active
        .as_ref()
        .map(|run| serde_json::from_str(&run.stages).unwrap_or_default())
        .unwrap_or_default();
    // Where the run was asked to take all of its stages.
    let asked_on = active
        .as_ref()
        .and_then(|run| super::start::decode::<StartRun>(&run.request).ok()?.on);
    let steps: BTreeMap<&str, &Step> = plan
        .steps
        .iter()
        .map(|step| (step.stage.as_str(), step))
        .collect();
    let mut stages = Vec::new();
    for stage in pipeline.in_order() {
        let step = steps.get(stage.address.as_str()).copied();
        let job = newest.get(&stage.address);
        let in_run = active
            .as_ref()
            .filter(|_| queued.contains(&stage.address))
            .map(|run| run.run_id.clone());
        let going = job.filter(|job| job.ended.is_none());
        let asked = in_run.as_ref().and_then(|_| asked_on.clone());
        let own_job = job.filter(|job| in_run.is_none() || job.run_id == in_run);
        stages.push(StageRow {
            name: stage.address.clone(),
            file: stage.file.clone(),
            command: stage.cmd.lines().join("\n"),
            description: stage.desc.clone(),
            deps: stage.deps.iter().map(|dep| dep.path.clone()).collect(),
            outs: stage
                .outs
                .iter()
                .filter(|out| out.kind != OutKind::Metric)
                .map(|out| out.path.clone())
                .collect(),
            metrics: stage
                .outs_of(OutKind::Metric)
                .map(|out| out.path.clone())
                .collect(),
            params: params(&project, stage)?,
            state: state(step, own_job, in_run.is_some()),
            on: going
                .and_then(|job| job.on.clone())
                .or(asked)
                .or_else(|| elsewhere::wanted(stage)),
            waits: going.and_then(|job| job.why.clone()),
            reasons: step
                .map(|step| step.reasons.iter().map(ToString::to_string).collect())
                .unwrap_or_default(),
            job: job.map(|job| job.id.clone()),
            duration_ms: job.and_then(|job| Some(job.ended?.millis_since(job.started?) as f64)),
        });
    }
    let edges = pipeline
        .edges()
        .into_iter()
        .map(|(from, to)| Edge {
            from: from.to_owned(),
            to: to.to_owned(),
        })
        .collect();
    Ok(PipelineView {
        stages,
        edges,
        error: None,
        current_run: active.map(|run| run.run_id),
        current_sweep,
        waiting: found.waiting,
    })
}

/// The run of a project that goes on only when somebody says so.
///
/// # Errors
/// When the store cannot be read.
pub fn waiting(app: &App, input: InProject) -> Result<Option<WaitingRun>, Report> {
    Ok(super::reconcile(app, &input.project, Intent::ToLook)?.waiting)
}

fn params(
    project: &lapwing_data::Project,
    stage: &lapwing_pipeline::Stage,
) -> Result<Vec<String>, Report> {
    let values = lapwing_pipeline::params(project.root(), stage).reported()?;
    let mut lines = Vec::new();
    for (file, values) in stage.params.iter().zip(values) {
        // As `-S` takes it.
        let place = match file.path.as_str() {
            "params.yaml" => String::new(),
            path => format!("{path}:"),
        };
        let line = |(key, value): &(String, lapwing_pipeline::Value)| {
            format!("{place}{key} = {}", value.display())
        };
        lines.extend(values.values.iter().map(line));
    }
    Ok(lines)
}

/// What the plan says, and over it what the run that goes on does.
fn state(step: Option<&Step>, job: Option<&JobRow>, in_run: bool) -> StageState {
    let planned = match step.map(|step| step.action) {
        Some(Action::Run | Action::Restore) => StageState::Stale,
        Some(Action::Frozen) => StageState::Frozen,
        Some(Action::Skip) | None => StageState::Fresh,
    };
    match (job.map(|job| job.status), in_run) {
        (Some(JobStatus::Running), _) => StageState::Running,
        (Some(JobStatus::Queued), _) | (None, true) => StageState::Queued,
        (Some(JobStatus::Failed | JobStatus::TimedOut | JobStatus::Lost), _)
            if planned == StageState::Stale =>
        {
            StageState::Failed
        }
        _ => planned,
    }
}

fn newest_jobs(app: &App, project: &str) -> Result<BTreeMap<String, JobRow>, Report> {
    let jobs = jobs::newest_of_stages(app, project)?.into_iter();
    Ok(jobs
        .filter_map(|job| Some((job.stage.clone()?, job)))
        .collect())
}

/// Data and pipeline together, in the shape of `dvc status --json`: empty when nothing changed.
///
/// # Errors
/// When the project is not valid.
pub fn status(_app: &App, input: InProject) -> Result<Value, Report> {
    let project = projects::project(&input.project)?;
    let pipeline = Pipeline::read(&project).reported()?;
    let stages = lapwing_pipeline::status(&pipeline, &project).reported()?;
    let mut all = lapwing_pipeline::status_json(&stages);
    let Some(object) = all.as_object_mut() else {
        return Ok(all);
    };
    for row in lapwing_data::status(&project).reported()? {
        let word = match row.state {
            State::Clean => continue,
            State::Modified => "modified",
            State::Deleted => "deleted",
            State::New => "new",
            State::NotInCache => "not in cache",
        };
        object.insert(
            row.dvc_file,
            json!([{ "changed outs": { row.path: word } }]),
        );
    }
    Ok(all)
}

/// The same as lines for people.
#[must_use]
pub fn status_words(status: &Value) -> Vec<String> {
    let mut lines = Vec::new();
    for (name, changes) in status.as_object().into_iter().flatten() {
        lines.push(format!("{name}:"));
        for change in changes.as_array().into_iter().flatten() {
            match change {
                Value::Object(groups) => {
                    for (group, entries) in groups {
                        lines.push(format!("  {group}:"));
                        push_entries(&mut lines, entries, 4);
                    }
                }
                other => lines.push(format!("  {}", other.as_str().unwrap_or_default())),
            }
        }
    }
    lines
}

fn push_entries(lines: &mut Vec<String>, entries: &Value, indent: usize) {
    let pad = " ".repeat(indent);
    match entries {
        Value::Object(entries) => {
            for (path, what) in entries {
                match what {
                    Value::Object(_) => {
                        lines.push(format!("{pad}{path}:"));
                        push_entries(lines, what, indent + 2);
                    }
                    other => lines.push(format!(
                        "{pad}{}: {path}",
                        other.as_str().unwrap_or_default()
                    )),
                }
            }
        }
        other => lines.push(format!("{pad}{}", other.as_str().unwrap_or_default())),
    }
}
