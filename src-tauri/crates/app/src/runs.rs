//! Tracked runs: list, search, compare, charts, artifacts.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read as _;

use lapwing_core::{Code, Report, RunId};
use lapwing_store::pipeline_runs;
use lapwing_tracking::{PARENT, Run, RunInput, Search};

use crate::error::Reported as _;
use crate::wire::{
    ArtifactRow, CompareRuns, ComparedValue, Comparison, Count, DataRole, ExperimentRow, InProject,
    ListArtifacts, ListJobs, ListRuns, LoggedModelRow, Nothing, Point, ReadMetric, RenameRun,
    RunData, RunDetail, RunRef, RunRow, RunStatus, RunsPage, Series, TextContent,
};
use crate::{App, jobs, pipeline, scoring};

const MAX_COMPARED: usize = 50;
/// A larger text is shown in part.
const MAX_TEXT_BYTES: u64 = 1 << 20;

pub(crate) use pipeline::wire_status as status;

/// The run whose id begins with `prefix`.
///
/// # Errors
/// When there is none, or more than one.
pub fn find(app: &App, prefix: &str) -> Result<RunId, Report> {
    let mut found = app.tracking().runs_starting_with(prefix).reported()?;
    match (found.len(), found.pop()) {
        (1, Some(id)) => Ok(id),
        (0, _) => Err(Report::new(
            Code::NotFound,
            "run.unknown",
            format!("there is no run `{prefix}`"),
        )
        .hint("see `lapwing runs list`")),
        _ => Err(Report::new(
            Code::Invalid,
            "run.ambiguous",
            format!("more than one run begins with `{prefix}`"),
        )
        .hint("write more of the id")),
    }
}

/// Experiments that are not deleted.
///
/// # Errors
/// When the store cannot be read.
pub fn experiments(app: &App, _input: Nothing) -> Result<Vec<ExperimentRow>, Report> {
    let all = app.tracking().experiments().reported()?;
    Ok(all
        .into_iter()
        .filter(|experiment| experiment.lifecycle == "active")
        .map(|experiment| ExperimentRow {
            id: experiment.id.to_string(),
            name: experiment.name,
            runs: experiment.runs,
        })
        .collect())
}

/// A page of runs.
///
/// # Errors
/// When the filter or an order is not in MLflow's grammar.
pub fn list(app: &App, input: ListRuns) -> Result<RunsPage, Report> {
    scoring::look(app)?;
    let mut filter = input.filter.unwrap_or_default().trim().to_owned();
    if let Some(project) = &input.project {
        let own = of_project(project);
        filter = if filter.is_empty() {
            own
        } else {
            format!("{own} AND {filter}")
        };
    }
    let experiments = match &input.experiment {
        Some(name) => {
            let all = app.tracking().experiments().reported()?;
            let found = all
                .iter()
                .find(|experiment| experiment.name == *name || experiment.id.to_string() == *name);
            let unknown = || {
                Report::new(
                    Code::NotFound,
                    "experiment.unknown",
                    format!("there is no experiment `{name}`"),
                )
            };
            Some(vec![found.ok_or_else(unknown)?.id])
        }
        None => None,
    };
    let view = if input.deleted {
        lapwing_store::search::View::Deleted
    } else {
        lapwing_store::search::View::Active
    };
    let search = Search {
        experiments,
        filter,
        order_by: input.order_by,
        max: input.max,
        page_token: input.page_token,
        view,
    };
    // Before the search: one that is looked at may be over.
    let active = active(app)?;
    let page = app.tracking().search(&search).reported()?;
    let models = registered(app)?;
    let ids: Vec<RunId> = page.runs.iter().map(|run| run.id.clone()).collect();
    let children = app.tracking().children(&ids).reported()?;
    let rows: Vec<RunRow> = page
        .runs
        .iter()
        .map(|run| RunRow {
            children: children.get(run.id.as_str()).copied().unwrap_or_default(),
            ..row(run, &models, &active)
        })
        .collect();
    let parents = rows.iter().filter_map(|row| row.parent.clone()).collect();
    let (swept, goals) = pipeline::compared_in_sweeps(app, &parents)?;
    let keys = |pick: &dyn Fn(&RunRow) -> Vec<String>| -> Vec<String> {
        rows.iter()
            .flat_map(pick)
            .collect::<BTreeSet<_>>()
            .into_iter()
            .collect()
    };
    Ok(RunsPage {
        metric_keys: keys(&|row| row.metrics.keys().cloned().collect()),
        param_keys: keys(&|row| row.params.keys().cloned().collect()),
        next_page_token: page.next,
        goals,
        swept,
        rows,
    })
}

/// The filter that finds the runs of a project.
pub(crate) fn of_project(root: &str) -> String {
    format!("tags.`lapwing.project` = '{}'", root.replace('\'', ""))
}

