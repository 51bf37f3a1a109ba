//! From a model to a revision that answers: copy, environment, conversion, reference, and the switch.

use std::path::{Path, PathBuf};

use lapwing_core::{Code, DeploymentName, Report, Tag, Timestamp};
use lapwing_jobs::environment::{self, Environment};
use lapwing_serving::convert::{self, Conversion};
use lapwing_serving::{
    DeploymentFolder, Exposure, GatewayConfig, ModelFolder, RevisionConfig, RuntimeKind,
    TrafficShare, image, model_folder,
};
use lapwing_store::{deployments as table, lock};
use lapwing_tracking::Resolved;

use super::reference::{self, TrainedOn};
use super::{defaults, runtime, view};
use crate::error::Reported as _;
use crate::wire::{Deploy, DeploymentRow, Target};
use crate::{App, jobs, models};

/// protobuf 7 refuses the booleans that converters hand to onnx.
const CONVERTER_PINS: [&str; 1] = ["protobuf<7"];
const FIRST_PORT: u16 = 8800;
const LAST_PORT: u16 = 9800;

/// What is released, where, and by whom.
pub(crate) struct Release<'a> {
    pub name: DeploymentName,
    pub model: Resolved,
    /// What people call it: `flight-delays@champion`.
    pub called: String,
    pub port: Option<u16>,
    pub target: Target,
    pub project: Option<String>,
    pub released_by: String,
    pub say: &'a dyn Fn(&str),
}

/// Deploys a model and returns when the endpoint answers with it.
///
/// # Errors
/// When there is no such model, its parts are unsafe, its environment cannot be made, the port is taken, or it cannot be
/// loaded: then an endpoint that ran before goes on with its old revision.
pub fn deploy(
    app: &App,
    input: &Deploy,
    base: &Path,
    say: &dyn Fn(&str),
) -> Result<DeploymentRow, Report> {
    let here = models::brought(app, input.project.as_deref(), &input.model, say)?;
    let called = models::source_uri(app, &here, base)?;
    let model = match app.tracking().resolve(&called) {
        Err(_) if is_only_files(app, &called) => return Err(only_files(&called)),
        found => found.reported()?,
    };
    let said = defaults::of(input.project.as_deref(), &input.name)?;
    let before = table::get(app.store(), &input.name).reported()?;
    let before = before.map(|old| jobs::parse_target(&old.target));
    release(
        app,
        Release {
            name: input.name.clone(),
            model,
            called,
            port: input.port.or(said.port),
            target: input.target.or(said.target).or(before).unwrap_or_default(),
            project: input.project.clone(),
            released_by: "you".to_owned(),
            say,
        },
    )
}

/// Makes a new revision and moves the traffic to it.
pub(crate) fn release(app: &App, wanted: Release<'_>) -> Result<DeploymentRow, Report> {
    let lock_name = format!("deploy-{}", wanted.name);
    let Some(_lock) = lock::try_acquire(app.workspace(), &lock_name).reported()? else {
        return Err(Report::new(
            Code::Conflict,
            "deployment.busy",
            format!("{} is being deployed already", wanted.name),
        )
        .hint("wait until it is done"));
    };
    let old = table::get(app.store(), &wanted.name).reported()?;
    let deployment = planned(app, &wanted, old.as_ref())?;
    if deployment.target == "docker" {
        app.block_on(lapwing_jobs::docker::ping())?.reported()?;
    }
    let revisions = table::revisions(app.store(), &wanted.name).reported()?;
    let number = revisions.first().map_or(1, |revision| revision.number + 1);
    let place = DeploymentFolder::at(app.workspace().deployment(&wanted.name));
    let revision = prepare(app, &wanted, &place, number)?;
    // That took its time: a port that was free before may be somebody's by now.
    let deployment = planned(app, &wanted, old.as_ref())?;
    // The row of the deployment comes first: revisions refer to it.
    let unchanged = old.clone().unwrap_or_else(|| table::Deployment {
        live_revision: None,
        ..deployment.clone()
    });
    table::put(app.store(), unchanged).reported()?;
    table::add_revision(app.store(), revision).reported()?;
    switch(app, deployment, number, wanted.say)?;
    app.announce(&[Tag::Deployments, Tag::Models, Tag::Monitors]);
    let row = view::row(app, &super::known(app, &wanted.name)?)?;
    Ok(row)
}

