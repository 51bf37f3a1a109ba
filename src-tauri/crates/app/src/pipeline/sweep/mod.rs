//! A sweep: the same pipeline with other parameters, again and again, each time in a folder of its own.
//!
//! The project is copied when the sweep begins, so that it can be worked on meanwhile. Each trial is a run, and a child of the
//! sweep's own run; stages that no swept parameter reaches run once. To keep a trial's parameters is `lapwing run -S …`: what it
//! made comes from the cache.

mod carry;
mod view;

pub use carry::carry_out;
pub use view::{follow, get};

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use lapwing_core::{Code, Report, RunId, Timestamp};
use lapwing_data::Project;
use lapwing_pipeline::sweep::{Point, Space, felt_by};
use lapwing_pipeline::{Action, Assignment, Drafts, Pipeline, Stage};
use lapwing_store::{lock, sweeps};
use lapwing_tracking::RunStatus;
use serde::{Deserialize, Serialize};

use super::elsewhere;
use super::start::{check_machines, encode, greet, new_run, origin, plan as plan_run, spawn_own};
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

    fn planned(&self) -> PlannedSweep {
        PlannedSweep {
            trials: self.points.clone(),
            stages: self.felt.clone(),
            at_once: self.at_once,
        }
    }
}

/// What a sweep would try, and which stages would run in each trial. Changes nothing.
///
/// # Errors
/// When the values cannot be read, no stage feels them, or the pipeline is not valid with them.
pub fn plan(app: &App, input: StartSweep) -> Result<PlannedSweep, Report> {
    let project = projects::project(&input.project)?;
    Ok(asked(app, &project, input)?.planned())
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
    check(app, &project, &asked)?;
    let run = asked.run(asked.input.project.clone());
    let mut tags = origin(&project, &run)?;
    tags.push(("lapwing.sweep".to_owned(), asked.points.len().to_string()));
    let name = format!("sweep of {} trials", asked.points.len());
    let run_id = new_run(app, &project, Some(name), tags)?;
    let begun = remember(app, &project, &run_id, &asked);
    if let Err(report) = begun {
        // It never began: nobody looks for it.
        app.tracking().set_deleted(&run_id, true).reported()?;
        return Err(report);
    }
    spawn(app, &run_id)?;
    Ok(StartedSweep {
        run_id,
        planned: asked.planned(),
    })
}

/// What is tried, and the project as it lies now.
fn remember(app: &App, project: &Project, run_id: &RunId, asked: &Asked) -> Result<(), Report> {
    let params = asked.input.values.iter().filter_map(|text| {
        let (key, values) = text.split_once('=')?;
        Some((key.trim().to_owned(), values.trim().to_owned()))
    });
    app.tracking()
        .log(run_id, Vec::new(), params.collect(), Vec::new())
        .reported()?;
    let folder = folder(project, run_id);
    fs_err::create_dir_all(&folder)
        .map_err(|error| Report::new(Code::Failed, "sweep.folder", error.to_string()))?;
    lapwing_data::snapshot(project, &asked.inputs, &folder.join(BASE)).reported()?;
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
fn folder(project: &Project, run_id: &RunId) -> PathBuf {
    let sweeps = project.root().join(".dvc/tmp/lapwing/sweeps");
    sweeps.join(run_id.as_str())
}

fn asked(app: &App, project: &Project, input: StartSweep) -> Result<Asked, Report> {
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
    let in_plan = |address: &String| plan.steps.iter().any(|step| step.stage == *address);
    let mut felt = felt_by(project, &pipeline, &points).reported()?;
    felt.retain(in_plan);
    if felt.is_empty() {
        return Err(unfelt(&space));
    }
    let stages: Vec<&Stage> = plan
        .steps
        .iter()
        .map(|step| pipeline.stage(&step.stage))
        .collect::<Result<_, _>>()
        .reported()?;
    let machines = machines(&input, &stages);
    Ok(Asked {
        at_once: at_once(&input, points.len(), is_queued(app, project, &machines)?)?,
        inputs: inputs(project, &pipeline, &stages),
        points,
        felt,
        machines,
        input,
    })
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
        ));
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

/// What no stage makes is copied with the code. What one makes comes from the cache, or is made, but for what is never made.
fn inputs(project: &Project, pipeline: &Pipeline, stages: &[&Stage]) -> Vec<String> {
    let made = pipeline.stages().iter().filter(|stage| !stage.frozen);
    let made: BTreeSet<&str> = made
        .flat_map(|stage| stage.outs.iter().map(|out| out.path.as_str()))
        .collect();
    let mut inputs = elsewhere::inputs(project, stages);
    inputs.retain(|path| !made.contains(path.as_str()));
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

/// Sweeps whose process is gone go on with another one. What they run is what somebody asked for when they began.
pub(crate) fn reconcile(app: &App, project: Option<&str>) -> Result<(), Report> {
    for sweep in sweeps::active(app.store(), project).reported()? {
        let marks = starts(app, &sweep.run_id);
        let written = fs_err::metadata(&marks).and_then(|meta| meta.modified());
        let young = written.is_ok_and(|at| at.elapsed().is_ok_and(|age| age < START_GRACE));
        if young || lock::is_held(app.workspace(), &lock_name(&sweep.run_id)).reported()? {
            continue;
        }
        let begun = fs_err::read_to_string(&marks).unwrap_or_default();
        if begun.lines().count() < MAX_STARTS {
            spawn(app, &sweep.run_id)?;
        } else {
            let why = "its process ended again and again; its log says why";
            carry::end(app, &sweep.run_id, RunStatus::Failed, Some(why.to_owned()))?;
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
    while sweeps::get(app.store(), run_id)
        .reported()?
        .is_some_and(|sweep| sweep.ended.is_none())
    {
        reconcile(app, Some(&sweep.project))?;
        std::thread::sleep(POLL);
    }
    Ok(true)
}
