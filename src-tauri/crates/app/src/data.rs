//! Datasets: add, status, versions, differences, previews, push and pull.

use std::path::{Path, PathBuf};

use lapwing_core::{Code, Report, Tag, Timestamp};
use lapwing_data::{ChangeKind, Out, Overwrite, Project, State};
use lapwing_monitor::Frame;
use lapwing_monitor::frame::{Part, is_tabular};
use lapwing_monitor::profile::{ColumnProfile, Profile};
use lapwing_pipeline::{OutKind, Pipeline};

use crate::error::Reported as _;
use crate::transfers::{Journey, Underway};
use crate::wire::{
    AddData, AddedData, Cargo, CheckoutData, Count, DataPath, DataState, DataVersion, DatasetRow,
    DiffData, DiffKind, DiffRow, Direction, FileRow, InProject, Preview, PreviewColumn,
    PreviewData, TransferData, Transferred,
};
use crate::{App, projects, remotes};

/// Rows in one page of a preview.
const MAX_PREVIEW_ROWS: u32 = 1000;
/// A profile reads at most so many rows: enough for every figure that it shows.
const MAX_PROFILE_ROWS: usize = 2_000_000;
const MAX_FILES: usize = 2000;

fn state(state: State) -> DataState {
    match state {
        State::Clean => DataState::Clean,
        State::Modified => DataState::Modified,
        State::Deleted => DataState::Deleted,
        State::New => DataState::New,
        State::NotInCache => DataState::NotInCache,
    }
}

/// What `.dvc` files track, and what stages made and recorded.
///
/// # Errors
/// When the project, a `.dvc` file or the pipeline is not valid.
pub fn list(_app: &App, input: InProject) -> Result<Vec<DatasetRow>, Report> {
    let project = projects::project(&input.project)?;
    let mut rows: Vec<DatasetRow> = lapwing_data::status(&project)
        .reported()?
        .into_iter()
        .map(|row| DatasetRow {
            is_dir: row.out.is_dir() || project.root().join(&row.path).is_dir(),
            path: row.path,
            tracked_by: row.dvc_file,
            stage: None,
            state: state(row.state),
            size: Count(row.out.size.unwrap_or(0)),
            files: row.out.nfiles.map(Count),
            hash: row.out.md5,
        })
        .collect();
    for (stage, out, place) in stage_outs(&project)? {
        rows.push(DatasetRow {
            path: project.relative(&place),
            tracked_by: "dvc.lock".to_owned(),
            stage: Some(stage),
            state: state(lapwing_data::out_state(&project, &out, &place).reported()?),
            size: Count(out.size.unwrap_or(0)),
            files: out.nfiles.map(Count),
            is_dir: out.is_dir(),
            hash: out.md5,
        });
    }
    Ok(rows)
}

/// Recorded outputs of stages that lie in the cache: what is pushed with the data.
fn stage_outs(project: &Project) -> Result<Vec<(String, Out, PathBuf)>, Report> {
    let pipeline = Pipeline::read(project).reported()?;
    let mut all = Vec::new();
    for stage in pipeline.stages() {
        let Some(lock) = lapwing_pipeline::recorded(project, stage).reported()? else {
            continue;
        };
        for out in stage
            .outs
            .iter()
            .filter(|out| out.cache && out.kind == OutKind::Output)
        {
            let Some(entry) = lock.out(&out.written) else {
                continue;
            };
            let recorded = Out {
                md5: entry.md5.clone(),
                size: entry.size,
                nfiles: entry.nfiles,
                isexec: entry.isexec,
                hash: entry.hash.clone(),
                path: out.path.clone(),
                cache: true,
                persist: out.persist,
                push: out.push,
                remote: out.remote.clone(),
                desc: None,
            };
            all.push((
                stage.address.clone(),
                recorded,
                project.root().join(&out.path),
            ));
        }
    }
    Ok(all)
}

