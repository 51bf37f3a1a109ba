//! `lapwing sweep`, and how a sweep is shown.

use std::process::ExitCode;

use anstyle::AnsiColor;
use lapwing_app::pipeline::{self, Heard};
use lapwing_app::wire::{
    Better, Goal, PlannedSweep, RunRef, RunStatus, StartSweep, SweepView, TrialRow,
};
use lapwing_core::{Code, Report, RunId};

use super::args::Sweep;
use super::deployments::target;
use super::pipeline::Begun;
use super::{Context, Done, print, runs};

/// Metrics beside the goal's that a table has room for.
const SHOWN_METRICS: usize = 4;

pub fn run(context: &Context, arguments: Sweep) -> Done {
    let project = context.project()?;
    let goal = |metric: Option<String>, better| metric.map(|metric| Goal { metric, better });
    let input = StartSweep {
        project: project.clone(),
        stages: arguments.stages,
        values: arguments.values,
        random: arguments.random,
        seed: arguments.seed,
        at_once: arguments.at_once,
        target: target(arguments.place),
        on: arguments.on,
        goal: goal(arguments.max, Better::Higher).or_else(|| goal(arguments.min, Better::Lower)),
    };
    if arguments.dry_run {
        let planned = pipeline::plan_sweep(&context.app, input)?;
        context.out.answer(&planned, say_plan)?;
        return Ok(ExitCode::SUCCESS);
    }
    // Whoever types the command in the project's folder trusts it.
    lapwing_app::projects::trust(&context.app, lapwing_app::wire::InProject { project })?;
    let started = pipeline::start_sweep(&context.app, input)?;
    let run_id = started.run_id.clone();
    started.planned.warning.iter().for_each(print::warn);
    let begun = Begun {
        noun: "Sweep",
        run_id: &run_id,
        summary: summary(&started.planned),
    };
    if arguments.detach {
        return begun.left(context, &started);
    }
    begun.tell();
    follow(context, &run_id)
}

/// Tells how a sweep, or a run that is none, goes until it ends; Ctrl-C ends it.
pub fn follow(context: &Context, run_id: &RunId) -> Done {
    let of_run = RunRef {
        run_id: run_id.clone(),
    };
    if pipeline::get_sweep(&context.app, of_run)?.is_none() {
        return super::pipeline::follow(context, run_id);
    }
    pipeline::stop_on_interrupt(&context.app, run_id, || print::talk("Stopping the sweep…"))?;
    let Some(view) = pipeline::follow_sweep(&context.app, run_id, &say)? else {
        return Ok(ExitCode::SUCCESS);
    };
    match failure(&view) {
        None => context.out.answer(&view, show).map(|()| ExitCode::SUCCESS),
        Some(report) => context.out.failed(&view, report, show),
    }
}

fn summary(planned: &PlannedSweep) -> String {
    format!(
        "{}, {} at a time; in each: {}",
        print::counted(planned.trials.len() as u64, "trial"),
        planned.at_once,
        planned.stages.join(" → ")
    )
}

fn say_plan(planned: &PlannedSweep) {
    for (number, trial) in (1..).zip(&planned.trials) {
        print::line(&format!("{number:>4}  {}", trial.join("  ")));
    }
    print::talk(&format!("{}.", summary(planned)));
    planned.warning.iter().for_each(print::warn);
}

fn say(heard: Heard<'_>, view: &SweepView) {
    match heard {
        Heard::Trial(trial) => say_trial(trial, view),
        Heard::Doing(trial, what) => {
            let of = format!("trial {}/{}", trial.number, view.trials.len());
            print::talk(&print::dim(&format!("  {of}  {what}")));
        }
    }
}

fn say_trial(trial: &TrialRow, view: &SweepView) {
    let (mark, color) = match trial.status {
        Some(RunStatus::Finished) => ("✓", AnsiColor::Green),
        Some(RunStatus::Failed | RunStatus::Killed) => ("✗", AnsiColor::Red),
        Some(RunStatus::Running | RunStatus::Scheduled) => ("▸", AnsiColor::Cyan),
        None => return,
    };
    let mut words = vec![format!("trial {}/{}", trial.number, view.trials.len())];
    words.push(trial.set.join(" "));
    words.extend(view.asked.goal.as_ref().and_then(|goal| {
        let value = trial.metrics.get(&goal.metric).copied()?;
        Some(format!("{} {}", goal.metric, print::number(Some(value))))
    }));
    words.extend(took(trial));
    words.extend(trial.failure.clone());
    print::talk(&format!(
        "{} {}",
        print::paint(mark, color),
        words.join("  ")
    ));
}

fn took(trial: &TrialRow) -> Option<String> {
    let (start, end) = (trial.start?, trial.end?);
    Some(print::duration(end.millis_since(start)))
}

