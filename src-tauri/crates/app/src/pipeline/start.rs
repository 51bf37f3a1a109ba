//! Starting a run, and stopping one.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use lapwing_core::{Code, Report, RunId, Timestamp};
use lapwing_data::Project;
use lapwing_jobs::docker;
use lapwing_pipeline::{Action, Assignment, Drafts, Pipeline, Plan, PlanOptions, Scope};
use lapwing_store::lock;
use lapwing_store::pipeline_runs::{self, PipelineRun};
use lapwing_tracking::{NewRun, PARENT, RunStatus};

use super::elsewhere::{self, Elsewhere};
use super::request::Request;
use super::resume::{self, Again, Intent};
use super::{sweep, trial};
use crate::config::Config;
use crate::error::Reported as _;
use crate::wire::{
    JobRef, ListJobs, Nothing, RunRef, StageRow, StageState, StartRun, StartedRun, Target,
    WaitingRun,
};
use crate::{App, jobs, projects};

/// A runner that was just started may need so long until it holds its lock.
const START_GRACE_MILLIS: i64 = 20_000;
/// MLflow's limit for a tag.
const MAX_TAG_CHARS: usize = 5000;

pub(super) fn plan(
    project: &Project,
    input: &StartRun,
    drafts: Drafts,
) -> Result<(Pipeline, Plan), Report> {
    let pipeline = Pipeline::drafted(project, &drafts).reported()?;
    if pipeline.stages().is_empty() {
        return Err(Report::new(
            Code::NotFound,
            "pipeline.empty",
            format!("{} has no dvc.yaml with stages", project.root().display()),
        )
        .hint("write the first stage into dvc.yaml: a command, what it reads (deps) and what it makes (outs)"));
    }
    let options = PlanOptions {
        targets: input.stages.clone(),
        force: input.force,
        scope: Scope::Upstream,
        drafts,
    };
    let plan = lapwing_pipeline::plan(&pipeline, project, &options).reported()?;
    Ok((pipeline, plan))
}

fn stale(plan: &Plan) -> Vec<String> {
    plan.steps
        .iter()
        .filter(|step| matches!(step.action, Action::Run | Action::Restore))
        .map(|step| step.stage.clone())
        .collect()
}

fn assignments(input: &StartRun) -> Result<Vec<Assignment>, Report> {
    input
        .set
        .iter()
        .map(|text| Assignment::parse(text))
        .collect::<Result<Vec<_>, _>>()
        .reported()
}

/// What would run and why, with the parameters of `-S` as they would be; nothing is changed.
///
/// # Errors
/// When the pipeline is not valid.
pub fn dry_run(_app: &App, input: &StartRun) -> Result<Vec<StageRow>, Report> {
    let project = projects::project(&input.project)?;
    // A run would refuse a broken one.
    Config::read(project.root())?;
    let drafts = Drafts::of(project.root(), &assignments(input)?).reported()?;
    let (pipeline, plan) = plan(&project, input, drafts)?;
    plan.steps
        .iter()
        .map(|step| {
            let stage = pipeline.stage(&step.stage).reported()?;
            Ok(StageRow {
                name: step.stage.clone(),
                file: stage.file.clone(),
                command: stage.cmd.lines().join("\n"),
                description: stage.desc.clone(),
                deps: stage.deps.iter().map(|dep| dep.path.clone()).collect(),
                outs: stage.outs.iter().map(|out| out.path.clone()).collect(),
                metrics: Vec::new(),
                params: Vec::new(),
                state: match step.action {
                    Action::Run | Action::Restore => StageState::Stale,
                    Action::Skip => StageState::Fresh,
                    Action::Frozen => StageState::Frozen,
                },
                on: input.on.clone().or_else(|| elsewhere::wanted(stage)),
                waits: None,
                reasons: step.reasons.iter().map(ToString::to_string).collect(),
                job: None,
                duration_ms: None,
            })
        })
        .collect()
}