/// The deployment as it should be; a new one gets a free port.
fn planned(
    app: &App,
    wanted: &Release<'_>,
    old: Option<&table::Deployment>,
) -> Result<table::Deployment, Report> {
    let now = Timestamp::now();
    let port = match (wanted.port, old) {
        (Some(port), Some(old)) if old.port == port => port,
        (Some(port), _) => {
            if !is_free(port) {
                return Err(Report::new(
                    Code::Conflict,
                    "deployment.port_taken",
                    format!("port {port} is taken"),
                )
                .hint("name another one with --port, or leave it out"));
            }
            port
        }
        (None, Some(old)) => old.port,
        (None, None) => free_port(app)?,
    };
    Ok(table::Deployment {
        name: wanted.name.clone(),
        project: wanted
            .project
            .clone()
            .or_else(|| old.and_then(|old| old.project.clone())),
        target: jobs::target_word(wanted.target).to_owned(),
        host: "127.0.0.1".to_owned(),
        port,
        live_revision: old.and_then(|old| old.live_revision),
        wanted: "running".to_owned(),
        created: old.map_or(now, |old| old.created),
        updated: now,
    })
}

fn is_free(port: u16) -> bool {
    std::net::TcpListener::bind(("127.0.0.1", port)).is_ok()
}

fn free_port(app: &App) -> Result<u16, Report> {
    let taken: Vec<u16> = table::list(app.store())
        .reported()?
        .into_iter()
        .map(|row| row.port)
        .collect();
    (FIRST_PORT..LAST_PORT)
        .find(|port| !taken.contains(port) && is_free(*port))
        .ok_or_else(|| {
            Report::new(
                Code::Missing,
                "deployment.no_port",
                "no port between 8800 and 9800 is free",
            )
        })
}

/// Everything of a revision that lies on disk.
fn prepare(
    app: &App,
    wanted: &Release<'_>,
    place: &DeploymentFolder,
    number: u32,
) -> Result<table::Revision, Report> {
    let say = wanted.say;
    say("reading the model");
    let source = model_folder::read(&wanted.model.folder).reported()?;
    let (safety, imports) = models::safety(&source)?;
    if safety == "unsafe" {
        return Err(Report::new(
            Code::Invalid,
            "model.unsafe",
            format!("loading this model would run {}", imports.join(", ")),
        )
        .hint("ask whoever made it; a model needs no such calls"));
    }
    let model = copy_model(&source, &place.model(number))?;
    say("looking for the training data");
    let trained_on = reference::trained_on(app, wanted.model.run_id.as_ref(), &model)?;
    let served = serve_with(app, &model, &place.onnx(number), trained_on.as_ref(), say)?;
    let reference = match trained_on {
        Some(rows) => {
            say("taking the training data as reference");
            let revision = served.revision(number, wanted);
            Some(reference::write(app, &rows, place, number, &revision)?)
        }
        None => None,
    };
    Ok(table::Revision {
        deployment: wanted.name.clone(),
        number,
        created: Timestamp::now(),
        model: wanted
            .model
            .name
            .clone()
            .unwrap_or_else(|| wanted.called.clone()),
        version: wanted.model.version,
        run_id: wanted.model.run_id.as_ref().map(ToString::to_string),
        source: wanted
            .model
            .uri
            .clone()
            .unwrap_or_else(|| wanted.model.folder.display().to_string()),
        runtime: served.runtime.as_str().to_owned(),
        runtime_note: served.note.clone(),
        python: served
            .python
            .as_ref()
            .map(|path| path.display().to_string()),
        reference,
        released_by: wanted.released_by.clone(),
    })
}

/// A version that a registry elsewhere keeps as plain files, such as one of `transformers`.
fn is_only_files(app: &App, called: &str) -> bool {
    let found = app.tracking().files(called);
    found.is_ok_and(|found| found.version.is_some() && !found.folder.join("MLmodel").is_file())
}

