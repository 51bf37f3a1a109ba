//! Monitors: what an endpoint predicted against what its model was trained on, and against the truth once it comes.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use lapwing_core::{Code, DeploymentName, PredictionId, Report, Tag, Timestamp};
use lapwing_monitor::alert::{Finding, Line, judge};
use lapwing_monitor::drift::{ColumnDrift, DriftOptions, DriftReport, Mode};
use lapwing_monitor::frame::{Part, text_column};
use lapwing_monitor::performance::{
    Metrics, Scored, labels as label_metrics, regression, two_class,
};
use lapwing_monitor::quality::quality;
use lapwing_monitor::{Frame, drift as compare};
use lapwing_serving::predictions::{Query, Window};
use lapwing_serving::{DeploymentFolder, labels as truth, predictions as log_of};
use lapwing_store::{alerts as table, deployments as store_deployments};
use serde::Serialize;

use crate::App;
use crate::config::{Config, MonitorConfig, PerformanceLine};
use crate::deployments::{known, live_revision};
use crate::error::Reported as _;
use crate::wire::{
    AddLabels, AlertRef, AlertRow, ColumnDriftRow, Count, DistributionPair, LabelsAdded,
    ListAlerts, MonitorRow, MonitorState, MonitorView, Nothing, PerformancePoint, QualityRow,
    ReadMonitor,
};

const MAX_ALERTS: u32 = 500;
/// Fewer predictions say nothing about a distribution.
const MIN_DRIFT_ROWS: usize = 30;
/// Slices of a performance chart.
const MAX_SLICES: i64 = 48;
/// Predictions further apart than this share of the whole time belong to different slices.
const GAP_SHARE: i64 = 60;
const LEAST_GAP_MILLIS: i64 = 1_500;
/// How far back error rate and latency look.
const HEALTH_MILLIS: i64 = 15 * 60_000;
/// The share of drifted columns from which the data set counts as drifted.
const DRIFT_SHARE: f64 = 0.5;

/// The settings of a deployment's monitor: its project's, or the defaults.
pub(crate) fn settings(app: &App, name: &DeploymentName) -> Result<MonitorConfig, Report> {
    let deployment = known(app, name)?;
    let config = match &deployment.project {
        Some(project) if Path::new(project).is_dir() => Config::read(Path::new(project))?,
        _ => Config::default(),
    };
    Ok(config.monitor(name))
}

/// The logged predictions of a window with everything that is known of them.
struct Logged {
    at: Vec<Timestamp>,
    prediction: Vec<String>,
    score: Vec<Option<f64>>,
    version: Vec<Option<u32>>,
    truth: Vec<Option<String>>,
    features: Frame,
}

impl Logged {
    fn read(app: &App, name: &DeploymentName, query: &Query) -> Result<Self, Report> {
        let folder = app.workspace().deployment(name);
        let read = log_of::read(&folder, query).reported()?;
        if read.is_empty() {
            return Ok(Self::nothing());
        }
        let labels: HashMap<String, String> = truth::read(&folder).reported()?;
        let about = Frame::from_batches(&read.about.schema(), std::slice::from_ref(&read.about))
            .reported()?;
        let features = Frame::from_batches(
            &read.features.schema(),
            std::slice::from_ref(&read.features),
        )
        .reported()?;
        let ids = about.texts("prediction_id").reported()?;
        let whole = |value: Option<f64>| value.map_or(0, |value| value as i64);
        let mut order: Vec<usize> = (0..about.rows()).collect();
        let at: Vec<Timestamp> = about
            .millis("at")
            .reported()?
            .into_iter()
            .map(|at| Timestamp(whole(at)))
            .collect();
        order.sort_by_key(|row| at.get(*row).copied());
        let about = about.take(&order).reported()?;
        let pick = |values: Vec<Option<String>>| -> Vec<Option<String>> {
            order
                .iter()
                .map(|row| values.get(*row).cloned().flatten())
                .collect()
        };
        Ok(Self {
            at: order
                .iter()
                .filter_map(|row| at.get(*row).copied())
                .collect(),
            prediction: about
                .texts("prediction")
                .reported()?
                .into_iter()
                .map(Option::unwrap_or_default)
                .collect(),
            score: about.numbers("score").reported()?,
            version: about
                .numbers("model_version")
                .reported()?
                .into_iter()
                .map(|value| value.map(|value| value as u32))
                .collect(),
            truth: pick(
                ids.into_iter()
                    .map(|id| id.and_then(|id| labels.get(&id).cloned()))
                    .collect(),
            ),
            features: features.take(&order).reported()?,
        })
    }

