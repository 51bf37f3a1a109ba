//! Runs: created, logged to, searched.

use std::collections::BTreeMap;

use lapwing_core::{RunId, Timestamp};
use lapwing_store::search::View;
use lapwing_store::{experiments, runs as table, search};

use crate::{Error, Result, Tracking, downsample, filter};

pub use lapwing_store::runs::{Input as RunInput, Metric, Point};

/// Limits of one batch, MLflow's.
pub(crate) const MAX_BATCH_METRICS: usize = 1000;
pub(crate) const MAX_BATCH_PARAMS: usize = 100;
pub(crate) const MAX_BATCH_TAGS: usize = 100;
/// The tag by which a run belongs under another one.
pub const PARENT: &str = "mlflow.parentRunId";
const MAX_KEY_CHARS: usize = 250;
const MAX_PARAM_CHARS: usize = 6000;
const MAX_TAG_CHARS: usize = 8000;
pub(crate) const MAX_PAGE: u32 = 50_000;
pub(crate) const DEFAULT_PAGE: u32 = 1000;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunStatus {
    Running,
    Scheduled,
    Finished,
    Failed,
    Killed,
}

impl RunStatus {
    const ALL: [Self; 5] = [
        Self::Running,
        Self::Scheduled,
        Self::Finished,
        Self::Failed,
        Self::Killed,
    ];

    /// MLflow's word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Running => "RUNNING",
            Self::Scheduled => "SCHEDULED",
            Self::Finished => "FINISHED",
            Self::Failed => "FAILED",
            Self::Killed => "KILLED",
        }
    }

    /// # Errors
    /// When it is no status.
    pub fn parse(word: &str) -> Result<Self> {
        Self::ALL
            .into_iter()
            .find(|status| status.as_str() == word)
            .ok_or_else(|| Error::Invalid(format!("`{word}` is no run status")))
    }
}

/// What a new run begins with.
#[derive(Debug, Clone)]
pub struct NewRun {
    /// Name of the experiment; made when it is new.
    pub experiment: String,
    pub name: Option<String>,
    pub user: String,
    pub tags: Vec<(String, String)>,
    pub start: Timestamp,
}

/// One run with everything that belongs to it.
#[derive(Debug, Clone, PartialEq)]
pub struct Run {
    pub id: RunId,
    pub experiment_id: i64,
    pub experiment: String,
    pub name: String,
    pub user: String,
    pub status: RunStatus,
    pub start: Timestamp,
    pub end: Option<Timestamp>,
    pub deleted: bool,
    pub params: BTreeMap<String, String>,
    /// The latest value of each.
    pub metrics: BTreeMap<String, Point>,
    pub tags: BTreeMap<String, String>,
    pub inputs: Vec<RunInput>,
}

impl Run {
    /// `mlflow-artifacts:/<experiment>/<run>/artifacts`.
    #[must_use]
    pub fn artifact_uri(&self) -> String {
        format!(
            "mlflow-artifacts:/{}/{}/artifacts",
            self.experiment_id, self.id
        )
    }
}

/// Which runs to find.
#[derive(Debug, Clone, Default)]
pub struct Search {
    /// None means all.
    pub experiments: Option<Vec<i64>>,
    /// MLflow's grammar; empty means no condition.
    pub filter: String,
    /// `metrics.auc DESC`.
    pub order_by: Vec<String>,
    pub max: Option<u32>,
    pub page_token: Option<String>,
    pub view: View,
}

#[derive(Debug, Clone)]
pub struct Page {
    pub runs: Vec<Run>,
    pub next: Option<String>,
}

fn run_of((row, data): (table::Run, table::RunData)) -> Run {
    Run {
        deleted: row.lifecycle == "deleted",
        id: row.id,
        experiment_id: row.experiment_id,
        experiment: row.experiment,
        name: row.name,
        user: row.user,
        // Only our own words are ever written.
        status: RunStatus::parse(&row.status).unwrap_or(RunStatus::Failed),
        start: row.start,
        end: row.end,
        params: data.params,
        metrics: data.metrics,
        tags: data.tags,
        inputs: data.inputs,
    }
}

fn no_run(id: &RunId) -> Error {
    Error::NotFound(format!("Run with id={id} not found"))
}

