//! The runner: carries out one run's stages in order, with a tracking server of its own.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use lapwing_core::{Code, JobId, Report, RunId};
use lapwing_data::Project;
use lapwing_jobs::environment::{self, Environment, ProjectEnvironment};
use lapwing_jobs::{Command, DockerSpec, Image, JobSpec, Mount, Outcome, docker};
use lapwing_pipeline::{Action, Pipeline, PlanOptions, Scope, Stage, StageLock, Step};
use lapwing_store::lock::{self, Lock};
use lapwing_store::pipeline_runs;
use lapwing_tracking::{Guard, RunStatus, router};

use super::elsewhere::{self, Elsewhere};
use super::request::{Request, Trial};
use super::trial::{self, Turn};
use super::{ray, record, resume, start};
use crate::config::Config;
use crate::error::Reported as _;
use crate::jobs::Owner;
use crate::wire::{StartRun, Target};
use crate::{App, jobs, projects};

/// Whoever looks at a run without a runner holds its lock meanwhile.
const LOOKED_AT: Duration = Duration::from_secs(2);
const BETWEEN_TRIES: Duration = Duration::from_millis(20);

/// Everything that the stages of a run share.
struct Run<'a> {
    app: &'a App,
    id: RunId,
    project: Project,
    config: Config,
    input: StartRun,
    /// The project that people know.
    home: String,
    trial: Option<Trial>,
    place: Place,
    /// Machines elsewhere by name, each looked up once.
    elsewhere: BTreeMap<String, Elsewhere>,
    tracking: Endpoint,
    /// The same server where machines elsewhere can reach it, by the name that they have for this machine.
    reached: BTreeMap<String, Endpoint>,
}

/// Where stages run.
enum Place {
    Process(Environment),
    Docker(Image),
    /// All stages run on another machine: no environment is needed here.
    Elsewhere,
}

/// The tracking server of this run.
#[derive(Clone)]
pub(super) struct Endpoint {
    pub url: String,
    pub token: String,
}

/// Runs the stages of a pipeline run to the end: the body of `lapwing __run`. What goes wrong with the run is recorded on it.
///
/// # Errors
/// When the run does not exist, or its end cannot be recorded.
pub fn carry_out(app: &App, run_id: &str) -> Result<(), Report> {
    lapwing_jobs::detached::leave_session();
    let run_id: RunId = run_id.parse().map_err(|error: lapwing_core::InvalidName| {
        Report::new(Code::Invalid, "run.id", error.to_string())
    })?;
    let Some(_lock) = own_lock(app, &run_id)? else {
        return Ok(());
    };
    let Some(row) = pipeline_runs::get(app.store(), &run_id)
        .reported()?
        .filter(|row| row.ended.is_none())
    else {
        return Err(Report::new(
            Code::NotFound,
            "run.unknown",
            format!("there is no run {run_id} to carry out"),
        ));
    };
    let done = if start::stop_mark(app, &run_id).exists() {
        // Not even an environment is made for it.
        Ok(RunStatus::Killed)
    } else {
        prepare(app, &run_id, &row.request).and_then(|mut run| stages(&mut run))
    };
    // What was not taken would go on unseen, and bring home what it makes after the run is over.
    resume::stop_left(app, &run_id, &|_| false)?;
    match done {
        Ok(RunStatus::Finished) => start::end(app, &run_id, RunStatus::Finished, None),
        Ok(status) => start::end(app, &run_id, status, Some("it was stopped".to_owned())),
        Err(report) => {
            let why = report.told();
            say(&why);
            record::fault(app, &run_id, &report)?;
            start::end(app, &run_id, RunStatus::Failed, Some(why))
        }
    }
}

/// The lock of a run while its runner lives. `None` when another runner has it.
fn own_lock(app: &App, run_id: &RunId) -> Result<Option<Lock>, Report> {
    let name = start::lock_name(run_id);
    let begun = Instant::now();
    loop {
        let lock = lock::try_acquire(app.workspace(), &name).reported()?;
        if lock.is_some() || begun.elapsed() > LOOKED_AT {
            return Ok(lock);
        }
        std::thread::sleep(BETWEEN_TRIES);
    }
}

