//! The same pipeline for somebody else's engine: a DAG file for Airflow, a pipeline specification for Kubeflow Pipelines.
//!
//! Nothing is sent and nothing is started here: an export is text, and notes about what the engine will do differently.

mod airflow;
mod ids;
mod kubeflow;
mod parameters;
mod settings;
mod text;

use crate::{Error, Pipeline, Result, paths, stage::Stage};

use ids::unique;
use parameters::{ParameterFile, Part};
use settings::Settings;

pub use airflow::airflow;
pub use kubeflow::{PROJECT_IN_IMAGE, kubeflow};
pub use text::yaml;

/// What an engine is told that `dvc.yaml` does not say.
#[derive(Debug, Clone, Default)]
pub struct ExportOptions {
    /// Name of the project; the engine's own name is made from it.
    pub name: String,
    pub description: Option<String>,
    /// Five fields; `None` runs only when somebody asks for it.
    pub schedule: Option<String>,
    /// An IANA name for the schedule, `Europe/Berlin`; UTC without it.
    pub time_zone: Option<String>,
    /// Where the project lies on the machine that runs the stages.
    pub root: String,
    /// How often a failed stage is tried again, where the stage does not say it itself.
    pub retries: u32,
    pub tags: Vec<String>,
    /// The image of stages that name none; needed where every stage is a container.
    pub image: Option<String>,
}

/// A pipeline as the text of one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Export {
    /// How such a file is usually called.
    pub file: String,
    pub text: String,
    /// What a person should know before using it, one sentence each.
    pub notes: Vec<String>,
    /// The engine's name of the pipeline.
    pub id: String,
    /// Parameters that a run can be started with: `model.rate`, and the engine's name of it.
    pub parameters: Vec<(String, String)>,
}

/// A stage with its name in the engine.
struct Task<'a> {
    id: String,
    stage: &'a Stage,
    settings: Settings,
    /// Positions of the tasks that must end before.
    after: Vec<usize>,
}

/// The stages that run, each after those that it reads from; frozen ones are never made again, here as in DVC.
fn tasks<'a>(
    pipeline: &'a Pipeline,
    reserved: &[&str],
    notes: &mut Vec<String>,
    clean: fn(&str) -> String,
) -> Result<Vec<Task<'a>>> {
    let (frozen, stages): (Vec<&Stage>, Vec<&Stage>) = pipeline
        .in_order()
        .into_iter()
        .partition(|stage| stage.frozen);
    if stages.is_empty() {
        return Err(Error::NothingToExport);
    }
    notes.extend(frozen.iter().map(|stage| {
        let name = &stage.address;
        format!("`{name}` is frozen: it is left out, and what it made must be there already")
    }));
    let names: Vec<&str> = stages.iter().map(|stage| stage.address.as_str()).collect();
    let ids = unique(&names, reserved, clean);
    let edges = pipeline.edges();
    let position = |address: &str| names.iter().position(|name| *name == address);
    stages
        .iter()
        .zip(ids)
        .map(|(stage, id)| {
            check_outputs(stage)?;
            let makers = edges.iter().filter(|(_, reader)| *reader == stage.address);
            Ok(Task {
                id,
                stage,
                settings: Settings::of(stage)?,
                after: makers.filter_map(|(maker, _)| position(maker)).collect(),
            })
        })
        .collect()
}

/// An engine removes what a stage makes before the stage runs, so that must lie inside the project.
fn check_outputs(stage: &Stage) -> Result<()> {
    let outside = |path: &str| {
        path.is_empty()
            || path == ".."
            || path.starts_with("../")
            || paths::is_absolute(path)
            || paths::is_url(path)
    };
    match stage.outs.iter().find(|out| outside(&out.path)) {
        Some(out) => Err(Error::UnsupportedPath {
            stage: stage.address.clone(),
            path: out.path.clone(),
            message: "outputs outside the project are not touched",
        }),
        None => Ok(()),
    }
}
