//! A sweep: the same pipeline with other parameters, again and again, each time in a folder of its own.
//!
//! The project is copied when the sweep begins, so that it can be worked on meanwhile. Each trial is a run, and a child of the
//! sweep's own run; stages that no swept parameter reaches run once. To keep a trial's parameters is `lapwing run -S …`: what it
//! made comes from the cache.

mod carry;
mod compared;
mod goal;
mod view;

pub use carry::carry_out;
pub(crate) use compared::compared;
pub use view::{Heard, follow, get};

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use lapwing_core::{Code, Report, RunId, Timestamp};
use lapwing_data::Project;
use lapwing_pipeline::sweep::{Point, Space, felt_by, variants};
use lapwing_pipeline::{Action, Assignment, Drafts, Pipeline, Stage};
use lapwing_store::{lock, sweeps};
use lapwing_tracking::RunStatus;
use serde::{Deserialize, Serialize};

use super::elsewhere;
use super::start::{
    check_machines, encode, experiment, greet, new_run, origin, plan as plan_run, spawn_own,
};
use crate::error::Reported as _;
use crate::wire::{PlannedSweep, StartRun, StartSweep, StartedSweep, Target};
use crate::{App, projects};

/// Trials at once where a queue has the say: each is a process here that waits for it.
const QUEUED_AT_ONCE: u32 = 16;
const MAX_AT_ONCE: u32 = 64;
/// One whose process dies of what it finds is not started for ever.
const MAX_STARTS: usize = 50;
/// A process that was just started may need so long until it holds its lock.
const START_GRACE: Duration = Duration::from_secs(20);
const POLL: Duration = Duration::from_millis(300);
/// So long somebody waits for a sweep's end.
const STOPPING: Duration = Duration::from_secs(120);

/// What is kept of a sweep.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Asked {
    input: StartSweep,
    points: Vec<Point>,
    /// Stages that are not the same in all trials.
    felt: Vec<String>,
    at_once: u32,
    /// Machines elsewhere that stages run on.
    machines: Vec<String>,
    /// Files and folders that stages read and no stage makes.
    inputs: Vec<String>,
}

impl Asked {
    /// What a trial is asked for, in its folder.
    fn run(&self, project: String) -> StartRun {
        StartRun {
            project,
            stages: self.input.stages.clone(),
            force: false,
            target: self.input.target,
            on: self.input.on.clone(),
            set: Vec::new(),
        }
    }

    fn planned(&self, app: &App, project: &Project) -> Result<PlannedSweep, Report> {
        Ok(PlannedSweep {
            trials: self.points.clone(),
            stages: self.felt.clone(),
            at_once: self.at_once,
            warning: goal::warning(app, project, self.input.goal.as_ref())?,
        })
    }
}

/// What a sweep would try, and which stages would run in each trial. Changes nothing.
///
/// # Errors
/// When the values cannot be read, no stage feels them, or the pipeline is not valid with them.
pub fn plan(app: &App, input: StartSweep) -> Result<PlannedSweep, Report> {
    let project = projects::project(&input.project)?;
    asked(app, &project, input)?.planned(app, &project)
}

/// Starts a sweep, in a process of its own.
///
/// # Errors
/// As [`plan`], when the project is not trusted, or a machine has not what a stage asks for.
pub fn start(app: &App, input: StartSweep) -> Result<StartedSweep, Report> {
    let project = projects::project(&input.project)?;
    projects::require_trust(app, &project)?;
    let input = StartSweep {
        project: project.root().display().to_string(),
        ..input
    };
    let asked = asked(app, &project, input)?;
    not_twice(app, &asked)?;
    let planned = asked.planned(app, &project)?;
    check(app, &project, &asked)?;
    // Whoever is cut here has begun nothing.
    let staged = folder(&project, "new").with_extension(RunId::random().as_str());
    let begun = lapwing_data::snapshot(&project, &asked.inputs, &staged.join(BASE))
        .reported()
        .and_then(|_| remember(app, &project, &asked, &staged));
    let run_id = match begun {
        Ok(run_id) => run_id,
        Err(report) => {
            // Nobody looks for it; what cannot be removed does no harm.
            let _ = std::fs::remove_dir_all(&staged);
            return Err(report);
        }
    };
    spawn(app, &run_id)?;
    Ok(StartedSweep { run_id, planned })
}

