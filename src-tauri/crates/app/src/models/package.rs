//! A model version as it travels: its files, its run and its card.

use lapwing_core::Report;
use lapwing_remote::digest;
use lapwing_tracking::{ModelVersion, Point, Run};

use crate::App;
use crate::error::Reported as _;

/// Of what a version consists, wherever it is: SHA-256 over names and contents of its files.
pub(crate) const DIGEST: &str = "lapwing.digest";
/// The run's id here.
pub(crate) const RUN: &str = "lapwing.run_id";
/// Where a version was pulled from: `REMOTE:NAME/VERSION`.
pub(crate) const ORIGIN: &str = "lapwing.origin";

/// Everything that is known of a version here.
pub(crate) struct Package {
    pub version: ModelVersion,
    pub files: Vec<digest::File>,
    pub digest: String,
    pub run: Option<(Run, Vec<(String, Point)>)>,
    pub card: String,
}

/// Reads all of `NAME@ALIAS` or `NAME/VERSION`.
pub(crate) fn package(app: &App, text: &str) -> Result<Package, Report> {
    let found = app.tracking().resolve(text).reported()?;
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
    let files = digest::folder(&found.folder).reported()?;
    let run = match version.run_id.as_deref().map(str::parse) {
        Some(Ok(id)) => app.tracking().run(&id).ok(), // Its run was deleted for good: it travels without.
        Some(Err(_)) | None => None,
    };
    let run = match run {
        Some(run) => {
            let points = points(app, &run)?;
            Some((run, points))
        }
        None => None,
    };
    Ok(Package {
        card: card(&version, run.as_ref().map(|(run, _)| run)),
        digest: digest::of(&files),
        version,
        files,
        run,
    })
}

fn points(app: &App, run: &Run) -> Result<Vec<(String, Point)>, Report> {
    let mut all = Vec::new();
    for key in run.metrics.keys() {
        let history = app.tracking().history(&run.id, key).reported()?;
        all.extend(history.into_iter().map(|point| (key.clone(), point)));
    }
    Ok(all)
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
    if let Some(commit) = run.tags.get("mlflow.source.git.commit") {
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
