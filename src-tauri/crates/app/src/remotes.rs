//! Named storage of a project: the remotes of `.dvc/config`.

use lapwing_core::{Code, Report};

use crate::error::Reported as _;
use crate::wire::{AddRemote, InProject, Nothing, RemoteRow, RemoveRemote};
use crate::{App, projects};

/// All remotes by name.
///
/// # Errors
/// When the folder is no project.
pub fn list(_app: &App, input: InProject) -> Result<Vec<RemoteRow>, Report> {
    let project = projects::project(&input.project)?;
    Ok(project
        .config()
        .remotes()
        .into_iter()
        .map(|remote| RemoteRow {
            supported: lapwing_remote::Storage::open(&remote.url).is_ok(),
            name: remote.name,
            url: remote.url,
            default: remote.default,
        })
        .collect())
}

/// Adds a remote, or changes the one of that name.
///
/// # Errors
/// When the name or the address is empty.
pub fn add(_app: &App, input: AddRemote) -> Result<Nothing, Report> {
    let good = !input.name.is_empty()
        && input
            .name
            .chars()
            .all(|c| c.is_alphanumeric() || "-_.".contains(c));
    if !good || input.url.trim().is_empty() {
        return Err(Report::new(
            Code::Invalid,
            "remote.name",
            "a remote needs a name of letters, digits, - and _, and an address",
        ));
    }
    let project = projects::project(&input.project)?;
    project
        .add_remote(&input.name, &input.url, input.default)
        .reported()?;
    Ok(Nothing {})
}

/// Removes a remote; what lies there stays.
///
/// # Errors
/// When there is none with that name.
pub fn remove(_app: &App, input: RemoveRemote) -> Result<Nothing, Report> {
    projects::project(&input.project)?
        .remove_remote(&input.name)
        .reported()?;
    Ok(Nothing {})
}