    fn nothing() -> Self {
        Self {
            at: Vec::new(),
            prediction: Vec::new(),
            score: Vec::new(),
            version: Vec::new(),
            truth: Vec::new(),
            features: Frame::default(),
        }
    }

    fn rows(&self) -> usize {
        self.at.len()
    }

    fn labelled(&self) -> usize {
        self.truth.iter().flatten().count()
    }

    /// Metrics over the rows of a slice that have labels.
    fn performance(&self, rows: &[usize], positive: &str) -> Metrics {
        let labelled: Vec<usize> = rows
            .iter()
            .copied()
            .filter(|row| matches!(self.truth.get(*row), Some(Some(_))))
            .collect();
        let truth = |row: &usize| self.truth.get(*row).cloned().flatten().unwrap_or_default();
        let said = |row: &usize| self.prediction.get(*row).cloned().unwrap_or_default();
        evaluate(
            &labelled.iter().map(said).collect::<Vec<_>>(),
            &labelled
                .iter()
                .map(|row| self.score.get(*row).copied().flatten())
                .collect::<Vec<_>>(),
            &labelled.iter().map(truth).collect::<Vec<_>>(),
            positive,
        )
    }
}

/// The same word for a class however it was written: `1`, `1.0`, `true`.
fn class(text: &str) -> String {
    match text.trim().to_lowercase().as_str() {
        "true" => "1".to_owned(),
        "false" => "0".to_owned(),
        other => match other.parse::<f64>() {
            Ok(number) if number.fract() == 0.0 && number.abs() < 1e15 => format!("{number:.0}"),
            _ => other.to_owned(),
        },
    }
}

/// Metrics for predictions with scores, for classes, or for numbers: whichever the values are.
pub(crate) fn evaluate(
    said: &[String],
    scores: &[Option<f64>],
    truth: &[String],
    positive: &str,
) -> Metrics {
    let positive = class(positive);
    let classes: Vec<String> = truth.iter().map(|text| class(text)).collect();
    let mut distinct = classes.clone();
    distinct.sort();
    distinct.dedup();
    let scored = scores.iter().filter(|score| score.is_some()).count();
    if scored == truth.len() && scored > 0 && distinct.len() <= 2 {
        let rows: Vec<Scored> = scores
            .iter()
            .flatten()
            .zip(&classes)
            .map(|(score, truth)| Scored {
                score: *score,
                positive: *truth == positive,
            })
            .collect();
        return two_class(&rows);
    }
    let numbers: Option<Vec<(f64, f64)>> = said
        .iter()
        .zip(truth)
        .map(|(said, truth)| Some((said.parse().ok()?, truth.parse().ok()?)))
        .collect(); // A word: classes.
    match numbers {
        Some(rows)
            if rows
                .iter()
                .any(|(said, truth)| said.fract() != 0.0 || truth.fract() != 0.0) =>
        {
            regression(&rows)
        }
        _ => label_metrics(
            &said
                .iter()
                .map(|said| class(said))
                .zip(classes)
                .collect::<Vec<_>>(),
        ),
    }
}

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

