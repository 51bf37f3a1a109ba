//! Features and predictions now against those that the model was trained on; and the same for two files.

use std::path::Path;

use lapwing_core::{Code, DeploymentName, Report};
use lapwing_monitor::drift::{ColumnDrift, DriftOptions, DriftReport, Mode};
use lapwing_monitor::frame::{Part, float_column, parsed_column};
use lapwing_monitor::quality::quality;
use lapwing_monitor::{Frame, drift as compare};
use lapwing_serving::DeploymentFolder;
use lapwing_store::deployments as store_deployments;
use serde::Serialize;

use super::logged::Logged;
use super::view;
use crate::App;
use crate::config::MonitorConfig;
use crate::error::Reported as _;
use crate::wire::{ColumnDriftRow, DistributionPair, QualityRow, ReadMonitor};

/// Fewer predictions say nothing about a distribution.
pub const MIN_DRIFT_ROWS: usize = 30;
/// The share of drifted columns from which the data set counts as drifted.
pub(super) const DRIFT_SHARE: f64 = 0.5;

pub(super) fn mode(config: &MonitorConfig) -> Result<Mode, Report> {
    parse_mode(config.drift.mode.as_deref().unwrap_or("corrected"))
}

fn parse_mode(word: &str) -> Result<Mode, Report> {
    match word {
        "corrected" => Ok(Mode::Corrected),
        "evidently" => Ok(Mode::Evidently),
        other => Err(Report::new(
            Code::Invalid,
            "monitor.mode",
            format!("`{other}` is no drift mode"),
        )
        .hint("use corrected or evidently")),
    }
}

pub(super) fn mode_word(mode: Mode) -> &'static str {
    match mode {
        Mode::Corrected => "corrected",
        Mode::Evidently => "evidently",
    }
}

pub(super) type Against = (Vec<ColumnDriftRow>, Vec<QualityRow>, u64);

/// Features and predictions against the reference of the live revision.
pub(super) fn against(
    app: &App,
    deployment: &store_deployments::Deployment,
    config: &MonitorConfig,
    reference: &Path,
    logged: &Logged,
) -> Result<Against, Report> {
    let reference = Frame::read(reference, &Part::default()).reported()?;
    let rows = reference.rows() as u64;
    let quality_rows = quality(&reference, &logged.features)
        .reported()?
        .into_iter()
        .map(|row| QualityRow {
            column: row.column,
            missing: row.missing,
            missing_reference: row.missing_reference,
            new_categories: row.new_categories,
            out_of_range: row.out_of_range,
            note: row.note,
        });
    let quality_rows = quality_rows.collect();
    if logged.rows() < MIN_DRIFT_ROWS {
        return Ok((Vec::new(), quality_rows, rows));
    }
    let options = DriftOptions {
        mode: mode(config)?,
        columns: config.drift.columns.clone(),
        ..DriftOptions::default()
    };
    let report = compare(&reference, &logged.features, &options).reported()?;
    let mut columns: Vec<ColumnDriftRow> = report.columns.into_iter().map(column_row).collect();
    columns.sort_by(|a, b| {
        b.drifted
            .cmp(&a.drifted)
            .then_with(|| excess(b).total_cmp(&excess(a)))
    });
    if let Some(own) = prediction_drift(app, deployment, logged, &options)? {
        columns.insert(0, own);
    }
    Ok((columns, quality_rows, rows))
}

/// How far past its limit a column is, comparable between tests.
fn excess(row: &ColumnDriftRow) -> f64 {
    match (row.value, row.threshold) {
        (Some(value), Some(limit)) if row.test.contains("p-value") => limit / value.max(1e-12),
        (Some(value), Some(limit)) => value / limit.max(1e-12),
        _ => 0.0,
    }
}

/// The distribution of what the model says, now and on its training data.
fn prediction_drift(
    app: &App,
    deployment: &store_deployments::Deployment,
    logged: &Logged,
    options: &DriftOptions,
) -> Result<Option<ColumnDriftRow>, Report> {
    let Some(number) = deployment.live_revision else {
        return Ok(None);
    };
    let place = DeploymentFolder::at(app.workspace().deployment(&deployment.name));
    let path = place
        .root()
        .join("revisions")
        .join(number.to_string())
        .join("reference-scores.parquet");
    if !path.is_file() {
        return Ok(None);
    }
    let before = Frame::read(&path, &Part::default()).reported()?;
    let (before, now) = if logged.score.iter().any(Option::is_some) {
        let before = before.numbers("score").reported()?;
        (float_column(before), float_column(logged.score.clone()))
    } else {
        let before = before.texts("prediction").reported()?;
        let now = logged.prediction.iter().cloned().map(Some);
        // A model that said nothing for a row: `null`, or no text.
        let said = |text: Option<String>| text.filter(|text| !text.is_empty() && text != "null");
        let before = before.into_iter().map(said).collect();
        (
            parsed_column(before),
            parsed_column(now.map(said).collect()),
        )
    };
    let frame = |array| Frame::from_columns(vec![("prediction".to_owned(), array)]).reported();
    let options = DriftOptions {
        columns: None,
        ..options.clone()
    };
    let report = compare(&frame(before)?, &frame(now)?, &options).reported()?;
    Ok(report.columns.into_iter().next().map(column_row))
}

