//! The lap at a glance: each station's state, the one thing that needs attention, the next sensible action.

use lapwing_core::{Report, Timestamp};

use crate::wire::{
    DataState, DeploymentRow, DeploymentState, Find, Found, InProject, ListAlerts, ListRuns,
    MonitorState, NextAction, Nothing, Noun, Overview, PipelineView, RunStatus, RunsPage,
    StageState, Station, StationState,
};
use crate::{App, automations, data, deployments, models, monitors, pipeline, projects, runs};

const MAX_FOUND: usize = 50;

/// The stations of a project.
///
/// # Errors
/// When the folder is no project. A station that cannot be read says so itself.
pub fn get(app: &App, input: InProject) -> Result<Overview, Report> {
    let project = projects::get(app, input.clone())?;
    let of_project = |row: &DeploymentRow| row.project.as_deref() == Some(project.path.as_str());
    let runs = runs::list(
        app,
        ListRuns {
            project: Some(project.path.clone()),
            max: Some(20),
            ..ListRuns::default()
        },
    );
    let served: Vec<DeploymentRow> = deployments::list(app, Nothing {})
        .unwrap_or_default()
        .into_iter()
        .filter(of_project)
        .collect();
    let view = pipeline::get(app, input.clone());
    let waiting = view.as_ref().ok().and_then(|view| view.waiting.clone());
    let (pipeline_station, stale, current) = pipeline_station(&view);
    let (model_station, deployable) = model_station(app, runs.as_ref().ok());
    let (monitor_station, attention) = monitor_station(app, &served);
    let next = match (&current, stale, &deployable) {
        (Some(run_id), _, _) => NextAction::FollowRun {
            run_id: run_id.clone(),
        },
        (None, 1.., _) => NextAction::Run { stale },
        (None, 0, Some(uri)) if served.is_empty() => NextAction::Deploy {
            model_uri: uri.clone(),
            name: deployable_name(&project.name),
        },
        _ => match (&attention, served.first()) {
            (Some(_), Some(row)) => NextAction::OpenMonitor {
                deployment: row.name.to_string(),
            },
            _ => NextAction::Nothing,
        },
    };
    let stations = vec![
        data_station(app, &input),
        pipeline_station,
        run_station(&runs),
        model_station,
        deployment_station(&served),
        monitor_station,
        automation_station(app, &input),
    ];
    let attention = attention.or_else(|| {
        let failed = stations
            .iter()
            .find(|station| station.state == StationState::Failed);
        failed.map(|station| station.detail.clone())
    });
    Ok(Overview {
        project,
        stations,
        attention,
        waiting,
        next,
    })
}

fn deployable_name(name: &str) -> String {
    let clean: String = name
        .to_lowercase()
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
        .collect();
    clean.trim_matches('-').chars().take(63).collect()
}

fn station(
    noun: Noun,
    state: StationState,
    figure: impl Into<String>,
    detail: impl Into<String>,
    at: Option<Timestamp>,
) -> Station {
    Station {
        noun,
        state,
        figure: figure.into(),
        detail: detail.into(),
        at,
    }
}

fn broken(noun: Noun, report: &Report) -> Station {
    station(
        noun,
        StationState::Failed,
        "cannot be read",
        report.message.clone(),
        None,
    )
}

fn plural(count: usize, word: &str) -> String {
    if count == 1 {
        format!("1 {word}")
    } else {
        format!("{count} {word}s")
    }
}

fn data_station(app: &App, input: &InProject) -> Station {
    let rows = match data::list(app, input.clone()) {
        Ok(rows) => rows,
        Err(report) => return broken(Noun::Data, &report),
    };
    let tracked: Vec<_> = rows.iter().filter(|row| row.stage.is_none()).collect();
    let changed = tracked
        .iter()
        .filter(|row| row.state != DataState::Clean)
        .count();
    let state = match (tracked.len(), changed) {
        (0, _) => StationState::Empty,
        (_, 0) => StationState::Good,
        _ => StationState::Stale,
    };
    let detail = if changed > 0 {
        format!("{changed} changed")
    } else {
        tracked
            .iter()
            .map(|row| row.path.clone())
            .collect::<Vec<_>>()
            .join(", ")
    };
    station(
        Noun::Data,
        state,
        plural(tracked.len(), "dataset"),
        detail,
        None,
    )
}