/// The trials side by side, the best first where there is a goal; then what to do with the best one.
pub fn show(view: &SweepView) {
    let metrics = metrics(view);
    let keys: Vec<&str> = view.trials.first().map_or(Vec::new(), |trial| {
        trial.set.iter().map(|text| parts(text).0).collect()
    });
    let mut headers = vec!["trial"];
    headers.extend(&keys);
    headers.extend(metrics.iter().map(String::as_str));
    headers.extend(["state", "took", "run"]);
    let rows: Vec<Vec<String>> = sorted(view)
        .into_iter()
        .map(|trial| {
            let mut row = vec![trial.number.to_string()];
            row.extend(trial.set.iter().map(|text| parts(text).1.to_owned()));
            let value = |key: &String| print::number(trial.metrics.get(key).copied());
            row.extend(metrics.iter().map(value));
            row.push(trial.status.map_or("waits", runs::status_word).to_owned());
            row.push(took(trial).unwrap_or_else(|| "–".to_owned()));
            let run = trial.run_id.as_ref();
            row.push(run.map_or("–".to_owned(), |run| print::short(run.as_str())));
            row
        })
        .collect();
    print::table(&headers, &rows);
    if let Some(best) = best(view) {
        let stages = view.asked.stages.iter().map(|stage| format!(" {stage}"));
        let set = best.set.iter().map(|text| format!(" -S {}", quoted(text)));
        print::talk(&format!(
            "The best is trial {}. Keep it: lapwing run{}",
            best.number,
            stages.chain(set).collect::<String>()
        ));
    } else if let Some(goal) = view
        .asked
        .goal
        .as_ref()
        .filter(|_| view.status == RunStatus::Finished)
    {
        print::talk(&format!("No trial has a metric `{}`.", goal.metric));
    }
}

/// For who did not follow it: what it and its trials failed of, what is done for those that go on, and what to do.
pub fn say_left(view: &SweepView) {
    if let Some(why) = &view.failure {
        print::talk(&format!("The sweep failed: {why}"));
    }
    for trial in &view.trials {
        if let Some(words) = trial.failure.as_ref().or(trial.doing.as_ref()) {
            print::talk(&format!("trial {}: {words}", trial.number));
        }
    }
    if let Some(advice) = &view.advice {
        print::talk(advice);
    }
}

/// As a shell takes it for one word.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

fn parts(text: &str) -> (&str, &str) {
    text.split_once('=').unwrap_or((text, ""))
}

fn best(view: &SweepView) -> Option<&TrialRow> {
    let number = view.best?;
    view.trials.iter().find(|trial| trial.number == number)
}

/// The goal's metric, and some others that trials have.
fn metrics(view: &SweepView) -> Vec<String> {
    let goal = view.asked.goal.iter().map(|goal| goal.metric.clone());
    let mut shown: Vec<String> = goal.collect();
    for key in view.trials.iter().flat_map(|trial| trial.metrics.keys()) {
        if !shown.contains(key) && shown.len() < SHOWN_METRICS {
            shown.push(key.clone());
        }
    }
    shown
}

fn sorted(view: &SweepView) -> Vec<&TrialRow> {
    let mut trials: Vec<&TrialRow> = view.trials.iter().collect();
    let Some(goal) = &view.asked.goal else {
        return trials;
    };
    // What has no number comes last.
    let worth = |trial: &TrialRow| {
        let value = trial.metrics.get(&goal.metric).copied();
        let value = value.filter(|value| value.is_finite());
        match goal.better {
            Better::Higher => value.map(|value| -value),
            Better::Lower => value,
        }
        .unwrap_or(f64::INFINITY)
    };
    trials.sort_by(|a, b| worth(a).total_cmp(&worth(b)));
    trials
}

/// Why a sweep is not what was asked for, and what to do about it.
fn failure(view: &SweepView) -> Option<Report> {
    let not = |trial: &&TrialRow| trial.status != Some(RunStatus::Finished);
    let left = view.trials.iter().filter(not).count();
    let (name, message) = match view.status {
        RunStatus::Killed => ("sweep.stopped", "the sweep was stopped".to_owned()),
        RunStatus::Failed => {
            let why = view.failure.clone();
            let why = why.unwrap_or_else(|| "the sweep failed".to_owned());
            ("sweep.failed", why)
        }
        RunStatus::Finished | RunStatus::Running | RunStatus::Scheduled if left == 0 => {
            return None;
        }
        RunStatus::Finished | RunStatus::Running | RunStatus::Scheduled => (
            "sweep.trials_failed",
            format!("{left} of {} trials did not finish", view.trials.len()),
        ),
    };
    let report = Report::new(Code::Failed, name, message);
    let advice = view.advice.clone().into_iter();
    let hint: Vec<String> = advice.chain(log_of(view)).collect();
    Some(if hint.is_empty() {
        report
    } else {
        report.hint(hint.join(" "))
    })
}

/// How to read what a failed trial printed.
fn log_of(view: &SweepView) -> Option<String> {
    let failed = |trial: &&TrialRow| trial.status == Some(RunStatus::Failed);
    let trial = view.trials.iter().find(failed)?;
    let run = print::short(trial.run_id.as_ref()?.as_str());
    Some(format!(
        "`lapwing runs show {run}` names the jobs of trial {}, `lapwing jobs logs JOB` what one printed.",
        trial.number
    ))
}
