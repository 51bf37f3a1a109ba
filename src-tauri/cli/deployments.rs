//! `lapwing deploy`, `lapwing deployments …`, `lapwing predict`.

use std::path::Path;
use std::process::ExitCode;

use lapwing_app::wire::{
    Deploy, DeploymentDetail, DeploymentRef, DeploymentRow, DeploymentState, ExportDeployment,
    Nothing, Package, PushDeployment, ReadDeploymentLog, Rollback, Target,
};
use lapwing_app::{deployments, models};
use lapwing_core::{Code, DeploymentName, Report, split_remote};

use super::args::{self, Deployments, Place};
use super::transfer::shown;
use super::{Context, Done, print};

pub fn target(place: Place) -> Target {
    match place {
        Place::Process => Target::Process,
        Place::Docker => Target::Docker,
    }
}

/// A deployment name from the command line.
pub fn name(text: &str) -> Result<DeploymentName, Report> {
    text.parse().map_err(|error: lapwing_core::InvalidName| {
        Report::new(Code::Invalid, "deployment.name", error.to_string())
    })
}

pub fn deploy(context: &Context, arguments: args::Deploy) -> Done {
    let project = context.project_if_any();
    let wanted = arguments.name.as_deref().map(name).transpose()?;
    let (model, name) = deployments::named(project.as_deref(), arguments.model, wanted)?;
    let say = |step: &str| print::talk(&print::dim(step));
    // One at a remote comes first, as `models pull` brings it.
    let model = shown(context, |app| {
        models::brought(app, project.as_deref(), &model, &say)
    })?;
    let input = Deploy {
        model,
        name,
        port: arguments.port,
        target: arguments.place.map(target),
        project,
    };
    let row = deployments::deploy(&context.app, &input, &context.folder, &say)?;
    context.out.answer(&row, |row| {
        let revision = row.revision.unwrap_or_default();
        print::talk(&format!(
            "{} answers with revision {revision} ({}, {})",
            row.name, row.model, row.runtime
        ));
        print::line(row.url.as_deref().unwrap_or_default());
    })?;
    Ok(ExitCode::SUCCESS)
}

pub fn run(context: &Context, verb: Deployments) -> Done {
    let app = &context.app;
    match verb {
        Deployments::List => list(context),
        Deployments::Show { name: text } => {
            let detail = deployments::get(app, DeploymentRef { name: name(&text)? })?;
            context.out.answer(&detail, show)?;
            Ok(ExitCode::SUCCESS)
        }
        Deployments::Start { name: text } => {
            let row = deployments::start(app, DeploymentRef { name: name(&text)? })?;
            told(context, &row)
        }
        Deployments::Stop { name: text } => {
            let row = deployments::stop(app, DeploymentRef { name: name(&text)? })?;
            told(context, &row)
        }
        Deployments::Rollback {
            name: text,
            revision,
        } => {
            let row = deployments::rollback(
                app,
                Rollback {
                    name: name(&text)?,
                    revision,
                },
            )?;
            told(context, &row)
        }
        Deployments::Logs { name: text } => logs(context, &text),
        Deployments::Export(arguments) => export(context, arguments),
        Deployments::Push { name, remote } => push(context, &name, &remote),
        Deployments::Remove { name: text } => {
            deployments::remove(app, DeploymentRef { name: name(&text)? })?;
            context.out.answer(&Nothing {}, |_| {
                print::talk(&format!(
                    "Removed {text}, its revisions and its prediction log."
                ))
            })?;
            Ok(ExitCode::SUCCESS)
        }
    }
}

fn push(context: &Context, deployment: &str, remote: &str) -> Done {
    let (remote, repository) = match split_remote(remote) {
        Some((remote, repository)) => (remote, Some(repository.to_owned())),
        None => (remote, None),
    };
    let input = PushDeployment {
        project: context.project_if_any(),
        name: name(deployment)?,
        remote: remote.to_owned(),
        repository,
    };
    print::talk("Building the image, then pushing it…");
    let pushed = shown(context, |app| deployments::push(app, input))?;
    context
        .out
        .answer(&pushed, |pushed| print::line(&pushed.image))?;
    Ok(ExitCode::SUCCESS)
}