/// Starts a run of what is stale, in a process of its own. Answers no run id when nothing is.
///
/// # Errors
/// When the project is not trusted, the pipeline is not valid, or a run of the project goes on.
pub fn start(app: &App, input: StartRun) -> Result<StartedRun, Report> {
    begin(app, Request::of(input))
}

/// The same for a request of ours: a trial of a sweep runs even when nothing is stale, so that it is among the others.
pub(super) fn begin(app: &App, mut request: Request) -> Result<StartedRun, Report> {
    let project = projects::project(&request.input.project)?;
    projects::require_trust(app, &request.home_project()?)?;
    request.input.project = project.root().display().to_string();
    let input = &request.input;
    let asked = encode(&request)?;
    let active = || pipeline_runs::active(app.store(), Some(&input.project)).reported();
    // Asked for again after it was cut: the same run goes on. Another one is only looked at.
    let intent = match active()?.first() {
        Some(other) if other.request == asked => Intent::ToRun,
        Some(_) | None => Intent::ToLook,
    };
    let found = reconcile(app, &input.project, intent)?;
    if let Some(other) = active()?.first() {
        if found.resumed.contains(&other.run_id) && other.request == asked {
            return Ok(StartedRun {
                run_id: Some(other.run_id.clone()),
                stages: decode(&other.stages)?,
            });
        }
        return Err(match found.waiting {
            Some(waiting) => waits(&waiting),
            None => going_on(&other.run_id),
        });
    }
    // Before anything is changed or recorded. A trial's sweep has done so, and its jobs wait for who is away.
    if request.trial.is_none() {
        greet(app, &project, input)?;
    }
    let stages = stale(&settled(app, &project, &request)?);
    if stages.is_empty() && request.trial.is_none() {
        return Ok(StartedRun {
            run_id: None,
            stages,
        });
    }
    let run_id = create_run(app, &project, &request, &stages)?;
    let row = PipelineRun {
        run_id: run_id.clone(),
        project: input.project.clone(),
        created: Timestamp::now(),
        ended: None,
        request: asked,
        stages: encode(&stages)?,
        failure: None,
    };
    if !pipeline_runs::begin(app.store(), row).reported()? {
        // Somebody was quicker: our run never began, and is not kept.
        app.tracking()
            .update_run(
                &run_id,
                Some(RunStatus::Killed),
                Some(Timestamp::now()),
                None,
            )
            .reported()?;
        app.tracking().set_deleted(&run_id, true).reported()?;
        return Err(going_on(&run_id));
    }
    resume::keep_sources(app, &request, &run_id);
    spawn_runner(app, &run_id)?;
    Ok(StartedRun {
        run_id: Some(run_id),
        stages,
    })
}

/// That where all stages shall run answers.
pub(super) fn greet(app: &App, project: &Project, input: &StartRun) -> Result<(), Report> {
    match &input.on {
        Some(name) => Elsewhere::named(app, project, name)?.greet(app).map(|_| ()),
        None if input.target == Target::Docker => {
            app.block_on(docker::ping())?.reported().map(|_| ())
        }
        None => Ok(()),
    }
}

/// What will run. Parameters are changed when every machine is known to have what it is asked for.
fn settled(app: &App, project: &Project, request: &Request) -> Result<Plan, Report> {
    let input = &request.input;
    let assigned = assignments(input)?;
    let drafts = Drafts::of(project.root(), &assigned).reported()?;
    let (pipeline, planned) = plan(project, input, drafts)?;
    // Once for all trials of a sweep.
    if request.trial.is_none() {
        check_machines(app, project, input, &pipeline, &planned)?;
    }
    if assigned.is_empty() {
        return Ok(planned);
    }
    for assignment in &assigned {
        lapwing_pipeline::set_param(project.root(), assignment).reported()?;
    }
    Ok(plan(project, input, Drafts::default())?.1)
}

