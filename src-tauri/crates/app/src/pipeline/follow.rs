//! Following a run from outside: what its runner says, and what its stages print.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use lapwing_core::{Code, JobId, Report, RunId};
use lapwing_store::pipeline_runs;
use lapwing_tracking::RunStatus as Tracked;

use super::{Intent, start};
use crate::error::Reported as _;
use crate::wire::{JobRow, JobStatus, ListJobs, ReadLog, RunStatus};
use crate::{App, jobs, runs};

const POLL: Duration = Duration::from_millis(100);
const CHUNK_BYTES: u32 = 256 * 1024;
/// How far a transfer is changes sooner than this, and is no line each.
const SETTLED: Duration = Duration::from_secs(2);

/// One thing that happened in a run.
#[derive(Debug, Clone, PartialEq)]
pub enum Progress {
    /// What the runner says: the environment is made, a stage is unchanged.
    Note {
        text: String,
    },
    Started {
        stage: String,
    },
    /// What a stage waits for, or what is done for it elsewhere, once it is the same for a while.
    Doing {
        text: String,
    },
    /// What a stage printed.
    Output {
        text: String,
    },
    Ended {
        stage: String,
        status: JobStatus,
        took_ms: i64,
    },
}

/// Tells what happens until the run has ended, and how it ended.
///
/// # Errors
/// When there is no such run.
pub fn follow(app: &App, run_id: &RunId, tell: &dyn Fn(Progress)) -> Result<RunStatus, Report> {
    let mut seen = Seen::default();
    loop {
        let run = start::known(app, run_id)?;
        let over = run.ended.is_some();
        seen.notes(app, run_id, tell);
        seen.jobs(app, run_id, tell)?;
        if over {
            let status = app.tracking().run(run_id).reported()?.status;
            return Ok(runs::status(status));
        }
        super::reconcile(app, &run.project, Intent::ToRun)?;
        std::thread::sleep(POLL);
    }
}

#[derive(Default)]
struct Seen {
    notes: usize,
    /// Job → how much of its log was told, and whether its end was.
    jobs: BTreeMap<JobId, (f64, bool)>,
    doing: Option<Doing>,
}

/// What was said of a job last, since when, and whether it was told.
struct Doing {
    text: String,
    since: Instant,
    told: bool,
}

impl Seen {
    fn notes(&mut self, app: &App, run_id: &RunId, tell: &dyn Fn(Progress)) {
        let text = notes(app, run_id);
        let fresh = text.get(self.notes..).unwrap_or_default();
        let Some(end) = fresh.rfind('\n') else { return };
        for line in fresh.get(..end).unwrap_or_default().lines() {
            tell(Progress::Note {
                text: line.to_owned(),
            });
        }
        self.notes += end + 1;
    }

    fn jobs(&mut self, app: &App, run_id: &RunId, tell: &dyn Fn(Progress)) -> Result<(), Report> {
        let mut all = jobs::list(
            app,
            ListJobs {
                project: None,
                run_id: Some(run_id.clone()),
                max: None,
            },
        )?;
        all.sort_by_key(|job| job.created);
        for job in all {
            self.job(app, &job, tell)?;
        }
        Ok(())
    }

    fn doing(&mut self, why: Option<&str>, tell: &dyn Fn(Progress)) {
        let Some(why) = why else { return };
        match &mut self.doing {
            Some(doing) if doing.text == why => {
                if !doing.told && doing.since.elapsed() > SETTLED {
                    doing.told = true;
                    let text = why.to_owned();
                    tell(Progress::Doing { text });
                }
            }
            Some(_) | None => {
                self.doing = Some(Doing {
                    text: why.to_owned(),
                    since: Instant::now(),
                    told: false,
                });
            }
        }
    }

    fn job(&mut self, app: &App, job: &JobRow, tell: &dyn Fn(Progress)) -> Result<(), Report> {
        if job.ended.is_none() {
            self.doing(job.why.as_deref(), tell);
        }
        let stage = job.stage.clone().unwrap_or_else(|| job.title.clone());
        let (from, ended) = self.jobs.entry(job.id.clone()).or_insert_with(|| {
            tell(Progress::Started {
                stage: stage.clone(),
            });
            (0.0, false)
        });
        if *ended {
            return Ok(());
        }
        loop {
            let chunk = jobs::log(
                app,
                ReadLog {
                    id: job.id.clone(),
                    from: *from,
                    max: CHUNK_BYTES,
                },
            )?;
            if chunk.text.is_empty() {
                break;
            }
            *from = chunk.next.0 as f64;
            tell(Progress::Output { text: chunk.text });
        }
        if let Some(at) = job.ended {
            *ended = true;
            let took_ms = job.started.map_or(0, |started| at.millis_since(started));
            tell(Progress::Ended {
                stage,
                status: job.status,
                took_ms,
            });
        }
        Ok(())
    }
}

/// What is being done for a run that goes on, or what it waits for: its job says so, or its runner before there is a job.
pub(crate) fn doing(app: &App, run_id: &RunId) -> Result<Option<String>, Report> {
    let jobs = jobs::list(
        app,
        ListJobs {
            project: None,
            run_id: Some(run_id.clone()),
            max: Some(1),
        },
    )?;
    Ok(match jobs.into_iter().next() {
        Some(newest) => newest.why,
        None => notes(app, run_id)
            .lines()
            .next_back()
            .map(|line| line.trim().to_owned())
            .filter(|line| !line.is_empty()),
    })
}

/// What the runner said; nothing when it has not begun.
fn notes(app: &App, run_id: &RunId) -> String {
    let path = app.workspace().logs().join(format!("run-{run_id}.log"));
    fs_err::read_to_string(path).unwrap_or_default()
}

/// What is told of a run that failed.
#[must_use]
pub fn failure(app: &App, run_id: &RunId) -> Report {
    // A run without a reason has only its log to tell.
    let why = pipeline_runs::get(app.store(), run_id)
        .ok()
        .flatten()
        .and_then(|run| run.failure);
    let job = jobs::list(
        app,
        ListJobs {
            project: None,
            run_id: Some(run_id.clone()),
            max: None,
        },
    )
    .unwrap_or_default()
    .into_iter()
    .find(|job| job.status != JobStatus::Succeeded);
    let report = Report::new(
        Code::Failed,
        "run.failed",
        why.unwrap_or_else(|| "the run failed".to_owned()),
    );
    match job {
        Some(job) => report.hint(format!(
            "see its output: lapwing jobs logs {}",
            job.id.as_str().get(..8).unwrap_or_default()
        )),
        None => report,
    }
}

/// The wire's word for a tracked status.
pub(crate) fn wire_status(status: Tracked) -> RunStatus {
    match status {
        Tracked::Running => RunStatus::Running,
        Tracked::Scheduled => RunStatus::Scheduled,
        Tracked::Finished => RunStatus::Finished,
        Tracked::Failed => RunStatus::Failed,
        Tracked::Killed => RunStatus::Killed,
    }
}
