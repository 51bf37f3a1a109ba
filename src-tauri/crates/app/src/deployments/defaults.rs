//! What `lapwing.toml`'s `[[deployment]]` says where a deploy leaves something out.

use std::path::Path;

use lapwing_core::{Code, DeploymentName, Report};

use crate::config::{Config, DeploymentConfig};
use crate::wire::Target;

const GIB: f64 = 1024.0 * 1024.0 * 1024.0;

/// The defaults of one deployment.
#[derive(Debug, Clone, Default)]
pub(crate) struct Defaults {
    pub port: Option<u16>,
    pub target: Option<Target>,
    memory_gib: Option<f64>,
    cpus: Option<f64>,
}

impl Defaults {
    pub fn memory_bytes(&self) -> Result<Option<i64>, Report> {
        #[expect(clippy::cast_possible_truncation, reason = "bytes are whole")]
        let bytes = |gib: f64| (gib * GIB) as i64;
        Ok(positive("memory_gib", self.memory_gib)?.map(bytes))
    }

    pub fn cpus(&self) -> Result<Option<f64>, Report> {
        positive("cpus", self.cpus)
    }
}

fn positive(key: &str, value: Option<f64>) -> Result<Option<f64>, Report> {
    match value {
        Some(value) if !value.is_finite() || value <= 0.0 => Err(Report::new(
            Code::Invalid,
            "config.deployment",
            format!("`{key} = {value}` of a [[deployment]] in lapwing.toml is no limit"),
        )
        .hint("write a number above zero, or leave it out")),
        other => Ok(other),
    }
}

/// What the project says of a deployment; nothing is also an answer.
pub(crate) fn of(project: Option<&str>, name: &DeploymentName) -> Result<Defaults, Report> {
    let config = read(project)?;
    Ok(config
        .deployment(name)
        .map_or_else(Defaults::default, |said| Defaults {
            port: said.port,
            target: said.target,
            memory_gib: said.memory_gib,
            cpus: said.cpus,
        }))
}

fn read(project: Option<&str>) -> Result<Config, Report> {
    match project.map(Path::new).filter(|folder| folder.is_dir()) {
        Some(folder) => Config::read(folder),
        None => Ok(Config::default()),
    }
}

/// The model and the name of a deploy, where one or both are left to `lapwing.toml`.
///
/// # Errors
/// When it does not say them, or says several.
pub fn named(
    project: Option<&str>,
    model: Option<String>,
    name: Option<DeploymentName>,
) -> Result<(String, DeploymentName), Report> {
    let (model, name) = match (model, name) {
        (Some(model), Some(name)) => return Ok((model, name)),
        left_out => left_out,
    };
    let config = read(project)?;
    let fits = |said: &&DeploymentConfig| match (&model, &name) {
        (_, Some(name)) => &said.name == name,
        (Some(model), None) => said.model.as_ref() == Some(model),
        (None, None) => true,
    };
    let mut fitting = config.deployments.iter().filter(fits);
    match (fitting.next(), fitting.next()) {
        (Some(one), None) => match model.or_else(|| one.model.clone()) {
            Some(model) => Ok((model, one.name.clone())),
            None => Err(unsaid(format!(
                "lapwing.toml names no model for {}",
                one.name
            ))),
        },
        (Some(_), Some(_)) => Err(unsaid(
            "lapwing.toml has several deployments that fit".to_owned(),
        )),
        (None, _) => Err(unsaid(
            "lapwing.toml has no [[deployment]] for what was left out".to_owned(),
        )),
    }
}

fn unsaid(message: String) -> Report {
    Report::new(Code::Invalid, "deployment.unsaid", message)
        .hint("say both: `lapwing deploy MODEL@ALIAS --name NAME`")
}
