//! Labels that arrive later, joined to logged predictions by their ids.

use std::path::Path;

use lapwing_core::{Code, DeploymentName, PredictionId, Report, Tag, Timestamp};
use lapwing_monitor::Frame;
use lapwing_monitor::frame::Part;
use lapwing_serving::predictions::Query;
use lapwing_serving::{labels as truth, predictions as log_of};

use super::{check, settings};
use crate::App;
use crate::deployments::known;
use crate::error::Reported as _;
use crate::wire::{AddLabels, Count, LabelsAdded};

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
        rows.push((id, value.trim().to_owned()));
    }
    let added = join(app, &input.name, &rows)?;
    check(app, &input.name)?;
    Ok(added)
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