fn only_files(called: &str) -> Report {
    Report::new(
        Code::Invalid,
        "deployment.only_files",
        format!("{called} has no file `MLmodel`: it can be kept and passed on, but not deployed"),
    )
    .hint("load it in a script, log it with a flavor such as `mlflow.transformers.log_model`, and deploy that")
}

/// A revision outside of every deployment, for the gate: `folder` gets `model/` and `onnx/`.
pub(crate) fn scratch_revision(
    app: &App,
    model: &Resolved,
    folder: &Path,
    say: &dyn Fn(&str),
) -> Result<RevisionConfig, Report> {
    let source = model_folder::read(&model.folder).reported()?;
    let copy = copy_model(&source, &folder.join("model"))?;
    let trained_on = reference::trained_on(app, model.run_id.as_ref(), &copy)?;
    let served = serve_with(app, &copy, &folder.join("onnx"), trained_on.as_ref(), say)?;
    Ok(RevisionConfig {
        number: 1,
        model_name: "challenger".to_owned(),
        model_version: None,
        run_id: model.run_id.clone(),
        runtime: served.runtime,
        python: served.python,
        created: Timestamp::now(),
    })
}

fn copy_model(source: &ModelFolder, to: &Path) -> Result<ModelFolder, Report> {
    if to.exists() {
        // Left by a deploy that was cut before its revision was recorded.
        fs_err::remove_dir_all(to).map_err(|error| crate::file::unwritable(to, &error))?;
    }
    copy_folder(&source.path, to).map_err(|error| crate::file::unwritable(to, &error))?;
    model_folder::read(to).reported()
}

fn copy_folder(from: &Path, to: &Path) -> std::io::Result<()> {
    fs_err::create_dir_all(to)?;
    for entry in fs_err::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_folder(&entry.path(), &target)?;
        } else {
            fs_err::copy(entry.path(), &target)?;
            fs_err::File::open(&target)?.sync_all()?;
        }
    }
    Ok(())
}

/// What answers for a model, and why.
pub(super) struct Served {
    pub runtime: RuntimeKind,
    pub python: Option<PathBuf>,
    pub note: String,
}

impl Served {
    fn revision(&self, number: u32, wanted: &Release<'_>) -> RevisionConfig {
        RevisionConfig {
            number,
            model_name: wanted
                .model
                .name
                .clone()
                .unwrap_or_else(|| wanted.name.to_string()),
            model_version: wanted.model.version,
            run_id: wanted.model.run_id.clone(),
            runtime: self.runtime,
            python: self.python.clone(),
            created: Timestamp::now(),
        }
    }
}

/// ONNX where the model converts and gives equal answers, its own Python otherwise.
fn serve_with(
    app: &App,
    model: &ModelFolder,
    onnx: &Path,
    trained_on: Option<&TrainedOn>,
    say: &dyn Fn(&str),
) -> Result<Served, Report> {
    let environment = model_environment(app, model, say)?;
    say("converting to ONNX and comparing the answers");
    let rows = trained_on.and_then(TrainedOn::example);
    let conversion =
        convert::to_onnx(&model.path, &environment.python, onnx, rows.as_ref()).reported()?;
    let python = Some(environment.python.clone());
    let Conversion { accepted, why, .. } = conversion;
    if accepted && lapwing_serving::onnxruntime_library(Some(&environment.python)).is_some() {
        return Ok(Served {
            runtime: RuntimeKind::Onnx,
            python,
            note: why,
        });
    }
    let note = if accepted {
        "ONNX Runtime is not on this machine".to_owned()
    } else {
        why
    };
    Ok(Served {
        runtime: RuntimeKind::Python,
        python,
        note,
    })
}

/// An environment with the model's packages and the converters. The model's own Python version where it can be had.
fn model_environment(
    app: &App,
    model: &ModelFolder,
    say: &dyn Fn(&str),
) -> Result<Environment, Report> {
    let mut requirements: Vec<String> = model.requirements.clone();
    if !requirements.iter().any(|line| line.starts_with("mlflow")) {
        requirements.push("mlflow-skinny".to_owned());
    }
    requirements.extend(convert::requirements_for_conversion());
    requirements.extend(CONVERTER_PINS.map(str::to_owned));
    let version = model.python_version.as_deref().map(minor);
    environment_of(app, &requirements, version.as_deref(), say)
}

