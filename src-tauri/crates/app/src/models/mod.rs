//! Registered models, their versions and aliases; and their way to registries elsewhere and back.

pub(crate) mod address;
mod hugging_face;
mod keeper;
mod mlflow;
mod oci;
mod package;
mod pull;
mod push;
mod sync;

use std::collections::BTreeMap;
use std::path::Path;

use lapwing_core::{Code, Report, RunId};
use lapwing_serving::ModelFolder;
use lapwing_serving::pickle::{Verdict, scan_all};
use lapwing_tracking::{ModelVersion, RegisteredModel, Search};

pub(crate) use package::ORIGIN;
pub use pull::{pull, search};
pub use push::push;
pub use sync::sync;

use crate::error::Reported as _;
use crate::wire::{
    Count, ModelDetail, ModelName, ModelRow, Nothing, PullModel, RegisterModel, SetAlias,
    Signature, SignatureColumn, VersionDetail, VersionRef, VersionRow,
};
use crate::{App, remotes, runs};

/// All models by name.
///
/// # Errors
/// When the store cannot be read.
pub fn list(app: &App, _input: Nothing) -> Result<Vec<ModelRow>, Report> {
    Ok(app
        .tracking()
        .models()
        .reported()?
        .into_iter()
        .map(row)
        .collect())
}

fn row(model: RegisteredModel) -> ModelRow {
    ModelRow {
        name: model.name,
        description: model.description,
        latest: model.latest,
        aliases: model.aliases,
        versions: model.versions,
        updated: model.updated,
    }
}

/// One model with its versions.
///
/// # Errors
/// When there is none with that name.
pub fn get(app: &App, input: ModelName) -> Result<ModelDetail, Report> {
    let model = known(app, &input.name)?;
    let served = served(app)?;
    let versions = app.tracking().versions(&input.name).reported()?;
    let versions = versions
        .into_iter()
        .map(|version| version_row(app, version, &served))
        .collect::<Result<_, _>>()?;
    Ok(ModelDetail {
        row: row(model),
        versions,
    })
}

/// `name/version` → deployments whose live revision it is.
fn served(app: &App) -> Result<BTreeMap<String, Vec<String>>, Report> {
    use lapwing_store::deployments;
    let mut served: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for deployment in deployments::list(app.store()).reported()? {
        let revisions = deployments::revisions(app.store(), &deployment.name).reported()?;
        for revision in revisions
            .into_iter()
            .filter(|revision| Some(revision.number) == deployment.live_revision)
        {
            if let Some(version) = revision.version {
                served
                    .entry(format!("{}/{version}", revision.model))
                    .or_default()
                    .push(deployment.name.to_string());
            }
        }
    }
    Ok(served)
}

fn version_row(
    app: &App,
    version: ModelVersion,
    served: &BTreeMap<String, Vec<String>>,
) -> Result<VersionRow, Report> {
    // A run that is gone has nothing to tell; a run id of another server is none of ours.
    let run = version
        .run_id
        .as_deref()
        .and_then(|id| id.parse().ok())
        .and_then(|id| app.tracking().run(&id).ok());
    let folder = app
        .tracking()
        .resolve(&format!("{}/{}", version.name, version.version))
        .ok();
    let size = folder
        .and_then(|found| lapwing_serving::model_folder::read(&found.folder).ok())
        .map(|model| Count(model.size));
    Ok(VersionRow {
        deployments: served
            .get(&format!("{}/{}", version.name, version.version))
            .cloned()
            .unwrap_or_default(),
        version: version.version,
        created: version.created,
        run_id: run.as_ref().map(|run| run.id.clone()),
        run_name: run.as_ref().map(|run| run.name.clone()),
        source: version.source,
        aliases: version.aliases,
        stage: version.stage,
        description: version.description,
        tags: version.tags,
        metrics: run
            .as_ref()
            .map(|run| {
                run.metrics
                    .iter()
                    .map(|(key, point)| (key.clone(), point.value))
                    .collect()
            })
            .unwrap_or_default(),
        commit: run.and_then(|run| {
            run.tags
                .get("mlflow.source.git.commit")
                .map(|id| id.chars().take(7).collect())
        }),
        size,
    })
}

/// One version with its signature, requirements and safety.
///
/// # Errors
/// When there is no such version, or its files are gone.
pub fn version(app: &App, input: VersionRef) -> Result<VersionDetail, Report> {
    let version = app
        .tracking()
        .version(&input.name, input.version)
        .reported()?;
    let folder = app
        .tracking()
        .files(&format!("{}/{}", input.name, input.version))
        .reported()?
        .folder;
    let row = version_row(app, version, &served(app)?)?;
    let model = match lapwing_serving::model_folder::read(&folder) {
        Err(lapwing_serving::Error::NoModel { .. }) => return Ok(only_files(row)),
        read => read.reported()?,
    };
    let (safety, safety_detail) = safety(&model)?;
    Ok(VersionDetail {
        row,
        flavors: model.flavors.keys().cloned().collect(),
        signature: signature(&model),
        requirements: model.requirements,
        safety: safety.to_owned(),
        safety_detail,
    })
}

