//! `lapwing monitors …`.

use std::process::ExitCode;

use lapwing_app::monitors;
use lapwing_app::wire::{
    AddLabels, AlertRow, ColumnDriftRow, DeploymentRef, ListAlerts, Measured, MonitorView, Nothing,
    ReadMonitor,
};

use super::args::{Mode, Monitors};
use super::deployments::name;
use super::{Context, Done, print};

pub fn run(context: &Context, verb: Monitors) -> Done {
    let app = &context.app;
    match verb {
        Monitors::List => list(context),
        Monitors::Show {
            name: text,
            history: true,
        } => {
            let all = monitors::history(app, DeploymentRef { name: name(&text)? })?;
            context.out.answer(&all, |all| say_history(all))?;
            Ok(ExitCode::SUCCESS)
        }
        Monitors::Show {
            name: text,
            history: false,
        } => {
            let view = monitors::get(
                app,
                ReadMonitor {
                    name: name(&text)?,
                    since: None,
                    until: None,
                },
            )?;
            context.out.answer(&view, show)?;
            Ok(ExitCode::SUCCESS)
        }
        Monitors::Labels { name: text, file } => {
            let added = monitors::labels(
                app,
                AddLabels {
                    name: name(&text)?,
                    file: context.path_text(&file),
                },
            )?;
            context.out.answer(&added, |added| {
                print::line(&format!(
                    "{} labels, {} joined",
                    added.labels.0, added.joined.0
                ));
                if added.unmatched.0 > 0 {
                    print::talk(&format!(
                        "{} ids match no logged prediction; they are kept and joined if it appears",
                        added.unmatched.0
                    ));
                }
            })?;
            Ok(ExitCode::SUCCESS)
        }
        Monitors::Drift {
            reference,
            current,
            mode,
            columns,
        } => {
            let mode = match mode {
                Mode::Corrected => "corrected",
                Mode::Evidently => "evidently",
            };
            let report = monitors::drift(
                &context.path(&reference),
                &context.path(&current),
                mode,
                &columns,
            )?;
            context.out.answer(&report, |report| {
                say_columns(&report.columns);
                print::talk(&print::dim(&format!(
                    "{} of {} columns drifted ({} mode)",
                    report.drifted,
                    report.columns.len(),
                    report.mode
                )));
            })?;
            Ok(ExitCode::SUCCESS)
        }
        Monitors::Alerts { all } => {
            let alerts = monitors::alerts(
                app,
                ListAlerts {
                    deployment: None,
                    all,
                },
            )?;
            context.out.answer(&alerts, |alerts| {
                if alerts.is_empty() {
                    return print::talk("No open alerts.");
                }
                say_alerts(alerts);
            })?;
            Ok(ExitCode::SUCCESS)
        }
    }
}

fn list(context: &Context) -> Done {
    let all = monitors::list(&context.app, Nothing {})?;
    context.out.answer(&all, |all| {
        if all.is_empty() {
            return print::talk(
                "Nothing to watch yet. Every deployment is watched from its first prediction.",
            );
        }
        let rows: Vec<Vec<String>> = all
            .iter()
            .map(|row| {
                vec![
                    row.deployment.to_string(),
                    row.rows.0.to_string(),
                    format!("{} of {}", row.drifted, row.columns),
                    row.performance.clone().unwrap_or_else(|| "–".to_owned()),
                    row.open_alerts.to_string(),
                ]
            })
            .collect();
        print::table(
            &["deployment", "rows", "drifted", "performance", "alerts"],
            &rows,
        );
    })?;
    Ok(ExitCode::SUCCESS)
}

fn show(view: &MonitorView) {
    print::line(&format!(
        "{}: {} predictions, {} with labels; reference: {}",
        print::bold(view.row.deployment.as_str()),
        view.row.rows.0,
        view.row.labelled.0,
        view.reference
    ));
    print::line("");
    if view.columns.is_empty() {
        let least = monitors::MIN_DRIFT_ROWS;
        print::talk(&format!(
            "Not compared yet: that takes a reference, and {least} predictions."
        ));
    } else {
        say_columns(&view.columns);
    }
    if !view.performance.is_empty() {
        print::line("");
        let rows: Vec<Vec<String>> = view
            .performance
            .iter()
            .map(|point| {
                let metrics: Vec<String> = point
                    .metrics
                    .iter()
                    .map(|(key, value)| format!("{key} {value:.3}"))
                    .collect();
                vec![
                    print::time(point.from),
                    point.rows.0.to_string(),
                    point.labelled.0.to_string(),
                    metrics.join("  "),
                ]
            })
            .collect();
        print::table(&["from", "rows", "labels", "performance"], &rows);
    }
    let notes: Vec<String> = view
        .quality
        .iter()
        .filter_map(|row| {
            row.note
                .as_ref()
                .map(|note| format!("{}: {note}", row.column))
        })
        .collect();
    if !notes.is_empty() {
        print::line("");
        notes.iter().for_each(|note| print::line(note));
    }
    if !view.alerts.is_empty() {
        print::line("");
        say_alerts(&view.alerts);
    }
}

fn say_history(all: &[Measured]) {
    if all.is_empty() {
        return print::talk(
            "Nothing measured yet. The window or `lapwing server` looks again and again.",
        );
    }
    let rows: Vec<Vec<String>> = all
        .iter()
        .map(|row| {
            vec![
                print::time(row.at),
                row.metric.clone(),
                print::number(Some(row.value)),
                print::number(row.line),
                row.rows.to_string(),
            ]
        })
        .collect();
    print::table(&["when", "metric", "value", "line", "rows"], &rows);
}

fn say_alerts(alerts: &[AlertRow]) {
    let rows: Vec<Vec<String>> = alerts
        .iter()
        .map(|alert| {
            let state = if alert.resolved.is_some() {
                "resolved"
            } else {
                "open"
            };
            vec![
                print::time(alert.at),
                state.to_owned(),
                alert.deployment.to_string(),
                alert.message.clone(),
            ]
        })
        .collect();
    print::table(&["when", "state", "deployment", "alert"], &rows);
}

fn say_columns(columns: &[ColumnDriftRow]) {
    let rows: Vec<Vec<String>> = columns
        .iter()
        .map(|row| {
            vec![
                row.column.clone(),
                row.kind.clone(),
                row.test.clone(),
                print::number(row.value),
                print::number(row.threshold),
                if row.drifted {
                    "drifted".to_owned()
                } else {
                    String::new()
                },
                row.note.clone().unwrap_or_default(),
            ]
        })
        .collect();
    print::table(&["column", "kind", "test", "value", "limit", "", ""], &rows);
}
