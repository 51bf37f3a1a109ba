//! A model version to somebody else's MLflow server, with its run, metrics, lineage and card. Pushing again changes nothing.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use lapwing_core::{Code, RemoteKind, Report};
use lapwing_remote::mlflow::{KeyValue, Metric, Mlflow, NewRun, NewVersion};
use lapwing_remote::{Error, digest};
use lapwing_tracking::{Point, Run};

use super::package::{DIGEST, Package, RUN, package};
use crate::App;
use crate::error::Reported as _;
use crate::remotes::{Connection, connection};
use crate::wire::{Count, PushModel, Pushed};

/// Files that are on the way at once.
const MAX_UPLOADS: usize = 4;
/// Tags of MLflow's own that belong to the server that set them.
const SYSTEM_TAG: &str = "mlflow.log-model.history";

/// Pushes a version; one with the same files that is there already stays the only one.
///
/// # Errors
/// When there is no such version or remote, or the server refuses.
pub fn push(app: &App, input: PushModel) -> Result<Pushed, Report> {
    let to = connection(app, input.project.as_deref(), &input.remote)?;
    of_kind(&to)?;
    let package = package(app, &input.model)?;
    let name = input.name.clone().unwrap_or(package.version.name.clone());
    let server = Mlflow::new(to.client(app)?);
    let done = app
        .block_on(send(app, &server, &package, &name))?
        .reported()?;
    if let Some(alias) = &input.alias {
        app.block_on(server.set_alias(&name, alias, &done.version))?
            .reported()?;
    }
    Ok(Pushed {
        address: format!("{}:{name}/{}", to.name, done.version),
        new: done.new,
        files: u32::try_from(done.files).unwrap_or(u32::MAX),
        bytes: Count(done.bytes),
    })
}

/// Only kinds that models can be kept at.
pub(super) fn of_kind(remote: &Connection) -> Result<(), Report> {
    if remote.kind == RemoteKind::Mlflow {
        return Ok(());
    }
    Err(Report::new(
        Code::Invalid,
        "model.remote_kind",
        format!(
            "`{}` is a {}: models cannot be kept there",
            remote.name,
            remote.kind.title()
        ),
    ))
}

struct Sent {
    version: String,
    new: bool,
    files: usize,
    bytes: u64,
}

async fn send(app: &App, server: &Mlflow, package: &Package, name: &str) -> Result<Sent, Error> {
    server.ensure_model(name, "").await?;
    if let Some(there) = server.version_with(name, DIGEST, &package.digest).await? {
        return Ok(Sent {
            version: there.version,
            new: false,
            files: 0,
            bytes: 0,
        });
    }
    let experiment = package
        .run
        .as_ref()
        .map_or("Default", |(run, _)| run.experiment.as_str());
    let experiment_id = server.experiment(experiment).await?;
    let run = match &package.run {
        Some((run, points)) => Some(send_run(server, &experiment_id, run, points).await?),
        None => None,
    };
    let run_id = run.as_ref().map(|run| run.info.run_id.as_str());
    let tag = KeyValue {
        key: DIGEST.to_owned(),
        value: package.digest.clone(),
    };
    let logged = server
        .logged_model(&experiment_id, name, run_id, &tag)
        .await?;
    let (location, source) = match (&logged, &run) {
        (Some(model), _) => (
            model.artifact_uri.clone(),
            format!("models:/{}", model.model_id),
        ),
        (None, Some(run)) => {
            let location = format!("{}/{name}", run.info.artifact_uri);
            (location.clone(), location)
        }
        (None, None) => {
            return Err(Error::Unreadable {
                url: "the server".to_owned(),
                why: "it is older than MLflow 3 and takes no model without a run".to_owned(),
            });
        }
    };
    let (files, bytes) = upload(app, server, &location, &package.files).await?;
    if let Some(model) = &logged {
        server.finish_logged_model(&model.model_id).await?;
    }
    let made = server
        .create_version(&NewVersion {
            name: name.to_owned(),
            source,
            run_id: run_id.map(str::to_owned),
            model_id: logged.map(|model| model.model_id),
            description: package.card.clone(),
            tags: version_tags(package),
        })
        .await?;
    Ok(Sent {
        version: made.version,
        new: true,
        files,
        bytes,
    })
}

