//! Going on with a run whose runner is gone: the laptop was closed, or the process killed, while a stage ran on elsewhere.
//!
//! The next runner of the same run takes the job that it finds for the one that it would start. Nothing runs twice, and what was
//! made meanwhile is recorded as if nobody had been away.

use std::path::{Path, PathBuf};
use std::time::Duration;

use lapwing_core::{Code, JobId, Report, RunId, Timestamp};
use lapwing_data::Project;
use lapwing_pipeline::{Pipeline, Sources, Stage, StageOut};
use lapwing_store::pipeline_runs::PipelineRun;

use super::request::Request;
use super::runner::{Endpoint, say};
use super::start::{self, stop_mark};
use crate::config::Config;
use crate::error::Reported as _;
use crate::wire::{JobRef, JobRow, JobStatus, ListJobs, Nothing, RunRef};
use crate::{App, jobs, projects};

/// A runner that dies of what it finds is not started for ever.
const MAX_RUNNERS: usize = 50;
/// One that was just started may need so long until it holds its lock.
const RUNNER_GRACE: Duration = Duration::from_secs(20);
/// What an environment is made of, beside the file that the project names.
const ENVIRONMENT: [&str; 3] = ["requirements.txt", "pyproject.toml", "uv.lock"];
/// A sentence names so many changes.
const MAX_CHANGES: usize = 3;

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
    /// What lies here is not what was asked for, and why: it goes on when somebody asks for a run again.
    WhenAsked(String),
    /// Its stages ended without success, or none ever began.
    Never,
}

/// Newest first.
fn begun(app: &App, run_id: &RunId) -> Result<Vec<JobRow>, Report> {
    let of_run = ListJobs {
        project: None,
        run_id: Some(run_id.clone()),
        max: None,
    };
    jobs::list(app, of_run)
}

fn goes_on(job: &JobRow) -> bool {
    job.ended.is_none()
}

pub(super) fn again(app: &App, run: &PipelineRun, asked: Intent) -> Result<Again, Report> {
    let run_id = &run.run_id;
    let all = begun(app, run_id)?;
    let newest = all.first();
    if stop_mark(app, run_id).exists() && !newest.is_some_and(goes_on) {
        return Ok(Again::Never);
    }
    let request: Option<Request> = start::decode(&run.request).ok(); // Of another version: no trial that we know.
    // A trial that waited for its turn: nothing of it was begun, so that nothing can run twice.
    let waited = newest.is_none() && request.as_ref().is_some_and(|run| run.trial.is_some());
    if !waited && !newest.is_some_and(|job| goes_on(job) || job.status == JobStatus::Succeeded) {
        return Ok(Again::Never);
    }
    if asked == Intent::ToLook
        && let Some(why) = why_not_as_asked(app, run)
    {
        return Ok(Again::WhenAsked(why));
    }
    let marks = runners_file(app, run_id);
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
    if asked == Intent::ToRun
        && let Some(request) = request
    {
        keep_sources(app, &request, run_id);
    }
    crate::file::write_whole(&marks, format!("{before}again\n").as_bytes())?;
    Ok(Again::Now)
}

/// What the commands of a run come from.
fn sources(request: &Request) -> Result<Sources, Report> {
    let input = &request.input;
    let project = projects::project(&input.project)?;
    let config = Config::read(project.root())?;
    let pipeline = Pipeline::read(&project).reported()?;
    let mut sources = Sources::of(&pipeline, &project, &input.stages).reported()?;
    let named = config.environment.requirements.as_deref();
    // It is made where people know the project.
    let home = request.home_project()?;
    for path in ENVIRONMENT.into_iter().chain(named) {
        sources.add_file(&home, path).reported()?;
    }
    let file = crate::config::FILE;
    let settings = [
        ("environment", format!("{:?}", config.environment)),
        ("docker", format!("{:?}", config.docker)),
    ];
    for (part, text) in settings {
        sources.add(format!("`[{part}]` of {file}"), &text);
    }
    Ok(sources)
}

/// A line for each runner that was started after the first.
fn runners_file(app: &App, run_id: &RunId) -> PathBuf {
    app.workspace().logs().join(format!("run-{run_id}.again"))
}

fn sources_file(app: &App, run_id: &RunId) -> PathBuf {
    app.workspace().logs().join(format!("run-{run_id}.sources"))
}

/// Remembers what somebody asked to run. Without it the run still goes on, when it is asked for.
pub(super) fn keep_sources(app: &App, request: &Request, run_id: &RunId) {
    let file = sources_file(app, run_id);
    let kept = sources(request)
        .and_then(|sources| start::encode(&sources))
        .and_then(|text| crate::file::write_whole(&file, text.as_bytes()));
    if let Err(report) = kept {
        tracing::debug!(report.message, "what the run comes from is not remembered");
        // What was asked for before is not what is asked for now.
        let _ = std::fs::remove_file(file);
    }
}

/// Removes what is remembered of a run only until it is over; its log stays.
pub(super) fn forget(app: &App, run_id: &RunId) {
    for file in [
        stop_mark(app, run_id),
        runners_file(app, run_id),
        sources_file(app, run_id),
    ] {
        // Most runs are never stopped and never go on: then it is not there.
        let _ = std::fs::remove_file(file);
    }
}

/// Why a project would not run what somebody asked for when the run began: a clause. `None` when it would.
fn why_not_as_asked(app: &App, run: &PipelineRun) -> Option<String> {
    // Of an older version, or never written: as good as changed.
    let asked = fs_err::read_to_string(sources_file(app, &run.run_id)).ok();
    let asked = asked.and_then(|text| start::decode::<Sources>(&text).ok());
    let request = start::decode::<Request>(&run.request).ok();
    let Some((asked, request)) = asked.zip(request) else {
        return Some("what it began with is not known".to_owned());
    };
    let home = request.home_project();
    let trusted = home.and_then(|project| projects::require_trust(app, &project));
    match trusted.and_then(|()| sources(&request)) {
        Err(report) => Some(report.message),
        Ok(now) => changed_since(&asked.changes(&now)),
    }
}

fn changed_since(changes: &[String]) -> Option<String> {
    let (shown, more) = changes.split_at(changes.len().min(MAX_CHANGES));
    let (last, others) = shown.split_last()?;
    let list = match (others, more.len()) {
        ([], 0) => last.clone(),
        (_, 0) => format!("{} and {last}", others.join(", ")),
        (_, count) => format!("{}, and {count} more changed", shown.join(", ")),
    };
    Some(format!("{list} since it began"))
}

/// Goes on with a run that waits, with what lies here now. One that goes on already is left alone.
///
/// # Errors
/// When there is no such run, it is over, or the project is not trusted.
pub fn resume(app: &App, input: RunRef) -> Result<Nothing, Report> {
    let run = start::known(app, &input.run_id)?;
    if run.ended.is_some() {
        let message = format!("run {} is over", input.run_id);
        return Err(Report::new(Code::Conflict, "run.over", message)
            .hint("`lapwing run` starts another one with the stages that are left"));
    }
    let request: Request = start::decode(&run.request)?;
    projects::require_trust(app, &request.home_project()?)?;
    super::reconcile(app, &run.project, Intent::ToRun)?;
    Ok(Nothing {})
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
