//! Going on with a run whose runner is gone: the laptop was closed, or the process killed, while a stage ran on elsewhere.
//!
//! The next runner of the same run takes the job that it finds for the one that it would start. Nothing runs twice, and what was
//! made meanwhile is recorded as if nobody had been away.

use std::path::{Path, PathBuf};
use std::time::Duration;

use lapwing_core::{JobId, Report, RunId, Timestamp};
use lapwing_data::Project;
use lapwing_pipeline::{Pipeline, Stage, StageOut};

use super::runner::{Endpoint, say};
use super::start::stop_mark;
use crate::config::Config;
use crate::error::Reported as _;
use crate::wire::{JobRef, JobRow, JobStatus, ListJobs};
use crate::{App, jobs, projects};

/// A runner that dies of what it finds is not started for ever.
const MAX_RUNNERS: usize = 50;
/// One that was just started may need so long until it holds its lock.
const RUNNER_GRACE: Duration = Duration::from_secs(20);
/// What an environment is made of, beside the file that the project names.
const ENVIRONMENT: [&str; 4] = [
    crate::config::FILE,
    "requirements.txt",
    "pyproject.toml",
    "uv.lock",
];

/// Who asks after a run without a runner.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Intent {
    /// Somebody wants it to run, with what lies here now.
    ToRun,
    /// Somebody only looks: nothing may run but what was asked for when it began.
    ToLook,
}

/// Whether a run without a runner gets another one.
pub(super) enum Again {
    /// The mark of it is set.
    Now,
    /// Another process is starting one, or a stage runs on that nobody can follow any more.
    Later,
    /// What lies here is not what was asked for: it goes on when somebody asks for a run again.
    WhenAsked,
    /// Its stages ended without success, or none ever began.
    Never,
}

/// Newest first.
fn begun(app: &App, run_id: &RunId) -> Result<Vec<JobRow>, Report> {
    let of_run = ListJobs {
        project: None,
        run_id: Some(run_id.clone()),
    };
    jobs::list(app, of_run)
}

fn goes_on(job: &JobRow) -> bool {
    job.ended.is_none()
}

pub(super) fn again(
    app: &App,
    project: &str,
    run_id: &RunId,
    asked: Intent,
) -> Result<Again, Report> {
    let all = begun(app, run_id)?;
    let newest = all.first();
    if stop_mark(app, run_id).exists() && !newest.is_some_and(goes_on) {
        return Ok(Again::Never);
    }
    if !newest.is_some_and(|job| goes_on(job) || job.status == JobStatus::Succeeded) {
        return Ok(Again::Never);
    }
    if asked == Intent::ToLook && !is_as_asked(app, project, run_id) {
        return Ok(Again::WhenAsked);
    }
    // A line for each runner that was started.
    let marks = app.workspace().logs().join(format!("run-{run_id}.again"));
    let written = fs_err::metadata(&marks).and_then(|meta| meta.modified());
    let young = written.is_ok_and(|at| at.elapsed().is_ok_and(|age| age < RUNNER_GRACE));
    let before = fs_err::read_to_string(&marks).unwrap_or_default(); // Not there: the first time.
    if before.lines().count() >= MAX_RUNNERS {
        let left = newest.is_some_and(goes_on);
        return Ok(if left { Again::Later } else { Again::Never });
    }
    if young {
        return Ok(Again::Later);
    }
    if asked == Intent::ToRun {
        keep_sources(app, project, run_id);
    }
    crate::file::write_whole(&marks, format!("{before}again\n").as_bytes())?;
    Ok(Again::Now)
}

/// What the commands of a project's runs come from.
fn sources(project: &str) -> Result<String, Report> {
    let project = projects::project(project)?;
    let config = Config::read(project.root())?;
    let named = config.environment.requirements.as_deref();
    let also: Vec<&str> = ENVIRONMENT.into_iter().chain(named).collect();
    let pipeline = Pipeline::read(&project).reported()?;
    lapwing_pipeline::sources(&pipeline, &project, &also).reported()
}

fn sources_file(app: &App, run_id: &RunId) -> PathBuf {
    app.workspace().logs().join(format!("run-{run_id}.sources"))
}

/// Remembers what somebody asked to run. Without it the run still goes on, when it is asked for.
pub(super) fn keep_sources(app: &App, project: &str, run_id: &RunId) {
    let file = sources_file(app, run_id);
    let kept =
        sources(project).and_then(|sources| crate::file::write_whole(&file, sources.as_bytes()));
    if let Err(report) = kept {
        tracing::debug!(report.message, "what the run comes from is not remembered");
        // What was asked for before is not what is asked for now.
        let _ = std::fs::remove_file(file);
    }
}

