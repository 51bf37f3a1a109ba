//! The numbers that stages report in their metrics files, and the files that hold plots.

use std::path::Path;

use crate::{
    Result, Value,
    params::read_values,
    paths,
    pipeline::Pipeline,
    stage::{OutKind, Stage},
    template::flatten,
};

/// One number of a metrics file.
#[derive(Debug, Clone, PartialEq)]
pub struct Metric {
    /// The stage that makes the file; none for a file that is only listed.
    pub stage: Option<String>,
    /// Relative to the root.
    pub file: String,
    /// Dotted, as in `test.auc`; empty where the file holds just a number.
    pub key: String,
    pub value: f64,
}

/// All numbers of all metrics files that exist now: of every stage, and of those listed at the top of pipeline files.
pub fn metrics(pipeline: &Pipeline) -> Result<Vec<Metric>> {
    let mut found = Vec::new();
    for stage in pipeline.stages() {
        found.extend(stage_metrics(pipeline.root(), stage)?);
    }
    for file in &pipeline.shown().metrics {
        if !found.iter().any(|metric| metric.file == *file) {
            read_into(&mut found, pipeline.root(), None, file)?;
        }
    }
    Ok(found)
}

/// The numbers of one stage's metrics files; a file that is not there has none.
pub fn stage_metrics(root: &Path, stage: &Stage) -> Result<Vec<Metric>> {
    let mut found = Vec::new();
    for out in stage.outs_of(OutKind::Metric) {
        read_into(&mut found, root, Some(&stage.address), &out.path)?;
    }
    Ok(found)
}

fn read_into(found: &mut Vec<Metric>, root: &Path, stage: Option<&str>, file: &str) -> Result<()> {
    let path = paths::on_disk(root, file);
    if !path.is_file() {
        return Ok(());
    }
    for (key, value) in flatten_all(&read_values(&path)?) {
        if let Some(value) = value.as_number() {
            found.push(Metric {
                stage: stage.map(str::to_owned),
                file: file.to_owned(),
                key,
                value,
            });
        }
    }
    Ok(())
}

/// Mappings as dotted keys; lists too, by index, so that per-class scores are not lost.
fn flatten_all(value: &Value) -> Vec<(String, Value)> {
    let mut flat = Vec::new();
    for (key, value) in flatten(value) {
        match &value {
            Value::List(items) => {
                for (index, item) in items.iter().enumerate() {
                    let prefix = if key.is_empty() {
                        index.to_string()
                    } else {
                        format!("{key}.{index}")
                    };
                    for (inner, item) in flatten_all(item) {
                        let name = if inner.is_empty() {
                            prefix.clone()
                        } else {
                            format!("{prefix}.{inner}")
                        };
                        flat.push((name, item));
                    }
                }
            }
            Value::Null
            | Value::Bool(_)
            | Value::Int(_)
            | Value::Float(_)
            | Value::Str(_)
            | Value::Map(_) => flat.push((key, value)),
        }
    }
    flat
}

/// Files that hold plots, of stages and of those listed; relative to the root.
#[must_use]
pub fn plot_files(pipeline: &Pipeline) -> Vec<String> {
    let made = pipeline
        .stages()
        .iter()
        .flat_map(|stage| stage.outs_of(OutKind::Plot))
        .map(|out| out.path.clone());
    let mut files: Vec<String> = made.collect();
    for plot in &pipeline.shown().plots {
        let named: Vec<String> = match plot {
            Value::Map(entries) => entries
                .iter()
                .flat_map(|(id, axes)| files_of(id, axes))
                .collect(),
            other => vec![other.python_str()],
        };
        for file in named {
            if !files.contains(&file) {
                files.push(file);
            }
        }
    }
    files
}

/// A plot names its files in `y` (and `x`) as keys, or is named after its file.
fn files_of(id: &Value, axes: &Value) -> Vec<String> {
    let keys = |axis: &str| -> Vec<String> {
        axes.get(axis)
            .and_then(Value::as_map)
            .unwrap_or_default()
            .iter()
            .map(|(file, _)| file.python_str())
            .collect()
    };
    let mut files = keys("y");
    files.extend(keys("x"));
    if files.is_empty() {
        files.push(id.python_str());
    }
    files
}
