//! DVC's run-cache: which outputs a command made from which inputs, so that an earlier run can be taken up again.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use fs_err as fs;
use sha2::{Digest as _, Sha256};

use crate::{
    Result, Value,
    lock::StageLock,
    paths, python,
    stage::{OutKind, Stage},
    yaml,
};

/// Keys that do not count for an entry's id, at any depth.
const UNCOUNTED: [&str; 2] = ["size", "nfiles"];

/// Whether DVC would keep and look up runs of this stage at all.
pub(crate) fn is_eligible(stage: &Stage) -> bool {
    let local = |path: &str| !paths::is_url(path) && !path.is_empty();
    let inside = |path: &str| local(path) && !paths::is_absolute(path) && !path.starts_with("..");
    let reads = !stage.deps.is_empty() || !stage.params.is_empty();
    let makes = !stage.outs.is_empty();
    !stage.always_changed
        && reads
        && makes
        && stage.deps.iter().all(|dep| local(&dep.path))
        && stage
            .outs
            .iter()
            .all(|out| inside(&out.path) && !out.persist)
}

/// A run is kept only where every plain output is cached; metrics and plots may be left to git.
pub(crate) fn is_kept(stage: &Stage) -> bool {
    is_eligible(stage)
        && stage
            .outs
            .iter()
            .all(|out| out.cache || out.kind != OutKind::Output)
}

/// What the inputs of a run hash to: the entry with its outputs reduced to their paths.
pub(crate) fn key(lock: &StageLock) -> String {
    let mut entry = lock.to_value();
    let outs = lock.outs.iter().map(|out| Value::str(&out.path)).collect();
    entry.set("outs", Value::List(outs));
    digest(&entry)
}

fn digest(entry: &Value) -> String {
    hex_digest(&python::json_dumps(&without_counts(entry)))
}

pub(crate) fn hex_digest(text: &str) -> String {
    Sha256::digest(text.as_bytes())
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

fn without_counts(value: &Value) -> Value {
    match value {
        Value::Map(entries) => Value::Map(
            entries
                .iter()
                .filter(|(key, _)| !key.as_str().is_some_and(|key| UNCOUNTED.contains(&key)))
                .map(|(key, value)| (key.clone(), without_counts(value)))
                .collect(),
        ),
        Value::List(items) => Value::List(items.iter().map(without_counts).collect()),
        Value::Null | Value::Bool(_) | Value::Int(_) | Value::Float(_) | Value::Str(_) => {
            value.clone()
        }
    }
}

fn folder(runs: &Path, key: &str) -> PathBuf {
    runs.join(&key[..2]).join(key)
}

/// What the inputs of a run are, wholly: for us alone, where [`key`] is DVC's.
pub(crate) fn fingerprint(lock: &StageLock) -> String {
    let mut entry = lock.to_value();
    let outs = lock.outs.iter().map(|out| Value::str(&out.path)).collect();
    entry.set("outs", Value::List(outs));
    hex_digest(&python::json_dumps(&entry))
}

/// Keeps a finished run; one that is already there stays as it is.
pub(crate) fn save(runs: &Path, lock: &StageLock) -> Result<()> {
    let folder = folder(runs, &key(lock));
    let entry = lock.to_value();
    let text = yaml::emit(&entry, 0);
    let mut path = folder.join(digest(&entry));
    if read(&path)?.is_some_and(|known| !same_inputs(&known, lock)) {
        // DVC's name for it is taken by other parameters. It reads every file of the folder.
        path = folder.join(hex_digest(&text));
    }
    if path.exists() {
        return Ok(());
    }
    fs::create_dir_all(&folder)?;
    Ok(lapwing_data::write_whole(&path, text.as_bytes())?)
}

/// The newest run with the inputs of `lock` (its outputs matter by path only).
pub(crate) fn load(runs: &Path, lock: &StageLock) -> Result<Option<StageLock>> {
    let folder = folder(runs, &key(lock));
    let entries = match fs::read_dir(&folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let mut all: Vec<(std::time::SystemTime, PathBuf)> = Vec::new();
    for entry in entries {
        let entry = entry?;
        // Names that are no ids are leftovers of an interrupted write.
        if entry.file_name().len() == 64 {
            all.push((entry.metadata()?.modified()?, entry.path()));
        }
    }
    all.sort();
    for (_, path) in all.into_iter().rev() {
        if let Some(record) = read(&path)?.filter(|record| same_inputs(record, lock)) {
            return Ok(Some(record));
        }
    }
    Ok(None)
}

/// DVC's ids leave out whatever is called `size` or `nfiles`, parameters too, and DVC takes a run with other ones for this one.
fn same_inputs(record: &StageLock, lock: &StageLock) -> bool {
    sorted(record) == sorted(lock)
}

fn sorted(lock: &StageLock) -> BTreeMap<(&str, &str), &Value> {
    let files = lock.params.iter();
    files
        .flat_map(|(file, values)| {
            let named = values.iter();
            named.map(move |(name, value)| ((file.as_str(), name.as_str()), value))
        })
        .collect()
}

fn read(path: &Path) -> Result<Option<StageLock>> {
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    match yaml::parse(&text) {
        Ok(node) => Ok(Some(StageLock::from_value(&node.to_value()))),
        Err(error) => {
            tracing::warn!(path = %path.display(), line = error.line, "unreadable run-cache entry is not used");
            Ok(None)
        }
    }
}