/// Whether the project is trusted, and would run what somebody asked for when the run began.
fn is_as_asked(app: &App, project: &str, run_id: &RunId) -> bool {
    let trusted = projects::project(project)
        .and_then(|project| projects::require_trust(app, &project))
        .is_ok();
    // Unreadable, or of an older version: as good as changed.
    let asked = fs_err::read_to_string(sources_file(app, run_id)).ok();
    trusted && asked.is_some_and(|asked| sources(project).is_ok_and(|now| now == asked))
}

/// The job of a stage that a runner before this one began, where it runs on or has made what it should, out of what lies here now.
pub(super) fn job(
    app: &App,
    run_id: &RunId,
    project: &Project,
    stage: &Stage,
) -> Result<Option<JobId>, Report> {
    let all = begun(app, run_id)?;
    let Some(job) = all
        .into_iter()
        .find(|job| job.stage.as_ref() == Some(&stage.address))
    else {
        return Ok(None);
    };
    if !goes_on(&job) && job.status != JobStatus::Succeeded {
        return Ok(None);
    }
    let Some(why) = unfit(app, project, stage, &job)? else {
        say(&format!(
            "{}: it was begun before, and goes on",
            stage.address
        ));
        return Ok(Some(job.id));
    };
    say(&format!("{}: {why}, so it runs again", stage.address));
    if goes_on(&job) {
        jobs::stop(app, JobRef { id: job.id })?;
    }
    Ok(None)
}

/// Why a job's outputs cannot be recorded as what this stage makes out of what lies here now.
fn unfit(
    app: &App,
    project: &Project,
    stage: &Stage,
    job: &JobRow,
) -> Result<Option<&'static str>, Report> {
    let spec = lapwing_jobs::spec(app.workspace(), &job.id).reported()?;
    let Some(read) = spec.inputs else {
        return Ok(Some("what it read when it began is not known"));
    };
    if read != lapwing_pipeline::fingerprint(project, stage).reported()? {
        return Ok(Some("what it reads has changed since it began"));
    }
    let Some(ended) = job.ended else {
        return Ok(None);
    };
    let as_made = |out: &StageOut| as_it_was(&project.root().join(&out.path), ended);
    Ok((!stage.outs.iter().all(as_made)).then_some("what it made was changed or deleted since"))
}

/// Whether a file or folder is there, and nothing in it was touched after `then`. What cannot be read is not as it was.
fn as_it_was(path: &Path, then: Timestamp) -> bool {
    let Ok(meta) = fs_err::symlink_metadata(path) else {
        return false;
    };
    if touched(&meta).is_none_or(|at| at > then) {
        return false;
    }
    if !meta.is_dir() {
        return true;
    }
    fs_err::read_dir(path).is_ok_and(|mut entries| {
        entries.all(|entry| entry.is_ok_and(|entry| as_it_was(&entry.path(), then)))
    })
}

/// A file that was put in the place of another may keep an old time of its content, but not one of its own.
#[cfg(unix)]
fn touched(meta: &std::fs::Metadata) -> Option<Timestamp> {
    use std::os::unix::fs::MetadataExt as _;
    let millis = |seconds: i64, nanos: i64| seconds * 1000 + nanos / 1_000_000;
    let content = millis(meta.mtime(), meta.mtime_nsec());
    let own = millis(meta.ctime(), meta.ctime_nsec());
    Some(Timestamp(content.max(own)))
}

#[cfg(not(unix))]
fn touched(meta: &std::fs::Metadata) -> Option<Timestamp> {
    let since = meta.modified().ok()?.duration_since(std::time::UNIX_EPOCH);
    Some(Timestamp(i64::try_from(since.ok()?.as_millis()).ok()?))
}

/// Ends what a runner before this one began and this one does not take, but for the stages that are `kept`.
pub(super) fn stop_left(
    app: &App,
    run_id: &RunId,
    kept: &dyn Fn(&str) -> bool,
) -> Result<(), Report> {
    for job in begun(app, run_id)?.into_iter().filter(goes_on) {
        let stage = job.stage.as_deref().unwrap_or(&job.title);
        if kept(stage) {
            continue;
        }
        say(&format!("{stage}: it was begun before, and is ended"));
        // It has the mark to end, and does so when it is reached again.
        if let Err(report) = jobs::stop(app, JobRef { id: job.id.clone() }) {
            say(&format!("{stage}: {}", report.message));
        }
    }
    Ok(())
}

/// Where a command that outlived its runner reports to.
pub(super) fn endpoint(app: &App, run_id: &RunId) -> Result<Option<Endpoint>, Report> {
    let all = begun(app, run_id)?;
    let Some(job) = all.into_iter().find(goes_on) else {
        return Ok(None);
    };
    let env = lapwing_jobs::spec(app.workspace(), &job.id).reported()?.env;
    let (url, token) = (
        env.get("MLFLOW_TRACKING_URI"),
        env.get("MLFLOW_TRACKING_TOKEN"),
    );
    Ok(url.zip(token).map(|(url, token)| Endpoint {
        url: url.clone(),
        token: token.clone(),
    }))
}
