//! Starting the exported pipeline on somebody else's engine, and watching it there.

use std::collections::BTreeMap;
use std::time::Duration;

use lapwing_core::{Code, RemoteKind, Report};
use lapwing_pipeline::export::Export;
use lapwing_pipeline::{Assignment, Value};
use lapwing_remote::airflow::{self, Airflow};
use lapwing_remote::engine::{Run, State, Task};
use lapwing_remote::kubeflow::Kubeflow;
use serde::Serialize;
use serde_json::{Map, Value as Json};

use super::export::{Asked, made};
use crate::App;
use crate::error::Reported as _;
use crate::remotes::connection_for;
use crate::wire::{Engine, ExportPipeline};

const POLL: Duration = Duration::from_secs(2);
/// A server that is restarted answers again after so many asks; the run goes on meanwhile.
const MAX_MISSED: u32 = 30;
const DEFAULT_FILE: &str = "params.yaml";

/// What is to be started, and where.
#[derive(Debug, Clone)]
pub struct Trigger {
    pub export: ExportPipeline,
    /// A named connection to the engine.
    pub remote: String,
    /// `key=value`, or `file.yaml:key=value`: only for this run.
    pub set: Vec<String>,
    /// One that was started before, to be watched: then none is started.
    pub run: Option<String>,
}

/// A run on an engine, as it was last seen.
#[derive(Debug, Clone, Serialize)]
pub struct EngineRun {
    pub engine: Engine,
    pub pipeline: String,
    pub address: String,
    #[serde(flatten)]
    pub run: Run,
}

/// An engine that was reached, and the run that was started there.
pub struct Started {
    connection: Reached,
    /// The remote, as the user named it.
    remote: String,
    pub run: EngineRun,
}

enum Reached {
    Airflow(Airflow),
    Kubeflow(Kubeflow),
}

/// Starts the pipeline on an engine. Airflow must have the exported DAG already; Kubeflow gets the specification with the run.
///
/// # Errors
/// When there is no such remote, it is of another kind, it refuses, or a parameter is unknown.
pub fn trigger(app: &App, input: Trigger) -> Result<Started, Report> {
    let engine = input.export.engine;
    let project = input.export.project.clone();
    let found = connection_for(app, Some(&project), &input.remote, |kind| {
        matches!(kind, RemoteKind::Airflow | RemoteKind::Kubeflow)
    })?;
    let wanted = match engine {
        Engine::Airflow => RemoteKind::Airflow,
        Engine::Kubeflow => RemoteKind::Kubeflow,
    };
    if found.kind != wanted {
        return Err(Report::new(
            Code::Invalid,
            "pipeline.wrong_engine",
            format!(
                "`{}` is {}, not {}",
                input.remote,
                found.kind.title(),
                wanted.title()
            ),
        ));
    }
    let Asked { export, .. } = made(&input.export)?;
    let parameters = parameters(&export, &input.set)?;
    let client = found.client(app)?;
    let (connection, id, address) = match engine {
        Engine::Airflow => {
            let airflow = app.block_on(Airflow::sign_in(client))?.reported()?;
            let id = match input.run {
                Some(id) => id,
                None => {
                    let started = app.block_on(airflow.trigger(&export.id, &parameters))?;
                    started.map_err(|error| no_dag(error, &export))?
                }
            };
            let address = airflow.address(&export.id, &id);
            (Reached::Airflow(airflow), id, address)
        }
        Engine::Kubeflow => {
            let kubeflow = Kubeflow::new(client);
            let id = match input.run {
                Some(id) => id,
                None => {
                    let specification = specification(&export)?;
                    let started = kubeflow.start(&export.id, &specification, &parameters);
                    app.block_on(started)?.reported()?
                }
            };
            let address = kubeflow.address(&id);
            (Reached::Kubeflow(kubeflow), id, address)
        }
    };
    let run = Run {
        id,
        state: State::Waiting,
        why: None,
        tasks: Vec::new(),
    };
    Ok(Started {
        connection,
        remote: input.remote,
        run: EngineRun {
            engine,
            pipeline: export.id,
            address,
            run,
        },
    })
}

fn no_dag(error: lapwing_remote::Error, export: &Export) -> Report {
    let unknown = airflow::is_unknown(&error);
    let report = error.report();
    if !unknown {
        return report;
    }
    Report::new(
        Code::NotFound,
        "pipeline.no_dag",
        format!("Airflow has no DAG `{}`", export.id),
    )
    .hint("put it where Airflow looks for DAGs, `lapwing pipeline export --to airflow --out FOLDER`, and wait until it is listed")
}