/// Tracks a new version of each path, and commits it when a message is given.
///
/// # Errors
/// When a path is missing, outside of the project, or tracked by git.
pub fn add(app: &App, input: AddData) -> Result<Vec<AddedData>, Report> {
    let project = projects::project(&input.project)?;
    let paths = input
        .paths
        .iter()
        .map(|path| bring_in(&project, Path::new(path)))
        .collect::<Result<Vec<_>, _>>()?;
    for path in &paths {
        no_output(&project, path)?;
    }
    let added = lapwing_data::add(&project, &paths, &|progress| app.tell(&progress)).reported()?;
    if let Some(message) = &input.message {
        let mut files = Vec::new();
        for row in &added {
            files.push(PathBuf::from(project.relative(&row.dvc_file)));
            let ignore = row.dvc_file.with_file_name(".gitignore");
            if ignore.exists() {
                files.push(PathBuf::from(project.relative(&ignore)));
            }
        }
        project.commit(&files, message).reported()?;
    }
    app.announce(&[Tag::Data, Tag::Pipeline]);
    Ok(added
        .into_iter()
        .map(|row| AddedData {
            path: row.path,
            hash: row.out.md5.unwrap_or_default(),
            size: Count(row.out.size.unwrap_or(0)),
            files: row.out.nfiles.map(Count),
            changed: row.changed,
        })
        .collect())
}

/// A file from elsewhere is copied into `data/` first: what is tracked lies in the project.
fn bring_in(project: &Project, path: &Path) -> Result<PathBuf, Report> {
    let full = if path.is_absolute() {
        path.to_owned()
    } else {
        project.root().join(path)
    };
    if !full.exists() || project.beneath(&full).is_ok() || !full.is_file() {
        return Ok(full);
    }
    let to = project
        .root()
        .join("data")
        .join(full.file_name().unwrap_or_default());
    if to.exists() {
        return Err(Report::new(
            Code::Conflict,
            "data.name_taken",
            format!("{} exists already in the project", project.relative(&to)),
        )
        .hint("rename the file, or add the one in the project"));
    }
    let copy =
        fs_err::create_dir_all(project.root().join("data")).and_then(|()| fs_err::copy(&full, &to));
    copy.map_err(|error| crate::file::unwritable(&to, &error))?;
    Ok(to)
}

/// What a stage makes is versioned by `dvc.lock`: tracked a second time, no command could tell whose it is.
fn no_output(project: &Project, path: &Path) -> Result<(), Report> {
    let Ok(place) = project.beneath(path) else {
        return Ok(()); // Outside: `lapwing_data::add` says so.
    };
    if place == project.root() {
        return Ok(()); // No data at all: it says that as well.
    }
    let pipeline = Pipeline::read(project).reported()?;
    for stage in pipeline.stages() {
        for out in &stage.outs {
            let other = project.root().join(&out.path);
            if place.starts_with(&other) || other.starts_with(&place) {
                return Err(Report::new(
                    Code::Conflict,
                    "data.made_by_stage",
                    format!(
                        "{} is made by stage `{}`, and versioned with the pipeline",
                        out.path, stage.address
                    ),
                )
                .hint("`lapwing run` records a new version of it; `lapwing data push` sends it like other data"));
            }
        }
    }
    Ok(())
}

/// Versions of a dataset, newest first.
///
/// # Errors
/// When nothing is tracked at that path.
pub fn log(_app: &App, input: DataPath) -> Result<Vec<DataVersion>, Report> {
    let project = projects::project(&input.project)?;
    let versions = lapwing_data::log(&project, Path::new(&input.path)).reported()?;
    Ok(versions
        .into_iter()
        .map(|version| DataVersion {
            commit: version.commit.id,
            short: version.commit.short,
            message: version.commit.message,
            author: version.commit.author,
            at: version.commit.at,
            hash: version.out.md5.unwrap_or_default(),
            size: Count(version.out.size.unwrap_or(0)),
            files: version.out.nfiles.map(Count),
        })
        .collect())
}

