//! Jobs as people see them: whose they are, how they went, what they print.

use lapwing_core::{Code, JobId, Report, Timestamp};
use lapwing_jobs::{JobSpec, JobState, Outcome};
use lapwing_store::jobs as table;

use crate::error::Reported as _;
use crate::wire::{Count, JobRef, JobRow, JobStatus, ListJobs, LogChunk, Nothing, ReadLog, Target};
use crate::{App, scoring};

/// Where nobody asks for more.
pub const MAX_LISTED: u32 = 500;
const MAX_LOG_BYTES: u32 = 4 * 1024 * 1024;

/// Whose a job is.
#[derive(Debug, Clone, Default)]
pub(crate) struct Owner {
    pub project: Option<String>,
    pub run_id: Option<String>,
    pub stage: Option<String>,
    /// The remote that it runs on.
    pub on: Option<String>,
}

/// In front of a remote's name, where a word for a place here would stand.
const ON: &str = "on ";

/// Starts a job under a supervisor of its own and remembers it.
pub(crate) fn start(app: &App, spec: &JobSpec, owner: Owner) -> Result<(), Report> {
    let target = if spec.is_docker() {
        Target::Docker
    } else {
        Target::Process
    };
    let row = table::Job {
        id: spec.id.clone(),
        title: spec.title.clone(),
        target: match owner.on {
            Some(name) => format!("{ON}{name}"),
            None => target_word(target).to_owned(),
        },
        project: owner.project,
        run_id: owner.run_id,
        stage: owner.stage,
        created: Timestamp::now(),
        started: None,
        ended: None,
        status: status_word(JobStatus::Queued).to_owned(),
        outcome: None,
    };
    table::put(app.store(), row).reported()?;
    let started = lapwing_jobs::start(app.workspace(), spec, app.program());
    if let Err(error) = started {
        let report = error.report();
        note_end(app, &spec.id, &report.message)?;
        return Err(report);
    }
    refresh(app, &spec.id).map(|_| ())
}

fn note_end(app: &App, id: &JobId, why: &str) -> Result<(), Report> {
    let Some(mut row) = table::get(app.store(), id).reported()? else {
        return Ok(());
    };
    row.ended = Some(Timestamp::now());
    row.status = status_word(JobStatus::Failed).to_owned();
    row.outcome = Some(why.to_owned());
    table::put(app.store(), row).reported()
}

/// Brings what the store says of a job up to what its folder says, and answers it.
pub(crate) fn refresh(app: &App, id: &JobId) -> Result<JobRow, Report> {
    let Some(row) = table::get(app.store(), id).reported()? else {
        return Err(unknown(id.as_str()));
    };
    if row.ended.is_some() {
        return Ok(shown(row));
    }
    let state = match lapwing_jobs::state(app.workspace(), id) {
        // Remembered, but its folder is not made yet: another process is starting it right now.
        Err(lapwing_jobs::Error::Unknown(_)) if is_young(&row) => return Ok(shown(row)),
        other => other.reported()?,
    };
    let mut now = row.clone();
    apply(&mut now, &state);
    if now.ended.is_some() {
        scoring::ended(app, &mut now)?;
    }
    if now != row {
        table::put(app.store(), now.clone()).reported()?;
    }
    Ok(JobRow {
        why: state.why().map(str::to_owned),
        ..shown(now)
    })
}

fn is_young(row: &table::Job) -> bool {
    const START_MILLIS: i64 = 30_000;
    Timestamp::now().millis_since(row.created) < START_MILLIS
}

fn apply(row: &mut table::Job, state: &JobState) {
    let status = match state {
        JobState::Queued { .. } => JobStatus::Queued,
        JobState::Running { started, .. } => {
            row.started = Some(*started);
            JobStatus::Running
        }
        JobState::Ended(ended) => {
            row.started = ended.started;
            row.ended = Some(ended.ended);
            let (status, words) = outcome_words(&ended.outcome);
            row.outcome = words;
            status
        }
    };
    row.status = status_word(status).to_owned();
}

fn outcome_words(outcome: &Outcome) -> (JobStatus, Option<String>) {
    match outcome {
        Outcome::Succeeded => (JobStatus::Succeeded, None),
        Outcome::Cancelled => (JobStatus::Cancelled, None),
        Outcome::TimedOut { .. } => (JobStatus::TimedOut, Some(outcome.to_string())),
        Outcome::Lost => (JobStatus::Lost, Some(outcome.to_string())),
        failed => (JobStatus::Failed, Some(failed.to_string())),
    }
}

fn status_word(status: JobStatus) -> &'static str {
    match status {
        JobStatus::Queued => "queued",
        JobStatus::Running => "running",
        JobStatus::Succeeded => "succeeded",
        JobStatus::Failed => "failed",
        JobStatus::Cancelled => "cancelled",
        JobStatus::TimedOut => "timed_out",
        JobStatus::Lost => "lost",
    }
}

pub(crate) fn parse_status(word: &str) -> JobStatus {
    [
        JobStatus::Queued,
        JobStatus::Running,
        JobStatus::Succeeded,
        JobStatus::Failed,
        JobStatus::Cancelled,
        JobStatus::TimedOut,
    ]
    .into_iter()
    .find(|status| status_word(*status) == word)
    .unwrap_or(JobStatus::Lost)
}

