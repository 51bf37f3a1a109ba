//! An endpoint as an image in a registry: built here, with the model in it, and sent by the Docker engine.

use lapwing_core::{Code, RemoteKind, Report};
use lapwing_jobs::docker;
use lapwing_serving::exported;
use lapwing_serving::image::Parts;
use lapwing_store::deployments as table;

use super::{folder, known, manifests, runtime};
use crate::App;
use crate::error::Reported as _;
use crate::remotes::{Connection, connection_for};
use crate::transfers::{Journey, Underway};
use crate::wire::{Cargo, Direction, PushDeployment, PushedImage};

/// Builds the image of what a deployment serves now, and pushes it. Again, it sends only what the registry does not have.
///
/// # Errors
/// When there is no such deployment or registry, Docker is not reachable, or the registry refuses.
pub fn push(app: &App, input: PushDeployment) -> Result<PushedImage, Report> {
    let deployment = known(app, &input.name)?;
    let to = connection_for(app, input.project.as_deref(), &input.remote, |kind| {
        kind == RemoteKind::Oci
    })?;
    let image = address(&to, &deployment, input.repository.as_deref())?;
    let journey = Journey {
        project: None,
        direction: Direction::Push,
        cargo: Cargo::Image,
        name: Some(deployment.name.to_string()),
        remote: Some(input.remote.clone()),
    };
    let underway = Underway::begin(app, journey);
    let line = underway.line();
    line.work(docker::ping())?;
    let base = docker::default_base();
    let library = runtime::onnx_library(app, &deployment);
    let parts = Parts {
        program: app.program(),
        onnxruntime: library.as_deref(),
        base: &base,
    };
    let context = exported::context(&folder(app, &deployment.name), &parts).reported()?;
    let (dockerfile, files) = runtime::read(context)?;
    line.work(docker::build(&image, &dockerfile, &files, &mut |said| {
        if let Some(words) = step(said) {
            line.say(&words);
        }
    }))?;
    let known = to.credential(app)?;
    let login = known.as_ref().map(|known| {
        // A token given as a password has a user that registries ignore.
        let user = known.user.as_deref().unwrap_or("token");
        (user, known.secret.reveal())
    });
    line.work(docker::push(&image, login, &mut |far| {
        line.tell(lapwing_data::Progress {
            what: format!("Pushed {} of {} layers", far.layers, far.all_layers),
            done_bytes: far.bytes,
            total_bytes: far.all_bytes,
        });
    }))?;
    Ok(PushedImage { image })
}

/// What the engine says of a step of a build, `Step 3/9 : COPY …`, in words.
fn step(said: &str) -> Option<String> {
    let (numbers, _) = said.trim().strip_prefix("Step ")?.split_once(" : ")?;
    let (number, all) = numbers.split_once('/')?;
    Some(format!("Building the image, step {number} of {all}"))
}

/// What the engine calls the image: host, repository, and the revision as tag.
fn address(
    to: &Connection,
    deployment: &table::Deployment,
    repository: Option<&str>,
) -> Result<String, Report> {
    if to.kind != RemoteKind::Oci {
        return Err(Report::new(
            Code::Invalid,
            "deployment.no_registry",
            format!("`{}` is a {}: it keeps no images", to.name, to.kind.title()),
        )
        .hint(
            "add a registry: `lapwing remotes add images https://registry.example.org --kind oci`",
        ));
    }
    let Some(revision) = deployment.live_revision else {
        return Err(Report::new(
            Code::NotFound,
            "deployment.no_revision",
            format!("{} has no revision yet", deployment.name),
        ));
    };
    let place = to
        .address
        .split_once("://")
        .map_or(to.address.as_str(), |(_, rest)| rest);
    let repository =
        repository.map_or_else(|| manifests::label(deployment.name.as_str()), str::to_owned);
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "._-/".contains(c);
    if repository.is_empty() || !repository.chars().all(plain) {
        return Err(Report::new(
            Code::Invalid,
            "deployment.repository",
            format!(
                "`{repository}` is no name of a repository: use small letters, digits, -, _, . and /"
            ),
        ));
    }
    Ok(format!(
        "{}/{repository}:r{revision}",
        place.trim_end_matches('/')
    ))
}