/// What changed between two versions, file by file.
///
/// # Errors
/// When a revision does not exist.
pub fn diff(_app: &App, input: DiffData) -> Result<Vec<DiffRow>, Report> {
    let project = projects::project(&input.project)?;
    let changes = lapwing_data::diff(&project, &input.from, input.to.as_deref()).reported()?;
    Ok(changes
        .into_iter()
        .map(|change| DiffRow {
            kind: match change.kind {
                ChangeKind::Added => DiffKind::Added,
                ChangeKind::Modified => DiffKind::Modified,
                ChangeKind::Deleted => DiffKind::Deleted,
                ChangeKind::Renamed => DiffKind::Renamed,
            },
            path: change.path,
            old_path: change.old_path,
            old_size: change.old_size.map(Count),
            new_size: change.new_size.map(Count),
        })
        .collect())
}

/// Brings tracked versions back. Answers the paths that changed.
///
/// # Errors
/// When content is missing, or something would be lost without `force`.
pub fn checkout(_app: &App, input: CheckoutData) -> Result<Vec<String>, Report> {
    let project = projects::project(&input.project)?;
    let overwrite = if input.force {
        Overwrite::Force
    } else {
        Overwrite::Refuse
    };
    let paths: Vec<PathBuf> = input.paths.iter().map(PathBuf::from).collect();
    lapwing_data::checkout(&project, &paths, overwrite).reported()
}

/// Tabular files of a project, tracked or not.
///
/// # Errors
/// When the folder cannot be read.
pub fn files(_app: &App, input: InProject) -> Result<Vec<FileRow>, Report> {
    let project = projects::project(&input.project)?;
    let mut found = Vec::new();
    collect(&project, project.root(), &mut found);
    found.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(found)
}

fn collect(project: &Project, folder: &Path, found: &mut Vec<FileRow>) {
    // A folder that may not be read has nothing to preview.
    let Ok(entries) = fs_err::read_dir(folder) else {
        return;
    };
    for entry in entries.flatten() {
        let path = entry.path();
        let name = entry.file_name().to_string_lossy().into_owned();
        let Ok(meta) = entry.metadata() else { continue };
        if meta.is_dir()
            && !name.starts_with('.')
            && name != "__pycache__"
            && name != "node_modules"
        {
            collect(project, &path, found);
        } else if meta.is_file() && is_tabular(&path) && found.len() < MAX_FILES {
            let modified = meta
                .modified()
                .ok()
                .and_then(|at| at.duration_since(std::time::UNIX_EPOCH).ok()); // No clock: no time.
            found.push(FileRow {
                path: project.relative(&path),
                size: Count(meta.len()),
                modified: Timestamp(
                    modified.map_or(0, |at| i64::try_from(at.as_millis()).unwrap_or(0)),
                ),
            });
        }
    }
}

fn place(project: Option<&str>, path: &str) -> Result<PathBuf, Report> {
    match project {
        Some(root) => projects::project(root)?.beneath(Path::new(path)).reported(),
        None => Ok(PathBuf::from(path)),
    }
}

/// A page of rows.
///
/// # Errors
/// When the file is missing, damaged or of an unknown kind.
pub fn preview(_app: &App, input: PreviewData) -> Result<Preview, Report> {
    let path = place(input.project.as_deref(), &input.path)?;
    let limit = input.limit.clamp(1, MAX_PREVIEW_ROWS) as usize;
    let offset = usize::try_from(input.offset.0).unwrap_or(usize::MAX);
    let frame = Frame::read(
        &path,
        &Part {
            columns: None,
            offset,
            limit: Some(limit),
        },
    )
    .reported()?;
    let columns = frame
        .names()
        .into_iter()
        .map(|name| {
            let kind = frame.kind(&name);
            PreviewColumn {
                numeric: matches!(kind, "int64" | "double"),
                kind: kind.to_owned(),
                name,
            }
        })
        .collect();
    Ok(Preview {
        columns,
        rows: frame.json_rows().reported()?,
        offset: input.offset,
        total_rows: Count(Frame::count_rows(&path).reported()?),
    })
}

