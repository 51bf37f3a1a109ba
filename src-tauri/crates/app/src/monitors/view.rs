//! What a monitor's page shows, computed from the log when it is asked for.

use lapwing_core::Report;
use lapwing_monitor::Frame;
use lapwing_monitor::alert::Line;
use lapwing_serving::DeploymentFolder;
use lapwing_serving::predictions::Query;
use lapwing_store::{alerts as table, deployments as store_deployments};

use super::alerts::{MAX_ALERTS, alert_row};
use super::drift::{DRIFT_SHARE, against, mode, mode_word};
use super::logged::Logged;
use super::performance::{line_of, slices};
use super::settings;
use crate::App;
use crate::config::MonitorConfig;
use crate::deployments::{known, live_revision};
use crate::error::Reported as _;
use crate::wire::{Count, MonitorRow, MonitorState, MonitorView, Nothing, ReadMonitor};

/// One row for each deployment.
///
/// # Errors
/// When the store cannot be read.
pub fn list(app: &App, _input: Nothing) -> Result<Vec<MonitorRow>, Report> {
    let all = store_deployments::list(app.store()).reported()?;
    all.into_iter()
        .map(|deployment| {
            Ok(view(
                app,
                &ReadMonitor {
                    name: deployment.name,
                    since: None,
                    until: None,
                },
            )?
            .row)
        })
        .collect()
}

/// Drift, quality, performance and alerts of one deployment.
///
/// # Errors
/// When there is none with that name, or its files cannot be read.
pub fn get(app: &App, input: ReadMonitor) -> Result<MonitorView, Report> {
    view(app, &input)
}

pub(super) fn view(app: &App, input: &ReadMonitor) -> Result<MonitorView, Report> {
    let deployment = known(app, &input.name)?;
    let config = settings(app, &input.name)?;
    let live = live_revision(app, &deployment)?;
    let explicit = input.since.is_some() || input.until.is_some();
    let query = Query {
        since: input.since,
        until: input.until,
        limit: if explicit {
            None
        } else {
            Some(config.window_rows as usize)
        },
        ..Query::default()
    };
    let logged = Logged::read(app, &input.name, &query)?;
    let place = DeploymentFolder::at(app.workspace().deployment(&input.name));
    let reference = live
        .as_ref()
        .map(|live| place.reference(live.number))
        .filter(|path| path.is_file());
    let (columns, quality_rows, reference_rows) = match &reference {
        Some(path) if logged.rows() > 0 => against(app, &deployment, &config, path, &logged)?,
        Some(path) => (Vec::new(), Vec::new(), Frame::count_rows(path).reported()?),
        None => (Vec::new(), Vec::new(), 0),
    };
    let performance = slices(&logged, &config);
    let open = table::list(app.store(), Some(&input.name), false, MAX_ALERTS).reported()?;
    let drifted = columns.iter().filter(|column| column.drifted).count();
    let watched = config.performance.clone();
    let metric = watched
        .as_ref()
        .map_or_else(|| "auc".to_owned(), |line| line.metric.clone());
    let newest = performance.iter().rev().find_map(|point| {
        point
            .metrics
            .get(&metric)
            .or_else(|| point.metrics.get("accuracy"))
            .map(|value| (point, *value))
    });
    let row = MonitorRow {
        deployment: input.name.clone(),
        state: state_of(&logged, &open, drifted, columns.len(), &config),
        rows: Count::from(logged.rows()),
        labelled: Count::from(logged.labelled()),
        drifted: u32::try_from(drifted).unwrap_or(u32::MAX),
        columns: u32::try_from(columns.len()).unwrap_or(u32::MAX),
        performance: newest.map(|(_, value)| format!("{} {value:.3}", metric.to_uppercase())),
        open_alerts: u32::try_from(open.len()).unwrap_or(u32::MAX),
        checked: logged.at.last().copied(),
    };
    Ok(MonitorView {
        row,
        since: input
            .since
            .or_else(|| logged.at.first().copied())
            .unwrap_or_default(),
        until: input
            .until
            .or_else(|| logged.at.last().copied())
            .unwrap_or_default(),
        reference: live.and_then(|live| live.reference).unwrap_or_else(|| {
            "none: the model's run recorded no table with its columns".to_owned()
        }),
        reference_rows: Count(reference_rows),
        mode: mode_word(mode(&config)?).to_owned(),
        columns,
        quality: quality_rows,
        performance,
        watched_metric: watched.as_ref().map(|line| line.metric.clone()),
        watched_line: watched.as_ref().and_then(line_of).map(Line::value),
        alerts: table::list(app.store(), Some(&input.name), true, MAX_ALERTS)
            .reported()?
            .into_iter()
            .filter_map(alert_row)
            .collect(),
    })
}

fn state_of(
    logged: &Logged,
    open: &[table::Alert],
    drifted: usize,
    columns: usize,
    config: &MonitorConfig,
) -> MonitorState {
    let share = drifted as f64 / columns.max(1) as f64;
    if open.iter().any(|alert| alert.kind != "drift") {
        MonitorState::Degraded
    } else if logged.rows() == 0 {
        MonitorState::NoData
    } else if drifted > 0 && share >= config.drift.share.unwrap_or(DRIFT_SHARE) {
        MonitorState::Drifted
    } else {
        MonitorState::Good
    }
}
