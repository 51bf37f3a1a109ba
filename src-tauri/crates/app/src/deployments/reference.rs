//! The reference of a monitor: the rows that the model was trained on, found through its run's lineage.

use std::path::PathBuf;

use lapwing_core::{Report, RunId};
use lapwing_data::{Cache, Project};
use lapwing_monitor::Frame;
use lapwing_monitor::frame::{Part, is_tabular};
use lapwing_serving::{DeploymentFolder, ModelFolder, RevisionConfig};
use lapwing_tracking::{Run, RunInput};
use serde_json::{Value, json};

use super::score::{ScoredRows, score_rows};
use crate::App;
use crate::error::Reported as _;
use crate::runs::context;

/// More rows make no distribution clearer.
const MAX_REFERENCE_ROWS: usize = 50_000;
/// Of these, so many are scored: the prediction's own reference, and a first test of the revision.
const MAX_SCORED_ROWS: usize = 5_000;
/// So many show what a column holds, and are quick to score twice.
const EXAMPLE_ROWS: usize = 100;

/// The model's columns of the table that it was trained on.
pub(super) struct TrainedOn {
    rows: Frame,
    /// `data/train.csv of run calm-owl-7 (3000 rows)`.
    called: String,
}

impl TrainedOn {
    /// Some of the rows, for a model without an input example: in the form of MLflow's. `None` where JSON has no word for a value.
    pub(super) fn example(&self) -> Option<Value> {
        let rows = self.rows.thinned(EXAMPLE_ROWS);
        let data = rows.and_then(|rows| Ok((rows.names(), rows.json_rows()?)));
        match data {
            Ok((columns, data)) => Some(json!({ "columns": columns, "data": data })),
            Err(error) => {
                tracing::debug!(%error, "the training data is no example");
                None
            }
        }
    }
}

/// Finds that table; `None` when nothing fits.
pub(super) fn trained_on(
    app: &App,
    run_id: Option<&RunId>,
    model: &ModelFolder,
) -> Result<Option<TrainedOn>, Report> {
    let columns: Vec<String> = model
        .signature
        .inputs
        .columns()
        .iter()
        .map(|column| column.name.clone())
        .collect();
    let run = run_id.and_then(|id| app.tracking().run(id).ok()); // A run that is gone has no data to tell of.
    let Some(run) = run.filter(|_| !columns.is_empty()) else {
        return Ok(None);
    };
    let Some((name, rows)) = find(&run, &columns)? else {
        return Ok(None);
    };
    let called = format!("{name} of run {} ({} rows)", run.name, rows.rows());
    let rows = rows.thinned(MAX_REFERENCE_ROWS).reported()?;
    Ok(Some(TrainedOn { rows, called }))
}

/// Writes `reference.parquet` of a revision. Answers where its rows come from, in words.
pub(super) fn write(
    app: &App,
    trained_on: &TrainedOn,
    place: &DeploymentFolder,
    number: u32,
    revision: &RevisionConfig,
) -> Result<String, Report> {
    let TrainedOn { rows, called } = trained_on;
    rows.write_parquet(&place.reference(number)).reported()?;
    let sample = rows.thinned(MAX_SCORED_ROWS).reported()?;
    let folder = place.root().join("revisions").join(number.to_string());
    let scored = score_rows(app, &folder, revision, &sample)?;
    scored
        .frame()?
        .write_parquet(&scores(place, number))
        .reported()?;
    Ok(called.clone())
}

/// Predictions for some of the reference rows.
pub(crate) fn scores(place: &DeploymentFolder, number: u32) -> PathBuf {
    place
        .root()
        .join("revisions")
        .join(number.to_string())
        .join("reference-scores.parquet")
}

impl ScoredRows {
    fn frame(&self) -> Result<Frame, Report> {
        use std::sync::Arc;

        use lapwing_monitor::frame::{float_column, text_column};
        let scores = float_column(self.scores.clone());
        let labels = text_column(self.predictions.iter().cloned().map(Some).collect());
        Frame::from_columns(vec![
            ("prediction".to_owned(), Arc::clone(&labels)),
            ("score".to_owned(), Arc::clone(&scores)),
        ])
        .reported()
    }
}

/// The first table that a stage of the run read and that has all columns; one named after training is asked first.
fn find(run: &Run, columns: &[String]) -> Result<Option<(String, Frame)>, Report> {
    let Some(root) = run.tags.get("lapwing.project") else {
        return Ok(None);
    };
    // A project that is gone has its data with it.
    let Ok(project) = Project::open(std::path::Path::new(root)) else {
        return Ok(None);
    };
    let mut candidates: Vec<&RunInput> = run
        .inputs
        .iter()
        .filter(|input| is_tabular(std::path::Path::new(&input.name)))
        .collect();
    candidates.sort_by_key(|input| {
        let read = context(input, "mlflow.data.context").as_deref() == Some("input");
        let stage = context(input, "lapwing.stage").unwrap_or_default();
        (
            !stage.contains("train"),
            !input.name.contains("train"),
            !read,
        )
    });
    let cache = Cache::of(&project);
    for input in candidates {
        let Some(file) = cached(&project, &cache, input) else {
            continue;
        };
        let Ok(head) = Frame::read(
            &file,
            &Part {
                limit: Some(1),
                ..Part::default()
            },
        ) else {
            continue;
        };
        if columns.iter().all(|column| head.has(column)) {
            let part = Part {
                columns: Some(columns.to_vec()),
                ..Part::default()
            };
            return Ok(Some((
                input.name.clone(),
                Frame::read(&file, &part).reported()?,
            )));
        }
    }
    Ok(None)
}

/// The content that the run read, under a name that tells its kind: cache objects have none.
fn cached(project: &Project, cache: &Cache, input: &RunInput) -> Option<tempfile::TempPath> {
    let object = cache
        .object(&input.digest, false)
        .ok()
        .filter(|path| path.is_file()); // Not in the cache: perhaps in the folder.
    let source = object.or_else(|| {
        let place = project.root().join(&input.name);
        let same = lapwing_data::content_of(project, &place, false)
            .is_ok_and(|content| content.id == input.digest);
        same.then_some(place)
    })?;
    let ending = std::path::Path::new(&input.name)
        .extension()?
        .to_string_lossy()
        .into_owned();
    let copy = tempfile::Builder::new()
        .suffix(&format!(".{ending}"))
        .tempfile()
        .ok()?
        .into_temp_path(); // No room: no reference.
    fs_err::copy(source, &copy).ok()?; // As above.
    Some(copy)
}