/// That every machine that a stage will run on has what the stage asks for: not after an hour, when its turn comes.
pub(super) fn check_machines(
    app: &App,
    project: &Project,
    input: &StartRun,
    pipeline: &Pipeline,
    plan: &Plan,
) -> Result<(), Report> {
    let config = Config::read(project.root())?;
    let mut machines: BTreeMap<String, Elsewhere> = BTreeMap::new();
    for step in &plan.steps {
        if step.action != Action::Run {
            continue;
        }
        let stage = pipeline.stage(&step.stage).reported()?;
        let Some(name) = input.on.clone().or_else(|| elsewhere::wanted(stage)) else {
            continue;
        };
        let machine = match machines.entry(name) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(new) => {
                let named = Elsewhere::named(app, project, new.key())?;
                new.insert(named)
            }
        };
        machine.check(app, project, &config, stage)?;
    }
    Ok(())
}

fn going_on(run_id: &RunId) -> Report {
    let id = run_id.as_str().get(..8).unwrap_or_default();
    Report::new(
        Code::Conflict,
        "run.going_on",
        "a run of this project goes on already",
    )
    .hint(format!(
        "follow it with `lapwing runs follow {id}`, or end it with `lapwing runs stop {id}`"
    ))
}

fn waits(run: &WaitingRun) -> Report {
    let message = format!("another run of this project waits: {}", run.why);
    Report::new(Code::Conflict, "run.waits", message).hint(format!(
        "`lapwing runs resume {id}` goes on with what is here now, `lapwing runs stop {id}` ends it",
        id = run.run_id
    ))
}

pub(super) fn encode<T: serde::Serialize>(value: &T) -> Result<String, Report> {
    serde_json::to_string(value)
        .map_err(|error| Report::new(Code::Internal, "run.encode", error.to_string()))
}

pub(super) fn decode<T: serde::de::DeserializeOwned>(text: &str) -> Result<T, Report> {
    serde_json::from_str(text)
        .map_err(|error| Report::new(Code::Internal, "run.decode", error.to_string()))
}

/// Tags that say where a run comes from.
const ORIGIN: [&str; 6] = [
    "lapwing.project",
    "lapwing.target",
    "lapwing.dirty",
    "mlflow.source.name",
    "mlflow.source.type",
    "mlflow.source.git.commit",
];

fn create_run(
    app: &App,
    project: &Project,
    request: &Request,
    stages: &[String],
) -> Result<RunId, Report> {
    let stages = ("lapwing.stages".to_owned(), stages.join(", "));
    let Some(trial) = &request.trial else {
        let mut tags = origin(project, &request.input)?;
        tags.push(stages);
        return new_run(app, experiment(project)?, None, tags);
    };
    // What its sweep comes from, whatever was committed or renamed meanwhile.
    let sweep = app.tracking().run(&trial.sweep).reported()?;
    let parent = (PARENT.to_owned(), trial.sweep.to_string());
    let own = sweep.tags.into_iter();
    let tags = own
        .filter(|(key, _)| ORIGIN.contains(&key.as_str()))
        .chain([parent, stages])
        .collect();
    new_run(app, sweep.experiment, Some(trial::name(trial)), tags)
}

/// Where the runs of a project are kept.
pub(super) fn experiment(project: &Project) -> Result<String, Report> {
    let config = Config::read(project.root())?;
    Ok(projects::name_of(project.root(), &config))
}

/// Project, commit and machine of what was asked for.
pub(super) fn origin(project: &Project, input: &StartRun) -> Result<Vec<(String, String)>, Report> {
    let place = input.on.clone();
    let place = place.unwrap_or_else(|| jobs::target_word(input.target).to_owned());
    let mut tags = vec![
        ("lapwing.project".to_owned(), input.project.clone()),
        ("lapwing.target".to_owned(), place),
        ("mlflow.source.name".to_owned(), input.project.clone()),
        ("mlflow.source.type".to_owned(), "PROJECT".to_owned()),
    ];
    if let Some(commit) = project.head().reported()? {
        tags.push(("mlflow.source.git.commit".to_owned(), commit.id));
        tags.push((
            "lapwing.dirty".to_owned(),
            project.is_dirty().reported()?.to_string(),
        ));
    }
    Ok(tags)
}

