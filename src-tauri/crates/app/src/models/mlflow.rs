//! Models at an MLflow server.

use std::path::Path;

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use lapwing_core::Timestamp;
use lapwing_remote::mlflow::{
    Artifact, KeyValue, Metric, Mlflow, ModelVersion, NewRun, NewVersion, RegisteredModel, Which,
};
use lapwing_remote::{Error, digest};

use super::keeper::{Identity, MAX_FOUND, Meter, Sent, Source, There, beneath, first};
use super::package::{ARTIFACTS, DIGEST, Package, RUN, Travelling, TravellingPoint};
use crate::transfers::Line;
use crate::wire::{FoundModels, RemoteModelRow};

/// Files that are on the way at once.
const MAX_FILES: usize = 4;
/// Tags of MLflow's own that belong to the server that set them.
const SYSTEM_TAG: &str = "mlflow.log-model.history";

pub(super) async fn search(
    server: &Mlflow,
    remote: &str,
    text: &str,
) -> Result<FoundModels, Error> {
    let (found, more) = first(server.search_models(text, MAX_FOUND + 1).await?);
    let rows = found.into_iter().map(|model| row(remote, model)).collect();
    Ok(FoundModels { rows, more })
}

fn row(remote: &str, model: RegisteredModel) -> RemoteModelRow {
    let newest = model
        .latest_versions
        .iter()
        .filter_map(|version| version.version.parse::<u32>().ok()) // Only numbers can be compared.
        .max();
    RemoteModelRow {
        address: format!("{remote}:{}", model.name),
        name: model.name,
        description: model.description,
        latest: newest.map(|version| version.to_string()),
        aliases: model
            .aliases
            .into_iter()
            .map(|alias| (alias.alias, alias.version))
            .collect(),
    }
}

pub(super) async fn push(
    line: &Line,
    server: &Mlflow,
    package: &Package,
    name: &str,
) -> Result<Sent, Error> {
    server.ensure_model(name, "").await?;
    if let Some(there) = server.version_with(name, DIGEST, &package.digest).await? {
        return Ok(Sent {
            name: name.to_owned(),
            version: there.version,
            new: false,
            files: 0,
            bytes: 0,
        });
    }
    let experiment = package
        .run
        .as_ref()
        .map_or("Default", |run| run.experiment.as_str());
    let experiment_id = server.experiment(experiment).await?;
    let run = match &package.run {
        Some(run) => Some(send_run(server, &experiment_id, run).await?),
        None => None,
    };
    let run_id = run.as_ref().map(|run| run.info.run_id.as_str());
    let tag = pair(DIGEST, &package.digest);
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
    let (files, bytes) = upload(line, server, &location, &package.files).await?;
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
        name: name.to_owned(),
        version: made.version,
        new: true,
        files,
        bytes,
    })
}

fn pair(key: &str, value: &str) -> KeyValue {
    KeyValue {
        key: key.to_owned(),
        value: value.to_owned(),
    }
}

fn pairs(list: &[(String, String)]) -> Vec<KeyValue> {
    list.iter().map(|(key, value)| pair(key, value)).collect()
}

fn version_tags(package: &Package) -> Vec<KeyValue> {
    let mut tags = vec![pair(DIGEST, &package.digest)];
    if let Some(run) = &package.run {
        tags.push(pair(RUN, &run.id));
    }
    let own = package.version.tags.iter();
    tags.extend(
        own.filter(|(key, _)| !key.starts_with("lapwing."))
            .map(|(key, value)| pair(key, value)),
    );
    tags
}

/// The run there that stands for ours: itself, where it came from there; the one that an earlier push made; or a new one.
pub(super) async fn send_run(
    server: &Mlflow,
    experiment_id: &str,
    run: &Travelling,
) -> Result<lapwing_remote::mlflow::Run, Error> {
    match server.run(&run.id).await {
        Ok(theirs) => return Ok(theirs),
        Err(Error::NotFound { .. }) => {}
        Err(error) => return Err(error),
    }
    let theirs = match server.run_with(experiment_id, RUN, &run.id).await? {
        Some(known) if known.info.status != "RUNNING" => return Ok(known),
        Some(cut) => cut,
        None => {
            let new = NewRun {
                experiment_id: experiment_id.to_owned(),
                run_name: run.name.clone(),
                user_id: run.user.clone(),
                start_time: run.start.0,
                tags: vec![pair(RUN, &run.id)],
            };
            server.create_run(&new).await?
        }
    };
    let metrics: Vec<Metric> = run
        .metrics
        .iter()
        .map(|point| Metric {
            key: point.key.clone(),
            value: point.value(),
            timestamp: point.timestamp.0,
            step: point.step,
        })
        .collect();
    let mut tags = pairs(&run.tags);
    tags.retain(|tag| tag.key != SYSTEM_TAG && tag.key != ARTIFACTS);
    let id = &theirs.info.run_id;
    server.log(id, &metrics, &pairs(&run.params), &tags).await?;
    // Last, because it says that all the rest is there.
    let end = run.end.unwrap_or(run.start).0;
    server.end_run(id, &run.status, end).await?;
    Ok(theirs)
}

