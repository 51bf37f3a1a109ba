//! The hidden commands that run as processes of their own, supervisor and gateway; and how a process ends that is told twice.

use std::path::{Path, PathBuf};

use lapwing_core::{Code, Report};

use crate::error::Reported as _;

/// Supervises one job until it ends: the body of `lapwing __supervise`.
///
/// # Errors
/// When the folder is no job, or its state cannot be written.
pub fn supervise(folder: &Path) -> Result<(), Report> {
    lapwing_jobs::supervise(folder).reported()
}

/// What an exported image brings along.
pub struct Image {
    /// Where the models lie.
    pub from: PathBuf,
    /// What clients must send.
    pub token: Option<String>,
}

/// Serves one deployment until it is told to stop: the body of `lapwing __gateway`.
///
/// # Errors
/// When the folder is no deployment, its model cannot be loaded or the port is taken.
pub fn gateway(folder: &Path, bind: Option<&str>, image: Option<&Image>) -> Result<(), Report> {
    lapwing_serving::gateway::detach();
    if let Some(image) = image {
        lapwing_serving::exported::unpack(&image.from, folder, image.token.as_deref())
            .reported()?;
    }
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

/// Ends the process at the next Ctrl-C: what should have ended in order hangs.
pub(crate) async fn leave_when_told_again() {
    if tokio::signal::ctrl_c().await.is_ok() {
        leave();
    }
}

/// Ends the process as Ctrl-C does by itself.
#[expect(
    clippy::exit,
    reason = "nothing is under way, or whoever asks twice wants no more order"
)]
pub(crate) fn leave() -> ! {
    const INTERRUPTED: i32 = 130;
    std::process::exit(INTERRUPTED)
}
