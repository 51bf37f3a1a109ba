//! Images: named ones, and those built from what a Python environment needs.

use std::collections::BTreeMap;

use bollard::Docker;
use bollard::auth::DockerCredentials;
use bollard::query_parameters::{BuildImageOptionsBuilder, PushImageOptionsBuilder};
use futures_util::StreamExt as _;

use super::making::{BUILDING, PULLING, Pulling, is_noise};
use super::{ca, connect};
use crate::environment::digest;
use crate::{Error, Image, Result};

/// What pip leaves of an error, the part worth showing.
const SHOWN_LINES: usize = 8;

/// One file of a build context.
#[derive(Debug, Clone)]
pub struct ContextFile {
    pub path: String,
    pub content: Vec<u8>,
    pub mode: u32,
}

/// The base image when a project names none.
#[must_use]
pub fn default_base() -> String {
    std::env::var("LAPWING_DOCKER_BASE")
        .ok() // Not set, or no text: the usual one.
        .filter(|name| !name.is_empty())
        .unwrap_or_else(|| "python:3.11-slim".to_owned())
}

/// True when the engine has that image.
///
/// # Errors
/// When Docker is not reachable.
pub async fn has_image(name: &str) -> Result<bool> {
    exists(&connect().await?, name).await
}

async fn exists(docker: &Docker, name: &str) -> Result<bool> {
    match docker.inspect_image(name).await {
        Ok(_) => Ok(true),
        Err(bollard::errors::Error::DockerResponseServerError {
            status_code: 404, ..
        }) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// The name of an image that is ready to run, building it when its content is new.
///
/// # Errors
/// When a named image is missing, or one cannot be built: the message ends with what pip said.
pub async fn ensure(image: &Image, say: &mut (dyn FnMut(&str) + Send)) -> Result<String> {
    ensure_on(&connect().await?, image, say).await
}

pub(super) async fn ensure_on(
    docker: &Docker,
    image: &Image,
    say: &mut (dyn FnMut(&str) + Send),
) -> Result<String> {
    match image {
        Image::Named(name) => {
            if exists(docker, name).await? {
                Ok(name.clone())
            } else {
                Err(Error::NoImage(name.clone()))
            }
        }
        Image::Environment {
            base,
            requirements,
            constraints,
        } => {
            let dockerfile = dockerfile(base);
            let parts = [dockerfile.as_str(), requirements, constraints];
            let hash: String = digest(&parts).chars().take(16).collect();
            let tag = format!("lapwing-environment:{hash}");
            if exists(docker, &tag).await? {
                return Ok(tag);
            }
            if !exists(docker, base).await? {
                pull(docker, base, say).await?;
            }
            say(&format!("{BUILDING} from {base}\n"));
            let file = |path: &str, text: &str| ContextFile {
                path: path.to_owned(),
                content: text.as_bytes().to_vec(),
                mode: 0o644,
            };
            let mut requirements = requirements.clone();
            if !constraints.is_empty() {
                requirements.push_str("\n-c constraints.txt\n");
            }
            let files = [
                file("requirements.txt", &requirements),
                file("constraints.txt", constraints),
            ];
            build_with(docker, &tag, &dockerfile, &files, say).await?;
            Ok(tag)
        }
    }
}

async fn pull(docker: &Docker, name: &str, say: &mut (dyn FnMut(&str) + Send)) -> Result<()> {
    use bollard::query_parameters::CreateImageOptionsBuilder;
    say(&format!("{PULLING} {name}\n"));
    let (image, tag) = name.rsplit_once(':').unwrap_or((name, "latest"));
    let options = CreateImageOptionsBuilder::new()
        .from_image(image)
        .tag(tag)
        .build();
    let mut stream = docker.create_image(Some(options), None, None);
    let mut pulling = Pulling::of(name);
    while let Some(step) = stream.next().await {
        let Ok(step) = step else {
            return Err(Error::NoImage(name.to_owned()));
        };
        if let Some(line) = pulling.hear(&step) {
            say(&line);
        }
    }
    Ok(())
}

fn dockerfile(base: &str) -> String {
    format!(
        "FROM {base}\n\
         COPY requirements.txt constraints.txt /opt/\n\
         RUN python3 -m venv /opt/venv && /opt/venv/bin/pip install --no-cache-dir --disable-pip-version-check -r /opt/requirements.txt\n\
         ENV PATH=/opt/venv/bin:$PATH PYTHONUNBUFFERED=1\n"
    )
}

/// Builds an image from files in memory.
///
/// # Errors
/// When Docker is not reachable, or a step fails.
pub async fn build(
    tag: &str,
    dockerfile: &str,
    files: &[ContextFile],
    say: &mut (dyn FnMut(&str) + Send),
) -> Result<()> {
    build_with(&connect().await?, tag, dockerfile, files, say).await
}

/// How far the push of an image is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pushing {
    /// Layers that the registry has by now, of all.
    pub layers: u64,
    pub all_layers: u64,
    pub bytes: u64,
    pub all_bytes: u64,
}

/// What the engine has said of the layers so far. It names none of them to us: those that move are told apart by their size.
#[derive(Default)]
struct Layers {
    all: u64,
    sent: u64,
    known: u64,
    image_bytes: u64,
    moving: BTreeMap<u64, u64>,
}

impl Layers {
    fn hear(&mut self, status: &str, moved: Option<(u64, u64)>) {
        match (status, moved) {
            ("Preparing", _) => self.all += 1,
            ("Pushed", _) => self.sent += 1,
            ("Layer already exists", _) => self.known += 1,
            (other, _) if other.starts_with("Mounted from") => self.known += 1,
            ("Pushing", Some((done, of))) if of > 0 => {
                let before = self.moving.entry(of).or_default();
                *before = done.min(of).max(*before);
            }
            _ => {}
        }
    }

    fn so_far(&self) -> Pushing {
        let begun = (self.moving.len() as u64).max(self.sent);
        let moving: u64 = self.moving.keys().sum();
        Pushing {
            layers: self.sent + self.known,
            all_layers: self.all,
            bytes: self.moving.values().sum(),
            // A layer says its size when it begins: before all have, it is no more than the image.
            all_bytes: if begun + self.known < self.all {
                moving.max(self.image_bytes)
            } else {
                moving
            },
        }
    }
}

/// Sends an image under its name, which begins with the registry's address, with user and password. What the registry has is not
/// sent again. Whoever drops it ends it.
///
/// # Errors
/// When Docker is not reachable, there is no such image, or the registry refuses.
pub async fn push(
    image: &str,
    login: Option<(&str, &str)>,
    told: &mut (dyn FnMut(Pushing) + Send),
) -> Result<()> {
    let docker = connect().await?;
    let inspected = docker.inspect_image(image).await?;
    let mut layers = Layers {
        image_bytes: unsigned(inspected.size),
        ..Layers::default()
    };
    let (name, tag) = image.rsplit_once(':').unwrap_or((image, "latest"));
    let options = PushImageOptionsBuilder::new().tag(tag).build();
    // It travels in a header of the engine's API.
    let known = login.map(|(user, password)| DockerCredentials {
        username: Some(user.to_owned()),
        password: Some(password.to_owned()),
        ..DockerCredentials::default()
    });
    let mut stream = docker.push_image(name, Some(options), known);
    while let Some(step) = stream.next().await {
        let refused = |why: String| Error::Push {
            image: image.to_owned(),
            why,
        };
        let step = step.map_err(|error| refused(error.to_string()))?;
        if let Some(error) = step.error_detail {
            return Err(refused(error.message.unwrap_or_default()));
        }
        let detail = step.progress_detail;
        let moved = detail.map(|detail| (unsigned(detail.current), unsigned(detail.total)));
        layers.hear(step.status.as_deref().unwrap_or_default(), moved);
        told(layers.so_far());
    }
    Ok(())
}

fn unsigned(count: Option<i64>) -> u64 {
    count
        .and_then(|count| u64::try_from(count).ok())
        .unwrap_or(0) // Not said: nothing.
}

async fn build_with(
    docker: &Docker,
    tag: &str,
    dockerfile: &str,
    files: &[ContextFile],
    say: &mut (dyn FnMut(&str) + Send),
) -> Result<()> {
    let context = match ca::in_build(dockerfile)? {
        Some((dockerfile, file)) => context(&dockerfile, &[files, &[file]].concat())?,
        None => context(dockerfile, files)?,
    };
    let options = BuildImageOptionsBuilder::new()
        .dockerfile("Dockerfile")
        .t(tag)
        .rm(true)
        .forcerm(true)
        .build();
    let mut stream = docker.build_image(options, None, Some(bollard::body_full(context.into())));
    let mut said: Vec<String> = Vec::new();
    while let Some(step) = stream.next().await {
        let failed = |said: &[String], why: String| {
            let from = said.len().saturating_sub(SHOWN_LINES);
            Error::Build(format!(
                "{why}\n{}",
                said.get(from..).unwrap_or_default().join("")
            ))
        };
        let step = step.map_err(|error| failed(&said, error.to_string()))?;
        if let Some(text) = step.stream {
            if !is_noise(&text) {
                say(&text);
            }
            said.push(text);
        }
        if let Some(error) = step.error_detail {
            return Err(failed(&said, error.message.unwrap_or_default()));
        }
    }
    Ok(())
}

fn context(dockerfile: &str, files: &[ContextFile]) -> Result<Vec<u8>> {
    let mut archive = tar::Builder::new(Vec::new());
    let mut append = |path: &str, content: &[u8], mode: u32| -> Result<()> {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(mode);
        header.set_cksum();
        Ok(archive.append_data(&mut header, path, content)?)
    };
    append("Dockerfile", dockerfile.as_bytes(), 0o644)?;
    for file in files {
        append(&file.path, &file.content, file.mode)?;
    }
    Ok(archive.into_inner()?)
}

#[cfg(test)]
mod tests {
    use super::{Layers, Pushing};

    #[test]
    fn an_image_is_measured_by_its_layers_once_all_have_begun() {
        let mut layers = Layers {
            image_bytes: 1000,
            ..Layers::default()
        };
        for _ in 0..3 {
            layers.hear("Preparing", Some((0, 0)));
        }
        layers.hear("Layer already exists", Some((0, 0)));
        layers.hear("Pushing", Some((10, 200)));
        layers.hear("Pushing", Some((9, 200)));
        let so_far = |layers, bytes, all_bytes| Pushing {
            layers,
            all_layers: 3,
            bytes,
            all_bytes,
        };
        assert_eq!(layers.so_far(), so_far(1, 10, 1000), "one is still to come");
        layers.hear("Pushing", Some((60, 50)));
        assert_eq!(layers.so_far(), so_far(1, 60, 250));
        layers.hear("Pushed", None);
        assert_eq!(layers.so_far(), so_far(2, 60, 250));
    }
}
