//! A model version to a registry elsewhere, with its run, metrics, lineage and card. Pushing again changes nothing.

use lapwing_core::Report;
use lapwing_remote::Error;
use lapwing_remote::mlflow::Which;

use super::keeper::{Keeper, Sent, There, keeps_models};
use super::package::{ORIGIN, Package, package};
use crate::App;
use crate::remotes::connection_for;
use crate::transfers::{Journey, Line, Underway};
use crate::wire::{Cargo, Count, Direction, PushModel, Pushed};

/// Pushes a version; one with the same files that is there already stays the only one.
///
/// # Errors
/// When there is no such version or remote, or the registry refuses.
pub fn push(app: &App, input: PushModel) -> Result<Pushed, Report> {
    let journey = Journey {
        project: None,
        direction: Direction::Push,
        cargo: Cargo::Model,
        name: Some(input.model.clone()),
        remote: Some(input.remote.clone()),
    };
    let underway = Underway::begin(app, journey);
    send(underway.line(), input)
}

/// As [`push`], as part of a transfer.
pub(super) fn send(line: &Line, input: PushModel) -> Result<Pushed, Report> {
    let app = line.app();
    let to = connection_for(app, input.project.as_deref(), &input.remote, keeps_models)?;
    let keeper = Keeper::of(app, &to)?;
    let package = package(line, &input.model)?;
    let name = input.name.unwrap_or_else(|| package.version.name.clone());
    let work = async {
        let done = match came_from(&keeper, &package, &to.name, &name).await {
            Some(there) => Sent {
                name: there.name,
                version: there.version,
                new: false,
                files: 0,
                bytes: 0,
            },
            None => keeper.push(line, &package, &name).await?,
        };
        if let Some(alias) = &input.alias {
            keeper.set_alias(&done.name, alias, &done.version).await?;
        }
        Ok::<_, Error>(done)
    };
    let done = if keeper.stops_between_parts() {
        line.work_in_parts(work)?
    } else {
        line.work(work)?
    };
    Ok(Pushed {
        address: format!("{}:{}/{}", to.name, done.name, done.version),
        new: done.new,
        files: u32::try_from(done.files).unwrap_or(u32::MAX),
        bytes: Count(done.bytes),
    })
}

/// The version there that was pulled, when it goes back to where it came from: whoever pushed it may have said no digest.
async fn came_from(keeper: &Keeper, package: &Package, remote: &str, name: &str) -> Option<There> {
    let origin = package.version.tags.get(ORIGIN)?;
    let number = origin.strip_prefix(&format!("{remote}:{name}/"))?;
    let found = keeper.find(name, &Which::Number(number.to_owned())).await;
    found.ok() // Gone there, or its name: it is pushed as any other.
}
