//! The same gateway as a container: what goes into the image's build context.
//!
//! The deployment's folder is mounted at `/deployment`, so revisions can be switched and predictions are logged on the host.

use std::path::{Path, PathBuf};

use crate::{DeploymentFolder, Error, Result, RuntimeKind, read_config};

/// Where the container finds the deployment.
pub const MOUNT: &str = "/deployment";
/// The port inside the container.
pub const PORT: u16 = 8080;
/// The program inside.
pub(crate) const PROGRAM: &str = "/usr/local/bin/lapwing";
const LIBRARY: &str = "/usr/local/lib/lapwing/libonnxruntime.so";

/// What a file of the build context holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    Text(String),
    File(PathBuf),
}

/// One file of the build context: its path in the tar archive, its content and its mode.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContextFile {
    pub path: String,
    pub content: Content,
    pub mode: u32,
}

/// What the image is made of.
pub struct Parts<'a> {
    /// The Linux program that knows `__gateway`.
    pub program: &'a Path,
    pub onnxruntime: Option<&'a Path>,
    /// For instance `debian:bookworm-slim` or, with Python workers, `python:3.11-slim`.
    pub base: &'a str,
}

/// The build context of a deployment's image, `Dockerfile` included.
///
/// # Errors
/// When a revision with traffic needs ONNX Runtime and no library is given.
pub fn context(folder: &Path, parts: &Parts<'_>) -> Result<Vec<ContextFile>> {
    let entrypoint = [
        PROGRAM,
        "__gateway",
        MOUNT,
        "--bind",
        &format!("0.0.0.0:{PORT}"),
    ];
    let end = [format!("ENTRYPOINT {}", words(&entrypoint))];
    programs(folder, parts, &end)
}

/// A command of a Dockerfile in its form without a shell.
pub(crate) fn words(words: &[&str]) -> String {
    let words: Vec<String> = words.iter().map(|word| format!("{word:?}")).collect();
    format!("[{}]", words.join(", "))
}

/// The programs that serve a deployment, and a `Dockerfile` that ends with these lines.
pub(crate) fn programs(
    folder: &Path,
    parts: &Parts<'_>,
    end: &[String],
) -> Result<Vec<ContextFile>> {
    let config = read_config(folder)?;
    let mut needs_onnx = false;
    let mut requirements = Vec::new();
    for revision in &config.revisions {
        if !config
            .traffic
            .iter()
            .any(|share| share.revision == revision.number && share.weight > 0.0)
        {
            continue;
        }
        match revision.runtime {
            RuntimeKind::Onnx => needs_onnx = true,
            RuntimeKind::Python => {
                let model = crate::model_folder::read(
                    &DeploymentFolder::at(folder).model(revision.number),
                )?;
                requirements.extend(model.requirements);
            }
        }
    }
    if needs_onnx && parts.onnxruntime.is_none() {
        return Err(Error::NoOnnxRuntime);
    }
    requirements.sort();
    requirements.dedup();
    let mut files = vec![
        text(
            "Dockerfile",
            dockerfile(
                parts.base,
                parts.onnxruntime.is_some(),
                !requirements.is_empty(),
                end,
            ),
        ),
        ContextFile {
            path: "lapwing".to_owned(),
            content: Content::File(parts.program.to_owned()),
            mode: 0o755,
        },
    ];
    if let Some(library) = parts.onnxruntime {
        let content = Content::File(library.to_owned());
        files.push(ContextFile {
            path: "libonnxruntime.so".to_owned(),
            content,
            mode: 0o644,
        });
    }
    if !requirements.is_empty() {
        files.push(text("requirements.txt", requirements.join("\n") + "\n"));
    }
    Ok(files)
}

pub(crate) fn text(path: &str, text: String) -> ContextFile {
    ContextFile {
        path: path.to_owned(),
        content: Content::Text(text),
        mode: 0o644,
    }
}

fn dockerfile(base: &str, onnx: bool, python: bool, end: &[String]) -> String {
    let mut lines = vec![format!("FROM {base}")];
    if python {
        lines.push("COPY requirements.txt /tmp/requirements.txt".to_owned());
        lines.push("RUN python3 -m pip install --no-cache-dir -r /tmp/requirements.txt".to_owned());
    }
    if onnx {
        lines.push(format!("COPY libonnxruntime.so {LIBRARY}"));
        lines.push(format!("ENV LAPWING_ONNXRUNTIME={LIBRARY}"));
    }
    lines.push(format!("COPY lapwing {PROGRAM}"));
    lines.push(format!("EXPOSE {PORT}"));
    lines.push("STOPSIGNAL SIGTERM".to_owned());
    lines.extend_from_slice(end);
    lines.join("\n") + "\n"
}
