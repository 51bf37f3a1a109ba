//! An endpoint that leaves this machine: an image that holds the model too, and needs no mount and no Lapwing around it.
//!
//! The model lies in the image, where nothing is ever written. The gateway works in a folder beside it, a volume, which it fills with
//! links to the model first: so the image runs read-only and as nobody, and keeps its prediction log where a volume is mounted.

use std::path::{Path, PathBuf};

use crate::config::write_whole;
use crate::image::{Content, ContextFile, MOUNT, PORT, PROGRAM, Parts, programs, text, words};
use crate::{
    DeploymentFolder, Error, Exposure, GatewayConfig, Result, RuntimeKind, read_config,
    token_digest,
};

/// Where the model lies in the image.
pub const MODEL: &str = "/opt/lapwing/deployment";
/// The user inside: nobody that any system knows.
pub const USER: u32 = 65_532;
/// The variable with the bearer token that clients must send; none is asked for without it.
pub const TOKEN_VARIABLE: &str = "LAPWING_ENDPOINT_TOKEN";
const IN_CONTEXT: &str = "deployment";
/// Model folders are not deeper.
const MAX_DEPTH: usize = 32;

/// The build context of an image that serves what the deployment serves now, `Dockerfile` included.
///
/// # Errors
/// When the deployment cannot be read, or a revision with traffic needs ONNX Runtime and no library is given.
pub fn context(folder: &Path, parts: &Parts<'_>) -> Result<Vec<ContextFile>> {
    let address = format!("0.0.0.0:{PORT}");
    let entrypoint = [
        PROGRAM,
        "__gateway",
        MOUNT,
        "--bind",
        &address,
        "--from",
        MODEL,
    ];
    let end = [
        format!("COPY {IN_CONTEXT} {MODEL}"),
        // The volume of a container takes its owner from here.
        format!("RUN mkdir -p {MOUNT} && chown {USER}:{USER} {MOUNT}"),
        format!("VOLUME {}", words(&[MOUNT])),
        "ENV HOME=/tmp".to_owned(),
        format!("USER {USER}:{USER}"),
        format!("ENTRYPOINT {}", words(&entrypoint)),
    ];
    let mut files = programs(folder, parts, &end)?;
    let config = outside(read_config(folder)?);
    let places = DeploymentFolder::at(folder);
    for revision in &config.revisions {
        for part in [places.model(revision.number), places.onnx(revision.number)] {
            if part.is_dir() {
                let name = part.strip_prefix(folder).unwrap_or(&part).to_owned();
                collect(&mut files, &part, &Path::new(IN_CONTEXT).join(name), 0)?;
            }
        }
    }
    let config = serde_json::to_string_pretty(&config).map_err(|error| Error::Config {
        why: error.to_string(),
    })?;
    files.push(text(&format!("{IN_CONTEXT}/gateway.json"), config + "\n"));
    Ok(files)
}

/// What of a configuration makes sense elsewhere: revisions that get traffic, and no path or port of this machine.
fn outside(mut config: GatewayConfig) -> GatewayConfig {
    config.traffic.retain(|share| share.weight > 0.0);
    let traffic = &config.traffic;
    config.revisions.retain(|revision| {
        traffic
            .iter()
            .any(|share| share.revision == revision.number)
    });
    for revision in &mut config.revisions {
        revision.python = match revision.runtime {
            RuntimeKind::Onnx => None,
            RuntimeKind::Python => Some(PathBuf::from("python3")),
        };
    }
    config.host = "0.0.0.0".to_owned();
    config.port = PORT;
    config.exposure = Exposure::Cluster;
    config.published_port = None;
    config.token = None;
    config
}

/// All files below a folder. Links are left out: the copy of a model has none.
fn collect(files: &mut Vec<ContextFile>, folder: &Path, name: &Path, depth: usize) -> Result<()> {
    if depth > MAX_DEPTH {
        return Err(Error::Config {
            why: format!("{} is nested too deeply", folder.display()),
        });
    }
    let mut entries = fs_err::read_dir(folder)?.collect::<std::io::Result<Vec<_>>>()?;
    entries.sort_by_key(|entry| entry.file_name());
    for entry in entries {
        let (path, name) = (entry.path(), name.join(entry.file_name()));
        let kind = entry.file_type()?;
        if kind.is_dir() {
            collect(files, &path, &name, depth + 1)?;
        } else if kind.is_file() {
            // Forward slashes on every system: it is a path of an archive.
            let parts: Vec<_> = name.iter().map(|part| part.to_string_lossy()).collect();
            files.push(ContextFile {
                path: parts.join("/"),
                content: Content::File(path),
                mode: 0o644,
            });
        }
    }
    Ok(())
}

/// Fills the gateway's folder from the image: its configuration, and links to the models. `token` is asked of clients from now on.
///
/// # Errors
/// When the image has no deployment, or the folder cannot be written.
pub fn unpack(from: &Path, folder: &Path, token: Option<&str>) -> Result<()> {
    let mut config = read_config(from)?;
    config.token = token.filter(|token| !token.is_empty()).map(token_digest);
    let (theirs, ours) = (DeploymentFolder::at(from), DeploymentFolder::at(folder));
    for revision in &config.revisions {
        let place = ours.revision(revision.number);
        fs_err::create_dir_all(&place)?;
        for (target, link) in [
            (theirs.model(revision.number), ours.model(revision.number)),
            (theirs.onnx(revision.number), ours.onnx(revision.number)),
        ] {
            // A volume may still have the links of the container before.
            if target.is_dir() && fs_err::symlink_metadata(&link).is_err() {
                symlink(&target, &link)?;
            }
        }
    }
    let text = serde_json::to_vec_pretty(&config).map_err(|error| Error::Config {
        why: error.to_string(),
    })?;
    write_whole(&ours.config(), &text)
}

#[cfg(unix)]
fn symlink(target: &Path, link: &Path) -> Result<()> {
    Ok(fs_err::os::unix::fs::symlink(target, link)?)
}

#[cfg(not(unix))]
fn symlink(_target: &Path, link: &Path) -> Result<()> {
    Err(Error::Config {
        why: format!("{} cannot be made: images are Linux", link.display()),
    })
}
