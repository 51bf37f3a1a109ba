//! Runs and model versions that come from somebody else's server.
//!
//! A run keeps its id: the same run is the same here and there, and comes in only once.

use std::collections::BTreeMap;
use std::path::Path;

use lapwing_core::{RunId, Timestamp};
use lapwing_store::registry as models;
use lapwing_store::runs as table;

use crate::registry::check_model_name;
use crate::{Metric, ModelVersion, NewVersion, Result, RunStatus, Tracking};

/// Values that are written in one transaction.
const MAX_BATCH: usize = 1000;

/// A run from elsewhere, whole.
#[derive(Debug, Clone)]
pub struct ImportedRun {
    pub id: RunId,
    pub experiment: String,
    pub name: String,
    pub user: String,
    pub status: RunStatus,
    pub start: Timestamp,
    pub end: Option<Timestamp>,
    pub params: Vec<(String, String)>,
    pub tags: Vec<(String, String)>,
    pub metrics: Vec<Metric>,
}

/// A model version from elsewhere.
#[derive(Debug, Clone)]
pub struct ImportedVersion<'a> {
    pub name: &'a str,
    pub folder: &'a Path,
    pub run_id: Option<RunId>,
    pub description: String,
    pub tags: BTreeMap<String, String>,
}

impl Tracking {
    /// Takes a run in. One that is here already stays as it is; false then.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub fn import_run(&self, run: ImportedRun) -> Result<bool> {
        let known = table::get(self.store(), &run.id)?;
        if known.is_some_and(|row| row.status != RunStatus::Running.as_str()) {
            return Ok(false);
        }
        let row = table::Run {
            id: run.id.clone(),
            experiment_id: self.experiment_id(&run.experiment)?,
            experiment: run.experiment,
            name: run.name,
            user: run.user,
            status: RunStatus::Running.as_str().to_owned(),
            start: run.start,
            end: None,
            lifecycle: "active".to_owned(),
        };
        // One that was cut half-way is here, still running, and is completed.
        if table::get(self.store(), &run.id)?.is_none() {
            table::insert(self.store(), row, Vec::new())?;
        }
        for part in run.metrics.chunks(MAX_BATCH) {
            self.log(&run.id, part.to_vec(), Vec::new(), Vec::new())?;
        }
        for part in run.params.chunks(MAX_BATCH) {
            self.log(&run.id, Vec::new(), part.to_vec(), Vec::new())?;
        }
        for part in run.tags.chunks(MAX_BATCH) {
            self.log(&run.id, Vec::new(), Vec::new(), part.to_vec())?;
        }
        // Last, because it says that all the rest is here.
        self.update_run(&run.id, Some(run.status), run.end, None)?;
        Ok(true)
    }

    /// Makes a version of the model in `folder`, which is copied, and the registered model when it is new.
    ///
    /// # Errors
    /// When the folder is no model, or cannot be copied.
    pub fn import_version(&self, version: ImportedVersion<'_>) -> Result<ModelVersion> {
        check_model_name(version.name)?;
        let source = self.adopt(version.folder)?;
        let now = Timestamp::now();
        models::create_model(self.store(), version.name, "", &BTreeMap::new(), now)?;
        self.add_version(NewVersion {
            name: version.name.to_owned(),
            source,
            run_id: version.run_id.map(|id| id.to_string()),
            model_id: None,
            description: version.description,
            tags: version.tags,
        })
    }

    /// The version of a model that has this tag.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn version_with_tag(
        &self,
        name: &str,
        key: &str,
        value: &str,
    ) -> Result<Option<ModelVersion>> {
        let versions = models::versions(self.store(), Some(name))?;
        Ok(versions
            .into_iter()
            .find(|version| version.tags.get(key).is_some_and(|found| found == value)))
    }
}