/// A version that is no MLflow model, such as one of `transformers` from the Hugging Face Hub: kept and passed on, never loaded.
fn only_files(row: VersionRow) -> VersionDetail {
    VersionDetail {
        row,
        flavors: Vec::new(),
        signature: Signature {
            inputs: Vec::new(),
            outputs: Vec::new(),
        },
        requirements: Vec::new(),
        safety: "unknown".to_owned(),
        safety_detail: vec!["it has no file MLmodel, and cannot be deployed".to_owned()],
    }
}

/// `safe`, `unknown` or `unsafe`, and what led to it.
pub(crate) fn safety(model: &ModelFolder) -> Result<(&'static str, Vec<String>), Report> {
    Ok(match scan_all(&model.pickles()).reported()? {
        Verdict::Safe => ("safe", Vec::new()),
        Verdict::Unknown { imports } => ("unknown", imports),
        Verdict::Unsafe { imports } => ("unsafe", imports),
    })
}

/// Columns that a model takes and gives.
#[must_use]
pub(crate) fn signature(model: &ModelFolder) -> Signature {
    let columns = |inputs: &lapwing_serving::Inputs| -> Vec<SignatureColumn> {
        inputs
            .columns()
            .iter()
            .map(|column| SignatureColumn {
                name: column.name.clone(),
                kind: column.kind.as_str().to_owned(),
                required: column.required,
            })
            .collect()
    };
    Signature {
        inputs: columns(&model.signature.inputs),
        outputs: columns(&model.signature.outputs),
    }
}

/// What a person may call the source of a version, as a URI: a prefix of a run id and a relative folder too.
///
/// # Errors
/// When it is neither.
pub fn source_uri(app: &App, text: &str, folder: &Path) -> Result<String, Report> {
    if text.contains(":/") || text.contains('@') {
        return Ok(text.to_owned());
    }
    let local = folder.join(text);
    if local.is_dir() {
        return Ok(local.display().to_string());
    }
    match runs::find(app, text) {
        Ok(id) => Ok(format!("runs:/{id}")),
        Err(report) if report.code == Code::Invalid => Err(report),
        // NAME/VERSION, a logged model's id, and the newest version of a registered one.
        Err(_)
            if is_version(text) || text.starts_with("m-") || app.tracking().model(text).is_ok() =>
        {
            Ok(text.to_owned())
        }
        Err(_) => Err(Report::new(
            Code::NotFound,
            "model.no_source",
            format!("`{text}` is no run, no registered model, and no folder here"),
        )
        .hint(could_be_meant(app)?)),
    }
}

/// `NAME/3`, as it is shown everywhere.
fn is_version(text: &str) -> bool {
    let number = text.rsplit_once('/').map(|(_, number)| number);
    number.is_some_and(|number| number.parse::<u32>().is_ok())
}

/// Runs that logged a model are what most people mean.
fn could_be_meant(app: &App) -> Result<String, Report> {
    const LOOKED_AT: u32 = 50;
    const NAMED: usize = 3;
    let search = Search {
        experiments: None,
        filter: String::new(),
        order_by: Vec::new(),
        max: Some(LOOKED_AT),
        page_token: None,
        view: lapwing_store::search::View::Active,
    };
    let page = app.tracking().search(&search).reported()?;
    let mut named: Vec<String> = Vec::new();
    for run in page.runs {
        if named.len() < NAMED && !app.tracking().logged_models(&run.id).reported()?.is_empty() {
            let short: String = run.id.as_str().chars().take(8).collect();
            named.push(format!("{short} ({})", run.name));
        }
    }
    let mut words = vec![
        "it can be the beginning of a run's id, NAME@ALIAS, NAME/VERSION, or a folder with an MLmodel file"
            .to_owned(),
    ];
    let models = app.tracking().models().reported()?;
    if !models.is_empty() {
        let names: Vec<String> = models
            .into_iter()
            .take(NAMED)
            .map(|model| model.name)
            .collect();
        words.push(format!("registered here: {}", names.join(", ")));
    }
    words.push(if named.is_empty() {
        "no run has logged a model yet: `mlflow.autolog()` in a training script does".to_owned()
    } else {
        format!("the newest runs with a model: {}", named.join(", "))
    });
    Ok(words.join("; "))
}

