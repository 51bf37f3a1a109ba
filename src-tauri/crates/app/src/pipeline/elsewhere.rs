//! Stages on machines elsewhere: what travels there and comes back, and what the scheduler is asked for. What else runs there takes
//! the same way, as [`Work`].
//!
//! Where a stage runs is said by `lapwing run --on NAME`, or by the stage itself, in `dvc.yaml`:
//! `meta: {lapwing: {on: NAME, gpus: 1, cpus: 8, memory_mib: 32000, minutes: 120}}`. DVC keeps that and does not read it.

use std::path::PathBuf;

use lapwing_core::{Code, Report};
use lapwing_data::{Project, UploadList};
use lapwing_jobs::{
    Host, Image, RemoteDockerSpec, RemoteEnvironment, RemoteSpec, SlurmSpec, Target, Trainer,
};
use lapwing_pipeline::{Pipeline, Stage, StageOut};

use super::{pod, ray};
use crate::config::Config;
use crate::error::Reported as _;
use crate::remotes::{Connection, Machine, connection_for};
use crate::wire::UploadsOf;
use crate::{App, projects};

/// The variable whose address is reached through the connection.
const TUNNELLED: &str = "MLFLOW_TRACKING_URI";
const GIB: f64 = 1_073_741_824.0;

/// A machine that a run was given.
pub(crate) struct Elsewhere {
    connection: Connection,
    machine: Machine,
    /// Training runtimes that are known to be there.
    trainers: Vec<Trainer>,
}

/// A command that runs there: what travels and comes back, and what it needs.
pub(crate) struct Work<'a> {
    /// `None` for what no pipeline has: the remote alone says what is asked of a queue or a cluster.
    pub stage: Option<&'a Stage>,
    pub root: PathBuf,
    pub files: Vec<String>,
    pub outputs: Vec<String>,
    pub environment: Option<RemoteEnvironment>,
    /// The same packages as lines, for what takes no file.
    pub pip: Vec<String>,
    /// Variables whose addresses are reached through the connection.
    pub tunnels: Vec<String>,
    /// For a Docker host; its usual one without it.
    pub image: Option<Image>,
}

impl Elsewhere {
    /// The machine of that name.
    pub fn named(app: &App, project: &Project, name: &str) -> Result<Self, Report> {
        let root = project.root().display().to_string();
        Self::at(app, Some(&root), name)
    }

    /// The same for whoever may be in no project.
    pub fn at(app: &App, project: Option<&str>, name: &str) -> Result<Self, Report> {
        let connection = connection_for(app, project, name, Machine::is)?;
        let machine = connection.machine(app)?;
        Ok(Self {
            connection,
            machine,
            trainers: Vec::new(),
        })
    }

    /// Connects before anything is recorded or queued.
    pub fn greet(&self, app: &App) -> Result<String, Report> {
        self.machine.greet(app)
    }

    /// That what a stage asks of the machine is said and can be had there: before anything is recorded or sent.
    pub fn check(
        &mut self,
        app: &App,
        project: &Project,
        config: &Config,
        stage: &Stage,
    ) -> Result<(), Report> {
        self.check_asked(app, config, Some(stage), project.root().to_owned())
    }

    /// The same for work of `root` that may be no stage.
    pub fn check_asked(
        &mut self,
        app: &App,
        config: &Config,
        stage: Option<&Stage>,
        root: PathBuf,
    ) -> Result<(), Report> {
        let asked = Asked {
            stage,
            connection: &self.connection,
        };
        let nothing = |host: Host| RemoteSpec::new(host, root.clone());
        match &self.machine {
            Machine::Kubernetes(cluster) => {
                let remote = nothing(Host::Here { folder: None });
                let spec = pod::spec(&asked, cluster, config, remote)?;
                match &spec.trainer {
                    // Of many stages with the same one, the first asks.
                    Some(wanted) if !self.trainers.iter().any(|known| known.is_like(wanted)) => {
                        app.block_on(cluster.check_trainer(wanted))?.reported()?;
                        self.trainers.push(wanted.clone());
                        Ok(())
                    }
                    Some(_) | None => Ok(()),
                }
            }
            Machine::Slurm(host) => self.queued(nothing(host.clone()), stage).map(|_| ()),
            Machine::Ray(_) => ray::check(&asked),
            Machine::Ssh(_) | Machine::Docker(_) => Ok(()),
        }
    }