/// A tracked run that begins now.
pub(super) fn new_run(
    app: &App,
    experiment: String,
    name: Option<String>,
    tags: Vec<(String, String)>,
) -> Result<RunId, Report> {
    let new = NewRun {
        experiment,
        name,
        user: user(),
        tags,
        start: Timestamp::now(),
    };
    app.tracking().create_run(new).reported()
}

pub(crate) fn user() -> String {
    ["USER", "LOGNAME", "USERNAME"]
        .iter()
        .find_map(|name| std::env::var(name).ok().filter(|value| !value.is_empty())) // Unset or no text: the next one.
        .or_else(|| whoami::username().ok()) // Asked last, as Python's getpass does.
        .unwrap_or_else(|| "unknown".to_owned())
}

pub(super) fn lock_name(run_id: &RunId) -> String {
    format!("run-{run_id}")
}

fn spawn_runner(app: &App, run_id: &RunId) -> Result<(), Report> {
    let log = format!("run-{run_id}.log");
    let started = spawn_own(app, &["__run", run_id.as_str()], &log);
    if let Err(report) = &started {
        end(app, run_id, RunStatus::Failed, Some(report.told()))?;
    }
    started
}

/// Starts a process of ours that outlives this one; `log` is the name of its log.
pub(super) fn spawn_own(app: &App, arguments: &[&str], log: &str) -> Result<(), Report> {
    let log = app.workspace().logs().join(log);
    let arguments: Vec<String> = arguments.iter().map(|&text| text.to_owned()).collect();
    let env = BTreeMap::from([(
        "LAPWING_HOME".to_owned(),
        app.workspace().root().display().to_string(),
    )]);
    let mut child =
        lapwing_jobs::detached::spawn(app.program(), &arguments, &log, &env).reported()?;
    // Reap it when it ends, in case we still live then.
    std::thread::spawn(move || child.wait());
    Ok(())
}

/// Ends a run on both sides: as a pipeline run, and as a tracked one.
pub(super) fn end(
    app: &App,
    run_id: &RunId,
    status: RunStatus,
    failure: Option<String>,
) -> Result<(), Report> {
    let now = Timestamp::now();
    if let Some(why) = &failure {
        let tags = vec![(
            "lapwing.failure".to_owned(),
            why.chars().take(MAX_TAG_CHARS).collect(),
        )];
        app.tracking()
            .log(run_id, Vec::new(), Vec::new(), tags)
            .reported()?;
    }
    app.tracking()
        .update_run(run_id, Some(status), Some(now), None)
        .reported()?;
    pipeline_runs::end(app.store(), run_id, now, failure).reported()?;
    resume::forget(app, run_id);
    Ok(())
}

/// Runs that had no runner any more.
#[derive(Default)]
pub(crate) struct Reconciled {
    /// They have another one.
    pub resumed: Vec<RunId>,
    /// It goes on when somebody asks for a run again.
    pub waiting: Option<WaitingRun>,
}