fn view(app: &App, input: &ReadMonitor) -> Result<MonitorView, Report> {
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

fn mode(config: &MonitorConfig) -> Result<Mode, Report> {
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

fn mode_word(mode: Mode) -> &'static str {
    match mode {
        Mode::Corrected => "corrected",
        Mode::Evidently => "evidently",
    }
}

type Against = (Vec<ColumnDriftRow>, Vec<QualityRow>, u64);

/// Features and predictions against the reference of the live revision.
fn against(
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
    let reference = Frame::read(&path, &Part::default()).reported()?;
    let has_scores = logged.score.iter().any(Option::is_some);
    let column = if has_scores { "score" } else { "prediction" };
    let now = if has_scores {
        lapwing_monitor::frame::float_column(logged.score.clone())
    } else {
        text_column(logged.prediction.iter().cloned().map(Some).collect())
    };
    let current = Frame::from_columns(vec![(column.to_owned(), now)]).reported()?;
    let options = DriftOptions {
        columns: Some(vec![column.to_owned()]),
        ..options.clone()
    };
    let report = compare(&reference, &current, &options).reported()?;
    Ok(report
        .columns
        .into_iter()
        .next()
        .map(|found| ColumnDriftRow {
            column: "prediction".to_owned(),
            ..column_row(found)
        }))
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

/// Performance over time: a slice for each burst of predictions, or equal slices where they flow evenly.
fn slices(logged: &Logged, config: &MonitorConfig) -> Vec<PerformancePoint> {
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

/// Joins labels from a file to logged predictions by their ids.
///
/// # Errors
/// When the file cannot be read, or has no column `prediction_id` or no column with the truth.
pub fn labels(app: &App, input: AddLabels) -> Result<LabelsAdded, Report> {
    let config = settings(app, &input.name)?;
    let frame = Frame::read(Path::new(&input.file), &Part::default()).reported()?;
    let wanted = config.label.as_deref().unwrap_or("label");
    let column = if frame.has(wanted) { wanted } else { "label" };
    if !frame.has(column) || !frame.has("prediction_id") {
        return Err(Report::new(
            Code::Invalid,
            "labels.columns",
            format!(
                "{} needs the columns `prediction_id` and `{wanted}`, it has {}",
                input.file,
                frame.names().join(", ")
            ),
        )
        .hint("the ids are in the endpoint's answer, and in what `lapwing predict --out` writes"));
    }
    let ids = frame.texts("prediction_id").reported()?;
    let values = frame.texts(column).reported()?;
    let mut rows: Vec<(PredictionId, String)> = Vec::new();
    for (line, (id, value)) in ids.iter().zip(&values).enumerate() {
        let (Some(id), Some(value)) = (id, value) else {
            continue;
        };
        let id = id.parse().map_err(|error: lapwing_core::InvalidName| {
            Report::new(
                Code::Invalid,
                "labels.id",
                format!("{}, row {}: {error}", input.file, line + 1),
            )
        })?;
        rows.push((id, class_or_number(value)));
    }
    let added = join(app, &input.name, &rows)?;
    check(app, &input.name)?;
    Ok(added)
}

fn class_or_number(text: &str) -> String {
    text.trim().to_owned()
}

/// The same for labels that are at hand already.
///
/// # Errors
/// When there is no such deployment, or its labels cannot be written.
pub fn join(
    app: &App,
    name: &DeploymentName,
    rows: &[(PredictionId, String)],
) -> Result<LabelsAdded, Report> {
    known(app, name)?;
    let folder = app.workspace().deployment(name);
    let known = logged_ids(&folder)?;
    let joined = rows
        .iter()
        .filter(|(id, _)| known.contains(id.as_str()))
        .count();
    truth::append(&folder, rows, Timestamp::now()).reported()?;
    app.announce(&[Tag::Monitors]);
    Ok(LabelsAdded {
        labels: Count::from(rows.len()),
        joined: Count::from(joined),
        unmatched: Count::from(rows.len() - joined),
    })
}

fn logged_ids(folder: &Path) -> Result<std::collections::HashSet<String>, Report> {
    let query = Query {
        columns: Some(Vec::new()),
        ..Query::default()
    };
    let predictions = log_of::read(folder, &query).reported()?;
    if predictions.is_empty() {
        return Ok(std::collections::HashSet::new());
    }
    let about = Frame::from_batches(
        &predictions.about.schema(),
        std::slice::from_ref(&predictions.about),
    )
    .reported()?;
    let ids = about.texts("prediction_id").reported()?;
    Ok(ids.into_iter().flatten().collect())
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
    let report: DriftReport = compare(&read(reference)?, &read(current)?, &options).reported()?;
    Ok(FileDrift {
        mode: mode_word(mode).to_owned(),
        reference_rows: report.reference_rows,
        current_rows: report.current_rows,
        drifted: report.drifted,
        dataset_drift: report.dataset_drift,
        columns: report.columns.into_iter().map(column_row).collect(),
    })
}

fn line_of(line: &PerformanceLine) -> Option<Line> {
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

/// The share of drifted columns in the newest predictions, and how many columns those are.
pub(crate) fn live_drift(
    app: &App,
    name: &DeploymentName,
) -> Result<Option<(f64, u32, u32)>, Report> {
    let view = view(
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
    Ok(Some((
        f64::from(view.row.drifted) / f64::from(view.row.columns.max(1)),
        view.row.drifted,
        view.row.columns,
    )))
}

/// Looks at a deployment once, raises and resolves its alerts. New ones go to the webhook.
///
/// # Errors
/// When there is no such deployment, or its files cannot be read.
pub fn check(app: &App, name: &DeploymentName) -> Result<(), Report> {
    let config = settings(app, name)?;
    let limit = config.drift.share.unwrap_or(DRIFT_SHARE);
    let drift = match live_drift(app, name)? {
        Some((share, drifted, columns)) if share >= limit => Finding::Raise(format!(
            "{drifted} of {columns} columns drifted, the limit is {:.0}%",
            limit * 100.0
        )),
        Some(_) => Finding::Resolve,
        None => Finding::Unknown,
    };
    settle(app, name, &config, "drift", drift)?;
    if let Some(line) = &config.performance
        && let Some(limit) = line_of(line)
    {
        let (value, rows) = live_performance(app, name, line)?;
        let found = judge(
            &line.metric.to_uppercase(),
            value,
            limit,
            rows,
            line.min_rows as usize,
        );
        settle(app, name, &config, "performance", found)?;
    }
    health(app, name, &config)
}

fn health(app: &App, name: &DeploymentName, config: &MonitorConfig) -> Result<(), Report> {
    let now = Timestamp::now();
    let window = Window {
        since: Timestamp(now.0 - HEALTH_MILLIS),
        until: Timestamp(now.0 + 1),
        bucket_millis: HEALTH_MILLIS,
    };
    let totals = log_of::summary(&app.workspace().deployment(name), window)
        .reported()?
        .totals;
    let requests = usize::try_from(totals.requests).unwrap_or(usize::MAX);
    const MIN_REQUESTS: usize = 20;
    if let Some(limit) = config.error_rate {
        let rate = totals.errors as f64 / totals.requests.max(1) as f64;
        let found = judge(
            "the share of failed requests",
            Some(rate),
            Line::Above(limit),
            requests,
            MIN_REQUESTS,
        );
        settle(app, name, config, "errors", found)?;
    }
    if let Some(limit) = config.latency_p95_ms {
        let found = judge(
            "the 95th percentile of latency in ms",
            totals.p95,
            Line::Above(limit),
            requests,
            MIN_REQUESTS,
        );
        settle(app, name, config, "latency", found)?;
    }
    Ok(())
}

fn settle(
    app: &App,
    name: &DeploymentName,
    config: &MonitorConfig,
    kind: &str,
    finding: Finding,
) -> Result<(), Report> {
    let now = Timestamp::now();
    match finding {
        Finding::Raise(message) => {
            let fresh = table::raise(app.store(), name, kind, &message, now).reported()?;
            if fresh && let Some(url) = &config.webhook {
                let body = serde_json::json!({
                    "deployment": name, "kind": kind, "message": message, "at": now.to_rfc3339(),
                });
                if let Err(error) = app.block_on(lapwing_remote::webhook(url, &body))? {
                    tracing::warn!(%error, "an alert could not be posted");
                }
            }
        }
        Finding::Resolve => {
            table::resolve(app.store(), name, kind, now).reported()?;
        }
        Finding::Unknown => {}
    }
    Ok(())
}

/// A new revision starts with a clean slate: what was said of the old one is over.
pub(crate) fn forgive(app: &App, name: &DeploymentName) -> Result<(), Report> {
    for kind in ["drift", "performance", "errors", "latency"] {
        table::resolve(app.store(), name, kind, Timestamp::now()).reported()?;
    }
    Ok(())
}

fn alert_row(alert: table::Alert) -> Option<AlertRow> {
    Some(AlertRow {
        id: alert.id,
        // Only valid names are ever written.
        deployment: alert.deployment.parse().ok()?,
        kind: alert.kind,
        message: alert.message,
        at: alert.at,
        resolved: alert.resolved,
        acknowledged: alert.acknowledged,
    })
}

/// Alerts, newest first: the open ones, or all.
///
/// # Errors
/// When the store cannot be read.
pub fn alerts(app: &App, input: ListAlerts) -> Result<Vec<AlertRow>, Report> {
    let rows = table::list(
        app.store(),
        input.deployment.as_ref(),
        input.all,
        MAX_ALERTS,
    )
    .reported()?;
    Ok(rows.into_iter().filter_map(alert_row).collect())
}

/// Marks an alert as seen.
///
/// # Errors
/// When there is none with that id.
pub fn acknowledge(app: &App, input: AlertRef) -> Result<Nothing, Report> {
    if table::acknowledge(app.store(), input.id).reported()? {
        return Ok(Nothing {});
    }
    Err(Report::new(
        Code::NotFound,
        "alert.unknown",
        format!("there is no alert {}", input.id),
    ))
}