/// What is in each column.
///
/// # Errors
/// As [`preview`].
pub fn profile(_app: &App, input: PreviewData) -> Result<Profile, Report> {
    let path = place(input.project.as_deref(), &input.path)?;
    let frame = Frame::read(
        &path,
        &Part {
            limit: Some(MAX_PROFILE_ROWS),
            ..Part::default()
        },
    )
    .reported()?;
    lapwing_monitor::profile::profile(&frame).reported()
}

/// One column's profile as the cells of a table.
#[must_use]
pub fn profile_words(column: &ColumnProfile) -> Vec<String> {
    const MANY_DIGITS: f64 = 1e15;
    let whole = column.kind.contains("int");
    let number = |value: Option<f64>| match value {
        Some(value) if value.abs() >= MANY_DIGITS && !whole => format!("{value:e}"),
        Some(value) if value.fract() == 0.0 => format!("{value:.0}"),
        Some(value) => format!("{value:.4}"),
        None => "–".to_owned(),
    };
    vec![
        column.name.clone(),
        column.kind.clone(),
        column.nulls.to_string(),
        column.distinct.to_string(),
        column.first.clone().unwrap_or_else(|| number(column.min)),
        number(column.median),
        column.last.clone().unwrap_or_else(|| number(column.max)),
        column.warnings.join(", "),
    ]
}

/// Sends tracked content and stages' outputs to a remote.
///
/// # Errors
/// When there is no such remote, or content is missing.
pub fn push(app: &App, input: TransferData) -> Result<Transferred, Report> {
    let path = input.project.clone();
    let mut done = transfer(app, input, Direction::Push, lapwing_data::push)?;
    // A reminder: a repository that cannot say it has none.
    let unpushed = projects::project(&path)?.unpushed_data().unwrap_or(0);
    done.unpushed_commits = Count(unpushed as u64);
    Ok(done)
}

/// Fetches tracked content and stages' outputs, and checks them out.
///
/// # Errors
/// When there is no such remote, or it lacks content.
pub fn pull(app: &App, input: TransferData) -> Result<Transferred, Report> {
    transfer(app, input, Direction::Pull, lapwing_data::pull)
}

type Work =
    fn(&Project, &lapwing_data::Transfer<'_>) -> lapwing_data::Result<lapwing_data::Transferred>;

fn transfer(
    app: &App,
    input: TransferData,
    direction: Direction,
    work: Work,
) -> Result<Transferred, Report> {
    let project = projects::project(&input.project)?;
    let paths: Vec<PathBuf> = input.paths.iter().map(PathBuf::from).collect();
    let outs: Vec<(Out, PathBuf)> = stage_outs(&project)?
        .into_iter()
        .map(|(_, out, place)| (out, place))
        .collect();
    let journey = Journey {
        project: Some(project.root().to_owned()),
        direction,
        cargo: Cargo::Data,
        name: None,
        remote: input.remote.clone(),
    };
    let underway = Underway::begin(app, journey);
    let line = underway.line();
    let transfer = lapwing_data::Transfer {
        remote: input.remote.as_deref(),
        targets: &paths,
        more: &outs,
        open: &|remote| Ok(remotes::of_data(&input.project, remote.clone()).storage(app)?),
        progress: &|progress| line.tell(progress),
        stop: line.stop(),
    };
    let done = work(&project, &transfer).reported()?;
    Ok(Transferred {
        remote: done.remote,
        files: Count(done.files),
        bytes: Count(done.bytes),
        skipped: Count(done.skipped),
        unpushed_commits: Count(0),
    })
}
