//! What a sweep looks like now.

use std::collections::BTreeMap;

use lapwing_core::{Report, RunId};
use lapwing_store::{pipeline_runs, sweeps};

use super::{Asked, POLL, reconcile};
use crate::App;
use crate::error::Reported as _;
use crate::pipeline::start::decode;
use crate::pipeline::{doing, record, wire_status};
use crate::wire::{Better, Goal, RunRef, RunStatus, SweepView, TrialRow};

/// A sweep with its trials; nothing for a run that is none.
///
/// # Errors
/// When the store cannot be read.
pub fn get(app: &App, input: RunRef) -> Result<Option<SweepView>, Report> {
    go_on(app, &input.run_id)?;
    of(app, &input.run_id, &mut Ended::new())
}

fn go_on(app: &App, run_id: &RunId) -> Result<(), Report> {
    let found = sweeps::get(app.store(), run_id).reported()?;
    match found.filter(|sweep| sweep.ended.is_none()) {
        Some(sweep) => reconcile(app, Some(&sweep.project)),
        None => Ok(()),
    }
}

/// Trials that ended, by their numbers: who looks again and again need not read them again.
pub(super) type Ended = BTreeMap<u32, TrialRow>;

pub(super) fn of(
    app: &App,
    run_id: &RunId,
    ended: &mut Ended,
) -> Result<Option<SweepView>, Report> {
    let Some(sweep) = sweeps::get(app.store(), run_id).reported()? else {
        return Ok(None);
    };
    let asked: Asked = decode(&sweep.request)?;
    let begun: BTreeMap<u32, RunId> = sweeps::trials(app.store(), run_id)
        .reported()?
        .into_iter()
        .map(|trial| (trial.number, trial.run_id))
        .collect();
    let trials = (1..)
        .zip(asked.points)
        .map(|(number, set)| {
            if let Some(known) = ended.get(&number) {
                return Ok(known.clone());
            }
            let row = row(app, number, set, begun.get(&number))?;
            if row.end.is_some() {
                ended.insert(number, row.clone());
            }
            Ok(row)
        })
        .collect::<Result<Vec<_>, Report>>()?;
    let run = app.tracking().run(run_id).reported()?;
    let best = asked
        .input
        .goal
        .as_ref()
        .and_then(|goal| best(goal, &trials));
    let status = wire_status(run.status);
    Ok(Some(SweepView {
        run_id: run_id.clone(),
        asked: asked.input,
        status,
        best,
        advice: advice(status, &trials),
        at_once: asked.at_once,
        trials,
        failure: sweep.failure,
    }))
}

fn row(
    app: &App,
    number: u32,
    set: Vec<String>,
    run_id: Option<&RunId>,
) -> Result<TrialRow, Report> {
    let Some(run_id) = run_id else {
        return Ok(TrialRow {
            number,
            set,
            run_id: None,
            status: None,
            start: None,
            end: None,
            metrics: BTreeMap::new(),
            doing: None,
            failure: None,
            fails_again: false,
        });
    };
    let run = app.tracking().run(run_id).reported()?;
    let carried = pipeline_runs::get(app.store(), run_id).reported()?;
    // A script may have ended its part of the run already.
    let goes_on = carried.as_ref().is_some_and(|run| run.ended.is_none());
    let values = run.metrics.iter();
    Ok(TrialRow {
        number,
        set,
        run_id: Some(run_id.clone()),
        status: Some(if goes_on {
            RunStatus::Running
        } else {
            wire_status(run.status)
        }),
        start: Some(run.start),
        end: run.end.filter(|_| !goes_on),
        metrics: values
            .map(|(key, point)| (key.clone(), point.value))
            .collect(),
        doing: if goes_on { doing(app, run_id)? } else { None },
        fails_again: record::fails_again(&run),
        failure: carried.and_then(|run| run.failure),
    })
}

