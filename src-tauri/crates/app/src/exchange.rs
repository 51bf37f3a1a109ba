//! A project's commits to and from its git remotes.

use lapwing_core::{Code, Report};
use lapwing_data::{Access, GitRemote, Kept, Position, Project, Settings};
use lapwing_store::projects as table;

use crate::error::Reported as _;
use crate::remotes::{Connection, of_git};
use crate::wire::{Count, ExchangeProject, Exchanged, GitPosition};
use crate::{App, projects};

/// Brings the commits of the project's git remote here; files stay as they are.
///
/// # Errors
/// When there is no such remote, or it cannot be reached.
pub(crate) fn fetch(app: &App, input: &ExchangeProject) -> Result<Exchanged, Report> {
    exchange(app, input, Project::git_fetch)
}

/// Fetches, and goes forward to what the remote has.
///
/// # Errors
/// As [`fetch`]; and, with nothing changed, when both sides have commits of their own or a changed file is in the way.
pub(crate) fn pull(app: &App, input: &ExchangeProject) -> Result<Exchanged, Report> {
    exchange(app, input, Project::git_pull)
}

/// Sends the branch's commits.
///
/// # Errors
/// As [`fetch`]; and when the remote has commits that are not here, or does not take these.
pub(crate) fn push(app: &App, input: &ExchangeProject) -> Result<Exchanged, Report> {
    exchange(app, input, Project::git_push)
}

type Work = fn(
    &Project,
    Option<&str>,
    &Access,
    &dyn Fn(lapwing_data::Progress),
) -> lapwing_data::Result<lapwing_data::Exchanged>;

fn exchange(app: &App, input: &ExchangeProject, work: Work) -> Result<Exchanged, Report> {
    let project = projects::project(&input.project)?;
    let named = input.remote.clone();
    let position = project.position().reported()?;
    let remote = named.clone().or(position.map(|position| position.remote));
    let access = access(app, &project, remote.as_deref())?;
    let done = work(&project, named.as_deref(), &access, &|progress| {
        app.tell(&progress);
    })
    .reported()?;
    Ok(Exchanged {
        position: wire(done.position),
        commits: Count(done.commits as u64),
        data: done.data,
    })
}

pub(crate) fn wire(position: Position) -> GitPosition {
    GitPosition {
        branch: position.branch,
        remote: position.remote,
        upstream: position.upstream,
        ahead: Count(position.ahead as u64),
        behind: Count(position.behind as u64),
    }
}

/// The settings of a folder that nobody has trusted start no program.
fn access(app: &App, project: &Project, remote: Option<&str>) -> Result<Access, Report> {
    let path = project.root().display().to_string();
    let known = table::get(app.store(), &path).reported()?;
    let settings = if known.is_some_and(|row| row.trusted) {
        Settings::Repository
    } else {
        Settings::User
    };
    let found = remotes(project)
        .into_iter()
        .find(|known| Some(known.name.as_str()) == remote);
    let kept = match found {
        Some(found) => {
            let server = found.url.clone();
            let known = app.vault().get(&of_git(&path, found).key()).reported()?;
            known.map(|credential| Kept { credential, server })
        }
        None => None,
    };
    Ok(Access { settings, kept })
}

/// Tries a git remote of the project, and says what answers.
///
/// # Errors
/// When it cannot be reached.
pub(crate) fn greet(app: &App, found: &Connection) -> Result<String, Report> {
    let Some(path) = found.project() else {
        return Err(Report::new(
            Code::Invalid,
            "git.no_project",
            "a git remote belongs to a project",
        ));
    };
    let project = projects::project(path)?;
    let access = access(app, &project, Some(&found.name))?;
    project.git_greet(&found.name, &access).reported()
}

/// The git remotes of a project, none where its repository cannot be read.
pub(crate) fn remotes(project: &Project) -> Vec<GitRemote> {
    // Whoever lists remotes may want one of the others.
    project.git_remotes().unwrap_or_default()
}