/// Runs whose runner is gone go on with another one, where a stage outlived it, and end otherwise: nothing stays "running" without
/// a process. Who only looks starts nothing but what was asked for.
pub(crate) fn reconcile(app: &App, project: &str, asked: Intent) -> Result<Reconciled, Report> {
    let mut found = Reconciled::default();
    let all = pipeline_runs::active(app.store(), Some(project)).reported()?;
    for run in all {
        let young = Timestamp::now().millis_since(run.created) < START_GRACE_MILLIS;
        let lock = lock::try_acquire(app.workspace(), &lock_name(&run.run_id)).reported()?;
        if lock.is_none() || (young && run.failure.is_none() && !began(app, &run.run_id)?) {
            continue;
        }
        // Between the look and the lock it may have ended well.
        let now = pipeline_runs::get(app.store(), &run.run_id).reported()?;
        if now.is_none_or(|now| now.ended.is_some()) {
            continue;
        }
        match resume::again(app, &run, asked)? {
            Again::Now => {
                drop(lock);
                spawn_runner(app, &run.run_id)?;
                found.resumed.push(run.run_id);
                continue;
            }
            Again::WhenAsked(why) => {
                found.waiting = Some(WaitingRun {
                    run_id: run.run_id,
                    started: run.created,
                    why,
                });
                continue;
            }
            Again::Later => continue,
            Again::Never => {}
        }
        let (status, why) = if stop_mark(app, &run.run_id).exists() {
            (RunStatus::Killed, "it was stopped")
        } else {
            let cut = "the run was cut: its process ended before its stages did";
            (RunStatus::Failed, cut)
        };
        end(app, &run.run_id, status, Some(why.to_owned()))?;
    }
    Ok(found)
}

fn began(app: &App, run_id: &RunId) -> Result<bool, Report> {
    Ok(!jobs::list(
        app,
        ListJobs {
            project: None,
            run_id: Some(run_id.clone()),
            max: None,
        },
    )?
    .is_empty())
}

/// Ends a run: the stage that runs is cancelled, the rest does not start.
///
/// # Errors
/// When there is no such run.
pub fn stop(app: &App, input: RunRef) -> Result<Nothing, Report> {
    if sweep::stop(app, &input.run_id)? {
        return Ok(Nothing {});
    }
    let run = known(app, &input.run_id)?;
    if run.ended.is_some() {
        return Ok(Nothing {});
    }
    crate::file::write_whole(&stop_mark(app, &input.run_id), b"")?;
    for job in jobs::list(
        app,
        ListJobs {
            project: None,
            run_id: Some(input.run_id.clone()),
            max: None,
        },
    )? {
        if job.ended.is_none() {
            jobs::stop(app, JobRef { id: job.id })?;
        }
    }
    super::follow(app, &input.run_id, &|_| {})?;
    // It may have ended by itself just before the mark was set.
    resume::forget(app, &input.run_id);
    Ok(Nothing {})
}

/// Ends the run when this process gets Ctrl-C, as the programs do that a run takes the place of; `told` says that it was heard.
///
/// # Errors
/// When the operating system gives no threads.
pub fn stop_on_interrupt(
    app: &App,
    run_id: &RunId,
    told: impl FnOnce() + Send + 'static,
) -> Result<(), Report> {
    let (app, run_id) = (app.clone(), run_id.clone());
    // Ends with the process: nobody waits for a Ctrl-C that does not come.
    app.clone().runtime()?.spawn(async move {
        if tokio::signal::ctrl_c().await.is_err() {
            return;
        }
        told();
        let stopped = tokio::task::spawn_blocking(move || stop(&app, RunRef { run_id })).await;
        if let Ok(Err(report)) = stopped {
            tracing::warn!(report.message, "the run could not be stopped");
        }
        crate::process::leave_when_told_again().await;
    });
    Ok(())
}

/// The run of a pipeline with that id.
pub(super) fn known(app: &App, run_id: &RunId) -> Result<PipelineRun, Report> {
    let unknown = || {
        let message = format!("{run_id} is no run of a pipeline");
        Report::new(Code::NotFound, "run.unknown", message)
    };
    pipeline_runs::get(app.store(), run_id)
        .reported()?
        .ok_or_else(unknown)
}

/// There when somebody wants the run to end.
pub(super) fn stop_mark(app: &App, run_id: &RunId) -> std::path::PathBuf {
    app.workspace().logs().join(format!("run-{run_id}.stop"))
}
