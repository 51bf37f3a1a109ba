//! `lapwing automations …`.

use std::process::ExitCode;

use lapwing_app::automations;
use lapwing_app::wire::{DecisionKind, DecisionRow, InProject};
use lapwing_core::{Code, Report};

use super::args::Automations;
use super::{Context, Done, print};

pub fn run(context: &Context, verb: Automations) -> Done {
    let app = &context.app;
    let project = context.project()?;
    match verb {
        Automations::List => {
            let all = automations::list(app, InProject { project })?;
            context.out.answer(&all, |all| {
                if all.is_empty() {
                    return print::talk(
                        "No automations yet. Write an [[automation]] into lapwing.toml.",
                    );
                }
                let rows: Vec<Vec<String>> = all
                    .iter()
                    .map(|row| {
                        let last = row
                            .last
                            .as_ref()
                            .map_or("–".to_owned(), |last| last.message.clone());
                        vec![
                            row.name.clone(),
                            if row.enabled { "on" } else { "off" }.to_owned(),
                            row.trigger.clone(),
                            row.gate.clone(),
                            last,
                        ]
                    })
                    .collect();
                print::table(&["name", "", "when", "gate", "last"], &rows);
            })?;
        }
        Automations::Show { name } => {
            let policies = automations::list(
                app,
                InProject {
                    project: project.clone(),
                },
            )?;
            let Some(policy) = policies.into_iter().find(|row| row.name == name) else {
                return Err(automations::unknown(&name));
            };
            let log: Vec<DecisionRow> = automations::log(app, InProject { project })?
                .into_iter()
                .filter(|row| row.policy == name)
                .collect();
            context
                .out
                .answer(&serde_json::json!({ "policy": policy, "log": log }), |_| {
                    print::line(&print::bold(&policy.name));
                    print::line(&policy.trigger);
                    print::line(&policy.gate);
                    print::line("");
                    say_log(&log);
                })?;
        }
        Automations::Run { name } => {
            let rows =
                automations::run_now(app, &project, &name, &|step| print::talk(&print::dim(step)))?;
            let failed = rows.iter().any(|row| row.kind == DecisionKind::Failed);
            context.out.answer(&rows, |rows| say_log(rows))?;
            if failed {
                return Err(Report::new(
                    Code::Failed,
                    "automation.failed",
                    format!("the automation `{name}` failed"),
                )
                .hint("see `lapwing automations log`"));
            }
        }
        Automations::Log => {
            let log = automations::log(app, InProject { project })?;
            context.out.answer(&log, |log| {
                if log.is_empty() {
                    return print::talk("No decisions yet.");
                }
                say_log(log);
            })?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn say_log(rows: &[DecisionRow]) {
    let rows: Vec<Vec<String>> = rows
        .iter()
        .map(|row| {
            vec![
                print::time(row.at),
                row.policy.clone(),
                kind_word(row.kind).to_owned(),
                row.message.clone(),
            ]
        })
        .collect();
    print::table(&["when", "policy", "decision", "why"], &rows);
}

fn kind_word(kind: DecisionKind) -> &'static str {
    match kind {
        DecisionKind::Triggered => "triggered",
        DecisionKind::Retrained => "retrained",
        DecisionKind::Promoted => "promoted",
        DecisionKind::Kept => "kept",
        DecisionKind::Released => "released",
        DecisionKind::RolledBack => "rolled back",
        DecisionKind::Failed => "failed",
    }
}
