//! `lapwing score`.

use std::path::Path;
use std::process::ExitCode;

use lapwing_app::scoring;
use lapwing_app::wire::{JobRef, JobStatus, ScoringDetail, ScoringPart, StartScoring};
use lapwing_core::Report;

use super::args::Score;
use super::deployments::target;
use super::{Context, Done, print};

pub fn run(context: &Context, arguments: Score) -> Done {
    let input = StartScoring {
        model: arguments.model,
        data: context.path_text(&arguments.data),
        out: context.path_text(&arguments.out),
        target: target(arguments.place),
        on: arguments.on,
        project: context.project_if_any(),
    };
    if arguments.list_upload {
        return list_upload(context, input);
    }
    let say = |step: &str| print::talk(&print::dim(step));
    let started = scoring::start_with(&context.app, input, &context.folder, &say)?;
    if arguments.detach {
        context
            .out
            .answer(&started, |started| print::line(started.job.as_str()))?;
        return Ok(ExitCode::SUCCESS);
    }
    let id = started.job;
    print::talk(&format!("Job {}", print::short(id.as_str())));
    scoring::stop_on_interrupt(&context.app, &id, || print::talk("Stopping the scoring…"))?;
    let row = scoring::follow(&context.app, &id, &|text| log(text))?;
    let detail = scoring::get(&context.app, JobRef { id })?;
    context.out.answer(&detail, |detail| {
        if let Some(detail) = detail {
            told(detail);
        }
    })?;
    if row.status == JobStatus::Succeeded {
        return Ok(ExitCode::SUCCESS);
    }
    Err(scoring::failure(&context.app, &row)?)
}

/// What the job printed is talk here: the command's own answer is data.
fn log(text: &str) {
    for line in text.lines() {
        print::talk(&print::dim(&format!("  {line}")));
    }
}

fn told(detail: &ScoringDetail) {
    let Some(result) = &detail.result else { return };
    print::line(&detail.out);
    let version = detail
        .version
        .map_or_else(String::new, |version| format!(" v{version}"));
    print::talk(&format!(
        "{} rows scored with {}{version}, {}.",
        result.rows.0,
        detail.model,
        print::bytes(result.bytes.0)
    ));
}

fn list_upload(context: &Context, input: StartScoring) -> Done {
    let say = |step: &str| print::talk(&print::dim(step));
    let list = scoring::uploads_with(&context.app, input, &context.folder, &say)?;
    context.out.answer(&list, |list| {
        let rows: Vec<Vec<String>> = list
            .files
            .iter()
            .map(|file| {
                vec![
                    file.path.clone(),
                    print::bytes(file.size.0),
                    why(file.part).to_owned(),
                ]
            })
            .collect();
        print::table(&["file", "size", "why"], &rows);
        print::talk(&format!(
            "{} files, {} in all.",
            list.files.len(),
            print::bytes(list.bytes.0)
        ));
    })?;
    Ok(ExitCode::SUCCESS)
}

fn why(part: ScoringPart) -> &'static str {
    match part {
        ScoringPart::Model => "the model",
        ScoringPart::Data => "the data",
        ScoringPart::Script => "what runs there",
    }
}

/// The body of the job of a scoring on this machine: it ends as its command does.
pub fn carry_out(context: &Context, folder: &Path) -> Result<ExitCode, Report> {
    let status = scoring::carry_out(&context.app, folder)?;
    let code = status.code().and_then(|code| u8::try_from(code).ok());
    Ok(code.map_or(ExitCode::FAILURE, ExitCode::from))
}