    /// What the machine calls this one, where it reports over the network and not through the connection.
    pub fn reach(&self) -> Option<String> {
        match self.machine {
            Machine::Ray(_) => self.connection.option(ray::REACH),
            Machine::Ssh(_) | Machine::Slurm(_) | Machine::Docker(_) | Machine::Kubernetes(_) => {
                None
            }
        }
    }

    /// True where a queue or a cluster says when a job begins; else all that is asked for begins at once.
    pub fn has_queue(&self) -> bool {
        match self.machine {
            Machine::Slurm(_) | Machine::Kubernetes(_) | Machine::Ray(_) => true,
            Machine::Ssh(_) | Machine::Docker(_) => false,
        }
    }

    /// True where a container runs, which needs an image.
    pub fn needs_image(&self) -> bool {
        matches!(self.machine, Machine::Docker(_))
    }

    /// A stage as a job there.
    pub fn target(
        &self,
        app: &App,
        project: &Project,
        config: &Config,
        stage: &Stage,
        image: Option<Image>,
    ) -> Result<Target, Report> {
        let files = files(project, stage)?;
        let work = Work {
            stage: Some(stage),
            root: project.root().to_owned(),
            environment: environment(project, config, &files),
            files,
            outputs: outputs(stage),
            pip: match self.machine {
                Machine::Ray(_) => ray::packages(project, config)?,
                Machine::Ssh(_)
                | Machine::Slurm(_)
                | Machine::Docker(_)
                | Machine::Kubernetes(_) => Vec::new(),
            },
            tunnels: vec![TUNNELLED.to_owned()],
            image,
        };
        self.place(app, config, work)
    }

    /// Work as a job there.
    pub fn place(&self, app: &App, config: &Config, work: Work<'_>) -> Result<Target, Report> {
        let asked = Asked {
            stage: work.stage,
            connection: &self.connection,
        };
        let remote = |host: Host, work: Work<'_>| RemoteSpec {
            environment: work.environment,
            files: work.files,
            outputs: work.outputs,
            tunnels: work.tunnels,
            ..RemoteSpec::new(host, work.root)
        };
        match &self.machine {
            Machine::Docker(engine) => Ok(Target::RemoteDocker(RemoteDockerSpec {
                engine: engine.clone(),
                image: work
                    .image
                    .unwrap_or_else(|| Image::Named(lapwing_jobs::docker::default_base())),
                memory_bytes: config.docker.memory_gib.map(|gib| (gib * GIB) as i64),
                cpus: config.docker.cpus,
                root: work.root,
                files: work.files,
                outputs: work.outputs,
                tunnels: work.tunnels,
            })),
            Machine::Kubernetes(cluster) => {
                // The pod, once there is one.
                let pod = remote(Host::Here { folder: None }, work);
                let spec = pod::spec(&asked, cluster, config, pod)?;
                Ok(Target::Kubernetes(Box::new(spec)))
            }
            Machine::Ssh(host) => Ok(Target::Ssh(remote(host.clone(), work))),
            Machine::Slurm(host) => {
                let stage = work.stage;
                let spec = self.queued(remote(host.clone(), work), stage)?;
                Ok(Target::Slurm(spec))
            }
            Machine::Ray(_) => ray::target(app, &asked, work),
        }
    }

    /// What the queue is asked for: by the stage, else by the connection, else the cluster's own default.
    fn queued(&self, remote: RemoteSpec, stage: Option<&Stage>) -> Result<SlurmSpec, Report> {
        let asked = Asked {
            stage,
            connection: &self.connection,
        };
        let cpus: Option<u64> = asked.number("cpus")?;
        let cpus = cpus.and_then(|cpus| u32::try_from(cpus).ok()); // More than any machine has: the cluster's default.
        Ok(SlurmSpec {
            partition: asked.text("partition"),
            account: asked.text("account"),
            qos: asked.text("qos"),
            gpus: asked.text("gpus"),
            cpus,
            memory_mib: asked.number("memory_mib")?,
            minutes: asked.number("minutes")?,
            ..SlurmSpec::new(remote)
        })
    }
}

/// What is asked of a queue or a cluster: by the stage, if it is one, else by the connection.
pub(super) struct Asked<'a> {
    pub stage: Option<&'a Stage>,
    pub connection: &'a Connection,
}