/// Run id → `name v3` of each version made from it.
fn registered(app: &App) -> Result<BTreeMap<String, Vec<String>>, Report> {
    let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for model in app.tracking().models().reported()? {
        for version in app.tracking().versions(&model.name).reported()? {
            if let Some(run) = version.run_id {
                found
                    .entry(run)
                    .or_default()
                    .push(format!("{} v{}", version.name, version.version));
            }
        }
    }
    Ok(found)
}

/// Runs of pipelines that go on, and why they wait: a script may have ended its part of one already.
fn active(app: &App) -> Result<BTreeMap<RunId, Option<String>>, Report> {
    let mut waits = BTreeMap::new();
    for run in pipeline_runs::active(app.store(), None).reported()? {
        let input = InProject {
            project: run.project,
        };
        match pipeline::waiting(app, input) {
            Ok(waiting) => waits.extend(waiting.map(|run| (run.run_id, run.why))),
            Err(report) => tracing::debug!(report.message, "a run could not be looked at"),
        }
    }
    // Some may have ended as they were looked at.
    let all = pipeline_runs::active(app.store(), None).reported()?;
    let all = all.into_iter().map(|run| run.run_id);
    Ok(all.map(|id| (id.clone(), waits.remove(&id))).collect())
}

fn row(
    run: &Run,
    models: &BTreeMap<String, Vec<String>>,
    active: &BTreeMap<RunId, Option<String>>,
) -> RunRow {
    let waits = active.get(&run.id);
    let goes_on = waits.is_some();
    let commit = run.tags.get("mlflow.source.git.commit");
    RunRow {
        run_id: run.id.clone(),
        name: run.name.clone(),
        experiment: run.experiment.clone(),
        status: if goes_on {
            RunStatus::Running
        } else {
            status(run.status)
        },
        waits: waits.cloned().flatten(),
        user: run.user.clone(),
        start: run.start,
        end: run.end.filter(|_| !goes_on),
        commit: commit.map(|id| id.chars().take(7).collect()),
        metrics: run
            .metrics
            .iter()
            .map(|(key, point)| (key.clone(), point.value))
            .collect(),
        params: run.params.clone(),
        models: models.get(run.id.as_str()).cloned().unwrap_or_default(),
        // Some clients write other things there.
        parent: run.tags.get(PARENT).and_then(|parent| parent.parse().ok()),
        children: 0,
    }
}

/// One run with everything that belongs to it.
///
/// # Errors
/// When there is none with that id.
pub fn get(app: &App, input: RunRef) -> Result<RunDetail, Report> {
    scoring::look(app)?;
    let active = active(app)?;
    let run = app.tracking().run(&input.run_id).reported()?;
    let mut all = jobs::list(
        app,
        ListJobs {
            project: None,
            run_id: Some(input.run_id.clone()),
            max: None,
        },
    )?;
    all.reverse();
    let logged = app.tracking().logged_models(&input.run_id).reported()?;
    let folder = app.tracking().artifact_folder(&input.run_id).reported()?;
    let children = app.tracking().children(std::slice::from_ref(&run.id));
    let row = RunRow {
        children: children.reported()?.into_values().sum(),
        ..row(&run, &registered(app)?, &active)
    };
    let goes_on = active.contains_key(&run.id) && row.waits.is_none();
    Ok(RunDetail {
        doing: if goes_on {
            pipeline::doing(app, &run.id)?
        } else {
            None
        },
        row,
        data: data(&run.inputs),
        tags: run.tags.clone(),
        jobs: all,
        logged_models: logged.into_iter().map(|model| logged_row(&model)).collect(),
        artifact_uri: run.artifact_uri(),
        artifact_folder: Some(folder.display().to_string()),
    })
}

fn logged_row(model: &lapwing_tracking::LoggedModel) -> LoggedModelRow {
    let flavors = lapwing_serving::model_folder::read(&model.folder)
        .map(|folder| folder.flavors.into_keys().collect())
        .unwrap_or_default();
    LoggedModelRow {
        uri: model.uri.clone(),
        name: model.row.name.clone(),
        flavors,
    }
}

pub(crate) fn context(input: &RunInput, key: &str) -> Option<String> {
    let tags: Vec<serde_json::Value> = serde_json::from_str(&input.tags).unwrap_or_default();
    tags.iter()
        .find(|tag| tag["key"] == key)
        .and_then(|tag| tag["value"].as_str())
        .map(str::to_owned)
}

fn data(inputs: &[RunInput]) -> Vec<RunData> {
    let mut rows: Vec<RunData> = Vec::new();
    for input in inputs {
        let role = match context(input, "mlflow.data.context").as_deref() {
            Some("output") => DataRole::Output,
            _ => DataRole::Input,
        };
        rows.push(RunData {
            path: input.name.clone(),
            hash: input.digest.clone(),
            role,
        });
    }
    rows.sort_by(|a, b| a.path.cmp(&b.path));
    rows.dedup_by(|a, b| a.path == b.path && a.hash == b.hash);
    rows
}