/// The station, how many stages are stale, and the run that goes on.
fn pipeline_station(view: &Result<PipelineView, Report>) -> (Station, u32, Option<String>) {
    let view = match view {
        Ok(view) => view,
        Err(report) => return (broken(Noun::Pipeline, report), 0, None),
    };
    if let Some(report) = &view.error {
        return (broken(Noun::Pipeline, report), 0, None);
    }
    let count = |wanted: &[StageState]| {
        view.stages
            .iter()
            .filter(|stage| wanted.contains(&stage.state))
            .count()
    };
    let stale = count(&[StageState::Stale, StageState::Failed]);
    let current = view.current_run.as_ref().map(ToString::to_string);
    let running = view
        .stages
        .iter()
        .find(|stage| stage.state == StageState::Running);
    let failed = view
        .stages
        .iter()
        .find(|stage| stage.state == StageState::Failed);
    let (state, detail) = match (view.stages.len(), &current, failed) {
        (0, _, _) => (StationState::Empty, "no dvc.yaml yet".to_owned()),
        (_, None, _) if view.waiting.is_some() => (StationState::Stale, "a run waits".to_owned()),
        (_, Some(_), _) => (
            StationState::Running,
            running.map_or("starting".to_owned(), |stage| {
                format!("{} runs", stage.name)
            }),
        ),
        (_, None, Some(stage)) => (StationState::Failed, format!("{} failed", stage.name)),
        _ if stale > 0 => (
            StationState::Stale,
            format!("{} to run", plural(stale, "stage")),
        ),
        _ => (StationState::Good, "up to date".to_owned()),
    };
    let figure = plural(view.stages.len(), "stage");
    (
        station(Noun::Pipeline, state, figure, detail, None),
        u32::try_from(stale).unwrap_or(u32::MAX),
        current,
    )
}

fn run_station(runs: &Result<RunsPage, Report>) -> Station {
    let page = match runs {
        Ok(page) => page,
        Err(report) => return broken(Noun::Runs, report),
    };
    let Some(last) = page.rows.first() else {
        return station(Noun::Runs, StationState::Empty, "no runs yet", "", None);
    };
    let state = match last.status {
        RunStatus::Running if last.waits.is_some() => StationState::Stale,
        RunStatus::Running | RunStatus::Scheduled => StationState::Running,
        RunStatus::Finished => StationState::Good,
        RunStatus::Failed => StationState::Failed,
        RunStatus::Killed => StationState::Stale,
    };
    let best = ["auc", "accuracy", "r2", "rmse"].iter().find_map(|key| {
        last.metrics
            .get(*key)
            .map(|value| format!("{} {value:.3}", key.to_uppercase()))
    });
    let figure = best.unwrap_or_else(|| plural(page.rows.len(), "run"));
    let detail = if state == StationState::Failed {
        format!("run {} failed", last.name)
    } else {
        last.name.clone()
    };
    station(
        Noun::Runs,
        state,
        figure,
        detail,
        Some(last.end.unwrap_or(last.start)),
    )
}

/// The station, and what Deploy would take.
fn model_station(app: &App, runs: Option<&RunsPage>) -> (Station, Option<String>) {
    let mine: Vec<&String> = runs
        .map(|page| page.rows.iter().flat_map(|row| &row.models).collect())
        .unwrap_or_default();
    let all = models::list(app, Nothing {}).unwrap_or_default();
    let names: Vec<&str> = mine
        .iter()
        .filter_map(|called| called.rsplit_once(" v").map(|(name, _)| name))
        .collect();
    let Some(model) = all
        .iter()
        .find(|model| names.contains(&model.name.as_str()))
    else {
        let trained = runs.and_then(|page| {
            page.rows
                .iter()
                .find(|row| row.status == RunStatus::Finished)
        });
        let detail = if trained.is_some() {
            "register the newest run's model"
        } else {
            ""
        };
        let uri = trained.map(|row| format!("runs:/{}", row.run_id));
        return (
            station(
                Noun::Models,
                StationState::Empty,
                "no version yet",
                detail,
                None,
            ),
            uri,
        );
    };
    let champion = model.aliases.get("champion").copied();
    let figure = champion
        .or(model.latest)
        .map_or("–".to_owned(), |version| format!("v{version}"));
    let detail = if champion.is_some() {
        format!("{}@champion", model.name)
    } else {
        model.name.clone()
    };
    let uri = if champion.is_some() {
        format!("{}@champion", model.name)
    } else {
        format!("{}/latest", model.name)
    };
    (
        station(
            Noun::Models,
            StationState::Good,
            figure,
            detail,
            Some(model.updated),
        ),
        Some(uri),
    )
}

fn deployment_station(served: &[DeploymentRow]) -> Station {
    let Some(first) = served.first() else {
        return station(
            Noun::Deployments,
            StationState::Empty,
            "nothing deployed",
            "",
            None,
        );
    };
    let failed = served
        .iter()
        .find(|row| row.state == DeploymentState::Failed);
    let state = match (failed, first.state) {
        (Some(_), _) => StationState::Failed,
        (None, DeploymentState::Running) => StationState::Good,
        (None, DeploymentState::Starting) => StationState::Running,
        (None, DeploymentState::Stopped | DeploymentState::Failed) => StationState::Stale,
    };
    let version = first
        .model_version
        .map_or(String::new(), |version| format!("v{version} "));
    let figure = match first.state {
        DeploymentState::Running => format!("{version}live"),
        DeploymentState::Starting => "starting".to_owned(),
        DeploymentState::Stopped => "stopped".to_owned(),
        DeploymentState::Failed => "failed".to_owned(),
    };
    let detail = match failed {
        Some(row) => format!(
            "{} failed: {}",
            row.name,
            row.why.clone().unwrap_or_default()
        ),
        None => format!(
            "{}, {} requests in the last hour",
            first.name, first.requests.0
        ),
    };
    station(
        Noun::Deployments,
        state,
        figure,
        detail,
        Some(first.updated),
    )
}

