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

use super::{
    Asked, BASE, MAX_STARTS, POLL, begun, folder, given_up, lock_name, starts, stop_mark, view,
};
use crate::error::Reported as _;
use crate::pipeline::elsewhere::Elsewhere;
use crate::pipeline::request::{Request, Trial};
use crate::pipeline::start::{begin, decode, reconcile, stop};
use crate::pipeline::{Intent, runner::say};
use crate::wire::{JobStatus, ListJobs, RunRef};
use crate::{App, jobs, projects};

/// Between two tries to reach a machine that no trial could begin on.
const AWAY: Duration = Duration::from_secs(10);
/// Between two tries of what failed.
const AGAIN: Duration = Duration::from_secs(3);
const MAX_TRIES: u32 = 20;

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
    /// What every other trial would fail of too.
    fatal: Option<Report>,
    /// Tries that failed one after the other: a full disk, say.
    tries: u32,
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
        sweep.stop_all();
        sweep.tell_best()?;
        sweep.tidy();
        ended
    });
    match done {
        Ok(status) => end(app, &id, status, None),
        Err(report) => {
            let why = report.told();
            say(&why);
            end(app, &id, RunStatus::Failed, Some(why))
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
        let mut sweep = Self {
            app,
            id: row.run_id.clone(),
            home: projects::project(&row.project)?,
            asked,
            trials,
            away_until: None,
            fatal: None,
            tries: 0,
        };
        sweep.adopt()?;
        Ok(sweep)
    }

    /// Trials that a process before this one began and could not tell of.
    fn adopt(&mut self) -> Result<(), Report> {
        let below = self.home.below_repository().reported()?;
        for index in 0..self.trials.len() {
            let place = self.place(index).join(&below);
            if self.trials.get(index) != Some(&State::Waits) || !place.is_dir() {
                continue;
            }
            let path = Project::open(&place)
                .reported()?
                .root()
                .display()
                .to_string();
            let known = pipeline_runs::of_project(self.app.store(), &path, 1).reported()?;
            if let Some(row) = known.into_iter().next() {
                self.begun(index, row.run_id)?;
            }
        }
        Ok(())
    }

    fn run(&mut self) -> Result<RunStatus, Report> {
        // The last one only tidies up.
        if begun(self.app, &self.id) >= MAX_STARTS {
            return Err(given_up());
        }
        loop {
            if stop_mark(self.app, &self.id).exists() {
                return Ok(RunStatus::Killed);
            }
            let went_on = self.go_on();
            if let Some(report) = self.fatal.take() {
                return Err(report);
            }
            match went_on {
                Ok(true) => self.tries = 0,
                Ok(false) => break,
                Err(report) => self.try_again(report)?,
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

    /// Looks at what runs, and begins what may. False when there is nothing left.
    fn go_on(&mut self) -> Result<bool, Report> {
        self.look()?;
        let running = self.count(|state| matches!(state, State::Runs(_)));
        let next = self.trials.iter().position(|state| *state == State::Waits);
        match next {
            // The mark is looked at before the next one.
            Some(index) if running < self.asked.at_once as usize => self.begin(index)?,
            None if running == 0 => return Ok(false),
            Some(_) | None => std::thread::sleep(POLL),
        }
        Ok(true)
    }

    /// What cannot be read or written now may be a moment later; trials that run go on meanwhile.
    fn try_again(&mut self, report: Report) -> Result<(), Report> {
        self.tries += 1;
        if self.tries >= MAX_TRIES {
            return Err(report);
        }
        say(&format!("{}; trying again", report.message));
        std::thread::sleep(AGAIN);
        Ok(())
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
        self.keep_values(index, &run_id);
        // What it made is in the cache, and what it printed in its run.
        self.remove(&self.place(index));
        if status == RunStatus::Failed {
            self.look_at_failure(&run_id)?;
        }
        Ok(())
    }

    /// The values that were tried, where the stages that read them did not come to record them.
    fn keep_values(&self, index: usize, run_id: &RunId) {
        for text in self.asked.points.get(index).into_iter().flatten() {
            let Some((key, value)) = text.split_once('=') else {
                continue;
            };
            let param = vec![(key.trim_start_matches('+').to_owned(), value.to_owned())];
            let logged = self
                .app
                .tracking()
                .log(run_id, Vec::new(), param, Vec::new());
            if let Err(error) = logged {
                tracing::debug!(%error, key, "the parameter is there, written in another way");
            }
        }
    }

    /// What every other trial would fail of ends the sweep: the environment, or a stage that no swept parameter reaches.
    fn look_at_failure(&mut self, run_id: &RunId) -> Result<(), Report> {
        let jobs = jobs::list(self.app, self.jobs_of(run_id))?;
        if jobs.is_empty() {
            let row = pipeline_runs::get(self.app.store(), run_id).reported()?;
            let why = row.and_then(|row| row.failure);
            let why = why.unwrap_or_else(|| "a trial failed before its first stage".to_owned());
            self.fatal = Some(Report::new(Code::Failed, "sweep.failed", why));
            return Ok(());
        }
        let failed = jobs.into_iter().find(|job| job.status == JobStatus::Failed);
        let stage = failed.and_then(|job| job.stage);
        self.fatal = stage
            .filter(|stage| !self.asked.felt.contains(stage))
            .map(|stage| {
                let why = format!("stage `{stage}` failed, and every trial needs it");
                Report::new(Code::Failed, "sweep.stage_failed", why)
            });
        Ok(())
    }

    fn jobs_of(&self, run_id: &RunId) -> ListJobs {
        ListJobs {
            project: None,
            run_id: Some(run_id.clone()),
            max: None,
        }
    }

    fn folder(&self) -> PathBuf {
        folder(&self.home, self.id.as_str())
    }

    fn place(&self, index: usize) -> PathBuf {
        self.folder().join((index + 1).to_string())
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
                    trial: Some(self.trial(number)?),
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
        self.begun(index, run_id)
    }

    fn begun(&mut self, index: usize, run_id: RunId) -> Result<(), Report> {
        let number = u32::try_from(index + 1).unwrap_or(u32::MAX);
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

    fn trial(&self, number: u32) -> Result<Trial, Report> {
        let base = self.folder().join(BASE);
        let below = self.home.below_repository().reported()?;
        Ok(Trial {
            sweep: self.id.clone(),
            number,
            set: self
                .asked
                .points
                .get(number as usize - 1)
                .cloned()
                .unwrap_or_default(),
            of: u32::try_from(self.asked.points.len()).unwrap_or(u32::MAX),
            at_once: self.asked.at_once,
            home: self.home.root().display().to_string(),
            base: base.join(below).display().to_string(),
            felt: self.asked.felt.clone(),
        })
    }

    /// The trial's folder: the project as it was, with the trial's parameters.
    fn copy(&self, index: usize) -> Result<Project, Report> {
        let place = self.place(index);
        let base = self.folder().join(BASE);
        let below = self.home.below_repository().reported()?;
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

    /// Ends every trial that goes on. One on a machine that is away is waited for: it ends when that is reached again.
    fn stop_all(&mut self) {
        let running = self.trials.iter().filter_map(|state| match state {
            State::Runs(run_id) => Some(run_id.clone()),
            State::Waits | State::Ended(..) => None,
        });
        let running: Vec<RunId> = running.collect();
        if running.is_empty() {
            return;
        }
        // One by one, each that ends would let another one begin.
        self.disband_or_say();
        while let Err(report) = self.stop_these(&running) {
            say(&report.message);
            std::thread::sleep(AWAY);
        }
    }

    fn stop_these(&self, running: &[RunId]) -> Result<(), Report> {
        let app = self.app;
        std::thread::scope(|scope| {
            let stop_one = |run_id: RunId| scope.spawn(move || stop(app, RunRef { run_id }));
            let stops: Vec<_> = running.iter().cloned().map(stop_one).collect();
            stops.into_iter().try_for_each(|stop| match stop.join() {
                Ok(stopped) => stopped.map(|_| ()),
                Err(panic) => std::panic::resume_unwind(panic),
            })
        })
    }

    /// Folders, and tasks of arrays that no trial came for. What cannot be removed stays, and does no harm.
    fn tidy(&self) {
        self.disband_or_say();
        self.remove(&self.folder());
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
                    && let Some(array) = slurm.array(&spec.title).reported()?
                {
                    arrays.insert(array, slurm.remote.host);
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
        let Some(view) = view::of(self.app, &self.id, &mut view::Ended::new())? else {
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
