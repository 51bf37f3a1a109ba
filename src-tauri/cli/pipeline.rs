//! `lapwing status` and `lapwing run`.

use std::process::ExitCode;

use anstyle::AnsiColor;
use lapwing_app::pipeline::{self, EngineState, EngineTask, Progress, Sight};
use lapwing_app::wire::{
    Engine, ExportPipeline, InProject, JobStatus, RunDetail, RunStatus, StageState, StartRun,
    Stays, UploadsOf, Why,
};
use lapwing_core::{Code, Report, RunId};
use serde::Serialize;

use super::args::{self, Run};
use super::deployments::target;
use super::{Context, Done, print};

pub fn status(context: &Context, quiet: bool) -> Done {
    let project = context.project()?;
    let broken = (!quiet).then(|| lapwing_app::projects::config_error(&project));
    let status = pipeline::status(
        &context.app,
        InProject {
            project: project.clone(),
        },
    )?;
    if let Some(report) = broken.flatten() {
        print::warn(&report);
    }
    let clean = status.as_object().is_none_or(serde_json::Map::is_empty);
    if !quiet {
        context.out.answer(&status, |status| {
            if clean {
                return print::talk("Data and pipeline are up to date.");
            }
            pipeline::status_words(status)
                .iter()
                .for_each(|line| print::line(line));
        })?;
        if let Some(run) = pipeline::waiting(&context.app, InProject { project })? {
            print::talk(&super::runs::waits(&run.run_id, run.started, &run.why));
        }
    }
    Ok(if clean {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(1)
    })
}

pub fn run(context: &Context, arguments: Run) -> Done {
    let project = context.project()?;
    let input = StartRun {
        project: project.clone(),
        stages: arguments.stages,
        force: arguments.force,
        target: target(arguments.place),
        on: arguments.on,
        set: arguments.set,
    };
    if arguments.list_upload {
        return list_upload(context, input);
    }
    if arguments.dry_run {
        return dry_run(context, &input);
    }
    // Whoever types the command in the project's folder trusts it.
    lapwing_app::projects::trust(&context.app, InProject { project })?;
    let started = pipeline::start(&context.app, input)?;
    let Some(run_id) = started.run_id.clone() else {
        context.out.answer(&started, |_| {
            print::talk("Nothing to run: data and pipeline are up to date.")
        })?;
        return Ok(ExitCode::SUCCESS);
    };
    let begun = Begun {
        noun: "Run",
        run_id: &run_id,
        summary: started.stages.join(" → "),
    };
    if arguments.detach {
        return begun.left(context, &started);
    }
    begun.tell();
    follow(context, &run_id)
}

/// A run that goes on in a process of its own from now on.
pub struct Begun<'a> {
    pub noun: &'a str,
    pub run_id: &'a RunId,
    pub summary: String,
}

impl Begun<'_> {
    /// Who does not follow it gets its id.
    pub fn left<T: Serialize>(&self, context: &Context, started: &T) -> Done {
        context
            .out
            .answer(started, |_| print::line(self.run_id.as_str()))?;
        Ok(ExitCode::SUCCESS)
    }

    pub fn tell(&self) {
        print::talk(&format!(
            "{} {} {}",
            self.noun,
            print::short(self.run_id.as_str()),
            print::dim(&self.summary)
        ));
    }
}

/// Tells how a run goes until it ends; Ctrl-C ends it.
pub fn follow(context: &Context, run_id: &RunId) -> Done {
    pipeline::stop_on_interrupt(&context.app, run_id, || print::talk("Stopping the run…"))?;
    let ended = pipeline::follow(&context.app, run_id, &|progress| say(&progress))?;
    let detail = lapwing_app::runs::get(
        &context.app,
        lapwing_app::wire::RunRef {
            run_id: run_id.clone(),
        },
    )?;
    let report = match ended {
        RunStatus::Finished => {
            context.out.answer(&detail, say_end)?;
            return Ok(ExitCode::SUCCESS);
        }
        RunStatus::Killed => Report::new(Code::Failed, "run.stopped", "the run was stopped")
            .hint("`lapwing run` goes on with the stages that are left"),
        RunStatus::Running | RunStatus::Scheduled | RunStatus::Failed => {
            pipeline::failure(&context.app, run_id)
        }
    };
    context.out.failed(&detail, report, say_end)
}

fn say_end(detail: &RunDetail) {
    let metrics: Vec<String> = detail
        .row
        .metrics
        .iter()
        .take(6)
        .map(|(key, value)| format!("{key} {}", print::number(Some(*value))))
        .collect();
    let (word, id) = (
        super::runs::status_word(detail.row.status),
        &detail.row.run_id,
    );
    print::line(format!("{word} {id}  {}", metrics.join("  ")).trim_end());
}

/// The text goes to standard output or to a file; what to know about it is talk.
pub fn export(context: &Context, arguments: args::ExportPipeline) -> Done {
    let input = ExportPipeline {
        project: context.project()?,
        engine: match arguments.to {
            args::Engine::Airflow => Engine::Airflow,
            args::Engine::Kubeflow => Engine::Kubeflow,
        },
        name: arguments.name,
        schedule: arguments.schedule,
        root: arguments.root,
        image: arguments.image,
        retries: Some(arguments.retries),
        tags: arguments.tags,
        out: arguments.out.map(|out| context.path_text(&out)),
    };
    let exported = pipeline::export(&context.app, input)?;
    print::exported(context.out, &exported)?;
    Ok(ExitCode::SUCCESS)
}