/// A line of the run's own log, which followers show.
pub(super) fn say(text: &str) {
    use std::io::Write as _;
    // The log is for people; a full disk shows elsewhere.
    let _ = writeln!(std::io::stdout(), "{text}");
}

fn prepare<'a>(app: &'a App, run_id: &RunId, request: &str) -> Result<Run<'a>, Report> {
    let request: Request = serde_json::from_str(request).map_err(|error| {
        Report::new(
            Code::Internal,
            "run.request",
            format!("the request cannot be read: {error}"),
        )
    })?;
    let home = request.home_project()?;
    let Request { input, trial } = request;
    let project = projects::project(&input.project)?;
    let config = Config::read(project.root())?;
    let place = match input.target {
        _ if input.on.is_some() => Place::Elsewhere,
        Target::Process => {
            let wanted = ProjectEnvironment {
                requirements: config.environment.requirements.clone(),
                python: config.environment.python.clone(),
            };
            let root = match &trial {
                Some(trial) => trial::environment(trial, &project, &wanted)?,
                None => project.root().to_owned(),
            };
            Place::Process(environment::for_project(&root, &wanted, &|text| say(text)).reported()?)
        }
        Target::Docker => {
            app.block_on(docker::ping())?.reported()?;
            Place::Docker(image(&project, &config)?)
        }
    };
    let target = match input.on {
        Some(_) => Target::Process,
        None => input.target,
    };
    let tracking = match resume::endpoint(app, run_id)? {
        Some(was) => serve_again(app, was).or_else(|_| serve(app, target))?,
        None => serve(app, target)?,
    };
    Ok(Run {
        app,
        id: run_id.clone(),
        project,
        config,
        input,
        home: home.root().display().to_string(),
        trial,
        place,
        elsewhere: BTreeMap::new(),
        tracking,
        reached: BTreeMap::new(),
    })
}

fn image(project: &Project, config: &Config) -> Result<Image, Report> {
    if let Some(name) = &config.docker.image {
        return Ok(Image::Named(name.clone()));
    }
    let file = project.root().join(
        config
            .environment
            .requirements
            .as_deref()
            .unwrap_or("requirements.txt"),
    );
    let base = config
        .docker
        .base
        .clone()
        .unwrap_or_else(docker::default_base);
    if file.is_file() {
        Image::environment(base, &file).reported()
    } else {
        Ok(Image::Named(base))
    }
}

/// A tracking server for this run alone, on a free port: the run needs no other process to be alive.
fn serve(app: &App, target: Target) -> Result<Endpoint, Report> {
    let host = match target {
        Target::Process => std::net::IpAddr::from([127, 0, 0, 1]),
        Target::Docker => app.block_on(docker::bridge_gateway())?.reported()?,
    };
    serve_at(app, host, &host.to_string())
}

/// Where a command that outlived its runner reports to.
fn serve_again(app: &App, was: Endpoint) -> Result<Endpoint, Report> {
    let address = was.url.strip_prefix("http://").unwrap_or_default();
    let (name, port) = address.rsplit_once(':').unwrap_or_default();
    let port = port.parse().unwrap_or_default(); // Any port, where ours was none.
    // A name is that of an address which only others have for us.
    let host = name.parse().unwrap_or([0, 0, 0, 0].into());
    serve_with(app, SocketAddr::new(host, port), name, was.token)
}

/// The same on an address of this machine, for clients who call it `name`.
fn serve_at(app: &App, host: std::net::IpAddr, name: &str) -> Result<Endpoint, Report> {
    let token = format!("{}{}", RunId::random(), RunId::random());
    serve_with(app, SocketAddr::new(host, 0), name, token)
}

