//! What is on this machine, what is missing, and how to get it.

use std::path::Path;
use std::process::{Command, Stdio};

use lapwing_core::Report;
use lapwing_jobs::{docker, environment};
use lapwing_store::alerts;

use crate::error::Reported as _;
use crate::wire::{Check, CheckState, Count, Nothing, Status};
use crate::{App, jobs, options, services};

const MAX_ALERTS: u32 = 1000;

/// What the window's status bar shows.
///
/// # Errors
/// When the store cannot be read.
pub fn status(app: &App, _input: Nothing) -> Result<Status, Report> {
    let open = alerts::list(app.store(), None, false, MAX_ALERTS).reported()?;
    Ok(Status {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        workspace: app.workspace().root().display().to_string(),
        workspace_bytes: Count(size(app.workspace().root())),
        tracking_url: services::running(app)?.map(|services| services.url),
        docker: app.block_on(docker::ping())?.is_ok(),
        running_jobs: jobs::running(app)?,
        open_alerts: u32::try_from(open.len()).unwrap_or(u32::MAX),
        home: options::home_folder()
            .map(|home| home.display().to_string())
            .unwrap_or_default(),
    })
}

/// Bytes below a folder, environments aside: those can be made again.
fn size(folder: &Path) -> u64 {
    let Ok(entries) = fs_err::read_dir(folder) else {
        return 0;
    };
    entries
        .flatten()
        .map(|entry| match entry.metadata() {
            Ok(meta) if meta.is_dir() && entry.file_name() != "environments" => size(&entry.path()),
            Ok(meta) if meta.is_file() => meta.len(),
            Ok(_) | Err(_) => 0,
        })
        .sum()
}

/// One line for each thing that some part of the loop needs.
///
/// # Errors
/// When the store cannot be read.
pub fn check(app: &App, _input: Nothing) -> Result<Vec<Check>, Report> {
    Ok(vec![
        found(
            "workspace",
            Ok(app.workspace().root().display().to_string()),
            CheckState::Missing,
            "",
        ),
        program(
            "git",
            "git",
            &["--version"],
            CheckState::Optional,
            "Lapwing has its own; `apt install git` for yours",
        ),
        uv(),
        program(
            "python",
            "python3",
            &["--version"],
            CheckState::Optional,
            "`uv python install 3.11`, or your system's packages",
        ),
        onnxruntime(),
        docker_line(app)?,
        program(
            "gpu",
            "nvidia-smi",
            &["--query-gpu=name", "--format=csv,noheader"],
            CheckState::Optional,
            "none is needed; drivers come from the maker of the card",
        ),
        found(
            "mlflow api",
            services::running(app)?
                .map(|services| services.url)
                .ok_or(()),
            CheckState::Optional,
            "start it with `lapwing server`, or open the window",
        ),
    ])
}

fn found(name: &str, what: Result<String, ()>, without: CheckState, hint: &str) -> Check {
    match what {
        Ok(found) => Check {
            name: name.to_owned(),
            state: CheckState::Ok,
            found,
            hint: None,
        },
        Err(()) => Check {
            name: name.to_owned(),
            state: without,
            found: "not found".to_owned(),
            hint: Some(hint.to_owned()),
        },
    }
}

fn program(
    name: &str,
    program: &str,
    arguments: &[&str],
    without: CheckState,
    hint: &str,
) -> Check {
    let output = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .output();
    let said = match output {
        Ok(output) if output.status.success() => Ok(String::from_utf8_lossy(&output.stdout)
            .lines()
            .next()
            .unwrap_or_default()
            .trim()
            .to_owned()),
        Ok(_) | Err(_) => Err(()),
    };
    found(name, said, without, hint)
}

fn uv() -> Check {
    let hint = "`pip install uv`, or set LAPWING_UV to its path";
    match environment::find_uv() {
        Ok(path) => program(
            "uv",
            &path.display().to_string(),
            &["--version"],
            CheckState::Missing,
            hint,
        ),
        Err(_) => found("uv", Err(()), CheckState::Missing, hint),
    }
}

fn onnxruntime() -> Check {
    let library = lapwing_serving::onnxruntime_library(None);
    let what = library.map(|path| {
        let version = lapwing_serving::onnxruntime_version(&path).unwrap_or_default();
        format!("{version} {}", path.display()).trim().to_owned()
    });
    found(
        "onnx runtime",
        what.ok_or(()),
        CheckState::Optional,
        "the one in a model's environment is used; or set LAPWING_ONNXRUNTIME to libonnxruntime.so",
    )
}

fn docker_line(app: &App) -> Result<Check, Report> {
    let what = app
        .block_on(docker::ping())?
        .map(|version| format!("engine {version}"))
        .map_err(|_| ());
    Ok(found(
        "docker",
        what,
        CheckState::Optional,
        "`apt install docker.io` and start it, for `--in docker`",
    ))
}
