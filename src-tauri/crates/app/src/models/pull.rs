//! A model version from somebody else's MLflow server, with its run. Pulling again changes nothing.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use lapwing_core::{Report, RunId, Timestamp};
use lapwing_remote::mlflow::{Artifact, Mlflow, ModelVersion, RegisteredModel};
use lapwing_remote::{Error, digest};
use lapwing_tracking::{ImportedRun, ImportedVersion, Metric, Point, RunStatus};

use super::address;
use super::package::{DIGEST, ORIGIN, RUN};
use super::push::of_kind;
use crate::error::Reported as _;
use crate::remotes::connection;
use crate::wire::{PullModel, Pulled, RemoteModelRow, SearchRemoteModels};
use crate::{App, file};

/// Files that are on the way at once.
const MAX_DOWNLOADS: usize = 4;

/// What a server's registry has, of which the name contains a text.
///
/// # Errors
/// When there is no such remote, or the server refuses.
pub fn search(app: &App, input: SearchRemoteModels) -> Result<Vec<RemoteModelRow>, Report> {
    let from = connection(app, input.project.as_deref(), &input.remote)?;
    of_kind(&from)?;
    let server = Mlflow::new(from.client(app)?);
    let found = app
        .block_on(server.search_models(&input.text))?
        .reported()?;
    Ok(found
        .into_iter()
        .map(|model| row(&from.name, model))
        .collect())
}

fn row(remote: &str, model: RegisteredModel) -> RemoteModelRow {
    let newest = model
        .latest_versions
        .iter()
        .filter_map(|version| version.version.parse().ok()) // Only numbers can be compared.
        .max();
    RemoteModelRow {
        address: format!("{remote}:{}", model.name),
        name: model.name,
        description: model.description,
        latest: newest,
        aliases: model
            .aliases
            .into_iter()
            .map(|alias| (alias.alias, alias.version))
            .collect(),
    }
}

/// Pulls a version; one that was pulled before, or has the same files, is answered as it is.
///
/// # Errors
/// When there is no such remote or version, the server refuses, or a file arrives damaged.
pub fn pull(app: &App, input: PullModel) -> Result<Pulled, Report> {
    let wanted = address::wanted(&input.address)?;
    let from = connection(app, input.project.as_deref(), &wanted.remote)?;
    of_kind(&from)?;
    let server = Mlflow::new(from.client(app)?);
    let theirs = app
        .block_on(server.version(&wanted.name, &wanted.which))?
        .reported()?;
    let name = input.name.unwrap_or(wanted.name);
    let origin = format!("{}:{}/{}", from.name, theirs.name, theirs.version);
    let (version, new) = match known(app, &name, &theirs, &origin)? {
        Some(version) => (version, false),
        None => (fetch(app, &server, &theirs, &name, &origin)?, true),
    };
    if let Some(alias) = &input.alias {
        app.tracking().set_alias(&name, alias, version).reported()?;
    }
    Ok(Pulled {
        name,
        version,
        origin,
        new,
    })
}

fn known(
    app: &App,
    name: &str,
    theirs: &ModelVersion,
    origin: &str,
) -> Result<Option<u32>, Report> {
    let digest = theirs.tags.iter().find(|tag| tag.key == DIGEST);
    let same_files = match digest {
        Some(tag) => app
            .tracking()
            .version_with_tag(name, DIGEST, &tag.value)
            .reported()?,
        None => None,
    };
    let found = match same_files {
        Some(found) => Some(found),
        None => app
            .tracking()
            .version_with_tag(name, ORIGIN, origin)
            .reported()?,
    };
    if found.is_some() {
        return Ok(found.map(|version| version.version));
    }
    // Pushed from here, and never pulled: it carries no tag of its own.
    let Some(tag) = digest else {
        return Ok(None);
    };
    for version in app.tracking().versions(name).unwrap_or_default() {
        let text = format!("{name}/{}", version.version);
        let Ok(place) = app.tracking().resolve(&text) else {
            continue;
        };
        let files = digest::folder(&place.folder).reported()?;
        if digest::of(&files) == tag.value {
            return Ok(Some(version.version));
        }
    }
    Ok(None)
}

fn fetch(
    app: &App,
    server: &Mlflow,
    theirs: &ModelVersion,
    name: &str,
    origin: &str,
) -> Result<u32, Report> {
    let folder = parts(app, origin)?;
    app.block_on(download(app, server, theirs, &folder))?
        .reported()?;
    let digest = digest::of(&digest::folder(&folder).reported()?);
    if let Some(tag) = theirs.tags.iter().find(|tag| tag.key == DIGEST)
        && tag.value != digest
    {
        fs_err::remove_dir_all(&folder).map_err(|error| file::unwritable(&folder, &error))?;
        return Err(Error::Digest {
            what: origin.to_owned(),
            expected: tag.value.clone(),
            found: digest,
        }
        .report());
    }
    let run_id = match theirs.run_id.is_empty() {
        true => None,
        false => take_run(app, server, &theirs.run_id)?,
    };
    let mut tags: std::collections::BTreeMap<String, String> = theirs
        .tags
        .iter()
        .map(|tag| (tag.key.clone(), tag.value.clone()))
        .collect();
    tags.insert(DIGEST.to_owned(), digest);
    tags.insert(ORIGIN.to_owned(), origin.to_owned());
    let made = app
        .tracking()
        .import_version(ImportedVersion {
            name,
            folder: &folder,
            run_id,
            description: theirs.description.clone(),
            tags,
        })
        .reported()?;
    fs_err::remove_dir_all(&folder).map_err(|error| file::unwritable(&folder, &error))?;
    Ok(made.version)
}