fn serve_with(
    app: &App,
    address: SocketAddr,
    name: &str,
    token: String,
) -> Result<Endpoint, Report> {
    let guard = Guard {
        token: Some(token.clone()),
        hosts: [name.to_owned()].into(),
        ..Guard::default()
    };
    let routes = router(app.tracking().clone(), guard);
    let failed = |error: std::io::Error| {
        Report::new(
            Code::Failed,
            "run.no_port",
            format!(
                "no port on {} for the run's tracking server: {error}",
                address.ip()
            ),
        )
    };
    let listener = app
        .block_on(tokio::net::TcpListener::bind(address))?
        .map_err(failed)?;
    let port = listener.local_addr().map_err(failed)?.port();
    let url = format!("http://{name}:{port}");
    app.runtime()?.spawn(async move {
        if let Err(error) = axum::serve(listener, routes).await {
            tracing::error!(%error, "the run's tracking server ended");
        }
    });
    Ok(Endpoint { url, token })
}

fn stages(run: &mut Run<'_>) -> Result<RunStatus, Report> {
    let pipeline = Pipeline::read(&run.project).reported()?;
    let options = PlanOptions {
        targets: run.input.stages.clone(),
        force: run.input.force,
        scope: Scope::Upstream,
        ..PlanOptions::default()
    };
    let plan = lapwing_pipeline::plan(&pipeline, &run.project, &options).reported()?;
    // A stage of another name, or one that has nothing to do any more, takes no job: it ends before another writes what it writes.
    resume::stop_left(run.app, &run.id, &|name| {
        let runs = |step: &Step| step.stage == name && step.action == Action::Run;
        plan.steps.iter().any(runs)
    })?;
    for step in &plan.steps {
        if start::stop_mark(run.app, &run.id).exists() {
            return Ok(RunStatus::Killed);
        }
        let stage = pipeline.stage(&step.stage).reported()?;
        if !matches!(step.action, Action::Run | Action::Restore) {
            record::known(run.app, &run.id, &run.project, stage)?;
            continue;
        }
        let is_stopped = || start::stop_mark(run.app, &run.id).exists();
        let _turn = match trial::turn(
            run.app,
            run.trial.as_ref(),
            &run.project,
            stage,
            &is_stopped,
        )? {
            Turn::Ours(lock) => lock,
            Turn::Stopped => return Ok(RunStatus::Killed),
        };
        // Its inputs may have been made again, and be the same.
        let now = lapwing_pipeline::recheck(&run.project, stage, run.input.force).reported()?;
        if now.action != Action::Run {
            resume::stop_left(run.app, &run.id, &|name| name != stage.address)?;
        }
        match now.action {
            Action::Skip | Action::Frozen => {
                say(&format!("{}: nothing it reads has changed", stage.address))
            }
            Action::Restore => {
                lapwing_pipeline::restore(&run.project, stage, &mut |_| {}).reported()?;
                say(&format!(
                    "{}: the same was run before, its outputs come from the cache",
                    stage.address
                ));
            }
            Action::Run => {
                if let Some(status) = run_stage(run, stage)? {
                    return Ok(status);
                }
            }
        }
        record::known(run.app, &run.id, &run.project, stage)?;
    }
    record::environment(run.app, &run.id, &run.project, &run.config)?;
    Ok(RunStatus::Finished)
}

/// Starts one stage as a job.
fn begin(run: &mut Run<'_>, stage: &Stage) -> Result<(JobId, StageLock), Report> {
    let target = target(run, stage)?;
    lapwing_pipeline::prepare(&run.project, stage).reported()?;
    let tracking = tracking(run, stage)?;
    let read = lapwing_pipeline::reading(&run.project, stage).reported()?;
    let spec = JobSpec {
        inputs: Some(read.fingerprint()),
        ..spec(run, stage, target, tracking)
    };
    let owner = Owner {
        project: Some(run.home.clone()),
        run_id: Some(run.id.to_string()),
        stage: Some(stage.address.clone()),
        on: named(run, stage),
    };
    jobs::start(run.app, &spec, owner)?;
    Ok((spec.id, read))
}

