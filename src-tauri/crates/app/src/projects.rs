//! Projects: create, open, clone, trust, and find the one a folder belongs to.

use std::path::{Path, PathBuf};

use lapwing_core::{Code, Report, Timestamp};
use lapwing_data::Project;
use lapwing_store::projects as table;

use crate::config::Config;
use crate::error::Reported as _;
use crate::wire::{
    CloneProject, CreateSample, ExchangeProject, Exchanged, InProject, Nothing, OpenProject,
    ProjectDetail, ProjectSummary,
};
use crate::{App, exchange, file, options, sample};

/// The absolute path of the project that `folder` lies in.
///
/// # Errors
/// When the folder is in no git repository with a DVC layout.
pub fn locate(folder: &Path) -> Result<String, Report> {
    let project = Project::open(folder).reported()?;
    Ok(project.root().display().to_string())
}

/// Opens the project of a request.
pub(crate) fn project(path: &str) -> Result<Project, Report> {
    Project::open(Path::new(path)).reported()
}

/// Projects opened before, the last one first.
///
/// # Errors
/// When the store cannot be read.
pub fn list(app: &App, _input: Nothing) -> Result<Vec<ProjectSummary>, Report> {
    let rows = table::list(app.store()).reported()?;
    Ok(rows
        .into_iter()
        .map(|row| ProjectSummary {
            exists: Path::new(&row.path).is_dir(),
            path: row.path,
            name: row.name,
            opened: row.opened,
            trusted: row.trusted,
        })
        .collect())
}

/// What the window shows of a project everywhere. Reads only: nothing of the project is run.
///
/// # Errors
/// When the folder is gone or is no project.
pub fn get(app: &App, input: InProject) -> Result<ProjectDetail, Report> {
    let project = project(&input.project)?;
    detail(app, &project)
}

fn detail(app: &App, project: &Project) -> Result<ProjectDetail, Report> {
    let path = project.root().display().to_string();
    let known = table::get(app.store(), &path).reported()?;
    let head = project.head().reported()?;
    let (name, config_error) = match Config::read(project.root()) {
        Ok(config) => (name_of(project.root(), &config), None),
        Err(report) => (folder_name(project.root()), Some(report)),
    };
    Ok(ProjectDetail {
        path,
        name,
        trusted: known.is_some_and(|row| row.trusted),
        branch: project.branch().reported()?,
        commit: head.as_ref().map(|commit| commit.short.clone()),
        commit_message: head.map(|commit| commit.message),
        dirty: project.is_dirty().reported()?,
        git: project.position().reported()?.map(exchange::wire),
        config_error,
    })
}

/// What is wrong with the project's `lapwing.toml`, if anything.
#[must_use]
pub fn config_error(project: &str) -> Option<Report> {
    Config::read(Path::new(project)).err()
}

/// The project's name: from `lapwing.toml`, or its folder's.
#[must_use]
pub(crate) fn name_of(root: &Path, config: &Config) -> String {
    config
        .project
        .name
        .clone()
        .unwrap_or_else(|| folder_name(root))
}

fn folder_name(root: &Path) -> String {
    root.file_name().map_or_else(
        || root.display().to_string(),
        |name| name.to_string_lossy().into_owned(),
    )
}

fn remember(app: &App, project: &Project, trusted: bool) -> Result<(), Report> {
    let name = Config::read(project.root()).map_or_else(
        |_| folder_name(project.root()),
        |config| name_of(project.root(), &config),
    );
    let row = table::Project {
        path: project.root().display().to_string(),
        name,
        opened: Timestamp::now(),
        trusted,
    };
    table::remember(app.store(), row).reported()
}

/// Opens a folder as a project and remembers it; nothing of it is run.
///
/// # Errors
/// When there is no such folder, or it is no project: the hint says what makes it one.
pub fn open(app: &App, input: OpenProject) -> Result<ProjectDetail, Report> {
    let project = project(&input.path)?;
    remember(app, &project, false)?;
    detail(app, &project)
}

/// The same, for a program that begins and has nobody to tell the details to yet.
///
/// # Errors
/// As [`open`].
pub fn begin_with(app: &App, path: &str) -> Result<(), Report> {
    remember(app, &project(path)?, false)
}

/// Makes a folder a project: git and DVC layout and `lapwing.toml`, each only where missing.
///
/// # Errors
/// When the folder cannot be written.
pub fn init(app: &App, input: OpenProject) -> Result<ProjectDetail, Report> {
    let path = PathBuf::from(&input.path);
    let project = Project::init(&path).reported()?;
    let config = project.root().join(crate::config::FILE);
    if !config.exists() {
        let mut text = toml_edit::DocumentMut::new();
        text["project"] = toml_edit::table();
        text["project"]["name"] = toml_edit::value(folder_name(project.root()));
        file::write_whole(&config, text.to_string().as_bytes())?;
    }
    // Whoever makes a project here wrote what is in it.
    remember(app, &project, true)?;
    detail(app, &project)
}