/// An environment for a model: with its Python `version` where that can be had.
pub(crate) fn environment_of(
    app: &App,
    requirements: &[String],
    version: Option<&str>,
    say: &dyn Fn(&str),
) -> Result<Environment, Report> {
    match environment::for_requirements(app.workspace(), requirements, version, say) {
        Err(lapwing_jobs::Error::Environment(why))
            if version.is_some() && why.to_lowercase().contains("interpreter") =>
        {
            say("the model's Python version is not here: trying the one that is");
            environment::for_requirements(app.workspace(), requirements, None, say).reported()
        }
        other => other.reported(),
    }
}

/// `3.11` of `3.11.7`.
pub(crate) fn minor(version: &str) -> String {
    version.split('.').take(2).collect::<Vec<_>>().join(".")
}

/// Moves the traffic to a revision; where it cannot be loaded, everything stays as it was.
pub(super) fn switch(
    app: &App,
    deployment: table::Deployment,
    number: u32,
    say: &dyn Fn(&str),
) -> Result<(), Report> {
    let old = deployment.live_revision;
    let place = app.workspace().deployment(&deployment.name);
    let before = lapwing_serving::read_config(&place).ok(); // There is none before the first release.
    let config = gateway_config(app, &deployment, number)?;
    // Another port or another place is another gateway; everything else the running one takes over as it goes.
    let stood = table::get(app.store(), &deployment.name).reported()?;
    let moved = stood
        .filter(|stood| stood.port != deployment.port || stood.target != deployment.target)
        .filter(|_| old.is_some());
    if let Some(stood) = &moved {
        runtime::stop(app, stood)?;
    }
    lapwing_serving::write_config(&place, &config).reported()?;
    let changed = table::Deployment {
        live_revision: Some(number),
        wanted: "running".to_owned(),
        updated: Timestamp::now(),
        ..deployment.clone()
    };
    if let Err(report) = runtime::start(app, &changed, say) {
        if let (Some(before), Some(_)) = (before, old) {
            lapwing_serving::write_config(&place, &before).reported()?;
            runtime::start(app, moved.as_ref().unwrap_or(&deployment), &|_| {})?;
        }
        return Err(report);
    }
    table::put(app.store(), changed).reported()
}

/// All revisions, the traffic to one of them: a rollback needs nothing to be loaded from elsewhere.
fn gateway_config(
    app: &App,
    deployment: &table::Deployment,
    live: u32,
) -> Result<GatewayConfig, Report> {
    let revisions = table::revisions(app.store(), &deployment.name).reported()?;
    let docker = deployment.target == "docker";
    let configs: Vec<RevisionConfig> = revisions
        .into_iter()
        .filter(|revision| revision.number == live)
        .map(|revision| RevisionConfig {
            number: revision.number,
            model_name: revision.model,
            model_version: revision.version,
            // A run id of another server is none of ours.
            run_id: revision.run_id.and_then(|id| id.parse().ok()),
            runtime: if revision.runtime == "onnx" {
                RuntimeKind::Onnx
            } else {
                RuntimeKind::Python
            },
            python: if docker {
                // Wherever the image has it: Debian and the images of Python differ.
                Some(PathBuf::from("python3"))
            } else {
                revision.python.map(PathBuf::from)
            },
            created: revision.created,
        })
        .collect();
    let Some(first) = configs.first().cloned() else {
        return Err(Report::new(
            Code::NotFound,
            "deployment.no_revision",
            format!("{} has no revision {live}", deployment.name),
        ));
    };
    let mut config = GatewayConfig::new(deployment.name.clone(), deployment.port, first);
    config.revisions = configs;
    config.traffic = vec![TrafficShare {
        revision: live,
        weight: 1.0,
    }];
    if docker {
        config.exposure = Exposure::Container;
        config.published_port = Some(deployment.port);
        config.port = image::PORT;
    }
    Ok(config)
}