fn version_tags(package: &Package) -> Vec<KeyValue> {
    let mut tags = vec![KeyValue {
        key: DIGEST.to_owned(),
        value: package.digest.clone(),
    }];
    if let Some((run, _)) = &package.run {
        tags.push(KeyValue {
            key: RUN.to_owned(),
            value: run.id.to_string(),
        });
    }
    let own = package.version.tags.iter();
    tags.extend(
        own.filter(|(key, _)| !key.starts_with("lapwing."))
            .map(|(key, value)| KeyValue {
                key: key.clone(),
                value: value.clone(),
            }),
    );
    tags
}

/// The run there that stands for ours: itself, where it came from there; the one that an earlier push made; or a new one.
async fn send_run(
    server: &Mlflow,
    experiment_id: &str,
    run: &Run,
    points: &[(String, Point)],
) -> Result<lapwing_remote::mlflow::Run, Error> {
    match server.run(run.id.as_str()).await {
        Ok(theirs) => return Ok(theirs),
        Err(Error::NotFound { .. }) => {}
        Err(error) => return Err(error),
    }
    let known = server.run_with(experiment_id, RUN, run.id.as_str()).await?;
    let theirs = match known {
        Some(known) if known.info.status != "RUNNING" => return Ok(known),
        Some(cut) => cut,
        None => server.create_run(&new_run(experiment_id, run)).await?,
    };
    let metrics: Vec<Metric> = points
        .iter()
        .map(|(key, point)| Metric {
            key: key.clone(),
            value: point.value,
            timestamp: point.timestamp.0,
            step: point.step,
        })
        .collect();
    let params: Vec<KeyValue> = run.params.iter().map(pair).collect();
    let tags: Vec<KeyValue> = run
        .tags
        .iter()
        .filter(|(key, _)| *key != SYSTEM_TAG)
        .map(pair)
        .collect();
    let id = &theirs.info.run_id;
    server.log(id, &metrics, &params, &tags).await?;
    // Last, because it says that all the rest is there.
    let end = run.end.unwrap_or(run.start).0;
    server.end_run(id, run.status.as_str(), end).await?;
    Ok(theirs)
}

fn pair((key, value): (&String, &String)) -> KeyValue {
    KeyValue {
        key: key.clone(),
        value: value.clone(),
    }
}

fn new_run(experiment_id: &str, run: &Run) -> NewRun {
    NewRun {
        experiment_id: experiment_id.to_owned(),
        run_name: run.name.clone(),
        user_id: run.user.clone(),
        start_time: run.start.0,
        tags: vec![KeyValue {
            key: RUN.to_owned(),
            value: run.id.to_string(),
        }],
    }
}

/// Sends what is not there yet with its size; answers how many files and bytes went.
async fn upload(
    app: &App,
    server: &Mlflow,
    location: &str,
    files: &[digest::File],
) -> Result<(usize, u64), Error> {
    let there = server.files(location).await.unwrap_or_default();
    let missing: Vec<&digest::File> = files
        .iter()
        .filter(|file| {
            !there.iter().any(|known| {
                known.path == file.path && u64::try_from(known.file_size) == Ok(file.size)
            })
        })
        .collect();
    let total: u64 = missing.iter().map(|file| file.size).sum();
    let done = Arc::new(AtomicU64::new(0));
    stream::iter(missing.iter().map(|file| {
        let (app, done, path) = (app.clone(), done.clone(), file.path.clone());
        let moved = move |bytes| {
            let now = done.fetch_add(bytes, Ordering::Relaxed) + bytes;
            app.tell(&lapwing_data::Progress {
                what: path.clone(),
                done_bytes: now,
                total_bytes: total,
            });
        };
        server.upload(location, &file.path, &file.on_disk, moved)
    }))
    .buffer_unordered(MAX_UPLOADS)
    .try_collect::<Vec<()>>()
    .await?;
    Ok((missing.len(), total))
}