fn column_row(found: ColumnDrift) -> ColumnDriftRow {
    ColumnDriftRow {
        column: found.column,
        kind: found.kind.as_str().to_owned(),
        test: found
            .test
            .map_or_else(|| "not tested".to_owned(), |test| test.as_str().to_owned()),
        value: found.value,
        threshold: found.threshold,
        drifted: found.drifted,
        note: found.note,
        distribution: DistributionPair {
            labels: found.distribution.labels,
            reference: found.distribution.reference,
            current: found.distribution.current,
        },
    }
}

/// Drift of two files, as the CLI prints it.
#[derive(Debug, Clone, Serialize)]
pub struct FileDrift {
    pub mode: String,
    pub reference_rows: u32,
    pub current_rows: u32,
    pub drifted: u32,
    pub dataset_drift: bool,
    pub columns: Vec<ColumnDriftRow>,
}

/// Compares two files, column by column.
///
/// # Errors
/// When a file cannot be read, or a named column is missing.
pub fn drift(
    reference: &Path,
    current: &Path,
    mode: &str,
    columns: &[String],
) -> Result<FileDrift, Report> {
    let mode = parse_mode(mode)?;
    let read = |path: &Path| Frame::read(path, &Part::default()).reported();
    let options = DriftOptions {
        mode,
        columns: if columns.is_empty() {
            None
        } else {
            Some(columns.to_vec())
        },
        ..DriftOptions::default()
    };
    let (before, now) = (read(reference)?, read(current)?);
    for (frame, path) in [(&before, reference), (&now, current)] {
        if let Some(name) = columns.iter().find(|name| !frame.has(name)) {
            return Err(no_column(path, name, frame));
        }
    }
    let missing: Vec<String> = before
        .names()
        .into_iter()
        .filter(|name| columns.is_empty() && !now.has(name))
        .collect();
    if let Some(name) = missing
        .first()
        .filter(|_| missing.len() == before.names().len())
    {
        return Err(no_column(current, name, &now));
    }
    let report: DriftReport = compare(&before, &now, &options).reported()?;
    let missing = missing.into_iter().map(|column| ColumnDriftRow {
        column,
        kind: "missing".to_owned(),
        test: "not tested".to_owned(),
        value: None,
        threshold: None,
        drifted: false,
        note: Some(format!("{} does not have it", current.display())),
        distribution: DistributionPair {
            labels: Vec::new(),
            reference: Vec::new(),
            current: Vec::new(),
        },
    });
    Ok(FileDrift {
        mode: mode_word(mode).to_owned(),
        reference_rows: report.reference_rows,
        current_rows: report.current_rows,
        drifted: report.drifted,
        dataset_drift: report.dataset_drift,
        columns: report
            .columns
            .into_iter()
            .map(column_row)
            .chain(missing)
            .collect(),
    })
}

fn no_column(path: &Path, name: &str, frame: &Frame) -> Report {
    Report::new(
        Code::Invalid,
        "monitor.no_column",
        format!("{} has no column `{name}`", path.display()),
    )
    .hint(format!("it has {}", frame.names().join(", ")))
}

/// What has drifted in the newest predictions.
pub(crate) struct LiveDrift {
    /// Of the columns.
    pub share: f64,
    pub drifted: u32,
    pub columns: u32,
    pub rows: usize,
}

/// Looks at the newest predictions; `None` when nothing can be compared.
pub(crate) fn live_drift(app: &App, name: &DeploymentName) -> Result<Option<LiveDrift>, Report> {
    let view = view::view(
        app,
        &ReadMonitor {
            name: name.clone(),
            since: None,
            until: None,
        },
    )?;
    if view.columns.is_empty() {
        return Ok(None);
    }
    Ok(Some(LiveDrift {
        share: f64::from(view.row.drifted) / f64::from(view.row.columns.max(1)),
        drifted: view.row.drifted,
        columns: view.row.columns,
        rows: usize::try_from(view.row.rows.0).unwrap_or(usize::MAX),
    }))
}