impl Asked<'_> {
    pub fn text(&self, key: &str) -> Option<String> {
        let own = self.stage.and_then(|stage| setting(stage, key));
        own.or_else(|| self.connection.option(key))
    }

    /// Who asks, in words.
    pub fn called(&self) -> String {
        match self.stage {
            Some(stage) => format!("stage `{}`", stage.address),
            None => format!("remote `{}`", self.connection.name),
        }
    }

    pub fn number<T: std::str::FromStr>(&self, key: &str) -> Result<Option<T>, Report> {
        let Some(text) = self.text(key) else {
            return Ok(None);
        };
        text.parse()
            .map(Some)
            .map_err(|_| self.wrong(key, &text, "no number of that kind"))
    }

    /// `key` has a value that cannot be used.
    pub fn wrong(&self, key: &str, value: &str, what: &str) -> Report {
        let hint = match self.stage {
            Some(_) => "write it under `meta: {lapwing: …}` in dvc.yaml, or as `-o` of the remote",
            None => "give the remote another one with `-o`",
        };
        Report::new(
            Code::Invalid,
            "run.resources",
            format!("`{key}` of {} is `{value}`, which is {what}", self.called()),
        )
        .hint(hint)
    }
}

/// A word or number that a stage says about where it runs.
fn setting(stage: &Stage, key: &str) -> Option<String> {
    let value = stage.meta.as_ref()?.get("lapwing")?.get(key)?;
    Some(match value.as_str() {
        Some(text) => text.to_owned(),
        None => value.display(),
    })
}

/// Where a stage wants to run by itself.
pub(super) fn wanted(stage: &Stage) -> Option<String> {
    setting(stage, "on")
}

/// The environment to be made there, from what travels.
fn environment(project: &Project, config: &Config, files: &[String]) -> Option<RemoteEnvironment> {
    let named = config.environment.requirements.clone();
    let requirements = named.or_else(|| {
        ["requirements.txt", "pyproject.toml"]
            .into_iter()
            .find(|name| project.root().join(name).is_file())
            .map(str::to_owned)
    })?;
    files.contains(&requirements).then(|| RemoteEnvironment {
        requirements,
        python: config.environment.python.clone(),
    })
}

/// What comes home.
pub(super) fn outputs(stage: &Stage) -> Vec<String> {
    stage.outs.iter().map(|out| out.path.clone()).collect()
}

/// What a stage's job takes along: the code as git would keep it, and the data that the stage reads.
pub(super) fn files(project: &Project, stage: &Stage) -> Result<Vec<String>, Report> {
    let list = lapwing_data::upload_list(project, &inputs(project, &[stage])).reported()?;
    if let Some(missing) = list.missing.first() {
        return Err(Report::new(
            Code::NotFound,
            "run.input_missing",
            format!(
                "stage `{}` reads {missing}, which is not here",
                stage.address
            ),
        )
        .hint("pull it with `lapwing data pull`, or run the stage that makes it"));
    }
    // They are cleared before it runs, here as there, and lie here still when an earlier try left them.
    let cleared = |path: &str| {
        let holds = |out: &StageOut| std::path::Path::new(path).starts_with(&out.path);
        stage.outs.iter().any(|out| !out.persist && holds(out))
    };
    let paths = list.files.into_iter().map(|file| file.path);
    Ok(paths.filter(|path| !cleared(path)).collect())
}

/// What stages read below the project. An address or another folder is reached from there, or not.
pub(super) fn inputs(project: &Project, stages: &[&Stage]) -> Vec<String> {
    let mut all: Vec<String> = stages
        .iter()
        .flat_map(|stage| stage.deps.iter())
        .map(|dep| dep.path.clone())
        .filter(|path| !path.contains("://") && project.beneath(std::path::Path::new(path)).is_ok())
        .collect();
    all.sort();
    all.dedup();
    all
}

/// What would travel if stages ran elsewhere, before anything does: each file with its size and why, and what stays.
///
/// # Errors
/// When the pipeline cannot be read, or there is no such stage.
pub fn uploads(_app: &App, input: UploadsOf) -> Result<UploadList, Report> {
    let project = projects::project(&input.project)?;
    let pipeline = Pipeline::read(&project).reported()?;
    let stages: Vec<&Stage> = if input.stages.is_empty() {
        pipeline.stages().iter().collect()
    } else {
        let named = input.stages.iter().map(|name| pipeline.stage(name));
        named.collect::<Result<_, _>>().reported()?
    };
    // What one stage makes for the next is made there or comes home in between: here it need not be yet.
    let made: Vec<&str> = stages
        .iter()
        .flat_map(|stage| stage.outs.iter())
        .map(|out| out.path.as_str())
        .collect();
    let mut list = lapwing_data::upload_list(&project, &inputs(&project, &stages)).reported()?;
    list.missing.retain(|path| !made.contains(&path.as_str()));
    Ok(list)
}