/// Sends what is not there yet with its size; answers how many files and bytes went.
pub(super) async fn upload(
    line: &Line,
    server: &Mlflow,
    location: &str,
    files: &[digest::File],
) -> Result<(usize, u64), Error> {
    // An empty place may be no place yet.
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
    let meter = Meter::new(line, total);
    stream::iter(missing.iter().map(|file| {
        let (meter, path) = (meter.clone(), file.path.clone());
        let moved = move |bytes| meter.moved(&path, bytes);
        server.upload(location, &file.path, &file.on_disk, moved)
    }))
    .buffer_unordered(MAX_FILES)
    .try_collect::<Vec<()>>()
    .await?;
    Ok((missing.len(), total))
}

pub(super) async fn find(server: &Mlflow, name: &str, which: &Which) -> Result<There, Error> {
    let version = server.version(name, which).await?;
    let tags: Vec<(String, String)> = version
        .tags
        .iter()
        .map(|tag| (tag.key.clone(), tag.value.clone()))
        .collect();
    Ok(There {
        name: version.name.clone(),
        version: version.version.clone(),
        description: version.description.clone(),
        identity: match tags.iter().find(|(key, _)| key == DIGEST) {
            Some((_, digest)) => Identity::Digest(digest.clone()),
            None => Identity::Origin,
        },
        tags,
        source: Source::Mlflow(version),
    })
}

pub(super) async fn fetch(
    line: &Line,
    server: &Mlflow,
    version: &ModelVersion,
    folder: &Path,
) -> Result<(), Error> {
    let location = server.location(version).await?;
    if fetch_all(line, server, &location, folder).await? == 0 {
        return Err(Error::NotFound {
            url: format!("a file of {} version {}", version.name, version.version),
        });
    }
    Ok(())
}

/// Fetches everything below an artifact location. Answers how many files there are.
pub(super) async fn fetch_all(
    line: &Line,
    server: &Mlflow,
    location: &str,
    folder: &Path,
) -> Result<usize, Error> {
    let files = server.files(location).await?;
    let total = files.iter().map(size).sum();
    let meter = Meter::new(line, total);
    stream::iter(
        files
            .iter()
            .map(|one| one_file(server, location, one, folder, &meter)),
    )
    .buffer_unordered(MAX_FILES)
    .try_collect::<Vec<()>>()
    .await?;
    Ok(files.len())
}

fn size(file: &Artifact) -> u64 {
    u64::try_from(file.file_size).unwrap_or(0)
}

async fn one_file(
    server: &Mlflow,
    location: &str,
    one: &Artifact,
    folder: &Path,
    meter: &Meter,
) -> Result<(), Error> {
    let place = beneath(folder, &one.path)?;
    let size = size(one);
    // Not there: nothing has arrived.
    let here = fs_err::metadata(&place).map_or(0, |found| found.len());
    if here == size && size > 0 {
        meter.moved(&one.path, size);
        return Ok(());
    }
    if let Some(parent) = place.parent() {
        fs_err::create_dir_all(parent)?;
    }
    if size == 0 {
        return Ok(fs_err::write(&place, "")?);
    }
    let moved = |bytes| meter.moved(&one.path, bytes);
    server.download(location, &one.path, &place, &moved).await
}

pub(super) async fn run(server: &Mlflow, id: &str) -> Result<Option<Travelling>, Error> {
    let run = match server.run(id).await {
        Ok(run) => run,
        // Deleted there: the model comes without it.
        Err(Error::NotFound { .. }) => return Ok(None),
        Err(error) => return Err(error),
    };
    let experiment = server.experiment_name(&run.info.experiment_id).await?;
    let mut metrics = Vec::new();
    for metric in &run.data.metrics {
        for point in server.history(id, &metric.key).await? {
            metrics.push(TravellingPoint::new(
                point.key,
                point.step,
                Timestamp(point.timestamp),
                point.value,
            ));
        }
    }
    let ours = run.data.tags.iter().find(|tag| tag.key == RUN);
    let plain = |list: Vec<KeyValue>| {
        list.into_iter()
            .map(|pair| (pair.key, pair.value))
            .collect()
    };
    Ok(Some(Travelling {
        // A run that was pushed from a Lapwing has its id from there.
        id: ours.map_or(run.info.run_id, |tag| tag.value.clone()),
        experiment,
        name: run.info.run_name,
        user: run.info.user_id,
        status: run.info.status,
        start: Timestamp(run.info.start_time),
        end: (run.info.end_time > 0).then_some(Timestamp(run.info.end_time)),
        params: plain(run.data.params),
        tags: plain(
            run.data
                .tags
                .into_iter()
                .filter(|tag| tag.key != ARTIFACTS)
                .collect(),
        ),
        metrics,
    }))
}