/// The finished trial whose metric is nearest to the goal; the first of equal ones. What is no number is no result.
fn best(goal: &Goal, trials: &[TrialRow]) -> Option<u32> {
    let finished = trials
        .iter()
        .filter(|trial| trial.status == Some(RunStatus::Finished));
    let value = |trial: &TrialRow| {
        let value = trial.metrics.get(&goal.metric).copied();
        value.filter(|value| value.is_finite())
    };
    let mut best: Option<(u32, f64)> = None;
    for trial in finished {
        let Some(value) = value(trial) else { continue };
        let is_better = best.is_none_or(|(_, known)| match goal.better {
            Better::Higher => value > known,
            Better::Lower => value < known,
        });
        if is_better {
            best = Some((trial.number, value));
        }
    }
    best.map(|(number, _)| number)
}

/// What to do about the trials that did not finish.
fn advice(status: RunStatus, trials: &[TrialRow]) -> Option<String> {
    let not = |trial: &&TrialRow| trial.status != Some(RunStatus::Finished);
    let left: Vec<&TrialRow> = trials.iter().filter(not).collect();
    let same = left.iter().filter(|trial| trial.fails_again).count();
    let is_over = matches!(
        status,
        RunStatus::Finished | RunStatus::Failed | RunStatus::Killed
    );
    if !is_over || left.is_empty() {
        return None;
    }
    let rest = left.len() - same;
    Some(match (same, rest) {
        (0, _) if status == RunStatus::Failed => {
            "Once that is mended, the same sweep again runs what is missing: what was made comes from the cache.".to_owned()
        }
        (0, _) => "The same sweep again runs only what is missing: what was made comes from the cache.".to_owned(),
        (_, _) if status == RunStatus::Failed => {
            "The log of a failed trial says why. As long as that is not mended, the same sweep fails again.".to_owned()
        }
        (_, 0) => format!(
            "{} in the command of a stage, and would again: its log says why. Mend that, or leave the values out.",
            failed(same)
        ),
        (_, _) => format!(
            "{} in the command of a stage, and would again: its log says why. The same sweep again runs {rest} more that are missing; what was made comes from the cache.",
            failed(same)
        ),
    })
}

fn failed(count: usize) -> String {
    if count == 1 {
        "One trial failed".to_owned()
    } else {
        format!("{count} trials failed")
    }
}

/// What followers of a sweep hear.
pub enum Heard<'a> {
    /// A trial begins or ends.
    Trial(&'a TrialRow),
    /// What is being done for one that goes on, or what it waits for.
    Doing(&'a TrialRow, &'a str),
}

/// Tells of each trial that begins or ends, and what is done for it meanwhile, until the sweep has ended.
///
/// # Errors
/// When there is no such sweep.
pub fn follow(
    app: &App,
    run_id: &RunId,
    tell: &dyn Fn(Heard<'_>, &SweepView),
) -> Result<Option<SweepView>, Report> {
    let mut told: BTreeMap<u32, (Option<RunStatus>, Option<String>)> = BTreeMap::new();
    let mut known = Ended::new();
    loop {
        // Before its trials are read: what ends meanwhile is told of.
        let ended = sweeps::get(app.store(), run_id)
            .reported()?
            .is_none_or(|sweep| sweep.ended.is_some());
        go_on(app, run_id)?;
        let view = of(app, run_id, &mut known)?;
        for (trial, view) in view
            .iter()
            .flat_map(|view| view.trials.iter().map(move |trial| (trial, view)))
        {
            let now = (trial.status, trial.doing.clone());
            let (status, doing) = told.insert(trial.number, now).unwrap_or_default();
            if trial.status != status {
                tell(Heard::Trial(trial), view);
            }
            if let Some(what) = trial.doing.as_deref()
                && trial.doing != doing
            {
                tell(Heard::Doing(trial, what), view);
            }
        }
        if ended {
            return Ok(view);
        }
        std::thread::sleep(POLL);
    }
}