/// Whoever lost sight of a sweep and asks for it again would pay for each trial twice.
fn not_twice(app: &App, asked: &Asked) -> Result<(), Report> {
    let wanted = encode(asked)?;
    let active = sweeps::active(app.store(), Some(&asked.input.project)).reported()?;
    let Some(same) = active.into_iter().find(|sweep| sweep.request == wanted) else {
        return Ok(());
    };
    let id = same.run_id.as_str().get(..8).unwrap_or_default();
    Err(Report::new(
        Code::Conflict,
        "sweep.going_on",
        "the same sweep goes on already",
    )
    .hint(format!(
        "follow it with `lapwing runs follow {id}`, or end it with `lapwing runs stop {id}`"
    )))
}

/// The sweep's own run, and what is tried in it. From here on it goes on by itself.
fn remember(app: &App, project: &Project, asked: &Asked, staged: &Path) -> Result<RunId, Report> {
    let mut tags = origin(project, &asked.run(asked.input.project.clone()))?;
    tags.push(("lapwing.sweep".to_owned(), asked.points.len().to_string()));
    let name = format!("sweep of {} trials", asked.points.len());
    let run_id = new_run(app, experiment(project)?, Some(name), tags)?;
    let kept = keep(app, project, asked, staged, &run_id);
    if kept.is_err() {
        // It never began: nobody looks for it. What cannot be removed does no harm.
        let _ = std::fs::remove_dir_all(folder(project, run_id.as_str()));
        app.tracking().set_deleted(&run_id, true).reported()?;
    }
    kept.map(|()| run_id)
}

fn keep(
    app: &App,
    project: &Project,
    asked: &Asked,
    staged: &Path,
    run_id: &RunId,
) -> Result<(), Report> {
    let params = asked.input.values.iter().filter_map(|text| {
        let (key, values) = text.split_once('=')?;
        Some((key.trim().to_owned(), values.trim().to_owned()))
    });
    app.tracking()
        .log(run_id, Vec::new(), params.collect(), Vec::new())
        .reported()?;
    fs_err::rename(staged, folder(project, run_id.as_str()))
        .map_err(|error| Report::new(Code::Failed, "sweep.folder", error.to_string()))?;
    let row = sweeps::Sweep {
        run_id: run_id.clone(),
        project: asked.input.project.clone(),
        created: Timestamp::now(),
        ended: None,
        request: encode(asked)?,
        failure: None,
    };
    sweeps::begin(app.store(), row).reported()
}

/// The project as it was when the sweep began.
const BASE: &str = "base";

/// DVC ignores it, and it is on the disk of the cache.
fn folder(project: &Project, name: &str) -> PathBuf {
    let sweeps = project.root().join(".dvc/tmp/lapwing/sweeps");
    sweeps.join(name)
}

fn asked(app: &App, project: &Project, input: StartSweep) -> Result<Asked, Report> {
    goal::check(input.goal.as_ref())?;
    let space = Space::parse(&input.values).reported()?;
    let points = match input.random {
        Some(count) => {
            let seed = u64::from(input.seed.unwrap_or_default());
            space.random(count as usize, seed)
        }
        None => space.grid(),
    };
    let points = points.reported()?;
    let run = StartRun {
        project: input.project.clone(),
        stages: input.stages.clone(),
        ..StartRun::default()
    };
    let (pipeline, plan) = plan_run(project, &run, drafts(project, points.first())?)?;
    let variants = variants(project, &points).reported()?;
    // A stage that only some of the values make is in every plan of them.
    let in_plan = |address: &str| {
        let is_known = pipeline.stage(address).is_ok();
        !is_known || plan.steps.iter().any(|step| step.stage == address)
    };
    let mut felt = felt_by(&pipeline, &variants);
    felt.retain(|address| in_plan(address));
    if felt.is_empty() {
        return Err(unfelt(&space));
    }
    let others = variants.iter().map(|(_, variant)| variant);
    let pipelines: Vec<&Pipeline> = [&pipeline].into_iter().chain(others).collect();
    let stages: Vec<&Stage> = pipelines
        .iter()
        .flat_map(|pipeline| pipeline.stages())
        .filter(|stage| in_plan(&stage.address))
        .collect();
    stages.iter().try_for_each(|stage| stays_inside(stage))?;
    let machines = machines(&input, &stages);
    let is_fresh = |address: &str| {
        let step = plan.steps.iter().find(|step| step.stage == address);
        step.is_some_and(|step| step.action == Action::Skip) && !felt.iter().any(|f| f == address)
    };
    Ok(Asked {
        at_once: at_once(&input, points.len(), is_queued(app, project, &machines)?)?,
        inputs: inputs(project, &stages, &is_fresh),
        points,
        felt,
        machines,
        input,
    })
}