/// The word for a target in the store.
pub(crate) fn target_word(target: Target) -> &'static str {
    match target {
        Target::Process => "process",
        Target::Docker => "docker",
    }
}

/// The target of a stored word.
pub(crate) fn parse_target(word: &str) -> Target {
    if word == "docker" {
        Target::Docker
    } else {
        Target::Process
    }
}

fn shown(row: table::Job) -> JobRow {
    JobRow {
        id: row.id,
        title: row.title,
        status: parse_status(&row.status),
        outcome: row.outcome,
        why: None,
        on: row.target.strip_prefix(ON).map(str::to_owned),
        target: parse_target(&row.target),
        project: row.project,
        // A run id that does not parse was never one of ours.
        run_id: row.run_id.and_then(|id| id.parse().ok()),
        stage: row.stage,
        created: row.created,
        started: row.started,
        ended: row.ended,
    }
}

fn unknown(id: &str) -> Report {
    Report::new(
        Code::NotFound,
        "job.unknown",
        format!("there is no job `{id}`"),
    )
    .hint("see `lapwing jobs list`")
}

/// The job whose id begins with `prefix`.
///
/// # Errors
/// When there is none, or more than one.
pub fn find(app: &App, prefix: &str) -> Result<JobId, Report> {
    let mut found = table::starting_with(app.store(), prefix).reported()?;
    match (found.len(), found.pop()) {
        (1, Some(job)) => Ok(job.id),
        (0, _) => Err(unknown(prefix)),
        _ => Err(Report::new(
            Code::Invalid,
            "job.ambiguous",
            format!("more than one job begins with `{prefix}`"),
        )
        .hint("write more of the id")),
    }
}

/// Newest first. What ended since the last look is noticed here.
///
/// # Errors
/// When the store or a job's folder cannot be read.
pub fn list(app: &App, input: ListJobs) -> Result<Vec<JobRow>, Report> {
    let max = input.max.unwrap_or(MAX_LISTED);
    let filter = table::Filter {
        project: input.project,
        run_id: input.run_id.map(|id| id.to_string()),
        unfinished: false,
    };
    let rows = table::list(app.store(), &filter, max).reported()?;
    rows.into_iter().map(|row| looked_at(app, row)).collect()
}

/// The newest job of each stage that ran in that project's own folder.
pub(crate) fn newest_of_stages(app: &App, project: &str) -> Result<Vec<JobRow>, Report> {
    let rows = table::newest_of_stages(app.store(), project).reported()?;
    rows.into_iter().map(|row| looked_at(app, row)).collect()
}

fn looked_at(app: &App, row: table::Job) -> Result<JobRow, Report> {
    if row.ended.is_some() {
        Ok(shown(row))
    } else {
        refresh(app, &row.id)
    }
}

/// How many jobs go on now.
pub(crate) fn running(app: &App) -> Result<u32, Report> {
    let filter = table::Filter {
        unfinished: true,
        ..table::Filter::default()
    };
    let rows = table::list(app.store(), &filter, MAX_LISTED).reported()?;
    let mut count = 0;
    for row in rows {
        if refresh(app, &row.id)?.ended.is_none() {
            count += 1;
        }
    }
    Ok(count)
}

/// One job.
///
/// # Errors
/// When there is none with that id.
pub fn get(app: &App, input: JobRef) -> Result<JobRow, Report> {
    refresh(app, &input.id)
}

/// A piece of what a job printed.
///
/// # Errors
/// When there is no such job.
pub fn log(app: &App, input: ReadLog) -> Result<LogChunk, Report> {
    let known = table::get(app.store(), &input.id).reported()?;
    let max = input.max.clamp(1, MAX_LOG_BYTES) as usize;
    let read = start_offset(app, &input.id, input.from)
        .and_then(|from| lapwing_jobs::log(app.workspace(), &input.id, from, max));
    let chunk = match read {
        Err(lapwing_jobs::Error::Unknown(_)) if known.as_ref().is_some_and(is_young) => {
            return Ok(LogChunk {
                text: String::new(),
                next: Count(0),
                ended: false,
            });
        }
        other => other.reported()?,
    };
    Ok(LogChunk {
        text: chunk.text,
        next: Count(chunk.next),
        ended: chunk.ended,
    })
}

/// A negative offset counts from the end.
fn start_offset(app: &App, id: &JobId, from: f64) -> lapwing_jobs::Result<u64> {
    if from >= 0.0 {
        return Ok(from as u64);
    }
    let size = lapwing_jobs::log_size(app.workspace(), id)?;
    Ok(size.saturating_sub((-from) as u64))
}

/// Returns when there may be something new to read.
pub fn wait_for_output(_app: &App, _id: &JobId) {
    /// Files have no portable way to wait for growth; people do not notice this.
    const POLL: std::time::Duration = std::time::Duration::from_millis(80);
    std::thread::sleep(POLL);
}

/// Ends a job and everything that it started. A job that ended already stays as it is.
///
/// # Errors
/// When there is no such job.
pub fn stop(app: &App, input: JobRef) -> Result<Nothing, Report> {
    refresh(app, &input.id)?;
    lapwing_jobs::stop(app.workspace(), &input.id).reported()?;
    refresh(app, &input.id)?;
    Ok(Nothing {})
}