impl Tracking {
    /// The id of the experiment with that name, made when it is new.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub fn experiment_id(&self, name: &str) -> Result<i64> {
        Ok(experiments::ensure(self.store(), name, Timestamp::now())?)
    }

    /// All experiments, the one changed last first.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn experiments(&self) -> Result<Vec<experiments::Experiment>> {
        Ok(experiments::list(self.store())?)
    }

    /// Begins a run.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub fn create_run(&self, new: NewRun) -> Result<RunId> {
        let experiment_id = self.experiment_id(&new.experiment)?;
        self.insert_run(experiment_id, new)
    }

    pub(crate) fn insert_run(&self, experiment_id: i64, new: NewRun) -> Result<RunId> {
        let id = RunId::random();
        let tagged = new
            .tags
            .iter()
            .find(|(key, _)| key == "mlflow.runName")
            .map(|(_, value)| value.clone());
        let name = new
            .name
            .filter(|name| !name.is_empty())
            .or(tagged)
            .unwrap_or_else(|| generated_name(&id));
        let mut tags: Vec<(String, String)> = new
            .tags
            .into_iter()
            .filter(|(key, _)| key != "mlflow.runName")
            .collect();
        tags.push(("mlflow.runName".to_owned(), name.clone()));
        if !tags.iter().any(|(key, _)| key == "mlflow.user") {
            tags.push(("mlflow.user".to_owned(), new.user.clone()));
        }
        let row = table::Run {
            id: id.clone(),
            experiment_id,
            experiment: new.experiment,
            name,
            user: new.user,
            status: RunStatus::Running.as_str().to_owned(),
            start: new.start,
            end: None,
            lifecycle: "active".to_owned(),
        };
        table::insert(self.store(), row, tags)?;
        Ok(id)
    }

    /// One run.
    ///
    /// # Errors
    /// When there is none with that id.
    pub fn run(&self, id: &RunId) -> Result<Run> {
        let row = table::get(self.store(), id)?.ok_or_else(|| no_run(id))?;
        let data = table::data(self.store(), id)?;
        Ok(run_of((row, data)))
    }

    /// Ids that begin with `prefix`, at most two.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn runs_starting_with(&self, prefix: &str) -> Result<Vec<RunId>> {
        Ok(table::starting_with(self.store(), prefix)?)
    }

    /// Runs that read a data set with this digest, or carry this tag value.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn runs_with(&self, tag: &str, value: &str) -> Result<Vec<RunId>> {
        Ok(table::with_tag(self.store(), tag, value)?)
    }

    /// How many runs belong under each of these, where some do.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn children(&self, parents: &[RunId]) -> Result<BTreeMap<String, u32>> {
        Ok(table::count_with_tag(self.store(), PARENT, parents)?)
    }

    /// # Errors
    /// When the store cannot be read.
    pub fn runs_with_input(&self, digest: &str) -> Result<Vec<RunId>> {
        Ok(table::with_input(self.store(), digest)?)
    }

    /// The only data set whose digest begins like this; `None` when there is none, or more than one.
    ///
    /// # Errors
    /// When the workspace cannot be read.
    pub fn digest_beginning(&self, beginning: &str) -> Result<Option<String>> {
        let mut found = table::digests_beginning(self.store(), beginning)?;
        Ok(found.pop().filter(|_| found.is_empty()))
    }

    /// Logs to a run in one transaction.
    ///
    /// # Errors
    /// When there is no such run, something is over its limit, or a parameter has another value already.
    pub fn log(
        &self,
        id: &RunId,
        metrics: Vec<Metric>,
        params: Vec<(String, String)>,
        tags: Vec<(String, String)>,
    ) -> Result<()> {
        check_keys(&metrics, &params, &tags)?;
        let params = cut(params, MAX_PARAM_CHARS);
        let tags = cut(tags, MAX_TAG_CHARS);
        let row = table::get(self.store(), id)?.ok_or_else(|| no_run(id))?;
        if row.lifecycle != "active" {
            return Err(Error::Invalid(format!(
                "The run {id} must be in the 'active' state. Current state is {}.",
                row.lifecycle
            )));
        }
        table::log(self.store(), id, metrics, params, tags)?.map_err(|conflict| {
            Error::Invalid(format!(
                "Changing param values is not allowed. Param with key='{}' was already logged with value='{}' for run ID='{id}'. Attempted logging new value '{}'.",
                conflict.key, conflict.old, conflict.new
            ))
        })
    }

    /// Removes a tag.
    ///
    /// # Errors
    /// When the run has no such tag.
    pub fn delete_tag(&self, id: &RunId, key: &str) -> Result<()> {
        if table::delete_tag(self.store(), id, key)? {
            return Ok(());
        }
        Err(Error::NotFound(format!(
            "No tag with name: {key} in run with id {id}"
        )))
    }

    /// Changes status, end or name.
    ///
    /// # Errors
    /// When there is no such run.
    pub fn update_run(
        &self,
        id: &RunId,
        status: Option<RunStatus>,
        end: Option<Timestamp>,
        name: Option<String>,
    ) -> Result<()> {
        let update = table::Update {
            status: status.map(|status| status.as_str().to_owned()),
            end,
            name: name.filter(|name| !name.is_empty()),
            lifecycle: None,
        };
        if table::update(self.store(), id, update)? {
            Ok(())
        } else {
            Err(no_run(id))
        }
    }

    /// Deletes (hides) a run, or brings it back.
    ///
    /// # Errors
    /// When there is no such run.
    pub fn set_deleted(&self, id: &RunId, deleted: bool) -> Result<()> {
        let lifecycle = if deleted { "deleted" } else { "active" };
        let update = table::Update {
            lifecycle: Some(lifecycle.to_owned()),
            ..table::Update::default()
        };
        if table::update(self.store(), id, update)? {
            Ok(())
        } else {
            Err(no_run(id))
        }
    }

    /// Notes data sets that a run read.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub fn add_inputs(&self, id: &RunId, inputs: Vec<RunInput>) -> Result<()> {
        Ok(table::add_inputs(self.store(), id, inputs)?)
    }

    /// All values of a metric.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn history(&self, id: &RunId, key: &str) -> Result<Vec<Point>> {
        Ok(table::history(self.store(), id, key)?)
    }

    /// At most about `max` points of a metric, the least and the greatest of each bucket, and how many there are.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn downsampled(&self, id: &RunId, key: &str, max: usize) -> Result<(Vec<Point>, usize)> {
        let all = self.history(id, key)?;
        let total = all.len();
        Ok((downsample::extremes(all, max), total))
    }

    /// Runs that a search finds.
    ///
    /// # Errors
    /// When the filter or an order is not in the grammar.
    pub fn search(&self, wanted: &Search) -> Result<Page> {
        let offset = match &wanted.page_token {
            Some(token) => token
                .strip_prefix("o")
                .and_then(|number| number.parse().ok()) // Not a token of ours.
                .ok_or_else(|| Error::Invalid("Invalid page token".to_owned()))?,
            None => 0,
        };
        let max = wanted.max.unwrap_or(DEFAULT_PAGE);
        if max == 0 || max > MAX_PAGE {
            return Err(Error::Invalid(format!(
                "Invalid value for request parameter max_results: it must be between 1 and {MAX_PAGE}"
            )));
        }
        let query = search::Query {
            experiments: wanted.experiments.clone(),
            conditions: filter::parse(&wanted.filter)?,
            order: wanted
                .order_by
                .iter()
                .map(|text| filter::order(text))
                .collect::<Result<_>>()?,
            view: wanted.view,
            offset,
            limit: max + 1,
        };
        let mut runs: Vec<Run> = search::runs(self.store(), &query)?
            .into_iter()
            .map(run_of)
            .collect();
        let more = runs.len() > max as usize;
        runs.truncate(max as usize);
        Ok(Page {
            runs,
            next: more.then(|| format!("o{}", offset + u64::from(max))),
        })
    }
}

