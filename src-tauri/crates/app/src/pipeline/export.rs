//! The pipeline as a file for another engine, with what `lapwing.toml` says about it.

use std::path::Path;

use lapwing_core::{Code, Report};
use lapwing_pipeline::{
    Pipeline,
    export::{self, Export, ExportOptions},
};

use crate::config::Config;
use crate::error::Reported as _;
use crate::wire::{Engine, ExportPipeline, Exported};
use crate::{App, automations, projects};

const DEFAULT_RETRIES: u32 = 1;
const NO_SCHEDULE: &str = "none";

/// Writes the pipeline as another engine's file. Nothing is run and nothing is sent.
///
/// # Errors
/// When the pipeline or the schedule is not valid, or the engine cannot carry it out.
pub fn export(_app: &App, input: ExportPipeline) -> Result<Exported, Report> {
    let Asked { export, notes } = made(&input)?;
    let written = input
        .out
        .map(|out| write(Path::new(&out), &export))
        .transpose()?;
    Ok(Exported {
        file: export.file,
        text: export.text,
        notes,
        written,
    })
}

/// An export as it was asked for, and everything to know about it.
pub(super) struct Asked {
    pub(super) export: Export,
    pub(super) notes: Vec<String>,
}

pub(super) fn made(input: &ExportPipeline) -> Result<Asked, Report> {
    let project = projects::project(&input.project)?;
    let config = Config::read(project.root())?;
    let pipeline = Pipeline::read(&project).reported()?;
    let mut notes = Vec::new();
    let options = ExportOptions {
        schedule: schedule(input, &config, &mut notes)?,
        time_zone: jiff::tz::TimeZone::system().iana_name().map(str::to_owned),
        name: input
            .name
            .clone()
            .unwrap_or_else(|| projects::name_of(project.root(), &config)),
        description: None,
        root: input.root.clone().unwrap_or_else(|| match input.engine {
            Engine::Airflow => project.root().display().to_string(),
            Engine::Kubeflow => export::PROJECT_IN_IMAGE.to_owned(),
        }),
        retries: input.retries.unwrap_or(DEFAULT_RETRIES),
        tags: input.tags.clone(),
        image: input.image.clone().or_else(|| config.docker.image.clone()),
    };
    let export = match input.engine {
        Engine::Airflow => export::airflow(&pipeline, &options),
        Engine::Kubeflow => export::kubeflow(&pipeline, &options),
    }
    .reported()?;
    notes.extend(export.notes.iter().cloned());
    Ok(Asked { export, notes })
}

fn write(out: &Path, made: &Export) -> Result<String, Report> {
    let path = if out.is_dir() {
        out.join(&made.file)
    } else {
        out.to_owned()
    };
    crate::file::write_whole(&path, made.text.as_bytes())?;
    Ok(path.display().to_string())
}

/// The schedule that was asked for, or that of the first automation that has one.
fn schedule(
    input: &ExportPipeline,
    config: &Config,
    notes: &mut Vec<String>,
) -> Result<Option<String>, Report> {
    if let Some(text) = &input.schedule {
        let text = text.trim();
        if text == NO_SCHEDULE {
            return Ok(None);
        }
        if automations::schedule::parse(text).is_none() {
            return Err(Report::new(
                Code::Invalid,
                "pipeline.schedule",
                format!("`{text}` is no schedule"),
            )
            .hint("write five fields: minute hour day month weekday, `0 3 * * 1` say, or `none`"));
        }
        return Ok(Some(text.to_owned()));
    }
    let mut scheduled = config
        .automations
        .iter()
        .filter(|policy| policy.enabled)
        .filter_map(|policy| Some((policy, policy.on.cron.as_ref()?)));
    let Some((policy, cron)) = scheduled.next() else {
        return Ok(None);
    };
    if let Some((other, _)) = scheduled.next() {
        notes.push(format!(
            "the schedule is that of `{}`; `{}` and others have their own: choose one with --schedule",
            policy.name, other.name
        ));
    }
    Ok(Some(cron.clone()))
}