/// The station, and the newest open alert.
fn monitor_station(app: &App, served: &[DeploymentRow]) -> (Station, Option<String>) {
    let Some(first) = served.first() else {
        return (
            station(
                Noun::Monitors,
                StationState::Empty,
                "nothing to watch",
                "",
                None,
            ),
            None,
        );
    };
    let all = monitors::list(app, Nothing {}).unwrap_or_default();
    let Some(row) = all.iter().find(|row| row.deployment == first.name) else {
        return (
            station(
                Noun::Monitors,
                StationState::Empty,
                "nothing to watch",
                "",
                None,
            ),
            None,
        );
    };
    let open = monitors::alerts(
        app,
        ListAlerts {
            deployment: Some(first.name.clone()),
            all: false,
        },
    )
    .unwrap_or_default();
    let attention = open
        .first()
        .map(|alert| format!("{}: {}", alert.deployment, alert.message));
    let state = match row.state {
        MonitorState::NoData => StationState::Empty,
        MonitorState::Good => StationState::Good,
        MonitorState::Drifted => StationState::Stale,
        MonitorState::Degraded => StationState::Failed,
    };
    let figure = row
        .performance
        .clone()
        .unwrap_or_else(|| format!("{} of {} drifted", row.drifted, row.columns));
    let detail = attention
        .clone()
        .unwrap_or_else(|| format!("{} predictions, {} with labels", row.rows.0, row.labelled.0));
    (
        station(Noun::Monitors, state, figure, detail, row.checked),
        attention,
    )
}

fn automation_station(app: &App, input: &InProject) -> Station {
    let rows = match automations::list(app, input.clone()) {
        Ok(rows) => rows,
        Err(report) => return broken(Noun::Automations, &report),
    };
    let Some(first) = rows.first() else {
        return station(
            Noun::Automations,
            StationState::Empty,
            "no policy",
            "",
            None,
        );
    };
    let state = if rows.iter().any(|row| row.running) {
        StationState::Running
    } else {
        StationState::Good
    };
    let last = rows
        .iter()
        .filter_map(|row| row.last.as_ref())
        .max_by_key(|last| last.at);
    let detail = last.map_or_else(|| first.trigger.clone(), |last| last.message.clone());
    station(
        Noun::Automations,
        state,
        rows.len().to_string()
            + if rows.len() == 1 {
                " policy"
            } else {
                " policies"
            },
        detail,
        last.map(|last| last.at),
    )
}

/// What the command palette finds: runs, models, deployments, datasets and stages by name or id.
///
/// # Errors
/// When the store cannot be read.
pub fn find(app: &App, input: Find) -> Result<Vec<Found>, Report> {
    let query = input.query.trim().to_lowercase();
    let mut found = Vec::new();
    let mut add = |noun: Noun, title: &str, detail: String, route: String| {
        let fits = query.is_empty()
            || title.to_lowercase().contains(&query)
            || route.to_lowercase().contains(&query);
        if fits && found.len() < MAX_FOUND {
            found.push(Found {
                noun,
                title: title.to_owned(),
                detail,
                route,
            });
        }
    };
    for model in models::list(app, Nothing {})? {
        add(
            Noun::Models,
            &model.name,
            "model".to_owned(),
            format!("/models/{}", model.name),
        );
    }
    for row in deployments::list(app, Nothing {})? {
        add(
            Noun::Deployments,
            row.name.as_str(),
            row.model.clone(),
            format!("/deployments/{}", row.name),
        );
    }
    let runs = runs::list(
        app,
        ListRuns {
            project: input.project.clone(),
            max: Some(500),
            ..ListRuns::default()
        },
    )?;
    for run in runs.rows {
        add(
            Noun::Runs,
            &run.name,
            run.run_id.as_str().chars().take(8).collect(),
            format!("/runs/{}", run.run_id),
        );
    }
    if let Some(project) = input.project {
        let input = InProject { project };
        for row in data::list(app, input.clone()).unwrap_or_default() {
            add(
                Noun::Data,
                &row.path,
                "dataset".to_owned(),
                "/data".to_owned(),
            );
        }
        for stage in pipeline::get(app, input)
            .map(|view| view.stages)
            .unwrap_or_default()
        {
            add(
                Noun::Pipeline,
                &stage.name,
                "stage".to_owned(),
                "/pipeline".to_owned(),
            );
        }
    }
    Ok(found)
}
