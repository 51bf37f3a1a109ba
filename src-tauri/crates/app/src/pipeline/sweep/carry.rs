//! The process of a sweep: begins its trials, waits for them, and tidies up.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use lapwing_core::{Code, Report, RunId, Timestamp};
use lapwing_data::Project;
use lapwing_jobs::Target;
use lapwing_pipeline::Assignment;
use lapwing_store::{lock, pipeline_runs, sweeps};
use lapwing_tracking::{Metric, Point, RunStatus};

use super::{Asked, BASE, POLL, folder, lock_name, starts, stop_mark, view};
use crate::error::Reported as _;
use crate::pipeline::elsewhere::Elsewhere;
use crate::pipeline::request::{Request, Trial};
use crate::pipeline::start::{begin, decode, reconcile, stop};
use crate::pipeline::{Intent, runner::say};
use crate::wire::{JobStatus, ListJobs, RunRef};
use crate::{App, jobs, projects};

/// Between two tries to reach a machine that no trial could begin on.
const AWAY: Duration = Duration::from_secs(10);

/// How a trial stands.
#[derive(Debug, Clone, PartialEq)]
enum State {
    Waits,
    Runs(RunId),
    Ended(RunId, RunStatus),
}

struct Sweep<'a> {
    app: &'a App,
    id: RunId,
    asked: Asked,
    home: Project,
    trials: Vec<State>,
    /// Machines that did not answer are asked again then.
    away_until: Option<Instant>,
}

/// Carries a sweep out: the body of `lapwing __sweep`. What goes wrong with it is recorded on it.
///
/// # Errors
/// When there is no such sweep, or its end cannot be recorded.
pub fn carry_out(app: &App, run_id: &str) -> Result<(), Report> {
    lapwing_jobs::detached::leave_session();
    let id: RunId = run_id.parse().map_err(|error: lapwing_core::InvalidName| {
        Report::new(Code::Invalid, "run.id", error.to_string())
    })?;
    let Some(_lock) = lock::try_acquire(app.workspace(), &lock_name(&id)).reported()? else {
        return Ok(());
    };
    let row = sweeps::get(app.store(), &id).reported()?;
    let Some(row) = row.filter(|row| row.ended.is_none()) else {
        return Err(Report::new(
            Code::NotFound,
            "sweep.unknown",
            format!("there is no sweep {id} to carry out"),
        ));
    };
    let done = Sweep::open(app, &row).and_then(|mut sweep| {
        let ended = sweep.run();
        // Whatever came of it, nothing of it goes on.
        sweep.stop_all()?;
        sweep.tidy();
        sweep.tell_best()?;
        ended
    });
    match done {
        Ok(status) => end(app, &id, status, None),
        Err(report) => {
            say(&report.message);
            end(app, &id, RunStatus::Failed, Some(report.message))
        }
    }
}

/// Ends a sweep on both sides: as one, and as a tracked run.
pub(super) fn end(
    app: &App,
    id: &RunId,
    status: RunStatus,
    failure: Option<String>,
) -> Result<(), Report> {
    let now = Timestamp::now();
    app.tracking()
        .update_run(id, Some(status), Some(now), None)
        .reported()?;
    sweeps::end(app.store(), id, now, failure).reported()?;
    // They are of this sweep alone; one that was never set is not there.
    let _ = std::fs::remove_file(stop_mark(app, id));
    let _ = std::fs::remove_file(starts(app, id));
    Ok(())
}

impl<'a> Sweep<'a> {
    fn open(app: &'a App, row: &sweeps::Sweep) -> Result<Self, Report> {
        let asked: Asked = decode(&row.request)?;
        let mut trials = vec![State::Waits; asked.points.len()];
        for trial in sweeps::trials(app.store(), &row.run_id).reported()? {
            if let Some(state) = trials.get_mut(trial.number as usize - 1) {
                *state = State::Runs(trial.run_id);
            }
        }
        Ok(Self {
            app,
            id: row.run_id.clone(),
            home: projects::project(&row.project)?,
            asked,
            trials,
            away_until: None,
        })
    }

    fn run(&mut self) -> Result<RunStatus, Report> {
        loop {
            if stop_mark(self.app, &self.id).exists() {
                return Ok(RunStatus::Killed);
            }
            self.look()?;
            let running = self.count(|state| matches!(state, State::Runs(_)));
            let next = self.trials.iter().position(|state| *state == State::Waits);
            match next {
                Some(index) if running < self.asked.at_once as usize => {
                    self.begin(index)?;
                    // Each is told of while it begins, and the mark is looked at in between.
                    continue;
                }
                None if running == 0 => break,
                Some(_) | None => std::thread::sleep(POLL),
            }
        }
        let finished = |state: &State| matches!(state, State::Ended(_, RunStatus::Finished));
        if self.count(finished) == 0 {
            return Err(Report::new(
                Code::Failed,
                "sweep.failed",
                "none of the trials finished",
            ));
        }
        Ok(RunStatus::Finished)
    }