/// Runs one stage as a job, or goes on with the job that a runner before this one began. `None` when it succeeded.
fn run_stage(run: &mut Run<'_>, stage: &Stage) -> Result<Option<RunStatus>, Report> {
    let (job, read) = match resume::job(run.app, &run.id, &run.project, stage)? {
        // It read what lies here now.
        Some(job) => {
            let read = lapwing_pipeline::reading(&run.project, stage).reported()?;
            (job, read)
        }
        None => begin(run, stage)?,
    };
    let ended = run
        .app
        .block_on(lapwing_jobs::wait(run.app.workspace(), &job))?
        .reported()?;
    jobs::refresh(run.app, &job)?;
    record::log(run.app, &run.id, stage, &job)?;
    ray::tracked(run.app, &run.id, &job)?;
    if ended.outcome != Outcome::Succeeded {
        record::read(run.app, &run.id, &run.project, stage, &read)?;
    }
    match ended.outcome {
        Outcome::Succeeded => {
            let began_with = read.fingerprint();
            lapwing_pipeline::commit_read(&run.project, stage, read, &mut |_| {}).reported()?;
            // Gone by now is changed too.
            if lapwing_pipeline::fingerprint(&run.project, stage).ok() != Some(began_with) {
                say(&format!(
                    "{}: what it reads was changed while it ran; recorded is what it began with",
                    stage.address
                ));
            }
            Ok(None)
        }
        Outcome::Cancelled => Ok(Some(RunStatus::Killed)),
        failed => Err(Report::new(
            Code::Failed,
            if would_again(&failed) {
                record::COMMAND_FAILED
            } else {
                "run.stage_cut"
            },
            format!("stage `{}` failed: {failed}", stage.address),
        )),
    }
}

/// Whether it came of the command itself, which would end so again, rather than of what was around it.
fn would_again(outcome: &Outcome) -> bool {
    match outcome {
        Outcome::Failed { .. }
        | Outcome::Signalled { .. }
        | Outcome::OutOfMemory
        | Outcome::TimedOut { .. } => true,
        Outcome::Succeeded
        | Outcome::Cancelled
        | Outcome::NotStarted { .. }
        | Outcome::NotFetched { .. }
        | Outcome::Evicted { .. }
        | Outcome::Lost => false,
    }
}

/// The server that a stage reports to: one on the network, with its token, only where the user named an address for it.
fn tracking(run: &mut Run<'_>, stage: &Stage) -> Result<Endpoint, Report> {
    let named = named(run, stage).and_then(|name| run.elsewhere.get(&name)?.reach());
    let Some(name) = named else {
        return Ok(run.tracking.clone());
    };
    if let Some(known) = run.reached.get(&name) {
        return Ok(known.clone());
    }
    // A name, or an address that a router passes on, is none of this machine's own.
    let every = std::net::IpAddr::from([0, 0, 0, 0]);
    let endpoint = match name.parse() {
        Ok(own) => serve_at(run.app, own, &name).or_else(|_| serve_at(run.app, every, &name))?,
        Err(_) => serve_at(run.app, every, &name)?,
    };
    run.reached.insert(name, endpoint.clone());
    Ok(endpoint)
}

fn spec(run: &Run<'_>, stage: &Stage, target: lapwing_jobs::Target, tracking: Endpoint) -> JobSpec {
    let root = run.project.root();
    let mut env: BTreeMap<String, String> = lapwing_pipeline::stage_env(root, stage)
        .into_iter()
        .collect();
    env.insert("MLFLOW_TRACKING_URI".to_owned(), tracking.url);
    env.insert("MLFLOW_TRACKING_TOKEN".to_owned(), tracking.token);
    env.insert("MLFLOW_RUN_ID".to_owned(), run.id.to_string());
    // Nobody else is told what is trained here.
    env.insert("MLFLOW_DISABLE_TELEMETRY".to_owned(), "true".to_owned());
    let here = matches!(target, lapwing_jobs::Target::Process);
    let shell = match &run.place {
        Place::Process(environment) if here => {
            env.insert("PATH".to_owned(), path_with(&environment.bin));
            if !environment.hash.is_empty()
                && let Some(folder) = environment.bin.parent()
            {
                env.insert("VIRTUAL_ENV".to_owned(), folder.display().to_string());
            }
            std::env::var("SHELL").ok() // Unset or no text: /bin/sh.
        }
        Place::Process(_) | Place::Docker(_) | Place::Elsewhere => None,
    };
    JobSpec {
        id: JobId::random(),
        title: stage.address.clone(),
        command: Command {
            argv: argv(stage, shell.as_deref()),
        },
        cwd: lapwing_pipeline::stage_folder(root, stage),
        env,
        timeout_seconds: None,
        target,
        inputs: None,
        deliver: Vec::new(),
    }
}

