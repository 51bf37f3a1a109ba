//! A model version as it travels: its files, its run and its card.

use std::collections::BTreeMap;

use lapwing_core::{Report, RunId, Timestamp};
use lapwing_remote::digest;
use lapwing_tracking::{ImportedRun, Metric, ModelVersion, Point, Run, RunStatus};
use serde::{Deserialize, Serialize};

use crate::App;
use crate::error::Reported as _;
use crate::transfers::Line;

/// Of what a version consists, wherever it is: SHA-256 over names and contents of its files.
pub(crate) const DIGEST: &str = "lapwing.digest";
/// The run's id here.
pub(crate) const RUN: &str = "lapwing.run_id";
/// Says of a run on either side that its artifacts have arrived, and how many they are. It stays where it is.
pub(crate) const ARTIFACTS: &str = "lapwing.artifacts";
/// Where a version was pulled from: `REMOTE:NAME/VERSION`.
pub(crate) const ORIGIN: &str = "lapwing.origin";
const COMMIT: &str = "mlflow.source.git.commit";

/// Everything that is known of a version here.
pub(crate) struct Package {
    pub version: ModelVersion,
    pub files: Vec<digest::File>,
    pub digest: String,
    pub run: Option<Travelling>,
    pub card: String,
}

impl Package {
    /// The commit of the code that made it.
    pub fn commit(&self) -> Option<&str> {
        let run = self.run.as_ref()?;
        let tag = run.tags.iter().find(|(key, _)| key == COMMIT);
        tag.map(|(_, value)| value.as_str())
    }
}

/// A run on its way: the same words at every registry, as JSON where the registry itself knows no runs.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Travelling {
    pub id: String,
    pub experiment: String,
    pub name: String,
    pub user: String,
    pub status: String,
    pub start: Timestamp,
    pub end: Option<Timestamp>,
    pub params: Vec<(String, String)>,
    pub tags: Vec<(String, String)>,
    pub metrics: Vec<TravellingPoint>,
}

/// One value of a metric. What JSON has no number for is a word.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct TravellingPoint {
    pub key: String,
    pub step: i64,
    pub timestamp: Timestamp,
    value: String,
}

impl TravellingPoint {
    pub fn new(key: String, step: i64, timestamp: Timestamp, value: f64) -> Self {
        let value = value.to_string();
        Self {
            key,
            step,
            timestamp,
            value,
        }
    }

    pub fn value(&self) -> f64 {
        // Written by `new`: Rust reads back every number that it writes.
        self.value.parse().unwrap_or(f64::NAN)
    }
}

impl Travelling {
    pub fn json(&self) -> Vec<u8> {
        serde_json::json!(self).to_string().into_bytes()
    }

    /// The last value of each metric, by its name.
    pub fn last_values(&self) -> BTreeMap<&str, f64> {
        let mut last: BTreeMap<&str, &TravellingPoint> = BTreeMap::new();
        for point in &self.metrics {
            let known = last.entry(&point.key).or_insert(point);
            if (point.step, point.timestamp) >= (known.step, known.timestamp) {
                *known = point;
            }
        }
        last.into_iter()
            .map(|(key, point)| (key, point.value()))
            .collect()
    }

    pub fn of(app: &App, run: &Run) -> Result<Self, Report> {
        let mut metrics = Vec::new();
        for key in run.metrics.keys() {
            for point in app.tracking().history(&run.id, key).reported()? {
                metrics.push(TravellingPoint::new(
                    key.clone(),
                    point.step,
                    point.timestamp,
                    point.value,
                ));
            }
        }
        let pairs = |map: &BTreeMap<String, String>| map.clone().into_iter().collect();
        Ok(Self {
            id: run.id.to_string(),
            experiment: run.experiment.clone(),
            name: run.name.clone(),
            user: run.user.clone(),
            status: run.status.as_str().to_owned(),
            start: run.start,
            end: run.end,
            params: pairs(&run.params),
            tags: pairs(&run.tags),
            metrics,
        })
    }

    /// Takes the run in, under the id that it has everywhere. `None` where that is no id of a run.
    pub fn take_in(self, app: &App) -> Result<Option<RunId>, Report> {
        let Ok(id) = self.id.parse::<RunId>() else {
            return Ok(None);
        };
        let metrics = self
            .metrics
            .iter()
            .map(|point| Metric {
                key: point.key.clone(),
                point: Point {
                    step: point.step,
                    timestamp: point.timestamp,
                    value: point.value(),
                },
            })
            .collect();
        app.tracking()
            .import_run(ImportedRun {
                id: id.clone(),
                experiment: self.experiment,
                name: self.name,
                user: self.user,
                status: RunStatus::parse(&self.status).unwrap_or(RunStatus::Finished),
                start: self.start,
                end: self.end,
                params: self.params,
                tags: self.tags,
                metrics,
            })
            .reported()?;
        Ok(Some(id))
    }
}

/// Reads all of `NAME@ALIAS` or `NAME/VERSION`.
pub(crate) fn package(line: &Line, text: &str) -> Result<Package, Report> {
    let app = line.app();
    let found = app.tracking().files(text).reported()?;
    let (name, number) = match (found.name, found.version) {
        (Some(name), Some(number)) => (name, number),
        _ => {
            return Err(Report::new(
                lapwing_core::Code::Invalid,
                "model.not_registered",
                format!("`{text}` is no registered model version"),
            )
            .hint("register it first: `lapwing models register RUN_ID --name NAME`"));
        }
    };
    let version = app.tracking().version(&name, number).reported()?;
    let files = line.files(&found.folder)?;
    let run = match version.run_id.as_deref().map(str::parse) {
        Some(Ok(id)) => app.tracking().run(&id).ok(), // Its run was deleted for good: it travels without.
        Some(Err(_)) | None => None,
    };
    let travelling = match &run {
        Some(run) => Some(Travelling::of(app, run)?),
        None => None,
    };
    Ok(Package {
        card: card(&version, run.as_ref()),
        digest: digest::of(&files),
        version,
        files,
        run: travelling,
    })
}

/// The card: what a person at the other end wants to know, in Markdown.
fn card(version: &ModelVersion, run: Option<&Run>) -> String {
    let mut lines = Vec::new();
    if !version.description.is_empty() {
        lines.extend([version.description.clone(), String::new()]);
    }
    lines.push(format!("`{}` version {}", version.name, version.version));
    let Some(run) = run else {
        return lines.join("\n");
    };
    lines.extend([String::new(), format!("Run `{}` ({})", run.id, run.name)]);
    if let Some(commit) = run.tags.get(COMMIT) {
        lines.push(format!("Commit `{commit}`"));
    }
    for input in &run.inputs {
        lines.push(format!(
            "Data `{}` with digest `{}`",
            input.name, input.digest
        ));
    }
    if !run.metrics.is_empty() {
        lines.extend([
            String::new(),
            "| metric | value |".to_owned(),
            "| --- | --- |".to_owned(),
        ]);
        for (key, point) in &run.metrics {
            lines.push(format!("| {key} | {} |", point.value));
        }
    }
    lines.join("\n")
}
