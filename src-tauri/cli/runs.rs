//! `lapwing runs …`.

use std::process::ExitCode;

use lapwing_app::wire::{
    CompareRuns, ComparedValue, DataRole, ListRuns, Nothing, RunDetail, RunRef, RunRow, RunStatus,
    RunsPage, SweepView,
};
use lapwing_app::{pipeline, runs};
use lapwing_core::{RunId, Timestamp};

use super::args::Runs;
use super::print::Output;
use super::{Context, Done, print};

/// What a list without the trials of sweeps asks for.
const NO_PARENT: &str = "tags.`mlflow.parentRunId` IS NULL";

pub fn run(context: &Context, verb: Runs) -> Done {
    let app = &context.app;
    match verb {
        Runs::List { all, trials, max } => {
            let project = if all { None } else { context.project_if_any() };
            // Machines had them before there was a choice.
            let is_folded = !trials && context.out == Output::Words;
            let input = ListRuns {
                project,
                max: Some(max),
                filter: is_folded.then(|| NO_PARENT.to_owned()),
                ..ListRuns::default()
            };
            let page = runs::list(app, input)?;
            context.out.answer(&page, say_page)?;
            if is_folded && page.rows.iter().any(|row| row.children > 0) {
                print::talk(&print::dim(
                    "Trials are folded: --trials shows them, `lapwing runs show ID` those of one sweep",
                ));
            }
            Ok(ExitCode::SUCCESS)
        }
        Runs::Search {
            filter,
            order_by,
            max,
        } => list(
            context,
            ListRuns {
                filter: Some(filter),
                order_by,
                max: Some(max),
                ..ListRuns::default()
            },
        ),
        Runs::Show { run_id } => {
            let run_id = runs::find(app, &run_id)?;
            let sweep = pipeline::get_sweep(
                app,
                RunRef {
                    run_id: run_id.clone(),
                },
            )?;
            let detail = runs::get(app, RunRef { run_id })?;
            let shown = Shown { detail, sweep };
            context.out.answer(&shown, |shown| {
                show(&shown.detail);
                if let Some(sweep) = &shown.sweep {
                    print::line("");
                    super::sweep::show(sweep);
                    super::sweep::say_left(sweep);
                }
            })?;
            Ok(ExitCode::SUCCESS)
        }
        Runs::Compare { run_ids } => compare(context, &run_ids),
        Runs::Follow { run_id } => {
            let run_id = runs::find(app, &run_id)?;
            super::sweep::follow(context, &run_id)
        }
        Runs::Resume { run_id, detach } => {
            let run_id = runs::find(app, &run_id)?;
            pipeline::resume(
                app,
                RunRef {
                    run_id: run_id.clone(),
                },
            )?;
            if detach {
                context
                    .out
                    .answer(&Nothing {}, |_| print::talk("It goes on."))?;
                return Ok(ExitCode::SUCCESS);
            }
            super::pipeline::follow(context, &run_id)
        }
        Runs::Stop { run_id } => {
            let run_id = runs::find(app, &run_id)?;
            pipeline::stop(app, RunRef { run_id })?;
            context
                .out
                .answer(&Nothing {}, |_| print::talk("Stopped."))?;
            Ok(ExitCode::SUCCESS)
        }
    }
}

/// A run, and its trials where it is a sweep.
#[derive(serde::Serialize)]
struct Shown {
    #[serde(flatten)]
    detail: RunDetail,
    #[serde(skip_serializing_if = "Option::is_none")]
    sweep: Option<SweepView>,
}

fn list(context: &Context, input: ListRuns) -> Done {
    let page = runs::list(&context.app, input)?;
    context.out.answer(&page, say_page)?;
    Ok(ExitCode::SUCCESS)
}

fn say_page(page: &RunsPage) {
    const SHOWN_METRICS: usize = 4;
    if page.rows.is_empty() {
        return print::talk("No runs yet. Start one with `lapwing run`.");
    }
    // What trials are compared by comes first.
    let is_other = |key: &&String| !page.goals.contains(key);
    let goals = page
        .goals
        .iter()
        .filter(|key| page.metric_keys.contains(key));
    let all: Vec<&String> = goals
        .chain(page.metric_keys.iter().filter(is_other))
        .collect();
    let keys: Vec<&String> = all.into_iter().take(SHOWN_METRICS).collect();
    let has_children = page.rows.iter().any(|row| row.children > 0);
    let mut headers = vec!["id", "name", "state", "started", "took"];
    headers.extend(has_children.then_some("trials"));
    headers.extend(keys.iter().map(|key| key.as_str()));
    let rows: Vec<Vec<String>> = page
        .rows
        .iter()
        .map(|row| {
            let mut cells = head(row);
            cells.extend(has_children.then(|| match row.children {
                0 => "–".to_owned(),
                count => count.to_string(),
            }));
            cells.extend(
                keys.iter()
                    .map(|key| print::number(row.metrics.get(*key).copied())),
            );
            cells
        })
        .collect();
    print::table(&headers, &rows);
    let more = page.metric_keys.len().saturating_sub(SHOWN_METRICS);
    if more > 0 {
        print::talk(&print::dim(&format!(
            "{more} more metrics: see `lapwing runs show ID`, or --json"
        )));
    }
    for row in &page.rows {
        if let Some(why) = &row.waits {
            print::talk(&waits(&row.run_id, row.start, why));
        }
    }
}