/// The same document as JSON.
fn specification(export: &Export) -> Result<Json, Report> {
    let document = Value::from_yaml(&export.text).reported()?;
    serde_json::to_value(document)
        .map_err(|error| Report::new(Code::Internal, "pipeline.specification", error.to_string()))
}

/// What was set, under the engine's names.
fn parameters(export: &Export, set: &[String]) -> Result<Map<String, Json>, Report> {
    let mut all = Map::new();
    for text in set {
        let Assignment {
            file, key, value, ..
        } = Assignment::parse(text).reported()?;
        let name = if file == DEFAULT_FILE {
            key
        } else {
            format!("{file}:{key}")
        };
        let Some((_, theirs)) = export.parameters.iter().find(|(ours, _)| *ours == name) else {
            let names: Vec<&str> = export
                .parameters
                .iter()
                .map(|(ours, _)| ours.as_str())
                .collect();
            let hint = if names.is_empty() {
                "no stage reads one".to_owned()
            } else {
                format!("there are {}", names.join(", "))
            };
            return Err(Report::new(
                Code::Invalid,
                "pipeline.unknown_parameter",
                format!("`{name}` is no parameter that the exported pipeline can be started with"),
            )
            .hint(hint));
        };
        let value = serde_json::to_value(value).map_err(|error| {
            Report::new(Code::Internal, "pipeline.parameter", error.to_string())
        })?;
        all.insert(theirs.clone(), value);
    }
    Ok(all)
}

/// What is told of a run that is watched.
#[derive(Debug)]
pub enum Sight<'a> {
    Task(&'a Task),
    /// The engine cannot be asked, and why: the run goes on there, and is asked for again.
    Lost(Report),
    /// It answers again.
    Found,
}

/// Tells each change until the run has ended, and how it ended.
///
/// # Errors
/// When the engine stays away for a minute, or no longer has the run.
pub fn watch(app: &App, started: Started, say: &dyn Fn(Sight<'_>)) -> Result<EngineRun, Report> {
    let Started {
        connection,
        remote,
        mut run,
    } = started;
    let mut seen: BTreeMap<String, State> = BTreeMap::new();
    let mut missed = 0;
    loop {
        let asked = match &connection {
            Reached::Airflow(airflow) => app.block_on(airflow.run(&run.pipeline, &run.run.id))?,
            Reached::Kubeflow(kubeflow) => app.block_on(kubeflow.run(&run.run.id))?,
        };
        match asked {
            Ok(now) => {
                if std::mem::take(&mut missed) > 0 {
                    say(Sight::Found);
                }
                for task in &now.tasks {
                    if seen.insert(task.name.clone(), task.state) != Some(task.state) {
                        say(Sight::Task(task));
                    }
                }
                let ended = now.state.is_final();
                run.run = now;
                if ended {
                    return Ok(run);
                }
            }
            Err(error) if !airflow::is_unknown(&error) && missed < MAX_MISSED => {
                if missed == 0 {
                    say(Sight::Lost(error.report()));
                }
                missed += 1;
            }
            Err(error) if airflow::is_unknown(&error) => return Err(error.report()),
            Err(error) => return Err(lost_sight(&error, &run, &remote)),
        }
        std::thread::sleep(POLL);
    }
}

/// The run goes on without us: how to see it again.
fn lost_sight(error: &lapwing_remote::Error, run: &EngineRun, remote: &str) -> Report {
    let engine = match run.engine {
        Engine::Airflow => "airflow",
        Engine::Kubeflow => "kubeflow",
    };
    let id = &run.run.id;
    error.report().hint(format!(
        "the run may go on there; see it again with `lapwing pipeline trigger --{engine} {remote} --run {id}`"
    ))
}

/// What a failed run says for itself.
#[must_use]
pub fn failed(run: &EngineRun) -> Report {
    let task = run
        .run
        .tasks
        .iter()
        .find(|task| task.state == State::Failed);
    let why = task
        .and_then(|task| task.why.as_ref())
        .or(run.run.why.as_ref());
    let name = task.map_or("the run", |task| task.name.as_str());
    let message = match why {
        Some(why) => format!("`{name}` failed: {why}"),
        None => format!("`{name}` failed"),
    };
    Report::new(Code::Failed, "pipeline.engine_run", message).hint(format!("see {}", run.address))
}
