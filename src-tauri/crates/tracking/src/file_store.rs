//! What a run left in MLflow's files (`mlruns`), because it could reach no server: taken into the run of the same id.
//!
//! The format is MLflow's file store, as its releases since 2.0 write it: a file for each parameter, tag and metric, `time value
//! step` on each line of a metric, and logged models beside the runs.

use std::path::{Path, PathBuf};

use lapwing_core::{RunId, Timestamp};
use lapwing_store::registry as models;
use serde_json::{Value, json};

use crate::{Error, Metric, Point, Result, Tracking};

/// Values that are written in one transaction.
const MAX_BATCH: usize = 1000;
/// The experiment in which a run without a server finds itself.
const EXPERIMENT: &str = "0";

impl Tracking {
    /// Takes the files of a run into the run of that id. Done again, it adds nothing that is there already.
    ///
    /// # Errors
    /// When there is no such run, or a file cannot be read or copied.
    pub fn import_files(&self, id: &RunId, mlruns: &Path) -> Result<()> {
        let experiment = mlruns.join(EXPERIMENT);
        let run = experiment.join(id.as_str());
        for (key, text) in texts(&run.join("params"))? {
            self.log_quietly(id, Vec::new(), vec![(key, text)]);
        }
        // What MLflow says of itself about the process there is not about the run, which began here.
        let tags: Vec<_> = texts(&run.join("tags"))?
            .into_iter()
            .filter(|(key, _)| !key.starts_with("mlflow."))
            .collect();
        self.log(id, Vec::new(), Vec::new(), tags)?;
        let mut metrics = Vec::new();
        for (key, text) in texts(&run.join("metrics"))? {
            metrics.extend(text.lines().filter_map(|line| metric(&key, line)));
        }
        for part in metrics.chunks(MAX_BATCH) {
            self.log(id, part.to_vec(), Vec::new(), Vec::new())?;
        }
        let artifacts = run.join("artifacts");
        for path in files(&artifacts)? {
            self.log_artifact(id, &artifacts.join(&path), &path)?;
        }
        for folder in folders(&experiment.join("models"))? {
            self.import_logged(id, &folder)?;
        }
        Ok(())
    }

    /// A parameter that has another value already stays as it is: so does it on a server.
    fn log_quietly(&self, id: &RunId, metrics: Vec<Metric>, params: Vec<(String, String)>) {
        if let Err(error) = self.log(id, metrics, params, Vec::new()) {
            tracing::debug!(%error, "a parameter was logged already");
        }
    }

    fn import_logged(&self, id: &RunId, folder: &Path) -> Result<()> {
        let model_id = name_of(folder);
        let known = model_id
            .strip_prefix("m-")
            .is_some_and(|hex| hex.len() == 32 && hex.bytes().all(|byte| byte.is_ascii_hexdigit()));
        if !known {
            return Err(Error::Invalid(format!("'{model_id}' is no model's id")));
        }
        let meta = fs_err::read_to_string(folder.join("meta.yaml"))?;
        let now = Timestamp::now();
        let row = models::LoggedModel {
            id: model_id,
            experiment_id: self.run(id)?.experiment_id,
            run_id: Some(id.to_string()),
            name: said(&meta, "name").unwrap_or_else(|| "model".to_owned()),
            kind: said(&meta, "model_type").unwrap_or_default(),
            status: "LOGGED_MODEL_PENDING".to_owned(),
            created: now,
            updated: now,
            tags: pairs(texts(&folder.join("tags"))?),
            params: pairs(texts(&folder.join("params"))?),
        };
        let to = self.logged_folder(&row);
        let from = folder.join("artifacts");
        models::put_logged(self.store(), row.clone())?;
        for path in files(&from)? {
            copy(&from.join(&path), &to.join(&path))?;
        }
        // Last, because it says that all of it is here.
        let whole = models::LoggedModel {
            status: "LOGGED_MODEL_READY".to_owned(),
            ..row
        };
        Ok(models::put_logged(self.store(), whole)?)
    }
}

fn metric(key: &str, line: &str) -> Option<Metric> {
    let mut words = line.split(' ');
    let timestamp = words.next()?.parse().ok()?; // A line that was cut half-way is none.
    let value = words.next()?.parse().ok()?; // As above.
    let step = words.next().and_then(|word| word.parse().ok()).unwrap_or(0); // Older files have none.
    Some(Metric {
        key: key.to_owned(),
        point: Point {
            step,
            timestamp: Timestamp(timestamp),
            value,
        },
    })
}

/// The word behind a key of `meta.yaml`. MLflow writes plain values there, one a line.
fn said(meta: &str, key: &str) -> Option<String> {
    let line = meta
        .lines()
        .find_map(|line| line.strip_prefix(key)?.strip_prefix(": "))?;
    let word = line.trim().trim_matches(['\'', '"']);
    (word != "null").then(|| word.to_owned())
}

fn pairs(all: Vec<(String, String)>) -> String {
    let all = all
        .into_iter()
        .map(|(key, value)| json!({ "key": key, "value": value }));
    Value::Array(all.collect()).to_string()
}

fn name_of(path: &Path) -> String {
    path.file_name()
        .map(|name| name.to_string_lossy().into_owned())
        .unwrap_or_default()
}

/// The files below a folder by their paths, which are keys that may have slashes, with what is in them.
fn texts(folder: &Path) -> Result<Vec<(String, String)>> {
    let read = |path: String| {
        let text = fs_err::read_to_string(folder.join(&path))?;
        Ok((path, text))
    };
    files(folder)?.into_iter().map(read).collect()
}

/// Paths of the files below a folder, with slashes. A link leads nowhere that was sent.
fn files(folder: &Path) -> Result<Vec<String>> {
    let mut found = Vec::new();
    let mut waiting = vec![(folder.to_owned(), String::new())];
    while let Some((folder, prefix)) = waiting.pop() {
        for entry in entries(&folder)? {
            let path = match prefix.as_str() {
                "" => name_of(&entry),
                prefix => format!("{prefix}/{}", name_of(&entry)),
            };
            let kind = fs_err::symlink_metadata(&entry)?.file_type();
            if kind.is_dir() {
                waiting.push((entry, path));
            } else if kind.is_file() {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}

fn folders(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut all = entries(folder)?;
    all.retain(|path| path.is_dir());
    all.sort();
    Ok(all)
}

/// None in a folder that is not there.
fn entries(folder: &Path) -> Result<Vec<PathBuf>> {
    match fs_err::read_dir(folder) {
        Ok(all) => Ok(all
            .map(|entry| entry.map(|entry| entry.path()))
            .collect::<std::io::Result<_>>()?),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error.into()),
    }
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    if let Some(folder) = to.parent() {
        fs_err::create_dir_all(folder)?;
    }
    fs_err::copy(from, to)?;
    Ok(())
}