/// A copy has what lies in the project, and nothing around it.
fn stays_inside(stage: &Stage) -> Result<(), Report> {
    let Some(outside) = stage.deps.iter().find(|dep| dep.path.starts_with("..")) else {
        return Ok(());
    };
    Err(Report::new(
        Code::Invalid,
        "sweep.outside",
        format!(
            "stage `{}` reads {}, which lies outside of the project: a sweep runs in copies of the project alone",
            stage.address, outside.path
        ),
    )
    .hint("move it into the project, or name it by its absolute path"))
}

fn drafts(project: &Project, point: Option<&Point>) -> Result<Drafts, Report> {
    let changes = point
        .into_iter()
        .flatten()
        .map(|text| Assignment::parse(text));
    let changes = changes.collect::<Result<Vec<_>, _>>().reported()?;
    Drafts::of(project.root(), &changes).reported()
}

fn unfelt(space: &Space) -> Report {
    let names: Vec<String> = space.names().map(|name| format!("`{name}`")).collect();
    Report::new(
        Code::Invalid,
        "sweep.unfelt",
        format!("no stage that would run reads {}", names.join(" or ")),
    )
    .hint(
        "list it under `params` of the stage in dvc.yaml: all trials would be the same without it",
    )
}

/// Whether every machine that stages run on says itself when a job begins.
fn is_queued(app: &App, project: &Project, machines: &[String]) -> Result<bool, Report> {
    for name in machines {
        if !elsewhere::Elsewhere::named(app, project, name)?.has_queue() {
            return Ok(false);
        }
    }
    Ok(!machines.is_empty())
}

fn at_once(input: &StartSweep, trials: usize, is_queued: bool) -> Result<u32, Report> {
    let most = if is_queued { QUEUED_AT_ONCE } else { 1 };
    let wanted = input.at_once.unwrap_or(most);
    if !(1..=MAX_AT_ONCE).contains(&wanted) {
        return Err(Report::new(
            Code::Invalid,
            "sweep.at_once",
            format!("{wanted} trials cannot go on at once: from 1 to {MAX_AT_ONCE} can"),
        )
        .hint("as in `--at-once 4`"));
    }
    // Not more than 1000.
    Ok(wanted.min(u32::try_from(trials).unwrap_or(wanted)))
}

fn machines(input: &StartSweep, stages: &[&Stage]) -> Vec<String> {
    let wanted = stages.iter().filter_map(|stage| match &input.on {
        Some(name) => Some(name.clone()),
        None => elsewhere::wanted(stage),
    });
    wanted.collect::<BTreeSet<_>>().into_iter().collect()
}

/// What no stage makes is copied with the code, and what a stage made that need not run again. What the others make comes from the
/// cache, or is made.
fn inputs(project: &Project, stages: &[&Stage], is_fresh: &dyn Fn(&str) -> bool) -> Vec<String> {
    let outs = |is: &dyn Fn(&&&Stage) -> bool| -> BTreeSet<String> {
        let chosen = stages.iter().filter(is);
        chosen
            .flat_map(|stage| stage.outs.iter().map(|out| out.path.clone()))
            .collect()
    };
    let made = outs(&|stage| !stage.frozen && !is_fresh(&stage.address));
    let kept = outs(&|stage| is_fresh(&stage.address));
    let mut inputs = elsewhere::inputs(project, stages);
    inputs.extend(kept);
    inputs.retain(|path| !made.contains(path));
    inputs.sort();
    inputs.dedup();
    inputs
}

