//! Files into a container that shares no folder with this machine, and its outputs home.

use std::collections::BTreeSet;
use std::io::{Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use bollard::Docker;
use bollard::query_parameters::{
    DownloadFromContainerOptionsBuilder, UploadToContainerOptionsBuilder,
};
use futures_util::{StreamExt as _, TryStreamExt as _};
use tokio_util::io::ReaderStream;

use super::{DockerHost, ca, tracked};
use crate::{Error, Image, Result};

/// A container on an engine that is not here. The project lies inside at the path that it has here, so that every path in
/// its environment holds.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct RemoteDockerSpec {
    pub engine: DockerHost,
    pub image: Image,
    pub memory_bytes: Option<i64>,
    pub cpus: Option<f64>,
    /// The project; `JobSpec::cwd` lies in it.
    pub root: PathBuf,
    /// Paths of files in `root`, with slashes. Nothing else is sent.
    pub files: Vec<String>,
    /// Files and folders in `root` that come back when the command has ended.
    pub outputs: Vec<String>,
    /// Names in `JobSpec::env` whose values are addresses on this machine's loopback. Over ssh the command reaches them
    /// through the connection; its container then shares that machine's network. Over TCP nothing leads back: MLflow's files
    /// take the place of its server.
    #[serde(default)]
    pub tunnels: Vec<String>,
}

/// Sends the files, the certificates that this machine trusts, and the place for a run that is tracked in files. Done twice, it
/// changes nothing.
pub(super) async fn upload(
    docker: &Docker,
    name: &str,
    cwd: &Path,
    spec: &RemoteDockerSpec,
    run: Option<&str>,
) -> Result<u64> {
    let mut file = packed(cwd, spec, run)?;
    let size = file.seek(SeekFrom::End(0))?;
    file.seek(SeekFrom::Start(0))?;
    let stream = ReaderStream::new(tokio::fs::File::from_std(file));
    let options = UploadToContainerOptionsBuilder::new().path("/").build();
    let body = bollard::body_try_stream(stream);
    docker
        .upload_to_container(name, Some(options), body)
        .await?;
    Ok(size)
}

fn packed(cwd: &Path, spec: &RemoteDockerSpec, run: Option<&str>) -> Result<std::fs::File> {
    let mut archive = tar::Builder::new(tempfile::tempfile()?);
    let inside = inside(&spec.root)?;
    for path in folders(&inside, cwd, spec)? {
        folder(&mut archive, &path)?;
    }
    for path in &spec.files {
        let place = inside.join(path);
        let mut header = owned();
        let source = spec.root.join(path);
        let meta = fs_err::metadata(&source)?;
        header.set_size(meta.len());
        header.set_mode(if is_program(&meta) { 0o755 } else { 0o644 });
        let content = std::io::Read::take(fs_err::File::open(&source)?, meta.len());
        archive.append_data(&mut header, &place, content)?;
    }
    if let Some(certificates) = ca::host_file() {
        let content = fs_err::read(certificates)?;
        text(&mut archive, ca::INSIDE.trim_start_matches('/'), &content)?;
    }
    for (path, content) in run.iter().flat_map(|run| tracked::store(run)) {
        match content {
            Some(content) => text(&mut archive, &path, content.as_bytes())?,
            None => folder(&mut archive, Path::new(&path))?,
        }
    }
    Ok(archive.into_inner()?)
}

fn text(archive: &mut tar::Builder<std::fs::File>, path: &str, content: &[u8]) -> Result<()> {
    let mut header = owned();
    header.set_size(content.len() as u64);
    header.set_mode(0o644);
    Ok(archive.append_data(&mut header, path, content)?)
}