/// Where a version arrives: the same place each time, so that what a cut left is gone on with.
fn parts(app: &App, origin: &str) -> Result<PathBuf, Report> {
    let safe: String = origin
        .chars()
        .map(|c| {
            if c.is_alphanumeric() || "-_.".contains(c) {
                c
            } else {
                '_'
            }
        })
        .collect();
    let folder = app.workspace().root().join("arriving").join(safe);
    fs_err::create_dir_all(&folder).map_err(|error| file::unwritable(&folder, &error))?;
    Ok(folder)
}

async fn download(
    app: &App,
    server: &Mlflow,
    theirs: &ModelVersion,
    folder: &Path,
) -> Result<(), Error> {
    let location = server.location(theirs).await?;
    let files = server.files(&location).await?;
    if files.is_empty() {
        return Err(Error::NotFound {
            url: format!("a file of {} version {}", theirs.name, theirs.version),
        });
    }
    let total: u64 = files
        .iter()
        .map(|file| u64::try_from(file.file_size).unwrap_or(0))
        .sum();
    let done = AtomicU64::new(0);
    stream::iter(files.iter().map(|one| {
        let done = &done;
        let location = &location;
        let moved = move |bytes| {
            app.tell(&lapwing_data::Progress {
                what: one.path.clone(),
                done_bytes: done.fetch_add(bytes, Ordering::Relaxed) + bytes,
                total_bytes: total,
            });
        };
        async move { one_file(server, location, one, folder, &moved).await }
    }))
    .buffer_unordered(MAX_DOWNLOADS)
    .try_collect::<Vec<()>>()
    .await?;
    Ok(())
}

async fn one_file(
    server: &Mlflow,
    location: &str,
    one: &Artifact,
    folder: &Path,
    moved: lapwing_remote::Moved<'_>,
) -> Result<(), Error> {
    let place = beneath(folder, &one.path)?;
    let size = u64::try_from(one.file_size).unwrap_or(0);
    let here = fs_err::metadata(&place).map_or(0, |found| found.len()); // Not there: nothing has arrived.
    if here == size && size > 0 {
        moved(size);
        return Ok(());
    }
    if let Some(parent) = place.parent() {
        fs_err::create_dir_all(parent)?;
    }
    if size == 0 {
        fs_err::write(&place, "")?;
        return Ok(());
    }
    server.download(location, &one.path, &place, moved).await
}

/// A server's path below our folder, and nowhere else.
fn beneath(folder: &Path, path: &str) -> Result<PathBuf, Error> {
    let plain = Path::new(path)
        .components()
        .all(|part| matches!(part, std::path::Component::Normal(_)));
    if plain && !path.is_empty() && !path.contains('\\') {
        return Ok(folder.join(path));
    }
    Err(Error::Unreadable {
        url: "the server".to_owned(),
        why: format!("`{path}` leads out of the model's folder"),
    })
}

/// The run of a version: our own, where it was pushed from here; or theirs, under the same id.
fn take_run(app: &App, server: &Mlflow, id: &str) -> Result<Option<RunId>, Report> {
    let found = app.block_on(whole_run(server, id))?;
    let (run, experiment, points) = match found {
        Ok(found) => found,
        // Deleted there: the model comes without it.
        Err(Error::NotFound { .. }) => return Ok(None),
        Err(error) => return Err(error.report()),
    };
    let ours = run.data.tags.iter().find(|tag| tag.key == RUN);
    if let Some(Ok(id)) = ours.map(|tag| tag.value.parse::<RunId>())
        && app.tracking().run(&id).is_ok()
    {
        return Ok(Some(id));
    }
    let Ok(id) = run.info.run_id.parse::<RunId>() else {
        return Ok(None);
    };
    let pairs = |list: Vec<lapwing_remote::mlflow::KeyValue>| {
        list.into_iter()
            .map(|pair| (pair.key, pair.value))
            .collect()
    };
    app.tracking()
        .import_run(ImportedRun {
            id: id.clone(),
            experiment,
            name: run.info.run_name,
            user: run.info.user_id,
            status: RunStatus::parse(&run.info.status).unwrap_or(RunStatus::Finished),
            start: Timestamp(run.info.start_time),
            end: (run.info.end_time > 0).then_some(Timestamp(run.info.end_time)),
            params: pairs(run.data.params),
            tags: pairs(run.data.tags),
            metrics: points,
        })
        .reported()?;
    Ok(Some(id))
}

async fn whole_run(
    server: &Mlflow,
    id: &str,
) -> Result<(lapwing_remote::mlflow::Run, String, Vec<Metric>), Error> {
    let run = server.run(id).await?;
    let experiment = server.experiment_name(&run.info.experiment_id).await?;
    let mut points = Vec::new();
    for metric in &run.data.metrics {
        for point in server.history(id, &metric.key).await? {
            points.push(Metric {
                key: point.key,
                point: Point {
                    step: point.step,
                    timestamp: Timestamp(point.timestamp),
                    value: point.value,
                },
            });
        }
    }
    Ok((run, experiment, points))
}
