//! Performance over time, where labels are.

use std::collections::BTreeMap;

use lapwing_core::{DeploymentName, Report};
use lapwing_monitor::alert::Line;
use lapwing_serving::predictions::Query;

use super::logged::Logged;
use super::settings;
use crate::App;
use crate::config::{MonitorConfig, PerformanceLine};
use crate::deployments::known;
use crate::wire::{Count, PerformancePoint};

/// Slices of a performance chart.
const MAX_SLICES: i64 = 48;
/// Predictions further apart than this share of the whole time belong to different slices.
const GAP_SHARE: i64 = 60;
const LEAST_GAP_MILLIS: i64 = 1_500;

/// Performance over time: a slice for each burst of predictions, or equal slices where they flow evenly.
pub(super) fn slices(logged: &Logged, config: &MonitorConfig) -> Vec<PerformancePoint> {
    let (Some(first), Some(last)) = (logged.at.first(), logged.at.last()) else {
        return Vec::new();
    };
    let span = last.millis_since(*first).max(1);
    let gap = (span / GAP_SHARE).max(LEAST_GAP_MILLIS);
    let mut bursts: Vec<Vec<usize>> = vec![Vec::new()];
    for row in 0..logged.rows() {
        let before = row.checked_sub(1).and_then(|row| logged.at.get(row));
        let apart = before
            .zip(logged.at.get(row))
            .is_some_and(|(before, now)| now.millis_since(*before) > gap);
        if apart {
            bursts.push(Vec::new());
        }
        if let Some(burst) = bursts.last_mut() {
            burst.push(row);
        }
    }
    if bursts.len() > MAX_SLICES as usize {
        let width = span / MAX_SLICES + 1;
        let mut equal: BTreeMap<i64, Vec<usize>> = BTreeMap::new();
        for (row, at) in logged.at.iter().enumerate() {
            equal
                .entry(at.millis_since(*first) / width)
                .or_default()
                .push(row);
        }
        bursts = equal.into_values().collect();
    }
    let positive = config.positive.as_deref().unwrap_or("1");
    bursts
        .into_iter()
        .map(|rows| slice(logged, &rows, positive))
        .collect()
}

fn slice(logged: &Logged, rows: &[usize], positive: &str) -> PerformancePoint {
    let at = |row: Option<&usize>| {
        row.and_then(|row| logged.at.get(*row))
            .copied()
            .unwrap_or_default()
    };
    let mut versions: Vec<u32> = rows
        .iter()
        .filter_map(|row| logged.version.get(*row).copied().flatten())
        .collect();
    versions.sort_unstable();
    versions.dedup();
    PerformancePoint {
        from: at(rows.first()),
        to: at(rows.last()),
        rows: Count::from(rows.len()),
        labelled: Count::from(
            rows.iter()
                .filter(|row| matches!(logged.truth.get(**row), Some(Some(_))))
                .count(),
        ),
        metrics: logged.performance(rows, positive),
        drifted_share: None,
        model_versions: versions,
    }
}

pub(super) fn line_of(line: &PerformanceLine) -> Option<Line> {
    match (line.below, line.above) {
        (Some(below), _) => Some(Line::Below(below)),
        (None, Some(above)) => Some(Line::Above(above)),
        (None, None) => None,
    }
}

/// The watched metric over the newest labelled predictions of the live revision: value and rows.
pub(crate) fn live_performance(
    app: &App,
    name: &DeploymentName,
    line: &PerformanceLine,
) -> Result<(Option<f64>, usize), Report> {
    let deployment = known(app, name)?;
    let config = settings(app, name)?;
    let query = Query {
        revision: deployment.live_revision,
        limit: Some(config.window_rows as usize),
        ..Query::default()
    };
    let logged = Logged::read(app, name, &query)?;
    let points = slices(&logged, &config);
    // The newest slice that has enough labels; where none has, all of them together.
    let enough = points
        .iter()
        .rev()
        .find(|point| point.labelled.0 >= u64::from(line.min_rows));
    Ok(match enough {
        Some(point) => (
            point.metrics.get(&line.metric).copied(),
            usize::try_from(point.labelled.0).unwrap_or(usize::MAX),
        ),
        None => {
            let all: Vec<usize> = (0..logged.rows()).collect();
            let metrics = logged.performance(&all, config.positive.as_deref().unwrap_or("1"));
            (metrics.get(&line.metric).copied(), logged.labelled())
        }
    })
}