/// Every folder that has to be there, the outer ones first. Each belongs to the command's user, which root's engine would
/// not do by itself.
fn folders(inside: &Path, cwd: &Path, spec: &RemoteDockerSpec) -> Result<BTreeSet<PathBuf>> {
    let cwd = cwd
        .strip_prefix(&spec.root)
        .map_err(|_| Error::BadPath(cwd.display().to_string()))?;
    let empty = crate::ssh::folders(&crate::ssh::slashes(cwd), &spec.outputs);
    let mut folders: BTreeSet<PathBuf> = [inside.to_owned()].into();
    let mut add = |path: &Path| {
        let all = path.ancestors().filter(|path| path.starts_with(inside));
        folders.extend(all.map(Path::to_owned));
    };
    for path in &empty {
        if !is_beneath(path) {
            return Err(Error::BadPath(path.clone()));
        }
        add(&inside.join(path));
    }
    for path in &spec.files {
        if !is_beneath(path) {
            return Err(Error::BadPath(path.clone()));
        }
        if let Some(folder) = inside.join(path).parent() {
            add(folder);
        }
    }
    Ok(folders)
}

/// Beneath the container's own root.
fn inside(root: &Path) -> Result<PathBuf> {
    match root.strip_prefix("/") {
        Ok(inside) => Ok(inside.to_owned()),
        Err(_) => Err(Error::BadPath(root.display().to_string())),
    }
}

fn folder(archive: &mut tar::Builder<std::fs::File>, path: &Path) -> Result<()> {
    let mut header = owned();
    header.set_entry_type(tar::EntryType::Directory);
    header.set_size(0);
    header.set_mode(0o755);
    Ok(archive.append_data(&mut header, path, std::io::empty())?)
}

fn owned() -> tar::Header {
    let mut header = tar::Header::new_gnu();
    #[cfg(unix)]
    {
        header.set_uid(rustix::process::getuid().as_raw().into());
        header.set_gid(rustix::process::getgid().as_raw().into());
    }
    header
}

#[cfg(unix)]
fn is_program(meta: &std::fs::Metadata) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    meta.permissions().mode() & 0o100 != 0
}

#[cfg(not(unix))]
fn is_program(_: &std::fs::Metadata) -> bool {
    false
}

fn is_beneath(path: &str) -> bool {
    use std::path::Component;
    !path.is_empty()
        && Path::new(path)
            .components()
            .all(|part| matches!(part, Component::Normal(_)))
}

/// Brings the outputs home: each archive whole first, then each file into its place.
pub(super) async fn fetch(
    docker: &Docker,
    name: &str,
    spec: &RemoteDockerSpec,
    staging: &Path,
) -> Result<()> {
    for output in &spec.outputs {
        if !is_beneath(output) {
            return Err(Error::BadPath(output.clone()));
        }
        let Some(mut archive) = archive_of(docker, name, &spec.root.join(output)).await? else {
            continue; // The command did not make it.
        };
        if staging.exists() {
            fs_err::remove_dir_all(staging)?;
        }
        fs_err::create_dir_all(staging)?;
        archive.seek(SeekFrom::Start(0))?;
        // The engine names everything from the output's own name on.
        let parent = Path::new(output).parent().unwrap_or(Path::new(""));
        for path in unpacked(&mut archive, staging)? {
            crate::ssh::settle(&staging.join(&path), &spec.root.join(parent).join(&path))?;
        }
        fs_err::remove_dir_all(staging)?;
    }
    Ok(())
}

pub(super) async fn archive_of(
    docker: &Docker,
    name: &str,
    path: &Path,
) -> Result<Option<std::fs::File>> {
    let path = path.display().to_string();
    let options = DownloadFromContainerOptionsBuilder::new()
        .path(&path)
        .build();
    let mut file = tempfile::tempfile()?;
    let mut pieces = docker
        .download_from_container(name, Some(options))
        .into_stream();
    while let Some(piece) = pieces.next().await {
        match piece {
            Ok(piece) => file.write_all(&piece)?,
            Err(bollard::errors::Error::DockerResponseServerError {
                status_code: 404, ..
            }) => return Ok(None),
            Err(error) => return Err(error.into()),
        }
    }
    Ok(Some(file))
}

pub(super) fn unpacked(archive: &mut std::fs::File, staging: &Path) -> Result<Vec<PathBuf>> {
    let mut archive = tar::Archive::new(archive);
    let mut files = Vec::new();
    for entry in archive.entries()? {
        let mut entry = entry?;
        let path = entry.path()?.into_owned();
        if entry.header().entry_type().is_file() && entry.unpack_in(staging)? {
            files.push(path);
        }
    }
    Ok(files)
}