/// Before anything is recorded or sent.
fn check(app: &App, project: &Project, asked: &Asked) -> Result<(), Report> {
    let run = asked.run(asked.input.project.clone());
    for name in &asked.machines {
        elsewhere::Elsewhere::named(app, project, name)?.greet(app)?;
    }
    if asked.input.target == Target::Docker {
        greet(app, project, &run)?;
    }
    let (pipeline, mut plan) = plan_run(project, &run, drafts(project, asked.points.first())?)?;
    // In some trial it will.
    for step in &mut plan.steps {
        if asked.felt.contains(&step.stage) && step.action != Action::Frozen {
            step.action = Action::Run;
        }
    }
    check_machines(app, project, &run, &pipeline, &plan)
}

fn lock_name(run_id: &RunId) -> String {
    format!("sweep-{run_id}")
}

/// There when somebody wants the sweep to end.
fn stop_mark(app: &App, run_id: &RunId) -> PathBuf {
    app.workspace().logs().join(format!("sweep-{run_id}.stop"))
}

/// A line for each process that was started for it.
fn starts(app: &App, run_id: &RunId) -> PathBuf {
    app.workspace().logs().join(format!("sweep-{run_id}.again"))
}

fn spawn(app: &App, run_id: &RunId) -> Result<(), Report> {
    let marks = starts(app, run_id);
    let before = fs_err::read_to_string(&marks).unwrap_or_default(); // Not there: the first time.
    crate::file::write_whole(&marks, format!("{before}again\n").as_bytes())?;
    let log = format!("sweep-{run_id}.log");
    spawn_own(app, &["__sweep", run_id.as_str()], &log)
}

/// So many processes were started for it.
fn begun(app: &App, run_id: &RunId) -> usize {
    let marks = fs_err::read_to_string(starts(app, run_id)).unwrap_or_default(); // Not there: none.
    marks.lines().count()
}

fn given_up() -> Report {
    Report::new(
        Code::Failed,
        "sweep.given_up",
        "its process ended again and again; its log says why",
    )
}

/// Sweeps whose process is gone go on with another one. What they run is what somebody asked for when they began.
pub(crate) fn reconcile(app: &App, project: Option<&str>) -> Result<(), Report> {
    for sweep in sweeps::active(app.store(), project).reported()? {
        let marks = starts(app, &sweep.run_id);
        let written = fs_err::metadata(&marks).and_then(|meta| meta.modified());
        let young = written.is_ok_and(|at| at.elapsed().is_ok_and(|age| age < START_GRACE));
        if young || lock::is_held(app.workspace(), &lock_name(&sweep.run_id)).reported()? {
            continue;
        }
        if begun(app, &sweep.run_id) < MAX_STARTS {
            spawn(app, &sweep.run_id)?;
        } else {
            let why = given_up().message;
            carry::end(app, &sweep.run_id, RunStatus::Failed, Some(why))?;
        }
    }
    Ok(())
}

/// Ends a sweep: trials that go on are cancelled, the rest do not start. False when there is no such sweep.
pub(super) fn stop(app: &App, run_id: &RunId) -> Result<bool, Report> {
    let Some(sweep) = sweeps::get(app.store(), run_id).reported()? else {
        return Ok(false);
    };
    if sweep.ended.is_some() {
        return Ok(true);
    }
    crate::file::write_whole(&stop_mark(app, run_id), b"")?;
    let asked = Instant::now();
    while sweeps::get(app.store(), run_id)
        .reported()?
        .is_some_and(|sweep| sweep.ended.is_none())
    {
        if asked.elapsed() > STOPPING {
            return Err(Report::new(
                Code::Conflict,
                "sweep.stopping",
                "the sweep is told to end, and has not ended yet: a machine that a trial runs on may be away",
            )
            .hint("it ends by itself, when the machine is reached again"));
        }
        reconcile(app, Some(&sweep.project))?;
        std::thread::sleep(POLL);
    }
    Ok(true)
}