/// Runs side by side: every key that one of them has.
///
/// # Errors
/// When there are too many, or one does not exist.
pub fn compare(app: &App, input: CompareRuns) -> Result<Comparison, Report> {
    if input.run_ids.len() > MAX_COMPARED {
        return Err(Report::new(
            Code::Invalid,
            "runs.too_many",
            format!("at most {MAX_COMPARED} runs can be compared"),
        ));
    }
    let active = active(app)?;
    let runs = input
        .run_ids
        .iter()
        .map(|id| app.tracking().run(id))
        .collect::<Result<Vec<_>, _>>()
        .reported()?;
    let models = registered(app)?;
    let number = |value: f64| {
        if value.fract() == 0.0 && value.abs() < 1e9 {
            format!("{value:.0}")
        } else {
            format!("{value:.4}")
        }
    };
    let metrics = compared(&runs, &|run| {
        run.metrics
            .iter()
            .map(|(key, point)| (key.clone(), number(point.value)))
            .collect()
    });
    let params = compared(&runs, &|run| run.params.clone());
    let data = compared(&runs, &|run| {
        run.inputs
            .iter()
            .map(|input| (input.name.clone(), input.digest.chars().take(8).collect()))
            .collect()
    });
    Ok(Comparison {
        runs: runs.iter().map(|run| row(run, &models, &active)).collect(),
        metrics,
        params,
        data,
    })
}

fn compared(runs: &[Run], values: &dyn Fn(&Run) -> BTreeMap<String, String>) -> Vec<ComparedValue> {
    let all: Vec<BTreeMap<String, String>> = runs.iter().map(values).collect();
    let keys: BTreeSet<&String> = all.iter().flat_map(BTreeMap::keys).collect();
    keys.into_iter()
        .map(|key| {
            let values: Vec<Option<String>> = all.iter().map(|map| map.get(key).cloned()).collect();
            let differs = values.windows(2).any(|pair| pair.first() != pair.last());
            ComparedValue {
                key: key.clone(),
                values,
                differs,
            }
        })
        .collect()
}

/// The points of a metric that a chart can show.
///
/// # Errors
/// When the store cannot be read.
pub fn metric(app: &App, input: ReadMetric) -> Result<Series, Report> {
    let max = input.max_points.max(2) as usize;
    let (points, total) = app
        .tracking()
        .downsampled(&input.run_id, &input.key, max)
        .reported()?;
    let points = points.into_iter().map(|point| Point {
        step: point.step as f64,
        at: point.timestamp,
        value: point.value,
    });
    Ok(Series {
        run_id: input.run_id,
        key: input.key,
        points: points.collect(),
        total: Count::from(total),
    })
}

/// What lies in a folder of a run's artifacts.
///
/// # Errors
/// When the path leads out.
pub fn artifacts(app: &App, input: ListArtifacts) -> Result<Vec<ArtifactRow>, Report> {
    let files = app
        .tracking()
        .artifacts(&input.run_id, &input.path)
        .reported()?;
    Ok(files
        .into_iter()
        .map(|file| ArtifactRow {
            path: file.path,
            is_dir: file.is_dir,
            size: file.size.map(Count),
        })
        .collect())
}

/// The beginning of a text artifact.
///
/// # Errors
/// When there is none.
pub fn artifact_text(app: &App, input: ListArtifacts) -> Result<TextContent, Report> {
    let path = app
        .tracking()
        .artifact_file(&input.run_id, &input.path)
        .reported()?;
    let failed =
        |error: std::io::Error| Report::new(Code::Failed, "artifact.unreadable", error.to_string());
    let file = fs_err::File::open(&path).map_err(failed)?;
    let size = file.metadata().map_err(failed)?.len();
    let mut bytes = Vec::new();
    file.take(MAX_TEXT_BYTES)
        .read_to_end(&mut bytes)
        .map_err(failed)?;
    let binary = bytes.contains(&0);
    let text = if binary {
        None
    } else {
        Some(String::from_utf8_lossy(&bytes).into_owned())
    };
    Ok(TextContent {
        text,
        truncated: size > MAX_TEXT_BYTES,
        size: Count(size),
    })
}

/// Gives a run another name.
///
/// # Errors
/// When there is no such run.
pub fn rename(app: &App, input: RenameRun) -> Result<Nothing, Report> {
    app.tracking()
        .update_run(&input.run_id, None, None, Some(input.name))
        .reported()?;
    Ok(Nothing {})
}

/// Hides a run; [`restore`] brings it back.
///
/// # Errors
/// When there is no such run.
pub fn delete(app: &App, input: RunRef) -> Result<Nothing, Report> {
    app.tracking().set_deleted(&input.run_id, true).reported()?;
    Ok(Nothing {})
}

/// Brings a deleted run back.
///
/// # Errors
/// When there is no such run.
pub fn restore(app: &App, input: RunRef) -> Result<Nothing, Report> {
    app.tracking()
        .set_deleted(&input.run_id, false)
        .reported()?;
    Ok(Nothing {})
}

/// True while a run's own process can still change it.
#[must_use]
pub fn is_over(status: RunStatus) -> bool {
    matches!(
        status,
        RunStatus::Finished | RunStatus::Failed | RunStatus::Killed
    )
}
