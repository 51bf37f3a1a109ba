//! Following a scoring from a terminal, and ending it there.

use lapwing_core::{Code, JobId, Report};

use crate::wire::{JobRef, JobRow, JobStatus, ReadLog};
use crate::{App, jobs};

const CHUNK_BYTES: u32 = 256 * 1024;

/// Tells what the job prints until it has ended, and how it ended.
///
/// # Errors
/// When there is no such job.
pub fn follow(app: &App, id: &JobId, tell: &dyn Fn(&str)) -> Result<JobRow, Report> {
    let mut from = 0.0;
    loop {
        // Asked first: what it printed before its end is read after.
        let row = jobs::get(app, JobRef { id: id.clone() })?;
        loop {
            let chunk = jobs::log(
                app,
                ReadLog {
                    id: id.clone(),
                    from,
                    max: CHUNK_BYTES,
                },
            )?;
            if chunk.text.is_empty() {
                break;
            }
            tell(&chunk.text);
            from = chunk.next.0 as f64;
        }
        if row.ended.is_some() {
            return Ok(row);
        }
        jobs::wait_for_output(app, id);
    }
}

/// What is told of a scoring that made no output.
///
/// # Errors
/// When what it left cannot be read.
pub fn failure(app: &App, row: &JobRow) -> Result<Report, Report> {
    if row.status == JobStatus::Cancelled {
        return Ok(Report::new(
            Code::Failed,
            "scoring.stopped",
            "the scoring was stopped; nothing was written",
        ));
    }
    let why = row.outcome.as_deref().unwrap_or("the job left no word");
    let report = Report::new(Code::Failed, "scoring.failed", why);
    let detail = super::get(app, JobRef { id: row.id.clone() })?;
    let short: String = row.id.as_str().chars().take(8).collect();
    let hint = detail.and_then(|detail| detail.hint);
    Ok(report.hint(hint.unwrap_or_else(|| format!("see its output: lapwing jobs logs {short}"))))
}

/// Ends the job when this process gets Ctrl-C; `told` says that it was heard.
///
/// # Errors
/// When the operating system gives no threads.
pub fn stop_on_interrupt(
    app: &App,
    id: &JobId,
    told: impl FnOnce() + Send + 'static,
) -> Result<(), Report> {
    let (app, id) = (app.clone(), id.clone());
    // Ends with the process: nobody waits for a Ctrl-C that does not come.
    app.clone().runtime()?.spawn(async move {
        if tokio::signal::ctrl_c().await.is_err() {
            return;
        }
        told();
        let stopped = tokio::task::spawn_blocking(move || jobs::stop(&app, JobRef { id })).await;
        if let Ok(Err(report)) = stopped {
            tracing::warn!(report.message, "the scoring could not be stopped");
        }
        crate::process::leave_when_told_again().await;
    });
    Ok(())
}