/// The machine elsewhere that a stage runs on: the command's, else its own.
fn named(run: &Run<'_>, stage: &Stage) -> Option<String> {
    run.input.on.clone().or_else(|| elsewhere::wanted(stage))
}

/// Where a stage runs: where the command says, else where the stage says, else here.
fn target(run: &mut Run<'_>, stage: &Stage) -> Result<lapwing_jobs::Target, Report> {
    const GIB: f64 = 1_073_741_824.0;
    if let Some(name) = named(run, stage) {
        return target_on(run, stage, &name);
    }
    Ok(match &run.place {
        Place::Process(_) | Place::Elsewhere => lapwing_jobs::Target::Process,
        Place::Docker(image) => lapwing_jobs::Target::Docker(DockerSpec {
            image: image.clone(),
            mounts: vec![Mount {
                host: run.project.root().to_owned(),
                container: run.project.root().to_owned(),
                read_only: false,
            }],
            memory_bytes: run.config.docker.memory_gib.map(|gib| (gib * GIB) as i64),
            cpus: run.config.docker.cpus,
        }),
    })
}

fn target_on(run: &mut Run<'_>, stage: &Stage, name: &str) -> Result<lapwing_jobs::Target, Report> {
    if !run.elsewhere.contains_key(name) {
        let machine = Elsewhere::named(run.app, &run.project, name)?;
        // Before a stage's outputs are cleared for it: what cannot be reached runs nothing.
        say(&format!("{name}: {}", machine.greet(run.app)?));
        run.elsewhere.insert(name.to_owned(), machine);
    }
    let Some(machine) = run.elsewhere.get(name) else {
        return Ok(lapwing_jobs::Target::Process);
    };
    let image = machine
        .needs_image()
        .then(|| image(&run.project, &run.config))
        .transpose()?;
    let mut target = machine.target(run.app, &run.project, &run.config, stage, image)?;
    if let lapwing_jobs::Target::Slurm(slurm) = &mut target {
        slurm.member = run
            .trial
            .as_ref()
            .and_then(|trial| trial::member(trial, stage));
    }
    Ok(target)
}

fn path_with(bin: &std::path::Path) -> String {
    let old = std::env::var_os("PATH").unwrap_or_default();
    let all: Vec<PathBuf> = std::iter::once(bin.to_owned())
        .chain(std::env::split_paths(&old))
        .collect();
    std::env::join_paths(all).map_or_else(
        |_| old.to_string_lossy().into_owned(),
        |path| path.to_string_lossy().into_owned(),
    )
}

/// One line runs as DVC runs it; several run one after the other, each in a shell of its own, until one fails.
fn argv(stage: &Stage, shell: Option<&str>) -> Vec<String> {
    let commands = lapwing_pipeline::commands(stage, shell);
    if let [only] = commands.as_slice() {
        return only.argv.clone();
    }
    let quoted = |text: &String| format!("'{}'", text.replace('\'', r"'\''"));
    let lines: Vec<String> = commands
        .iter()
        .map(|command| {
            format!(
                "{} || exit $?",
                command
                    .argv
                    .iter()
                    .map(quoted)
                    .collect::<Vec<_>>()
                    .join(" ")
            )
        })
        .collect();
    vec!["/bin/sh".to_owned(), "-c".to_owned(), lines.join("\n")]
}
