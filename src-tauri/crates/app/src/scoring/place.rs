//! Where a scoring runs: as a process or in Docker here, or on any machine that runs stages, by the same way.

use std::path::Path;

use lapwing_core::Report;
use lapwing_jobs::{DockerSpec, Image, Mount, RemoteEnvironment, docker};
use lapwing_serving::scoring::{self, MADE, REQUIREMENTS};

use super::order::Asked;
use crate::App;
use crate::error::Reported as _;
use crate::pipeline::{Elsewhere, Work};
use crate::wire::Target;

const GIB: f64 = 1_073_741_824.0;

pub(super) enum Place {
    Process,
    Docker(Image),
    Elsewhere(Box<Elsewhere>, Image),
}

impl Place {
    /// Connects before anything is recorded or sent.
    pub fn of(app: &App, asked: &Asked, folder: &Path, say: &dyn Fn(&str)) -> Result<Self, Report> {
        let base = asked.config.docker.base.clone();
        // A project's own image has what the project needs, which need not be what the model does.
        let image = Image::Environment {
            base: base.unwrap_or_else(docker::default_base),
            requirements: asked.order.requirements.join("\n"),
            constraints: String::new(),
        };
        if let Some(name) = &asked.input.on {
            let mut machine = Elsewhere::at(app, asked.input.project.as_deref(), name)?;
            say(&format!("{name}: {}", machine.greet(app)?));
            machine.check_asked(app, &asked.config, None, folder.to_owned())?;
            return Ok(Self::Elsewhere(Box::new(machine), image));
        }
        match asked.input.target {
            Target::Process => Ok(Self::Process),
            Target::Docker => {
                app.block_on(docker::ping())?.reported()?;
                Ok(Self::Docker(image))
            }
        }
    }

    /// What is laid out in `folder`, as a job there.
    pub fn target(
        &self,
        app: &App,
        asked: &Asked,
        folder: &Path,
    ) -> Result<lapwing_jobs::Target, Report> {
        match self {
            Self::Process => Ok(lapwing_jobs::Target::Process),
            Self::Docker(image) => Ok(lapwing_jobs::Target::Docker(DockerSpec {
                image: image.clone(),
                mounts: mounts(asked, folder)?,
                memory_bytes: asked.config.docker.memory_gib.map(|gib| (gib * GIB) as i64),
                cpus: asked.config.docker.cpus,
            })),
            Self::Elsewhere(machine, image) => {
                let files = scoring::travelling(folder).reported()?;
                let work = Work {
                    stage: None,
                    root: folder.to_owned(),
                    files: files.into_iter().map(|file| file.path).collect(),
                    outputs: vec![MADE.to_owned()],
                    environment: Some(RemoteEnvironment {
                        requirements: REQUIREMENTS.to_owned(),
                        python: asked.python(),
                    }),
                    pip: asked.order.requirements.clone(),
                    tunnels: Vec::new(),
                    image: Some(image.clone()),
                };
                machine.place(app, &asked.config, work)
            }
        }
    }
}

/// The folder, and what its links lead to: at the same places, and only to be read.
fn mounts(asked: &Asked, folder: &Path) -> Result<Vec<Mount>, Report> {
    let real = |path: &Path| {
        fs_err::canonicalize(path).map_err(|error| {
            Report::new(
                lapwing_core::Code::NotFound,
                "scoring.gone",
                error.to_string(),
            )
        })
    };
    let read = |path: std::path::PathBuf| Mount {
        container: path.clone(),
        host: path,
        read_only: true,
    };
    let mut mounts = vec![
        Mount {
            host: folder.to_owned(),
            container: folder.to_owned(),
            read_only: false,
        },
        read(real(&asked.model.folder)?),
        read(asked.data.clone()),
    ];
    // A folder of data may itself hold links, into DVC's cache.
    for (_, file) in &asked.order.data {
        let file = real(file)?;
        if !file.starts_with(&asked.data) {
            mounts.push(read(file));
        }
    }
    Ok(mounts)
}
