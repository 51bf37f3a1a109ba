//! A project's commits to and from its git remotes.

use std::path::PathBuf;
use std::time::Duration;

use lapwing_core::{Code, Report};
use lapwing_data::{
    Access, Exchange, GitRemote, Kept, Position, Progress, Project, Settings, Stop,
};
use lapwing_store::projects as table;
use tokio::sync::oneshot;

use crate::error::Reported as _;
use crate::remotes::{Connection, of_git};
use crate::transfers::{Journey, Line, Underway};
use crate::wire::{Cargo, Count, Direction, ExchangeProject, Exchanged, GitPosition};
use crate::{App, projects};

/// So long an exchange is waited for that was told to end: over https it hears of it with the next bytes.
const LAST_BYTES: Duration = Duration::from_secs(2);
/// Ctrl-C reaches the user's `ssh` as well, and its end may be seen before the wish for it.
const SAME_MOMENT: Duration = Duration::from_millis(200);

/// Brings the commits of the project's git remote here; files stay as they are.
///
/// # Errors
/// When there is no such remote, or it cannot be reached.
pub(crate) fn fetch(app: &App, input: &ExchangeProject) -> Result<Exchanged, Report> {
    exchange(app, input, Direction::Pull, Project::git_fetch)
}

/// Fetches, and goes forward to what the remote has.
///
/// # Errors
/// As [`fetch`]; and, with nothing changed, when both sides have commits of their own or a changed file is in the way.
pub(crate) fn pull(app: &App, input: &ExchangeProject) -> Result<Exchanged, Report> {
    exchange(app, input, Direction::Pull, Project::git_pull)
}

/// Sends the branch's commits.
///
/// # Errors
/// As [`fetch`]; and when the remote has commits that are not here, or does not take these.
pub(crate) fn push(app: &App, input: &ExchangeProject) -> Result<Exchanged, Report> {
    exchange(app, input, Direction::Push, Project::git_push)
}

/// Clones a git repository; nothing of it is seen before it is there.
///
/// # Errors
/// When the folder is taken, the address cannot be reached or the credentials are refused.
pub(crate) fn clone(app: &App, url: &str, into: PathBuf) -> Result<Project, Report> {
    let journey = Journey {
        project: None,
        direction: Direction::Pull,
        cargo: Cargo::Commits,
        name: into
            .file_name()
            .map(|name| name.to_string_lossy().into_owned()),
        remote: Some(lapwing_data::shown_address(url)),
    };
    let url = url.to_owned();
    carry(app, journey, move |line, stop| {
        Project::clone(&url, &into, &|progress| tell(line, stop, progress), stop)
    })
}

type Work = fn(&Project, &Exchange<'_>) -> lapwing_data::Result<lapwing_data::Exchanged>;

fn exchange(
    app: &App,
    input: &ExchangeProject,
    direction: Direction,
    work: Work,
) -> Result<Exchanged, Report> {
    let project = projects::project(&input.project)?;
    let named = input.remote.clone();
    let position = project.position().reported()?;
    let remote = named.clone().or(position.map(|position| position.remote));
    let access = access(app, &project, remote.as_deref())?;
    let journey = Journey {
        project: Some(project.root().to_owned()),
        direction,
        cargo: Cargo::Commits,
        name: None,
        remote,
    };
    let done = carry(app, journey, move |line, stop| {
        let exchange = Exchange {
            remote: named.as_deref(),
            access: &access,
            progress: &|progress| tell(line, stop, progress),
            stop,
        };
        work(&project, &exchange)
    })?;
    Ok(Exchanged {
        position: wire(done.position),
        commits: Count(done.commits as u64),
        data: done.data,
    })
}

/// Does an exchange on a thread of its own. One that is to stop and hangs in a broken connection is left behind: it ends with the
/// connection or the process, and changes nothing any more.
fn carry<T: Send + 'static>(
    app: &App,
    journey: Journey,
    work: impl FnOnce(&Line, &Stop) -> lapwing_data::Result<T> + Send + 'static,
) -> Result<T, Report> {
    let underway = Underway::begin(app, journey);
    let (line, stop) = (underway.line().clone(), Stop::default());
    let (ended, mut end) = oneshot::channel();
    let theirs = (line.clone(), stop.clone());
    std::thread::spawn(move || {
        let (line, stop) = theirs;
        // Whoever waited has left.
        let _ = ended.send(work(&line, &stop));
    });
    app.block_on(async {
        tokio::select! {
            biased;
            () = line.stopped() => {}
            done = &mut end => {
                let done = answer(done);
                let failed = done.is_err();
                if failed && tokio::time::timeout(SAME_MOMENT, line.stopped()).await.is_ok() {
                    return Err(lapwing_data::Error::GitStopped.report());
                }
                return done;
            }
        }
        stop.now();
        match tokio::time::timeout(LAST_BYTES, end).await {
            Ok(done) => answer(done),
            Err(_) => {
                stop.abandon();
                Err(lapwing_data::Error::GitStopped.report())
            }
        }
    })?
}

/// Nothing more goes when somebody who was told of this wants the end.
fn tell(line: &Line, stop: &Stop, progress: Progress) {
    line.tell(progress);
    if line.check().is_err() {
        stop.now();
    }
}

fn answer<T>(
    ended: Result<lapwing_data::Result<T>, oneshot::error::RecvError>,
) -> Result<T, Report> {
    let ended = ended.map_err(|_| {
        Report::new(
            Code::Internal,
            "git.no_answer",
            "the exchange of commits ended without an answer",
        )
    })?;
    ended.reported()
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
