//! `lapwing remotes …`.

use std::io::{IsTerminal as _, Read as _};
use std::path::PathBuf;
use std::process::ExitCode;

use lapwing_app::wire::{
    AddRemote, Hidden, LoginRemote, Nothing, RemoteAdded, RemoteHealth, RemoteOrigin, RemoteRef,
    RemoteRow, RemotesOf, SyncRemote,
};
use lapwing_app::{models, remotes};
use lapwing_core::{Code, RemoteKind, Report};

use super::args::{Credentials, Remotes};
use super::transfer::shown;
use super::{Context, Done, print};

/// No password or token is longer.
const MAX_SECRET_BYTES: u64 = 64 * 1024;

pub fn run(context: &Context, verb: Remotes) -> Done {
    match verb {
        Remotes::List => list(context),
        Remotes::Add {
            name,
            address,
            kind,
            default,
            login,
            options,
        } => {
            let url = if address.contains("://")
                || kind.is_some_and(|kind| kind != RemoteKind::Storage)
            {
                address
            } else {
                context.path_text(&PathBuf::from(address))
            };
            let added = remotes::add(
                &context.app,
                AddRemote {
                    project: context.project_if_any(),
                    name: name.clone(),
                    url,
                    kind,
                    default,
                    secret: secret(&login, Ask::OnlyWhenNamed)?,
                    user: login.user,
                    options: options.into_iter().collect(),
                },
            )?;
            told(context, &name, &added, "Added")
        }
        Remotes::Login { name, login } => {
            let secret = secret(&login, Ask::Always)?.unwrap_or(Hidden(String::new()));
            let input = LoginRemote {
                project: context.project_if_any(),
                name: name.clone(),
                user: login.user,
                secret,
            };
            let added = remotes::login(&context.app, input)?;
            told(context, &name, &added, "Signed in to")
        }
        Remotes::Test { name } => test(context, name),
        Remotes::Sync { name, experiments } => sync(context, name, experiments),
        Remotes::Remove { name } => {
            remotes::remove(&context.app, one(context, &name))?;
            context.out.answer(&Nothing {}, |_| {
                print::talk(&format!("Removed `{name}`. What lies there stays."));
            })?;
            Ok(ExitCode::SUCCESS)
        }
    }
}

fn one(context: &Context, name: &str) -> RemoteRef {
    RemoteRef {
        project: context.project_if_any(),
        name: name.to_owned(),
    }
}

fn list(context: &Context) -> Done {
    let all = remotes::list(
        &context.app,
        RemotesOf {
            project: context.project_if_any(),
        },
    )?;
    context.out.answer(&all, |all| {
        if all.is_empty() {
            return print::talk("No remotes yet. Add one: `lapwing remotes add NAME ADDRESS`.");
        }
        let rows: Vec<Vec<String>> = all.iter().map(cells).collect();
        print::table(
            &["name", "kind", "address", "named by", "credential", ""],
            &rows,
        );
    })?;
    Ok(ExitCode::SUCCESS)
}

fn cells(row: &RemoteRow) -> Vec<String> {
    let origin = match &row.origin {
        RemoteOrigin::Project => "project",
        RemoteOrigin::Workspace => "you",
        RemoteOrigin::Found { file } => file,
    };
    let note = match (row.default, row.supported) {
        (true, true) => "default",
        (true, false) => "default, only listed",
        (false, true) => "",
        (false, false) => "only listed",
    };
    vec![
        row.called.clone(),
        row.kind.to_string(),
        row.url.clone(),
        origin.to_owned(),
        row.signed_in.clone().unwrap_or_default(),
        note.to_owned(),
    ]
}

fn told(context: &Context, name: &str, added: &RemoteAdded, done: &str) -> Done {
    context.out.answer(added, |added| {
        print::talk(&format!("{done} the {} `{name}`.", added.kind.title()));
        if let Some(replaced) = &added.replaced {
            print::talk(&format!("The name led to {replaced} until now."));
        }
        if let Some(place) = &added.place {
            print::talk(&format!("Its credential is in {place}."));
        }
    })?;
    Ok(ExitCode::SUCCESS)
}

fn test(context: &Context, name: String) -> Done {
    let health = remotes::test(&context.app, one(context, &name))?;
    let code = health
        .problem
        .as_ref()
        .map_or(0, lapwing_core::Report::exit_code);
    context
        .out
        .answer(&health, |health| match &health.problem {
            None => print::line(&words(&name, health)),
            Some(problem) => {
                print::line(&format!("{name} does not work: {}", problem.message));
                if let Some(hint) = &problem.hint {
                    print::talk(&format!("hint: {hint}"));
                }
            }
        })?;
    Ok(ExitCode::from(code))
}

fn sync(context: &Context, name: String, experiments: Vec<String>) -> Done {
    let input = SyncRemote {
        project: context.project_if_any(),
        name,
        experiments,
    };
    let synced = shown(context, |app| models::sync(app, input))?;
    context.out.answer(&synced, |synced| {
        let moved = [
            ("run", "there", &synced.runs_pushed),
            ("run", "here", &synced.runs_pulled),
            ("version", "there", &synced.versions_pushed),
            ("version", "here", &synced.versions_pulled),
        ];
        let rows: Vec<Vec<String>> = moved
            .iter()
            .flat_map(|(what, to, names)| {
                names
                    .iter()
                    .map(|name| vec![(*what).to_owned(), name.clone(), (*to).to_owned()])
            })
            .collect();
        if rows.is_empty() {
            return print::talk("Both sides are the same: nothing moved.");
        }
        print::table(&["what", "name", "moved"], &rows);
        let bytes = print::bytes(synced.bytes.0);
        print::talk(&format!("With {} files, {bytes}.", synced.files));
    })?;
    Ok(ExitCode::SUCCESS)
}

fn words(name: &str, health: &RemoteHealth) -> String {
    let server = health.server.as_deref().unwrap_or("it");
    let user = health
        .user
        .as_ref()
        .map_or(String::new(), |user| format!(", which knows you as {user}"));
    format!("{name} works: {server}{user} ({} ms)", health.millis)
}

/// When a person is asked for the secret.
enum Ask {
    Always,
    OnlyWhenNamed,
}

/// From standard input, or asked for without showing it.
fn secret(login: &Credentials, ask: Ask) -> Result<Option<Hidden>, Report> {
    if login.secret_stdin {
        let mut text = String::new();
        std::io::stdin()
            .take(MAX_SECRET_BYTES)
            .read_to_string(&mut text)
            .map_err(|error| no_secret(&error))?;
        return Ok(Some(Hidden(text.trim_end_matches(['\r', '\n']).to_owned())));
    }
    let wanted = match ask {
        Ask::Always => true,
        Ask::OnlyWhenNamed => login.user.is_some(),
    };
    if !wanted {
        return Ok(None);
    }
    if !std::io::stdin().is_terminal() {
        return Err(Report::new(
            Code::Invalid,
            "remote.secret",
            "there is no terminal to ask for the secret on",
        )
        .hint("pass it on standard input with `--secret-stdin`"));
    }
    let text =
        rpassword::prompt_password("Password or token: ").map_err(|error| no_secret(&error))?;
    Ok(Some(Hidden(text)))
}

fn no_secret(error: &std::io::Error) -> Report {
    Report::new(
        Code::Failed,
        "remote.secret",
        format!("the secret cannot be read: {error}"),
    )
}
