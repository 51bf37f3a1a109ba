//! A model version from a registry elsewhere, with its run. Pulling again changes nothing.

use std::collections::BTreeMap;
use std::path::PathBuf;

use lapwing_core::{Report, split_remote};
use lapwing_remote::{Error, digest};
use lapwing_tracking::ImportedVersion;

use super::address;
use super::keeper::{Identity, Keeper, There, keeps_models};
use super::package::{DIGEST, ORIGIN};
use crate::error::Reported as _;
use crate::remotes::connection_for;
use crate::transfers::{Journey, Line, Underway};
use crate::wire::{Cargo, Direction, FoundModels, PullModel, Pulled, SearchRemoteModels};
use crate::{App, file};

/// What a registry has, of which the name contains a text.
///
/// # Errors
/// When there is no such remote, or the registry refuses.
pub fn search(app: &App, input: SearchRemoteModels) -> Result<FoundModels, Report> {
    let from = connection_for(app, input.project.as_deref(), &input.remote, keeps_models)?;
    let keeper = Keeper::of(app, &from)?;
    app.block_on(keeper.search(&from.name, &input.text))?
        .reported()
}

/// Pulls a version; one that was pulled before, or has the same files, is answered as it is.
///
/// # Errors
/// When there is no such remote or version, the registry refuses, or a file arrives damaged.
pub fn pull(app: &App, input: PullModel) -> Result<Pulled, Report> {
    let wanted = address::wanted(&input.address)?;
    let journey = Journey {
        project: None,
        direction: Direction::Pull,
        cargo: Cargo::Model,
        name: split_remote(&input.address).map(|(_, name)| name.to_owned()),
        remote: Some(wanted.remote),
    };
    let underway = Underway::begin(app, journey);
    take(underway.line(), input)
}

/// As [`pull`], as part of a transfer.
pub(super) fn take(line: &Line, input: PullModel) -> Result<Pulled, Report> {
    let app = line.app();
    let wanted = address::wanted(&input.address)?;
    let from = connection_for(app, input.project.as_deref(), &wanted.remote, keeps_models)?;
    let keeper = Keeper::of(app, &from)?;
    let there = line.work(keeper.find(&wanted.name, &wanted.which))?;
    let name = input.name.unwrap_or_else(|| own_part(&wanted.name));
    let origin = there.address(&from.name);
    let (version, new) = match known(line, &name, &there, &origin)? {
        Known::Here(version) => (version, false),
        Known::Not(here) => (fetch(line, &keeper, &there, &name, &origin, &here)?, true),
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

/// The name without its owner: names here have no `/`.
fn own_part(name: &str) -> String {
    name.rsplit('/').next().unwrap_or(name).to_owned()
}

/// Whether a version there is here.
enum Known {
    Here(u32),
    /// It is not; these files were looked at.
    Not(Vec<digest::File>),
}

/// The version here that is the one there: by its files, or, where nobody can tell of these, by where it came from.
fn known(line: &Line, name: &str, there: &There, origin: &str) -> Result<Known, Report> {
    let app = line.app();
    let tagged = |key: &str, value: &str| {
        let found = app.tracking().version_with_tag(name, key, value);
        found.reported().map(|found| found.map(|one| one.version))
    };
    match &there.identity {
        Identity::Origin => {
            let found = tagged(ORIGIN, origin)?;
            return Ok(found.map_or(Known::Not(Vec::new()), Known::Here));
        }
        Identity::Digest(digest) => {
            if let Some(version) = tagged(DIGEST, digest)? {
                return Ok(Known::Here(version));
            }
        }
        Identity::Contents => {}
    }
    // One that was made here and pushed from here carries no tag: its files say it.
    let mut here = Vec::new();
    for version in app.tracking().versions(name).unwrap_or_default() {
        let text = format!("{name}/{}", version.version);
        let Ok(place) = app.tracking().files(&text) else {
            continue;
        };
        let files = line.files(&place.folder)?;
        if there.is(&files).reported()? {
            return Ok(Known::Here(version.version));
        }
        here.extend(files);
    }
    Ok(Known::Not(here))
}

fn fetch(
    line: &Line,
    keeper: &Keeper,
    there: &There,
    name: &str,
    origin: &str,
    here: &[digest::File],
) -> Result<u32, Report> {
    let app = line.app();
    let folder = arriving(app, &there.arrival(origin))?;
    line.work(keeper.fetch(line, there, &folder, here))?;
    let digest = digest::of(&line.files(&folder)?);
    if let Identity::Digest(expected) = &there.identity
        && *expected != digest
    {
        fs_err::remove_dir_all(&folder).map_err(|error| file::unwritable(&folder, &error))?;
        return Err(Error::Digest {
            what: origin.to_owned(),
            expected: expected.clone(),
            found: digest,
        }
        .report());
    }
    let run_id = match line.work(keeper.run(there))? {
        Some(run) => run.take_in(app)?,
        None => None,
    };
    let mut tags: BTreeMap<String, String> = there.tags.iter().cloned().collect();
    tags.insert(DIGEST.to_owned(), digest);
    tags.insert(ORIGIN.to_owned(), origin.to_owned());
    let made = app
        .tracking()
        .import_version(ImportedVersion {
            name,
            folder: &folder,
            run_id,
            description: there.description.clone(),
            tags,
        })
        .reported()?;
    fs_err::remove_dir_all(&folder).map_err(|error| file::unwritable(&folder, &error))?;
    Ok(made.version)
}

/// Where a version arrives: the same place each time, so that what a cut left is gone on with.
fn arriving(app: &App, origin: &str) -> Result<PathBuf, Report> {
    let safe: String = origin
        .chars()
        .map(|c| {
            if c.is_alphanumeric() || "-_".contains(c) {
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