fn export(context: &Context, arguments: args::ExportDeployment) -> Done {
    let input = ExportDeployment {
        name: name(&arguments.name)?,
        package: match arguments.to {
            args::Package::Image => Package::Image,
            args::Package::Compose => Package::Compose,
            args::Package::Kubernetes => Package::Kubernetes,
            args::Package::Kserve => Package::Kserve,
        },
        image: arguments.image,
        base: arguments.base,
        namespace: arguments.namespace,
        replicas: Some(arguments.replicas),
        memory_gib: Some(arguments.memory),
        storage_uri: arguments.storage_uri,
        out: arguments.out.map(|out| context.path_text(&out)),
    };
    let exported = deployments::export(&context.app, input)?;
    print::exported(context.out, &exported)?;
    Ok(ExitCode::SUCCESS)
}

fn state_word(state: DeploymentState) -> &'static str {
    match state {
        DeploymentState::Starting => "starting",
        DeploymentState::Running => "running",
        DeploymentState::Stopped => "stopped",
        DeploymentState::Failed => "failed",
    }
}

fn told(context: &Context, row: &DeploymentRow) -> Done {
    context.out.answer(row, |row| {
        let revision = row
            .revision
            .map_or(String::new(), |number| format!(", revision {number}"));
        print::line(&format!(
            "{} is {}{revision}",
            row.name,
            state_word(row.state)
        ));
        if let Some(why) = &row.why {
            print::line(why);
        }
    })?;
    Ok(ExitCode::SUCCESS)
}

fn list(context: &Context) -> Done {
    let all = deployments::list(&context.app, Nothing {})?;
    context.out.answer(&all, |all| {
        if all.is_empty() {
            return print::talk(
                "No deployments yet. Start one: `lapwing deploy MODEL@ALIAS --name NAME`.",
            );
        }
        let rows: Vec<Vec<String>> = all
            .iter()
            .map(|row| {
                vec![
                    row.name.to_string(),
                    state_word(row.state).to_owned(),
                    row.url.clone().unwrap_or_else(|| "–".to_owned()),
                    row.revision
                        .map_or("–".to_owned(), |number| number.to_string()),
                    row.model.clone(),
                    row.runtime.clone(),
                ]
            })
            .collect();
        print::table(
            &["name", "state", "address", "revision", "model", "runtime"],
            &rows,
        );
    })?;
    Ok(ExitCode::SUCCESS)
}

fn show(detail: &DeploymentDetail) {
    let row = &detail.row;
    print::line(&format!(
        "{} is {}",
        print::bold(row.name.as_str()),
        state_word(row.state)
    ));
    if let Some(url) = &row.url {
        print::line(url);
    }
    if let Some(why) = &row.why {
        print::line(why);
    }
    print::line("");
    let rows: Vec<Vec<String>> = detail
        .revisions
        .iter()
        .map(|revision| {
            vec![
                revision.number.to_string(),
                revision.model.clone(),
                format!("{:.0}%", revision.traffic * 100.0),
                revision.runtime.clone(),
                revision.runtime_note.clone(),
                print::time(revision.created),
                revision.released_by.clone(),
            ]
        })
        .collect();
    print::table(
        &[
            "revision", "model", "traffic", "runtime", "because", "created", "by",
        ],
        &rows,
    );
    for snippet in &detail.snippets {
        print::line("");
        print::line(&print::dim(&snippet.title));
        print::line(&snippet.code);
    }
}

fn logs(context: &Context, text: &str) -> Done {
    const CHUNK_BYTES: u32 = 256 * 1024;
    let name = name(text)?;
    let mut from = 0.0;
    loop {
        let chunk = deployments::log(
            &context.app,
            ReadDeploymentLog {
                name: name.clone(),
                from,
                max: CHUNK_BYTES,
            },
        )?;
        if chunk.text.is_empty() {
            return Ok(ExitCode::SUCCESS);
        }
        print::raw(&chunk.text);
        from = chunk.next.0 as f64;
    }
}

pub fn predict(context: &Context, text: &str, data: &Path, out: Option<&Path>) -> Done {
    let answer = deployments::predict_file(&context.app, &name(text)?, &context.path(data))?;
    if let Some(out) = out {
        deployments::write_predictions(&answer, &context.path(out))?;
        context
            .out
            .answer(&serde_json::json!({ "rows": answer.rows.len() }), |_| {
                print::talk(&format!(
                    "{} predictions written to {}",
                    answer.rows.len(),
                    out.display()
                ));
            })?;
        return Ok(ExitCode::SUCCESS);
    }
    context.out.answer(&answer, |answer| {
        let rows: Vec<Vec<String>> = answer
            .rows
            .iter()
            .map(|row| {
                vec![
                    row.prediction_id.clone(),
                    row.prediction.clone(),
                    print::number(row.score),
                ]
            })
            .collect();
        print::table(&["prediction_id", "prediction", "score"], &rows);
    })?;
    Ok(ExitCode::SUCCESS)
}