    fn count(&self, is: impl Fn(&State) -> bool) -> usize {
        self.trials.iter().filter(|state| is(state)).count()
    }

    /// What became of the trials that went on.
    fn look(&mut self) -> Result<(), Report> {
        for index in 0..self.trials.len() {
            let Some(State::Runs(run_id)) = self.trials.get(index).cloned() else {
                continue;
            };
            let row = pipeline_runs::get(self.app.store(), &run_id).reported()?;
            let Some(row) = row.filter(|row| row.ended.is_none()) else {
                self.ended(index, run_id)?;
                continue;
            };
            reconcile(self.app, &row.project, Intent::ToRun)?;
        }
        Ok(())
    }

    fn ended(&mut self, index: usize, run_id: RunId) -> Result<(), Report> {
        let status = self.app.tracking().run(&run_id).reported()?.status;
        say(&format!(
            "trial {} {}",
            index + 1,
            status.as_str().to_lowercase()
        ));
        if let Some(state) = self.trials.get_mut(index) {
            *state = State::Ended(run_id.clone(), status);
        }
        // What it made is in the cache, and what it printed in its run.
        self.remove(&self.place(index));
        if status == RunStatus::Failed {
            return self.look_at_failure(&run_id);
        }
        Ok(())
    }

    /// What every other trial would fail of ends the sweep: the environment, or a stage that no swept parameter reaches.
    fn look_at_failure(&self, run_id: &RunId) -> Result<(), Report> {
        let jobs = jobs::list(self.app, self.jobs_of(run_id))?;
        if jobs.is_empty() {
            let row = pipeline_runs::get(self.app.store(), run_id).reported()?;
            let why = row.and_then(|row| row.failure);
            let why = why.unwrap_or_else(|| "a trial failed before its first stage".to_owned());
            return Err(Report::new(Code::Failed, "sweep.failed", why));
        }
        let failed = jobs.into_iter().find(|job| job.status == JobStatus::Failed);
        let stage = failed.and_then(|job| job.stage);
        match stage.filter(|stage| !self.asked.felt.contains(stage)) {
            Some(stage) => Err(Report::new(
                Code::Failed,
                "sweep.stage_failed",
                format!("stage `{stage}` failed, and every trial needs it"),
            )),
            None => Ok(()),
        }
    }

    fn jobs_of(&self, run_id: &RunId) -> ListJobs {
        ListJobs {
            project: None,
            run_id: Some(run_id.clone()),
        }
    }

    fn place(&self, index: usize) -> PathBuf {
        folder(&self.home, &self.id).join((index + 1).to_string())
    }

    /// Begins a trial, unless a machine that it needs is away.
    fn begin(&mut self, index: usize) -> Result<(), Report> {
        if !self.reach()? {
            std::thread::sleep(POLL);
            return Ok(());
        }
        let number = u32::try_from(index + 1).unwrap_or(u32::MAX);
        let project = self.copy(index)?;
        let path = project.root().display().to_string();
        // Begun by a process before this one that could not tell of it.
        let known = pipeline_runs::of_project(self.app.store(), &path, 1).reported()?;
        let run_id = match known.into_iter().next() {
            Some(row) => Some(row.run_id),
            None => {
                let request = Request {
                    input: self.asked.run(path),
                    trial: Some(self.trial(number)),
                };
                begin(self.app, request)?.run_id
            }
        };
        let Some(run_id) = run_id else {
            return Err(Report::new(
                Code::Internal,
                "sweep.trial",
                format!("trial {number} did not begin"),
            ));
        };
        let trial = sweeps::Trial {
            number,
            run_id: run_id.clone(),
        };
        sweeps::put_trial(self.app.store(), &self.id, trial).reported()?;
        say(&format!("trial {number} begins"));
        if let Some(state) = self.trials.get_mut(index) {
            *state = State::Runs(run_id);
        }
        Ok(())
    }

    fn trial(&self, number: u32) -> Trial {
        Trial {
            sweep: self.id.clone(),
            number,
            of: u32::try_from(self.asked.points.len()).unwrap_or(u32::MAX),
            at_once: self.asked.at_once,
            home: self.home.root().display().to_string(),
            felt: self.asked.felt.clone(),
        }
    }

