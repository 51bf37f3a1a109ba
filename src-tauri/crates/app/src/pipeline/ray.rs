//! Stages on a Ray cluster: what is submitted, and what they tracked when nothing there could reach this machine.

use lapwing_core::{JobId, Report, RunId};
use lapwing_data::Project;
use lapwing_jobs::ray::{Kept, Tracking};
use lapwing_jobs::{RaySpec, Target};

use super::elsewhere::{Asked, Work};
use crate::App;
use crate::config::Config;
use crate::error::Reported as _;

/// The setting of the remote: the address that this machine has for the cluster. Without it nothing here listens to the network.
pub(super) const REACH: &str = "reach";

/// Work as a job there.
pub(super) fn target(app: &App, asked: &Asked<'_>, work: Work<'_>) -> Result<Target, Report> {
    let connection = asked.connection;
    Ok(Target::Ray(RaySpec {
        credential: Some(Kept {
            workspace: app.workspace().root().to_owned(),
            keychain: app.keychain(),
            name: connection.key(),
        }),
        files: work.files,
        outputs: work.outputs,
        pip: work.pip,
        cpus: asked.number("cpus")?,
        gpus: asked.number("gpus")?,
        memory_mib: asked.number("memory_mib")?,
        tracking: match connection.option(REACH) {
            Some(_) => Tracking::Direct,
            None => Tracking::Files,
        },
        ..RaySpec::new(connection.address.clone(), work.root)
    }))
}

/// The packages of the project's requirements file.
pub(super) fn packages(project: &Project, config: &Config) -> Result<Vec<String>, Report> {
    let named = config.environment.requirements.as_deref();
    let requirements = project.root().join(named.unwrap_or("requirements.txt"));
    if requirements.is_file() {
        lapwing_jobs::requirement_lines(&requirements).reported()
    } else {
        Ok(Vec::new())
    }
}

/// That what a stage asks for can be understood.
pub(super) fn check(asked: &Asked<'_>) -> Result<(), Report> {
    asked.number::<f64>("cpus")?;
    asked.number::<f64>("gpus")?;
    asked.number::<u64>("memory_mib").map(|_| ())
}

/// Takes into the run what a stage's job left as MLflow's files.
pub(super) fn tracked(app: &App, run_id: &RunId, job: &JobId) -> Result<(), Report> {
    match lapwing_jobs::tracked_files(app.workspace(), job) {
        Some(folder) => app.tracking().import_files(run_id, &folder).reported(),
        None => Ok(()),
    }
}
