//! The hidden commands that run as processes of their own: supervisor and gateway.

use std::path::Path;

use lapwing_core::{Code, Report};

use crate::error::Reported as _;

/// Supervises one job until it ends: the body of `lapwing __supervise`.
///
/// # Errors
/// When the folder is no job, or its state cannot be written.
pub fn supervise(folder: &Path) -> Result<(), Report> {
    lapwing_jobs::supervise(folder).reported()
}

/// Serves one deployment until it is told to stop: the body of `lapwing __gateway`.
///
/// # Errors
/// When the folder is no deployment, its model cannot be loaded or the port is taken.
pub fn gateway(folder: &Path, bind: Option<&str>) -> Result<(), Report> {
    lapwing_serving::gateway::detach();
    let bind = bind
        .map(|text| {
            text.parse().map_err(|_| {
                Report::new(
                    Code::Invalid,
                    "gateway.bind",
                    format!("`{text}` is no address with a port"),
                )
            })
        })
        .transpose()?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| {
            Report::new(
                Code::Failed,
                "app.no_threads",
                format!("the operating system gives no threads: {error}"),
            )
        })?;
    runtime
        .block_on(lapwing_serving::gateway::run(folder, bind))
        .reported()
}
