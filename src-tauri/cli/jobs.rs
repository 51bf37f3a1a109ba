//! `lapwing jobs …`.

use std::process::ExitCode;

use lapwing_app::jobs;
use lapwing_app::wire::{JobRef, JobRow, JobStatus, ListJobs, Nothing, ReadLog};
use lapwing_core::{JobId, Report};
use serde::Serialize;

use super::args::Jobs;
use super::print::Output;
use super::{Context, Done, print};

const LOG_CHUNK_BYTES: u32 = 256 * 1024;

pub fn run(context: &Context, verb: Jobs) -> Done {
    match verb {
        Jobs::List { all } => list(context, all),
        Jobs::Logs { id, follow } => {
            let id = jobs::find(&context.app, &id)?;
            logs(context, &id, follow)
        }
        Jobs::Stop { id } => {
            let id = jobs::find(&context.app, &id)?;
            jobs::stop(&context.app, JobRef { id })?;
            context
                .out
                .answer(&Nothing {}, |_| print::talk("Stopped."))?;
            Ok(ExitCode::SUCCESS)
        }
    }
}

fn list(context: &Context, all: bool) -> Done {
    let most = if all { u32::MAX - 1 } else { jobs::MAX_LISTED };
    let input = ListJobs {
        max: Some(most + 1),
        ..ListJobs::default()
    };
    let mut listed = jobs::list(&context.app, input)?;
    let are_more = listed.len() > most as usize;
    listed.truncate(most as usize);
    context.out.answer(&listed, |all| {
        if all.is_empty() {
            return print::talk("No jobs yet. Start one with `lapwing run`.");
        }
        let rows: Vec<Vec<String>> = all.iter().map(row).collect();
        print::table(
            &["id", "state", "title", "where", "created", "took", ""],
            &rows,
        );
    })?;
    if are_more {
        print::talk(&format!(
            "The newest {most} jobs; `lapwing jobs list --all` shows every one."
        ));
    }
    Ok(ExitCode::SUCCESS)
}

fn row(job: &JobRow) -> Vec<String> {
    let took = match (job.started, job.ended) {
        (Some(started), Some(ended)) => print::duration(ended.millis_since(started)),
        (_, None) | (None, _) => "–".to_owned(),
    };
    vec![
        print::short(job.id.as_str()),
        status_word(job.status).to_owned(),
        job.title.clone(),
        job.on.clone().unwrap_or_default(),
        print::time(job.created),
        took,
        job.why.clone().unwrap_or_default(),
    ]
}

/// The one word for a job's state, everywhere.
pub fn status_word(status: JobStatus) -> &'static str {
    match status {
        JobStatus::Queued => "queued",
        JobStatus::Running => "running",
        JobStatus::Succeeded => "succeeded",
        JobStatus::Failed => "failed",
        JobStatus::Cancelled => "cancelled",
        JobStatus::TimedOut => "timed out",
        JobStatus::Lost => "lost",
    }
}

/// What a job printed, as one document.
#[derive(Serialize)]
struct Log<'a> {
    id: &'a JobId,
    text: String,
}

fn logs(context: &Context, id: &JobId, follow: bool) -> Result<ExitCode, Report> {
    if context.out == Output::Words {
        read(context, id, follow, &mut print::raw)?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut text = String::new();
    read(context, id, follow, &mut |piece| text.push_str(piece))?;
    context.out.json(&Log { id, text })?;
    Ok(ExitCode::SUCCESS)
}

fn read(
    context: &Context,
    id: &JobId,
    follow: bool,
    take: &mut dyn FnMut(&str),
) -> Result<(), Report> {
    let mut from = 0.0;
    loop {
        let chunk = jobs::log(
            &context.app,
            ReadLog {
                id: id.clone(),
                from,
                max: LOG_CHUNK_BYTES,
            },
        )?;
        let idle = chunk.text.is_empty();
        take(&chunk.text);
        from = chunk.next.0 as f64;
        if idle && (chunk.ended || !follow) {
            return Ok(());
        }
        if idle {
            jobs::wait_for_output(&context.app, id);
        }
    }
}
