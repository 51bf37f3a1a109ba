//! Where a gateway runs: as a process, or in a container. Starting what runs already only waits for its configuration.

use std::time::Duration;

use lapwing_core::{Code, Report};
use lapwing_jobs::docker::{self, ContextFile, ServiceSpec};
use lapwing_jobs::{Mount, environment};
use lapwing_serving::gateway::{self, State};
use lapwing_serving::image::{self, Content, Parts};
use lapwing_store::deployments as table;

use crate::App;
use crate::error::Reported as _;

/// A large model in Python takes its time.
const START_LIMIT: Duration = Duration::from_secs(180);

fn container(deployment: &table::Deployment) -> String {
    format!("lapwing-deployment-{}", deployment.name)
}

/// Makes the endpoint answer with what `gateway.json` says.
pub(super) fn start(
    app: &App,
    deployment: &table::Deployment,
    say: &dyn Fn(&str),
) -> Result<(), Report> {
    let folder = app.workspace().deployment(&deployment.name);
    say("starting the endpoint");
    if deployment.target == "docker" {
        start_container(app, deployment, say)?;
    } else if !matches!(
        gateway::state(&folder).reported()?,
        State::Running { .. } | State::Starting
    ) {
        if std::net::TcpListener::bind((deployment.host.as_str(), deployment.port)).is_err() {
            return Err(Report::new(
                Code::Conflict,
                "deployment.port_taken",
                format!("port {} is taken", deployment.port),
            )
            .hint("end whatever uses it, or deploy with another --port"));
        }
        gateway::spawn(app.program(), &folder).reported()?;
    }
    gateway::wait_until_serving(&folder, START_LIMIT)
        .map(|_| ())
        .reported()
}

fn start_container(
    app: &App,
    deployment: &table::Deployment,
    say: &dyn Fn(&str),
) -> Result<(), Report> {
    let folder = app.workspace().deployment(&deployment.name);
    let library = onnx_library(app, deployment);
    let base = docker::default_base();
    let parts = Parts {
        program: app.program(),
        onnxruntime: library.as_deref(),
        base: &base,
    };
    let tag = format!("{}:latest", container(deployment));
    let (dockerfile, files) = read(image::context(&folder, &parts).reported()?)?;
    build(app, &tag, &dockerfile, &files, say)?;
    let limits = super::defaults::of(deployment.project.as_deref(), &deployment.name)?;
    let spec = ServiceSpec {
        name: container(deployment),
        image: tag,
        argv: [
            "/usr/local/bin/lapwing",
            "__gateway",
            image::MOUNT,
            "--bind",
        ]
        .into_iter()
        .map(str::to_owned)
        .chain([format!("0.0.0.0:{}", image::PORT)])
        .collect(),
        env: Vec::new(),
        mounts: vec![Mount {
            host: folder,
            container: image::MOUNT.into(),
            read_only: false,
        }],
        publish: (deployment.port, image::PORT),
        memory_bytes: limits.memory_bytes()?,
        cpus: limits.cpus()?,
    };
    say("starting the container");
    app.block_on(docker::service_start(&spec))?.reported()
}

/// Builds the image on a thread of its own, and says here how far it is.
fn build(
    app: &App,
    tag: &str,
    dockerfile: &str,
    files: &[ContextFile],
    say: &dyn Fn(&str),
) -> Result<(), Report> {
    say("building the image");
    let (tell, told) = std::sync::mpsc::channel::<String>();
    let built = std::thread::scope(|scope| {
        let work = scope.spawn(move || {
            let mut hear = |text: &str| {
                // Who hears it lives as long as this thread.
                let _ = tell.send(text.to_owned());
            };
            app.block_on(docker::build(tag, dockerfile, files, &mut hear))
        });
        let mut making = docker::Making::default();
        making.hear("building the image");
        for text in told {
            if let Some(line) = making.hear(&text) {
                say(&line);
            }
        }
        work.join()
    });
    match built {
        Ok(built) => built?.reported(),
        Err(panic) => std::panic::resume_unwind(panic),
    }
}

/// The Dockerfile of an image, and the files that it is built from.
pub(super) fn read(context: Vec<image::ContextFile>) -> Result<(String, Vec<ContextFile>), Report> {
    let mut dockerfile = String::new();
    let mut files = Vec::new();
    for file in context {
        let content = match file.content {
            Content::Text(text) => text.into_bytes(),
            Content::File(path) => fs_err::read(&path).map_err(|error| {
                Report::new(Code::Failed, "deployment.image", error.to_string())
            })?,
        };
        if file.path == "Dockerfile" {
            dockerfile = String::from_utf8_lossy(&content).into_owned();
        } else {
            files.push(ContextFile {
                path: file.path,
                content,
                mode: file.mode,
            });
        }
    }
    Ok((dockerfile, files))
}

/// ONNX Runtime's library, from wherever this machine has it.
pub(super) fn onnx_library(
    app: &App,
    deployment: &table::Deployment,
) -> Option<std::path::PathBuf> {
    let system = environment::system_python().ok(); // None installed: then the model's.
    lapwing_serving::onnxruntime_library(system.map(|found| found.python).as_deref()).or_else(
        || {
            python_of(app, deployment)
                .and_then(|python| lapwing_serving::onnxruntime_library(Some(&python)))
        },
    )
}

fn python_of(app: &App, deployment: &table::Deployment) -> Option<std::path::PathBuf> {
    let revisions = table::revisions(app.store(), &deployment.name).ok()?; // Not readable: no interpreter is known.
    revisions
        .into_iter()
        .find_map(|revision| revision.python)
        .map(Into::into)
}

/// Ends the endpoint; one that has ended stays so.
pub(super) fn stop(app: &App, deployment: &table::Deployment) -> Result<(), Report> {
    let folder = app.workspace().deployment(&deployment.name);
    if !folder.join("gateway.json").exists() {
        return Ok(());
    }
    if deployment.target == "docker" {
        app.block_on(docker::service_remove(&container(deployment)))?
            .reported()?;
    }
    gateway::stop(&folder).reported()
}