    /// The trial's folder: the project as it was, with the trial's parameters.
    fn copy(&self, index: usize) -> Result<Project, Report> {
        let place = self.place(index);
        let base = folder(&self.home, &self.id).join(BASE);
        let below = self.below(&base)?;
        if place.exists() {
            return Project::open(&place.join(&below)).reported();
        }
        let base = Project::open(&base.join(&below)).reported()?;
        let unfinished = place.with_extension("part");
        self.remove(&unfinished);
        let copied = lapwing_data::snapshot(&base, &self.asked.inputs, &unfinished).reported()?;
        for text in self.asked.points.get(index).into_iter().flatten() {
            let change = Assignment::parse(text).reported()?;
            lapwing_pipeline::set_param(copied.root(), &change).reported()?;
        }
        fs_err::rename(&unfinished, &place)
            .map_err(|error| Report::new(Code::Failed, "sweep.folder", error.to_string()))?;
        Project::open(&place.join(below)).reported()
    }

    /// Where the project lies in its repository, and so in a copy.
    fn below(&self, base: &std::path::Path) -> Result<PathBuf, Report> {
        let inner = self.home.below_repository().reported()?;
        debug_assert!(
            base.join(&inner).is_dir(),
            "a copy has the shape of its repository"
        );
        Ok(inner)
    }

    /// Whether every machine answers. One that does not is asked again a while later: a laptop that was just opened has no network yet.
    fn reach(&mut self) -> Result<bool, Report> {
        if self.away_until.is_some_and(|until| Instant::now() < until) {
            return Ok(false);
        }
        let was_away = self.away_until.take().is_some();
        for name in &self.asked.machines {
            match Elsewhere::named(self.app, &self.home, name)?.greet(self.app) {
                Ok(_) => {}
                Err(report) if report.code == Code::Missing => {
                    if !was_away {
                        say(&format!("{}; trying again", report.message));
                    }
                    self.away_until = Some(Instant::now() + AWAY);
                    return Ok(false);
                }
                Err(report) => return Err(report),
            }
        }
        Ok(true)
    }

    fn stop_all(&mut self) -> Result<(), Report> {
        let running = self.trials.iter().filter_map(|state| match state {
            State::Runs(run_id) => Some(run_id.clone()),
            State::Waits | State::Ended(..) => None,
        });
        let running: Vec<RunId> = running.collect();
        if running.is_empty() {
            return Ok(());
        }
        // One by one, each that ends would let another one begin.
        self.disband_or_say();
        let app = self.app;
        std::thread::scope(|scope| {
            let stops: Vec<_> = running
                .into_iter()
                .map(|run_id| scope.spawn(move || stop(app, RunRef { run_id })))
                .collect();
            stops.into_iter().try_for_each(|stop| match stop.join() {
                Ok(stopped) => stopped.map(|_| ()),
                Err(panic) => std::panic::resume_unwind(panic),
            })
        })
    }

    /// Folders, and tasks of arrays that no trial came for. What cannot be removed stays, and does no harm.
    fn tidy(&self) {
        self.disband_or_say();
        self.remove(&folder(&self.home, &self.id));
    }

    fn disband_or_say(&self) {
        if let Err(report) = self.disband() {
            let why = report.message;
            say(&format!("tasks may be left in the queue: {why}"));
        }
    }

    fn disband(&self) -> Result<(), Report> {
        let mut arrays = BTreeMap::new();
        for trial in sweeps::trials(self.app.store(), &self.id).reported()? {
            for job in jobs::list(self.app, self.jobs_of(&trial.run_id))? {
                let spec = lapwing_jobs::spec(self.app.workspace(), &job.id).reported()?;
                if let Target::Slurm(slurm) = spec.target
                    && let Some(member) = slurm.member
                {
                    arrays.insert(member.array, slurm.remote.host);
                }
            }
        }
        for (array, host) in arrays {
            lapwing_jobs::slurm::disband(&host, &array).reported()?;
        }
        Ok(())
    }

    fn remove(&self, folder: &std::path::Path) {
        match fs_err::remove_dir_all(folder) {
            Ok(()) => {}
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => say(&error.to_string()),
        }
    }

    /// The best trial, on the sweep's own run.
    fn tell_best(&self) -> Result<(), Report> {
        let Some(view) = view::of(self.app, &self.id)? else {
            return Ok(());
        };
        let best = view
            .best
            .and_then(|number| view.trials.get(number as usize - 1));
        let (Some(goal), Some(best)) = (&view.asked.goal, best) else {
            return Ok(());
        };
        let value = best.metrics.get(&goal.metric).copied();
        let metrics = value.map(|value| Metric {
            key: goal.metric.clone(),
            point: Point {
                step: 0,
                timestamp: Timestamp::now(),
                value,
            },
        });
        let run = best.run_id.as_ref().map(ToString::to_string);
        let tags = run.map(|run| ("lapwing.sweep.best".to_owned(), run));
        self.app
            .tracking()
            .log(
                &self.id,
                metrics.into_iter().collect(),
                Vec::new(),
                tags.into_iter().collect(),
            )
            .reported()
    }
}