fn head(row: &RunRow) -> Vec<String> {
    let took = row.end.map_or("–".to_owned(), |end| {
        print::duration(end.millis_since(row.start))
    });
    vec![
        print::short(row.run_id.as_str()),
        row.name.clone(),
        row_word(row).to_owned(),
        print::time(row.start),
        took,
    ]
}

/// The one word for a run's state, everywhere.
pub fn status_word(status: RunStatus) -> &'static str {
    match status {
        RunStatus::Running => "running",
        RunStatus::Scheduled => "scheduled",
        RunStatus::Finished => "finished",
        RunStatus::Failed => "failed",
        RunStatus::Killed => "stopped",
    }
}

fn row_word(row: &RunRow) -> &'static str {
    match row.waits {
        Some(_) => "waiting",
        None => status_word(row.status),
    }
}

/// Why a run waits, and what to do about it.
pub fn waits(run_id: &RunId, started: Timestamp, why: &str) -> String {
    let (id, started) = (print::short(run_id.as_str()), print::time(started));
    format!(
        "The run of {started} waits: {why}. `lapwing runs resume {id}` goes on with what is here now, `lapwing runs stop {id}` ends it."
    )
}

/// One run in words.
pub fn show(detail: &RunDetail) {
    let row = &detail.row;
    print::line(&format!(
        "{} {}",
        print::bold(&row.name),
        print::dim(row.run_id.as_str())
    ));
    print::line(&format!(
        "{}, started {} by {}",
        row_word(row),
        print::time(row.start),
        row.user
    ));
    if let Some(why) = &row.waits {
        print::line(&waits(&row.run_id, row.start, why));
    }
    let mut tags = detail.tags.iter();
    let failure = tags.find(|(key, _)| key.as_str() == "lapwing.failure");
    if let Some((_, why)) = failure {
        print::line(&format!("why: {why}"));
    }
    if let Some(commit) = &row.commit {
        let dirty = detail
            .tags
            .iter()
            .any(|(key, value)| key == "lapwing.dirty" && value == "true");
        let also = if dirty {
            ", with uncommitted changes"
        } else {
            ""
        };
        print::line(&format!("commit {commit}{also}"));
    }
    section(
        "metrics",
        row.metrics
            .iter()
            .map(|(key, value)| vec![key.clone(), print::number(Some(*value))])
            .collect(),
    );
    section(
        "parameters",
        row.params
            .iter()
            .map(|(key, value)| vec![key.clone(), value.clone()])
            .collect(),
    );
    let data = detail.data.iter().map(|data| {
        let role = match data.role {
            DataRole::Input => "read",
            DataRole::Output => "wrote",
        };
        vec![role.to_owned(), data.path.clone(), print::short(&data.hash)]
    });
    section("data", data.collect());
    section(
        "jobs",
        detail
            .jobs
            .iter()
            .map(|job| {
                vec![
                    print::short(job.id.as_str()),
                    job.title.clone(),
                    super::jobs::status_word(job.status).to_owned(),
                ]
            })
            .collect(),
    );
    section(
        "models",
        detail
            .logged_models
            .iter()
            .map(|model| vec![model.uri.clone(), model.flavors.join(", ")])
            .collect(),
    );
}

fn section(title: &str, rows: Vec<Vec<String>>) {
    if rows.is_empty() {
        return;
    }
    print::line("");
    let columns = rows.first().map_or(0, Vec::len);
    let mut headers = vec![title];
    headers.resize(columns, "");
    print::table(&headers, &rows);
}

fn compare(context: &Context, ids: &[String]) -> Done {
    let run_ids = ids
        .iter()
        .map(|id| runs::find(&context.app, id))
        .collect::<Result<Vec<_>, _>>()?;
    let comparison = runs::compare(&context.app, CompareRuns { run_ids })?;
    context.out.answer(&comparison, |comparison| {
        let names: Vec<String> = comparison
            .runs
            .iter()
            .map(|run| format!("{} {}", run.name, print::short(run.run_id.as_str())))
            .collect();
        for (title, values) in [
            ("metrics", &comparison.metrics),
            ("parameters", &comparison.params),
            ("data", &comparison.data),
        ] {
            let mut headers = vec![title];
            headers.extend(names.iter().map(String::as_str));
            headers.push("");
            let rows: Vec<Vec<String>> = values.iter().map(compared).collect();
            if !rows.is_empty() {
                print::table(&headers, &rows);
                print::line("");
            }
        }
    })?;
    Ok(ExitCode::SUCCESS)
}

fn compared(value: &ComparedValue) -> Vec<String> {
    let mut cells = vec![value.key.clone()];
    cells.extend(
        value
            .values
            .iter()
            .map(|value| value.clone().unwrap_or_else(|| "–".to_owned())),
    );
    cells.push(if value.differs {
        "≠".to_owned()
    } else {
        String::new()
    });
    cells
}