fn list_upload(context: &Context, input: StartRun) -> Done {
    let wanted = UploadsOf {
        project: input.project,
        stages: input.stages,
    };
    let list = pipeline::uploads(&context.app, wanted)?;
    context.out.answer(&list, |list| {
        let rows: Vec<Vec<String>> = list
            .files
            .iter()
            .map(|file| {
                vec![
                    file.path.clone(),
                    print::bytes(file.size),
                    why(file.why).to_owned(),
                ]
            })
            .collect();
        print::table(&["file", "size", "why"], &rows);
        for out in &list.left_out {
            print::talk(&format!("stays here: {} ({})", out.path, stays(out.why)));
        }
        for path in &list.missing {
            print::talk(&format!("is not here yet: {path}"));
        }
        print::talk(&format!(
            "{} files, {} in all.",
            list.files.len(),
            print::bytes(list.bytes)
        ));
    })?;
    Ok(ExitCode::SUCCESS)
}

fn why(why: Why) -> &'static str {
    match why {
        Why::Tracked => "in git",
        Why::New => "new, not ignored",
        Why::Input => "read by a stage",
    }
}

fn stays(why: Stays) -> &'static str {
    match why {
        Stays::Ignored => "ignored by git, and no stage reads it",
        Stays::Submodule => "a repository of its own",
        Stays::Name => "its name has a line break",
    }
}

/// Starts the pipeline elsewhere; how it goes is talk, the run is data.
pub fn trigger(context: &Context, arguments: args::TriggerPipeline) -> Done {
    let (engine, remote) = match (arguments.airflow, arguments.kubeflow) {
        (Some(remote), _) => (Engine::Airflow, remote),
        (None, remote) => (Engine::Kubeflow, remote.unwrap_or_default()),
    };
    let input = pipeline::Trigger {
        export: ExportPipeline {
            project: context.project()?,
            engine,
            name: arguments.name,
            schedule: None,
            root: arguments.root,
            image: arguments.image,
            retries: None,
            tags: Vec::new(),
            out: None,
        },
        remote,
        set: arguments.set,
        run: arguments.run,
    };
    let started = pipeline::trigger(&context.app, input)?;
    print::talk(&format!(
        "Run {} {}",
        started.run.run.id,
        print::dim(&started.run.address)
    ));
    let run = if arguments.detach {
        started.run
    } else {
        pipeline::watch(&context.app, started, &|sight| say_sight(&sight))?
    };
    context.out.answer(&run, |run| {
        print::line(&format!("{} {}", state_word(run.run.state), run.run.id));
    })?;
    match run.run.state {
        EngineState::Failed | EngineState::Stopped => Err(pipeline::failed(&run)),
        EngineState::Waiting
        | EngineState::Running
        | EngineState::Succeeded
        | EngineState::Skipped => Ok(ExitCode::SUCCESS),
    }
}

fn state_word(state: EngineState) -> &'static str {
    match state {
        EngineState::Waiting => "waiting",
        EngineState::Running => "running",
        EngineState::Succeeded => "succeeded",
        EngineState::Failed => "failed",
        EngineState::Skipped => "skipped",
        EngineState::Stopped => "stopped",
    }
}

fn say_sight(sight: &Sight<'_>) {
    match sight {
        Sight::Task(task) => say_task(task),
        Sight::Lost(report) => print::talk(&print::dim(&format!(
            "the run cannot be seen: {}; it is asked for again",
            report.message
        ))),
        Sight::Found => print::talk(&print::dim("the run is seen again")),
    }
}

fn say_task(task: &EngineTask) {
    let (mark, color) = match task.state {
        EngineState::Waiting => return,
        EngineState::Running => ("▸", AnsiColor::Cyan),
        EngineState::Succeeded => ("✓", AnsiColor::Green),
        EngineState::Skipped => ("–", AnsiColor::Yellow),
        EngineState::Failed | EngineState::Stopped => ("✗", AnsiColor::Red),
    };
    print::talk(&format!("{} {}", print::paint(mark, color), task.name));
}

fn dry_run(context: &Context, input: &StartRun) -> Done {
    let plan = pipeline::dry_run(&context.app, input)?;
    context.out.answer(&plan, |plan| {
        for stage in plan {
            let (word, color) = match stage.state {
                StageState::Fresh => ("skip", AnsiColor::Green),
                StageState::Frozen => ("frozen", AnsiColor::Cyan),
                StageState::Stale
                | StageState::Queued
                | StageState::Running
                | StageState::Failed => ("run", AnsiColor::Yellow),
            };
            print::line(&format!(
                "{} {}",
                print::paint(&format!("{word:<6}"), color),
                stage.name
            ));
            stage
                .reasons
                .iter()
                .for_each(|reason| print::line(&print::dim(&format!("       {reason}"))));
        }
    })?;
    Ok(ExitCode::SUCCESS)
}

fn say(progress: &Progress) {
    match progress {
        Progress::Output { text } => print_log(text),
        Progress::Started { stage } => print::talk(&format!(
            "{} {}",
            print::paint("▸", AnsiColor::Cyan),
            print::bold(stage)
        )),
        Progress::Ended {
            stage,
            status,
            took_ms,
        } => {
            let (mark, color) = match status {
                JobStatus::Succeeded => ("✓", AnsiColor::Green),
                JobStatus::Queued | JobStatus::Running => ("▸", AnsiColor::Cyan),
                JobStatus::Failed
                | JobStatus::Cancelled
                | JobStatus::TimedOut
                | JobStatus::Lost => ("✗", AnsiColor::Red),
            };
            print::talk(&format!(
                "{} {stage} {}",
                print::paint(mark, color),
                print::dim(&print::duration(*took_ms))
            ));
        }
        Progress::Note { text } => print::talk(&print::dim(text)),
        Progress::Doing { text } => print::talk(&print::dim(&format!("  {text}"))),
    }
}

/// What a stage printed is talk here: the command's own answer is data.
fn print_log(text: &str) {
    for line in text.lines() {
        print::talk(&format!("  {line}"));
    }
}
