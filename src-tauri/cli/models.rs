//! `lapwing models …`.

use std::process::ExitCode;

use lapwing_app::models;
use lapwing_app::wire::{
    ModelDetail, ModelName, Nothing, PullModel, PushModel, RegisterModel, SearchRemoteModels,
    SetAlias,
};
use lapwing_core::{Code, Report};

use super::args::Models;
use super::transfer::shown;
use super::{Context, Done, print};

pub fn run(context: &Context, verb: Models) -> Done {
    let app = &context.app;
    match verb {
        Models::List => list(context),
        Models::Show { name } => {
            let detail = models::get(app, ModelName { name })?;
            context.out.answer(&detail, show)?;
            Ok(ExitCode::SUCCESS)
        }
        Models::Alias {
            name,
            alias,
            version,
            delete,
        } => {
            if version.is_some() == delete {
                return Err(Report::new(
                    Code::Invalid,
                    "cli.alias",
                    "name a version, or say --delete",
                )
                .hint("lapwing models alias NAME champion 3"));
            }
            models::set_alias(
                app,
                SetAlias {
                    name: name.clone(),
                    alias: alias.clone(),
                    version,
                },
            )?;
            context.out.answer(&Nothing {}, |_| match version {
                Some(version) => print::talk(&format!("{name}@{alias} is version {version} now.")),
                None => print::talk(&format!("{name} has no alias `{alias}` any more.")),
            })?;
            Ok(ExitCode::SUCCESS)
        }
        Models::Push {
            model,
            remote,
            name,
            alias,
        } => push(
            context,
            PushModel {
                project: context.project_if_any(),
                model,
                remote,
                name,
                alias,
            },
        ),
        Models::Pull {
            address,
            name,
            alias,
        } => pull(
            context,
            PullModel {
                project: context.project_if_any(),
                address,
                name,
                alias,
            },
        ),
        Models::Search { remote, text } => search(context, remote, text),
        Models::Register {
            source,
            name,
            alias,
        } => {
            let source = models::source_uri(app, &source, &context.folder)?;
            let row = models::register(
                app,
                RegisterModel {
                    name: name.clone(),
                    source,
                    alias,
                },
            )?;
            context.out.answer(&row, |row| {
                let aliases: String = row
                    .aliases
                    .iter()
                    .map(|alias| format!(" @{alias}"))
                    .collect();
                print::line(&format!("{name} version {}{aliases}", row.version));
            })?;
            Ok(ExitCode::SUCCESS)
        }
    }
}

fn push(context: &Context, input: PushModel) -> Done {
    let pushed = shown(context, |app| models::push(app, input))?;
    context.out.answer(&pushed, |pushed| {
        print::line(&pushed.address);
        if pushed.new {
            let bytes = print::bytes(pushed.bytes.0);
            let files = print::counted(u64::from(pushed.files), "file");
            print::talk(&format!("Pushed {files}, {bytes}."));
        } else {
            print::talk("The same files were there already: nothing was sent.");
        }
    })?;
    Ok(ExitCode::SUCCESS)
}

fn pull(context: &Context, input: PullModel) -> Done {
    let pulled = shown(context, |app| models::pull(app, input))?;
    context.out.answer(&pulled, |pulled| {
        print::line(&format!("{} version {}", pulled.name, pulled.version));
        let done = if pulled.new {
            "Pulled from"
        } else {
            "It was here already, from"
        };
        print::talk(&format!("{done} {}.", pulled.origin));
    })?;
    Ok(ExitCode::SUCCESS)
}

fn search(context: &Context, remote: String, text: String) -> Done {
    let input = SearchRemoteModels {
        project: context.project_if_any(),
        remote,
        text,
    };
    let found = models::search(&context.app, input)?;
    context.out.answer(&found.rows, |all| {
        if all.is_empty() {
            return print::talk("Nothing of that name there.");
        }
        let rows: Vec<Vec<String>> = all
            .iter()
            .map(|row| {
                let aliases: Vec<String> = row
                    .aliases
                    .iter()
                    .map(|(alias, version)| format!("@{alias} v{version}"))
                    .collect();
                let latest = row.latest.clone().unwrap_or_else(|| "–".to_owned());
                vec![
                    row.address.clone(),
                    latest,
                    aliases.join(", "),
                    row.description.clone(),
                ]
            })
            .collect();
        print::table(&["model", "latest", "aliases", "description"], &rows);
    })?;
    if found.more {
        print::talk("There are more: write a part of the name.");
    }
    Ok(ExitCode::SUCCESS)
}

fn list(context: &Context) -> Done {
    let all = models::list(&context.app, Nothing {})?;
    context.out.answer(&all, |all| {
        if all.is_empty() {
            return print::talk(
                "No models yet. Register one: `lapwing models register RUN_ID --name NAME`.",
            );
        }
        let rows: Vec<Vec<String>> = all
            .iter()
            .map(|row| {
                let aliases: Vec<String> = row
                    .aliases
                    .iter()
                    .map(|(alias, version)| format!("@{alias} v{version}"))
                    .collect();
                let latest = row
                    .latest
                    .map_or("–".to_owned(), |version| version.to_string());
                vec![
                    row.name.clone(),
                    latest,
                    aliases.join(", "),
                    print::time(row.updated),
                ]
            })
            .collect();
        print::table(&["name", "latest", "aliases", "changed"], &rows);
    })?;
    Ok(ExitCode::SUCCESS)
}

fn show(detail: &ModelDetail) {
    print::line(&print::bold(&detail.row.name));
    if !detail.row.description.is_empty() {
        print::line(&detail.row.description);
    }
    let rows: Vec<Vec<String>> = detail
        .versions
        .iter()
        .map(|version| {
            vec![
                version.version.to_string(),
                version
                    .aliases
                    .iter()
                    .map(|alias| format!("@{alias}"))
                    .collect::<Vec<_>>()
                    .join(" "),
                version
                    .run_id
                    .as_ref()
                    .map_or("–".to_owned(), |id| print::short(id.as_str())),
                version.commit.clone().unwrap_or_else(|| "–".to_owned()),
                print::time(version.created),
                version.deployments.join(", "),
            ]
        })
        .collect();
    print::table(
        &[
            "version",
            "aliases",
            "run",
            "commit",
            "created",
            "served by",
        ],
        &rows,
    );
}