/// Creates the bundled sample, with its first commit and its data tracked.
///
/// # Errors
/// When the folder exists and is not empty, or cannot be written.
pub fn create_sample(app: &App, input: CreateSample) -> Result<ProjectDetail, Report> {
    let folder = match input.path {
        Some(path) => PathBuf::from(path),
        None => free_folder(&options::home_folder()?.join(sample::NAME)),
    };
    if folder.is_dir()
        && folder
            .read_dir()
            .is_ok_and(|mut entries| entries.next().is_some())
    {
        return Err(Report::new(
            Code::Conflict,
            "sample.folder_taken",
            format!("{} is not empty", folder.display()),
        )
        .hint("name a folder that does not exist yet"));
    }
    sample::write(&folder)?;
    let project = Project::init(&folder).reported()?;
    let tracked = [
        PathBuf::from("data/raw"),
        PathBuf::from("data/weather-2013.parquet"),
    ];
    lapwing_data::add(&project, &tracked, &|_| {}).reported()?;
    project
        .commit_all("Flight delays: pipeline, January and February")
        .reported()?;
    remember(app, &project, true)?;
    detail(app, &project)
}

/// `name`, or `name-2`, `name-3`, … where it is taken.
fn free_folder(wanted: &Path) -> PathBuf {
    const TRIES: u32 = 1000;
    if !wanted.exists() {
        return wanted.to_owned();
    }
    let name = folder_name(wanted);
    (2..TRIES)
        .map(|number| wanted.with_file_name(format!("{name}-{number}")))
        .find(|path| !path.exists())
        .unwrap_or_else(|| wanted.to_owned())
}

/// Clones a project from a git URL. Its commands stay untrusted until the user says otherwise.
///
/// # Errors
/// When the folder is taken, the URL cannot be reached or the credentials are refused.
pub fn clone(app: &App, input: CloneProject) -> Result<ProjectDetail, Report> {
    let project = exchange::clone(app, &input.url, PathBuf::from(input.path))?;
    remember(app, &project, false)?;
    detail(app, &project)
}

/// Brings the commits of the project's git remote here; files stay as they are.
///
/// # Errors
/// When there is no such remote, or it cannot be reached.
pub fn fetch(app: &App, input: ExchangeProject) -> Result<Exchanged, Report> {
    exchange::fetch(app, &input)
}

/// Fetches, and goes forward to what the git remote has.
///
/// # Errors
/// As [`fetch`]; and, with nothing changed, when both sides have commits of their own or a changed file is in the way.
pub fn pull(app: &App, input: ExchangeProject) -> Result<Exchanged, Report> {
    exchange::pull(app, &input)
}

/// Sends the branch's commits to the git remote.
///
/// # Errors
/// As [`fetch`]; and when the remote has commits that are not here, or does not take these.
pub fn push(app: &App, input: ExchangeProject) -> Result<Exchanged, Report> {
    exchange::push(app, &input)
}

/// From now on commands of this project may run.
///
/// # Errors
/// When the folder is no project.
pub fn trust(app: &App, input: InProject) -> Result<ProjectDetail, Report> {
    let project = project(&input.project)?;
    remember(app, &project, true)?;
    detail(app, &project)
}

/// Refuses to run commands of a folder that nobody has trusted yet.
pub(crate) fn require_trust(app: &App, project: &Project) -> Result<(), Report> {
    let path = project.root().display().to_string();
    let known = table::get(app.store(), &path).reported()?;
    if known.is_some_and(|row| row.trusted) {
        return Ok(());
    }
    Err(Report::new(
        Code::Conflict,
        "project.untrusted",
        format!(
            "running {} starts the commands of its dvc.yaml, and you have not trusted it yet",
            folder_name(project.root())
        ),
    )
    .hint("trust it if you know where it comes from: `lapwing projects open` in its folder"))
}

/// Takes a project off the list; its folder stays as it is.
///
/// # Errors
/// When it is not on the list, or the store cannot be written.
pub fn forget(app: &App, input: InProject) -> Result<Nothing, Report> {
    if table::get(app.store(), &input.project)
        .reported()?
        .is_none()
    {
        return Err(Report::new(
            Code::NotFound,
            "project.unknown",
            format!("{} is not on the list of projects", input.project),
        )
        .hint("`lapwing projects list` shows what is"));
    }
    table::forget(app.store(), &input.project).reported()?;
    Ok(Nothing {})
}