/// Longer values are cut with a warning, as MLflow's server does by default (`MLFLOW_TRUNCATE_LONG_VALUES`).
fn cut(mut pairs: Vec<(String, String)>, limit: usize) -> Vec<(String, String)> {
    for (key, value) in &mut pairs {
        if let Some((end, _)) = value.char_indices().nth(limit) {
            tracing::warn!(key, limit, "a value was too long and is cut");
            value.truncate(end);
        }
    }
    pairs
}

fn check_keys(
    metrics: &[Metric],
    params: &[(String, String)],
    tags: &[(String, String)],
) -> Result<()> {
    let keys = metrics
        .iter()
        .map(|metric| &metric.key)
        .chain(params.iter().chain(tags).map(|(key, _)| key));
    for key in keys {
        if key.is_empty() {
            return Err(Error::Invalid(
                "Missing value for required parameter 'key'".to_owned(),
            ));
        }
        if key.chars().count() > MAX_KEY_CHARS {
            return Err(Error::Invalid(format!(
                "Key '{}' exceeds the maximum length of {MAX_KEY_CHARS} characters",
                key.chars().take(60).collect::<String>()
            )));
        }
        if !has_good_letters(key) {
            return Err(Error::Invalid(format!(
                "Invalid name: '{key}'. Names may only contain alphanumerics, underscores (_), dashes (-), periods (.), spaces ( ), colons(:) and slashes (/)."
            )));
        }
    }
    Ok(())
}

fn has_good_letters(key: &str) -> bool {
    key.chars()
        .all(|c| c.is_alphanumeric() || "_-. /:@".contains(c))
        && !key.split('/').any(|part| part.is_empty() || part == "..")
}

/// Whether anything can be logged under this name.
#[must_use]
pub fn is_key(key: &str) -> bool {
    key.chars().count() <= MAX_KEY_CHARS && has_good_letters(key)
}

/// `brisk-heron-417`, from the id's own bits.
fn generated_name(id: &RunId) -> String {
    const MOODS: [&str; 16] = [
        "brisk", "calm", "clever", "daring", "eager", "gentle", "keen", "lively", "nimble",
        "patient", "quick", "quiet", "sharp", "steady", "swift", "wise",
    ];
    const BIRDS: [&str; 16] = [
        "avocet", "crane", "curlew", "dunlin", "egret", "finch", "godwit", "heron", "ibis",
        "kestrel", "lapwing", "plover", "robin", "snipe", "swift", "wren",
    ];
    let digit = |at: usize| {
        id.as_str()
            .chars()
            .nth(at)
            .and_then(|letter| letter.to_digit(16))
            .unwrap_or(0) as usize
    };
    let number = digit(2) * 256 + digit(3) * 16 + digit(4);
    format!(
        "{}-{}-{}",
        MOODS.get(digit(0)).unwrap_or(&"calm"),
        BIRDS.get(digit(1)).unwrap_or(&"lapwing"),
        number % 1000
    )
}