/// A registered model; of one that is not, which is meant.
fn known(app: &App, name: &str) -> Result<RegisteredModel, Report> {
    match app.tracking().model(name) {
        Err(lapwing_tracking::Error::NotFound(_)) => {}
        found => return found.reported(),
    }
    let all = app.tracking().models().reported()?;
    let names = all.iter().map(|model| model.name.as_str());
    let hint = match lapwing_pipeline::nearest(name, names) {
        Some(near) => format!("did you mean `{near}`?"),
        None if all.is_empty() => {
            "there are none yet: `lapwing models register RUN_ID --name NAME` makes one".to_owned()
        }
        None => "see `lapwing models list`".to_owned(),
    };
    let message = format!("there is no registered model `{name}`");
    Err(Report::new(Code::NotFound, "model.unknown", message).hint(hint))
}

/// Makes a version, and the model when it is new.
///
/// # Errors
/// When the source is no model, or the alias is reserved.
pub fn register(app: &App, input: RegisterModel) -> Result<VersionRow, Report> {
    let version = app
        .tracking()
        .register(&input.name, &input.source, input.alias.as_deref())
        .reported()
        .map_err(|report| made_elsewhere(app, &input.source, report))?;
    version_row(app, version, &BTreeMap::new())
}

/// A run whose outputs came from the cache has no model of its own: the run that made them has.
fn made_elsewhere(app: &App, source: &str, report: Report) -> Report {
    let Ok(id) = source.trim_start_matches("runs:/").parse::<RunId>() else {
        return report;
    };
    let logged = |run: &RunId| {
        let models = app.tracking().logged_models(run);
        models.is_ok_and(|models| !models.is_empty())
    };
    // What cannot be read names nobody: the report is told as it is.
    let Ok(run) = app.tracking().run(&id) else {
        return report;
    };
    let made = run.inputs.iter().filter(|input| {
        let context = crate::runs::context(input, "mlflow.data.context");
        context.as_deref() == Some("output")
    });
    let maker = made
        .flat_map(|output| {
            app.tracking()
                .runs_with_input(&output.digest)
                .unwrap_or_default()
        })
        .find(|other| *other != id && logged(other));
    match maker {
        Some(maker) => report.hint(format!(
            "its outputs come from the cache: register the run that made them, {maker}"
        )),
        None if logged(&id) => report,
        // What cannot be looked up is not offered.
        None => match could_be_meant(app) {
            Ok(hint) => report.hint(hint),
            Err(_) => report,
        },
    }
}

/// Points an alias at a version, or removes it.
///
/// # Errors
/// When there is no such model or version, or the alias is reserved.
pub fn set_alias(app: &App, input: SetAlias) -> Result<Nothing, Report> {
    known(app, &input.name)?;
    match input.version {
        Some(version) => app
            .tracking()
            .set_alias(&input.name, &input.alias, version)
            .reported()?,
        None => app
            .tracking()
            .delete_alias(&input.name, &input.alias)
            .reported()?,
    }
    Ok(Nothing {})
}

/// The address of a model at a remote, where `text` is one and there is such a remote.
pub(crate) fn elsewhere(
    app: &App,
    project: Option<&str>,
    text: &str,
) -> Result<Option<String>, Report> {
    let Some(address) = address::parse(text) else {
        return Ok(None);
    };
    remotes::connection_for(app, project, &address.remote, keeper::keeps_models)?;
    Ok(Some(text.to_owned()))
}

/// The version that an alias names at a remote now: what tells that it has moved.
pub(crate) fn behind(app: &App, project: Option<&str>, alias: &str) -> Result<Behind, Report> {
    let wanted = address::wanted(alias)?;
    let remote = remotes::connection_for(app, project, &wanted.remote, keeper::keeps_models)?;
    let keeper = keeper::Keeper::of(app, &remote)?;
    let there = app
        .block_on(keeper.find(&wanted.name, &wanted.which))?
        .reported()?;
    Ok(Behind {
        origin: there.address(&remote.name),
        version: there.version,
    })
}

/// What an alias names elsewhere.
pub(crate) struct Behind {
    pub version: String,
    /// As a version that was pulled from there remembers it.
    pub origin: String,
}

/// The name of a model here: one at a remote is pulled first.
///
/// # Errors
/// When it cannot be pulled.
pub fn brought(
    app: &App,
    project: Option<&str>,
    text: &str,
    say: &dyn Fn(&str),
) -> Result<String, Report> {
    let Some(address) = elsewhere(app, project, text)? else {
        return Ok(text.to_owned());
    };
    say(&format!("fetching {address}"));
    let pulled = pull(
        app,
        PullModel {
            project: project.map(str::to_owned),
            address,
            name: None,
            alias: None,
        },
    )?;
    Ok(format!("{}/{}", pulled.name, pulled.version))
}
