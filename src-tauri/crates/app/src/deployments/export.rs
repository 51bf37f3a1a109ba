//! An endpoint for other machines: a build context with the model in it, and the file that starts its image there.

use std::path::Path;

use lapwing_core::{Code, Report};
use lapwing_jobs::docker;
use lapwing_serving::exported;
use lapwing_serving::image::{Content, ContextFile, Parts};
use lapwing_store::deployments as table;

use super::manifests::{self, Endpoint};
use super::{folder, known, runtime};
use crate::App;
use crate::error::Reported as _;
use crate::wire::{ExportDeployment, Exported, Package};

const DEFAULT_MEMORY_GIB: f64 = 2.0;
const IMAGE_FOLDER: &str = "image";

/// Writes what a deployment serves now as something that other machines start. Nothing is built and nothing is sent.
///
/// # Errors
/// When there is no such deployment, it has no revision, or the folder cannot be written.
pub fn export(app: &App, input: ExportDeployment) -> Result<Exported, Report> {
    let deployment = known(app, &input.name)?;
    let endpoint = endpoint(&deployment, &input)?;
    let (file, text) = text(app, &deployment, &input, &endpoint)?;
    let mut notes = Vec::new();
    let needs_image = !(input.package == Package::Kserve && input.storage_uri.is_some());
    let written = match &input.out {
        Some(out) => {
            let out = Path::new(out);
            if needs_image {
                write_context(&out.join(IMAGE_FOLDER), &context(app, &deployment, &input)?)?;
            }
            if input.package != Package::Image {
                crate::file::write_whole(&out.join(&file), text.as_bytes())?;
            }
            Some(out.display().to_string())
        }
        None => None,
    };
    let place = input.out.as_deref().unwrap_or("FOLDER");
    if needs_image && written.is_none() {
        notes.push(
            "`--out FOLDER` writes the image's build context with the model beside this".to_owned(),
        );
    }
    notes.extend(manifests::next_steps(
        input.package,
        &endpoint,
        place,
        &file,
        needs_image,
    ));
    Ok(Exported {
        file,
        text,
        notes,
        written,
    })
}

fn endpoint(deployment: &table::Deployment, input: &ExportDeployment) -> Result<Endpoint, Report> {
    let Some(revision) = deployment.live_revision else {
        return Err(Report::new(
            Code::NotFound,
            "deployment.no_revision",
            format!("{} has no revision yet", deployment.name),
        ));
    };
    let memory_gib = input.memory_gib.unwrap_or(DEFAULT_MEMORY_GIB);
    if !memory_gib.is_finite() || memory_gib <= 0.0 {
        return Err(Report::new(
            Code::Invalid,
            "deployment.memory",
            format!("{memory_gib} GiB is no limit of memory"),
        ));
    }
    Ok(Endpoint {
        name: manifests::label(deployment.name.as_str()),
        image: input.image.clone().unwrap_or_else(|| {
            format!("{}:r{revision}", manifests::label(deployment.name.as_str()))
        }),
        namespace: input.namespace.clone(),
        replicas: input.replicas.unwrap_or(1),
        memory_gib,
        port: deployment.port,
        storage_uri: input.storage_uri.clone(),
    })
}

fn text(
    app: &App,
    deployment: &table::Deployment,
    input: &ExportDeployment,
    endpoint: &Endpoint,
) -> Result<(String, String), Report> {
    Ok(match input.package {
        Package::Image => {
            let files = context(app, deployment, input)?;
            let dockerfile = files.into_iter().find(|file| file.path == "Dockerfile");
            let Some(ContextFile {
                content: Content::Text(text),
                ..
            }) = dockerfile
            else {
                return Err(Report::new(
                    Code::Internal,
                    "deployment.image",
                    "the context has no Dockerfile",
                ));
            };
            ("Dockerfile".to_owned(), text)
        }
        Package::Compose => (
            "compose.yaml".to_owned(),
            manifests::compose(endpoint, IMAGE_FOLDER),
        ),
        Package::Kubernetes => (
            "kubernetes.yaml".to_owned(),
            manifests::kubernetes(endpoint),
        ),
        Package::Kserve => (
            "inferenceservice.yaml".to_owned(),
            manifests::kserve(endpoint),
        ),
    })
}

fn context(
    app: &App,
    deployment: &table::Deployment,
    input: &ExportDeployment,
) -> Result<Vec<ContextFile>, Report> {
    let base = input.base.clone().unwrap_or_else(docker::default_base);
    let library = runtime::onnx_library(app, deployment);
    let parts = Parts {
        program: app.program(),
        onnxruntime: library.as_deref(),
        base: &base,
    };
    exported::context(&folder(app, &deployment.name), &parts).reported()
}

/// Writes the files below a folder that is new, empty, or an earlier export: what an earlier one left would get into the image.
fn write_context(folder: &Path, files: &[ContextFile]) -> Result<(), Report> {
    let unwritable = |error: std::io::Error| crate::file::unwritable(folder, &error);
    if folder.exists() {
        if !folder.join("Dockerfile").is_file() || !folder.join("lapwing").is_file() {
            return Err(Report::new(
                Code::Conflict,
                "deployment.export_folder",
                format!(
                    "{} is there already, and is no earlier export",
                    folder.display()
                ),
            )
            .hint("choose another folder"));
        }
        fs_err::remove_dir_all(folder).map_err(unwritable)?;
    }
    let parent = folder.parent().unwrap_or(Path::new("."));
    fs_err::create_dir_all(parent).map_err(unwritable)?;
    // Under its own name only when whole: a build from half a context would make an image that fails elsewhere.
    let whole = tempfile::Builder::new()
        .prefix(".lapwing-export")
        .tempdir_in(parent)
        .map_err(unwritable)?;
    for file in files {
        write_file(whole.path(), file).map_err(unwritable)?;
    }
    let whole = whole.keep();
    set_mode(&whole, 0o755)
        .and_then(|()| fs_err::rename(&whole, folder))
        .map_err(unwritable)
}

fn write_file(folder: &Path, file: &ContextFile) -> std::io::Result<()> {
    let path = folder.join(&file.path);
    if let Some(parent) = path.parent() {
        fs_err::create_dir_all(parent)?;
    }
    match &file.content {
        Content::Text(text) => fs_err::write(&path, text)?,
        Content::File(from) => drop(fs_err::copy(from, &path)?),
    }
    set_mode(&path, file.mode)
}

#[cfg(unix)]
fn set_mode(path: &Path, mode: u32) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    fs_err::set_permissions(path, std::fs::Permissions::from_mode(mode))
}

#[cfg(not(unix))]
fn set_mode(_path: &Path, _mode: u32) -> std::io::Result<()> {
    Ok(())
}
